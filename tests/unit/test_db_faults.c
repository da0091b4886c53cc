/* What goes wrong under the store: nothing that was acknowledged is lost, and it recovers. */
#include "store_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const char make_sql[] = "CREATE TABLE acks (n INTEGER PRIMARY KEY)";
static const char put_sql[] = "INSERT INTO acks (n) VALUES ($1) ON CONFLICT (n) DO NOTHING";
static const char count_sql[] = "SELECT COUNT(*) FROM acks";

static int put(struct db *db, int64_t n)
{
	int error = db_begin(db);

	if (!error)
		error = db_run(db, put_sql, DB_VALUES(db_int(n)), NULL);
	if (!error)
		return db_commit(db);
	db_rollback(db);
	return error;
}

static struct db *open_acks(void **state)
{
	struct db *db = store_place_open(store_place(state));

	assert_int_equal(db_script(db, make_sql), DB_OK);
	return db;
}

/* ---- SQLite's disk ---- */

#define FIRST_PAGE_MAX 16384 /* bytes at the beginning that opening reads */

/* Files may not grow beyond what they have: every write that needs more fails. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_disk_full(void **state)
{
	struct db *db = open_acks(state);
	int64_t acknowledged = 0;
	int error;

	limit_files(64 * 1024);
	while ((error = put(db, acknowledged)) == DB_OK)
		acknowledged++;
	assert_int_equal(error, DB_ERR_FULL);
	assert_int_equal(put(db, acknowledged), DB_ERR_FULL);
	limit_files(RLIM_INFINITY);
	assert_true(acknowledged > 0);
	assert_int_equal(store_place_number(db, count_sql), acknowledged);
	assert_int_equal(put(db, acknowledged), DB_OK);
	db_close(&db);
	db = store_place_open(store_place(state));
	assert_int_equal(store_place_number(db, count_sql), acknowledged + 1);
	db_close(&db);
}

/* One that filled the disk in the middle of a transaction: all of it is undone. */
static void test_disk_full_in_a_transaction(void **state)
{
	static const char big_sql[] = "INSERT INTO big (bytes) VALUES (randomblob(20000))";
	struct db *db = open_acks(state);
	int error;

	assert_int_equal(db_script(db, "CREATE TABLE big (bytes BLOB) STRICT;"
				       "PRAGMA cache_size = 10"),
			 DB_OK);
	limit_files(256 * 1024);
	assert_int_equal(db_begin(db), DB_OK);
	assert_int_equal(db_run(db, put_sql, DB_VALUES(db_int(1)), NULL), DB_OK);
	while ((error = db_run(db, big_sql, DB_NONE, NULL)) == DB_OK)
		continue;
	assert_int_equal(error, DB_ERR_FULL);
	assert_int_equal(db_run(db, put_sql, DB_VALUES(db_int(2)), NULL), DB_ERR_FULL);
	assert_int_equal(db_commit(db), DB_ERR_FULL);
	limit_files(RLIM_INFINITY);
	assert_int_equal(store_place_number(db, count_sql), 0);
	assert_int_equal(put(db, 1), DB_OK);
	db_close(&db);
}

static void path_of(const struct store_place *place, const char *ending, char path[static 160])
{
	snprintf(path, 160, "%s/store.db%s", place->folder, ending);
}

/* The file is taken away under us: whatever SQLite still wrote there, nobody would find. */
static void test_file_gone(void **state)
{
	const struct store_place *place = store_place(state);
	struct db *db = open_acks(state);
	char path[160], away[160];

	path_of(place, "", path);
	path_of(place, ".away", away);
	assert_int_equal(put(db, 1), DB_OK);
	assert_int_equal(rename(path, away), 0);
	assert_int_equal(put(db, 2), DB_ERR_GONE);
	assert_int_equal(put(db, 3), DB_ERR_GONE);
	assert_int_equal(db_query(db, count_sql, DB_NONE), DB_ERR_GONE);
	assert_int_equal(db_script(db, make_sql), DB_ERR_GONE);
	assert_int_equal(rename(away, path), 0);
	assert_int_equal(put(db, 4), DB_OK);
	assert_int_equal(store_place_number(db, count_sql), 2);
	db_close(&db);
}

static void test_damaged_file(void **state)
{
	const struct store_place *place = store_place(state);
	struct db *db = open_acks(state);
	char path[160], noise[4096];
	struct stat status;
	int fd;

	for (int i = 0; i < 3000; i++)
		assert_int_equal(db_run(db, put_sql, DB_VALUES(db_int(i)), NULL), DB_OK);
	db_close(&db);
	path_of(place, "", path);
	memset(noise, 0xA5, sizeof(noise));
	fd = open(path, O_WRONLY);
	assert_int_equal(fstat(fd, &status), 0);
	for (off_t at = FIRST_PAGE_MAX; at < status.st_size; at += (off_t)sizeof(noise))
		assert_int_equal(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
	close(fd);
	db = store_place_open(place);
	assert_int_equal(put(db, 5000), DB_ERR_DAMAGED);
	assert_string_not_equal(db_detail(db), "");
	db_close(&db);
}

/* ---- Killed ---- */

/* Acknowledges through a pipe what is committed, until killed. */
static void acknowledge(const struct store_place *place, int out)
{
	struct db *db;

	if (db_open(place->where, false, STORE_PLACE_WAIT_MS, &db, NULL) != DB_OK)
		_exit(1);
	for (int64_t n = 0;; n++)
		if (put(db, n) != DB_OK || write(out, &n, sizeof(n)) != sizeof(n))
			_exit(1);
}

static void test_killed_at_any_time(void **state)
{
	const struct store_place *place = store_place(state);
	struct db *db = open_acks(state);

	for (int kills = 1; kills <= 8; kills++) {
		int64_t n = -1, last = -1;
		int ends[2], status;
		pid_t child;

		assert_int_equal(db_script(db, "DELETE FROM acks"), DB_OK);
		assert_int_equal(pipe(ends), 0);
		fflush(NULL);
		child = fork();
		if (child == 0)
			acknowledge(place, ends[1]);
		close(ends[1]);
		while (read(ends[0], &n, sizeof(n)) == sizeof(n) && n < kills * 7)
			last = n;
		kill(child, SIGKILL);
		while (read(ends[0], &n, sizeof(n)) == sizeof(n))
			last = n;
		close(ends[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		assert_true(store_place_number(db, count_sql) >= last + 1);
	}
	db_close(&db);
}

/* ---- PostgreSQL's connection ---- */

static void end_connections(const struct store_place *place)
{
	static const char end_sql[] =
		"SELECT COUNT(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
		"WHERE pid <> pg_backend_pid() AND query LIKE '%acks%' "
		"AND EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = pg_stat_activity.pid "
		"AND l.relation = to_regclass('acks'))";
	struct db *db = store_place_open(place);

	assert_int_equal(store_place_number(db, end_sql), 1);
	db_close(&db);
}

static void test_connection_lost(void **state)
{
	const struct store_place *place = store_place(state);
	struct db *db = open_acks(state);

	assert_int_equal(put(db, 1), DB_OK);
	/* In a statement. */
	assert_int_equal(db_begin(db), DB_OK);
	assert_int_equal(db_run(db, put_sql, DB_VALUES(db_int(2)), NULL), DB_OK);
	end_connections(place);
	assert_int_equal(db_run(db, put_sql, DB_VALUES(db_int(3)), NULL), DB_ERR_GONE);
	assert_int_equal(db_commit(db), DB_ERR_GONE);
	/* A begin connects anew, and the statements are there again. */
	assert_int_equal(put(db, 4), DB_OK);
	/* In the commit: whether it was done is not known, so it was not. */
	assert_int_equal(db_begin(db), DB_OK);
	assert_int_equal(db_run(db, put_sql, DB_VALUES(db_int(5)), NULL), DB_OK);
	end_connections(place);
	assert_int_equal(db_commit(db), DB_ERR_GONE);
	/* In a begin: one more connection, and nobody notices. */
	assert_int_equal(db_begin(db), DB_OK);
	assert_int_equal(db_run(db, put_sql, DB_VALUES(db_int(6)), NULL), DB_OK);
	end_connections(place);
	db_rollback(db);
	assert_int_equal(put(db, 6), DB_OK);
	assert_int_equal(store_place_number(db, count_sql), 3);
	db_close(&db);
}

/* Every SQLSTATE that means something to us. */
static void test_sqlstates(void **state)
{
	static const struct {
		const char *state;
		int error;
	} states[] = {
		{"40001", DB_ERR_BUSY},    {"40P01", DB_ERR_BUSY},     {"55P03", DB_ERR_BUSY},
		{"57014", DB_ERR_BUSY},    {"23505", DB_ERR_CONFLICT}, {"23514", DB_ERR_CONFLICT},
		{"23502", DB_ERR_SQL},     {"53100", DB_ERR_FULL},     {"53200", DB_ERR_MEMORY},
		{"53300", DB_ERR_GONE},    {"08006", DB_ERR_GONE},     {"57P01", DB_ERR_GONE},
		{"57P03", DB_ERR_GONE},    {"25006", DB_ERR_GONE},     {"26000", DB_ERR_GONE},
		{"58030", DB_ERR_DAMAGED}, {"XX001", DB_ERR_DAMAGED},  {"XX002", DB_ERR_DAMAGED},
		{"42P01", DB_ERR_SQL},     {"22003", DB_ERR_SQL},
	};
	struct db *db = open_acks(state);

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		char sql[160];

		snprintf(sql, sizeof(sql),
			 "DO 'BEGIN RAISE EXCEPTION ''first\nsecond'' USING ERRCODE = ''%s'', "
			 "DETAIL = ''a value''; END'",
			 states[i].state);
		assert_int_equal(db_begin(db), DB_OK);
		assert_int_equal(db_script(db, sql), states[i].error);
		assert_non_null(strstr(db_detail(db), states[i].state));
		assert_null(strstr(db_detail(db), "second"));
		assert_null(strstr(db_detail(db), "a value;"));
		db_rollback(db);
		assert_int_equal(put(db, (int64_t)i), DB_OK);
	}
	db_close(&db);
}

int main(void)
{
#define SQLITE(test)                                                                               \
	cmocka_unit_test_setup_teardown(test, store_place_sqlite, store_place_tear_down)
#define POSTGRES(test)                                                                             \
	cmocka_unit_test_setup_teardown(test, store_place_postgres, store_place_tear_down)
	const struct CMUnitTest tests[] = {
		SQLITE(test_disk_full),
		SQLITE(test_disk_full_in_a_transaction),
		SQLITE(test_file_gone),
		SQLITE(test_damaged_file),
		STORE_PLACE_BOTH(test_killed_at_any_time),
		POSTGRES(test_connection_lost),
		POSTGRES(test_sqlstates),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db faults", tests, NULL, NULL);
}
