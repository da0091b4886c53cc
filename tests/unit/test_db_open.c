/* Opening the store, and waiting for another's lock. */
#include "store_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define SHORT_WAIT_MS 300

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- A disk that does not keep the file ---- */

static atomic_bool flush_fails;

/* In place of the C library's, for SQLite too. The log is flushed all the same. */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
	char link[32], path[256];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	path[len < 0 ? 0 : len] = '\0';
	if (atomic_load(&flush_fails) && !strstr(path, "-wal")) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

/* ---- SQLite's file ---- */

static void assert_private(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}

static void test_file_mode(void **state)
{
	const struct store_place *place = store_place(state);
	mode_t before = umask(0);
	struct db *db = store_place_migrated(place, MIGRATE_OPERATOR);
	char path[128];

	umask(before);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/store.db%s", place->folder,
			 (const char *[]){"", "-wal", "-shm"}[i]);
		assert_private(path);
	}
	db_close(&db);
}

/* Each commit is flushed, whatever the library's default. */
static void test_settings(void **state)
{
	struct db *db = store_place_open(store_place(state));

	assert_int_equal(store_place_number(db, "PRAGMA synchronous"), 2);
	assert_int_equal(store_place_number(db, "PRAGMA secure_delete"), 1);
	assert_int_equal(store_place_number(db, "SELECT journal_mode = 'wal' FROM "
						"pragma_journal_mode"),
			 1);
	db_close(&db);
}

/* What settling has put into the file leaves the log, which then begins anew. */
static off_t log_size(const struct store_place *place)
{
	struct stat status;
	char path[128];

	snprintf(path, sizeof(path), "%s/store.db-wal", place->folder);
	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

static void test_settle(void **state)
{
	static const char put_sql[] = "INSERT INTO filler (bytes) VALUES (randomblob(3000))";
	struct db *db = store_place_open(store_place(state));
	struct db *settler = store_place_open(store_place(state));
	off_t first = 0;
	struct db_log log;

	assert_int_equal(db_script(db, "CREATE TABLE filler (bytes BLOB) STRICT"), DB_OK);
	for (int round = 0; round < 5; round++) {
		assert_int_equal(db_begin(db), DB_OK);
		for (int i = 0; i < (round < 4 ? 1500 : 7000); i++)
			assert_int_equal(db_run(db, put_sql, DB_NONE, NULL), DB_OK);
		assert_int_equal(db_commit(db), DB_OK);
		assert_int_equal(db_settle(settler, &log), DB_OK);
		assert_true(round > 0 || log.used);
		assert_int_equal(log.is_long, round == 4);
		first = first ? first : log_size(store_place(state));
		assert_true(round == 4 || log_size(store_place(state)) < 2 * first);
	}
	assert_int_equal(db_settle(settler, &log), DB_OK);
	assert_false(log.used);
	assert_int_equal(db_begin(settler), DB_OK);
	assert_int_equal(db_settle(settler, &log), DB_ERR_SQL);
	db_close(&settler);
	assert_int_equal(store_place_number(db, "SELECT COUNT(*) FROM filler"), 13000);
	db_close(&db);
}

/* What could not be flushed may be gone from memory too, and the next flush says that all is well.
 */
static void test_disk_that_loses(void **state)
{
	static const char put_sql[] = "INSERT INTO filler (bytes) VALUES (randomblob(30000))";
	struct db *db = store_place_open(store_place(state));
	struct db *settler = store_place_open(store_place(state));
	struct db *reader = store_place_open(store_place(state));
	struct db_log log;

	assert_int_equal(db_script(db, "CREATE TABLE filler (bytes BLOB) STRICT"), DB_OK);
	flush_fails = true;
	assert_int_equal(db_settle(settler, &log), DB_ERR_LOST);
	assert_non_null(strstr(db_detail(settler), strerror(EIO)));
	flush_fails = false;
	assert_int_equal(db_settle(settler, &log), DB_OK);
	/* Nor where SQLite itself would not have flushed yet: somebody reads what was before. */
	assert_int_equal(db_script(db, put_sql), DB_OK);
	assert_int_equal(db_begin_read(reader), DB_OK);
	assert_int_equal(store_place_number(reader, "SELECT COUNT(*) FROM filler"), 1);
	assert_int_equal(db_script(db, put_sql), DB_OK);
	flush_fails = true;
	assert_int_equal(db_settle(settler, &log), DB_ERR_LOST);
	flush_fails = false;
	db_rollback(reader);
	db_close(&reader);
	db_close(&settler);
	db_close(&db);
}

static void refused(const char *where, bool create, int expected)
{
	char detail[DB_DETAIL_MAX] = "";
	struct db *db = (struct db *)detail;

	assert_int_equal(db_open(where, create, SHORT_WAIT_MS, &db, detail), expected);
	assert_null(db);
	assert_string_not_equal(detail, "");
	assert_int_equal(db_open(where, create, SHORT_WAIT_MS, &db, NULL), expected);
	db_close(&db);
}

static void test_what_is_no_store(void **state)
{
	const struct store_place *place = store_place(state);
	char where[160];
	int fd;

	refused(place->where, false, DB_ERR_GONE);
	assert_int_equal(access(place->where + strlen("sqlite:"), F_OK), -1);
	refused("sqlite:", true, DB_ERR_GONE);
	refused("sqlite::memory:", true, DB_ERR_GONE);
	snprintf(where, sizeof(where), "sqlite:%s", place->folder);
	refused(where, true, DB_ERR_GONE);
	snprintf(where, sizeof(where), "sqlite:%s/none/store.db", place->folder);
	refused(where, true, DB_ERR_GONE);
	snprintf(where, sizeof(where), "sqlite:%s/text", place->folder);
	fd = open(where + strlen("sqlite:"), O_WRONLY | O_CREAT, 0600);
	assert_int_equal(dprintf(fd, "%s", "This is a text and no database.\n"), 32);
	close(fd);
	refused(where, true, DB_ERR_DAMAGED);
}

/* One commit, again when another's flushes took longer than the wait for its lock. */
static int write_one(struct db *db)
{
	int error = db_begin(db);

	if (!error)
		error = db_script(db, "CREATE TABLE IF NOT EXISTS made (n INTEGER) STRICT;"
				      "INSERT INTO made (n) VALUES (1)");
	if (!error)
		error = db_commit(db);
	if (error)
		db_rollback(db);
	return error;
}

/* Workers of one daemon open the same new file at once. */
static void *open_and_write(void *argument)
{
	struct db *db;
	int error = db_open(argument, true, 10 * STORE_PLACE_WAIT_MS, &db, NULL);

	for (int i = 0; i < 20 && !error; i++) {
		error = write_one(db);
		for (int tries = 0; error == DB_ERR_BUSY && tries < 10; tries++)
			error = write_one(db);
	}
	db_close(&db);
	return error ? "failed" : NULL;
}

static void test_opened_by_many(void **state)
{
	char where[320];
	pthread_t threads[4];
	void *failed;
	struct db *db;

	snprintf(where, sizeof(where), "%s", store_place(state)->where);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_and_write, where), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	db = store_place_open(store_place(state));
	assert_int_equal(store_place_number(db, "SELECT COUNT(*) FROM made"), 80);
	db_close(&db);
}

/* ---- PostgreSQL's connection ---- */

static void test_no_password_in_messages(void **state)
{
	static const char *const wheres[] = {
		"host=/nowhere dbname=x password=hunter2secret",
		"host=/nowhere password=a hunter2secret",
		"host=/nowhere password=hunter2secret sslmode=nonsense",
		"postgresql://u:hunter2secret@[::1/x",
		"postgresql://u:hunter2secret@127.0.0.1:1/x",
		"postgres:hunter2secret",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wheres) / sizeof(wheres[0]); i++) {
		char detail[DB_DETAIL_MAX] = "";
		struct db *db;

		assert_int_equal(db_open(wheres[i], true, SHORT_WAIT_MS, &db, detail), DB_ERR_GONE);
		assert_string_not_equal(detail, "");
		assert_null(strstr(detail, "hunter2secret"));
	}
}

static const char shown_sql[] = "SELECT current_setting($1)";

static void assert_shows(struct db *db, const char *setting, const char *expected)
{
	assert_int_equal(db_query(db, shown_sql, DB_VALUES(db_text(setting))), DB_OK);
	assert_int_equal(db_next(db), DB_ROW);
	assert_int_equal(db_column_bytes(db, 0).len, strlen(expected));
	assert_memory_equal(db_column_bytes(db, 0).ptr, expected, strlen(expected));
	db_end(db);
}

/* Each commit is flushed, even where a role or a database is set to do without. */
static void test_synchronous_commit(void **state)
{
	static const char *const settings[][2] = {
		{"off", "on"}, {"local", "local"}, {"on", "on"}, {"remote_apply", "remote_apply"}};
	const struct store_place *place = store_place(state);
	char where[400];
	struct db *db;

	for (int i = 0; i < 4; i++) {
		snprintf(where, sizeof(where), "%.*s -c synchronous_commit=%s'",
			 (int)strlen(place->where) - 1, place->where, settings[i][0]);
		assert_int_equal(db_open(where, false, SHORT_WAIT_MS, &db, NULL), DB_OK);
		assert_shows(db, "synchronous_commit", settings[i][1]);
		assert_shows(db, "lock_timeout", "300ms");
		assert_shows(db, "default_transaction_isolation", "read committed");
		db_close(&db);
	}
}

/* ---- Another's lock ---- */

static struct db *open_waiting(const struct store_place *place, unsigned wait_ms)
{
	struct db *db;

	assert_int_equal(db_open(place->where, true, wait_ms, &db, NULL), DB_OK);
	return db;
}

static const char update_sql[] = "UPDATE held SET n = n + 1";

static int update(struct db *db)
{
	int error = db_begin(db);

	if (!error)
		error = db_run(db, update_sql, DB_NONE, NULL);
	if (!error)
		return db_commit(db);
	db_rollback(db);
	return error;
}

static void test_wait_is_bounded(void **state)
{
	const struct store_place *place = store_place(state);
	struct db *holder = store_place_open(place);
	struct db *db = open_waiting(place, SHORT_WAIT_MS);
	int64_t since;

	assert_int_equal(db_script(holder, "CREATE TABLE held (n INTEGER);"
					   "INSERT INTO held (n) VALUES (0)"),
			 DB_OK);
	assert_int_equal(db_begin(holder), DB_OK);
	assert_int_equal(db_run(holder, update_sql, DB_NONE, NULL), DB_OK);
	since = now_ms();
	assert_int_equal(update(db), DB_ERR_BUSY);
	assert_in_range((uintmax_t)(now_ms() - since), SHORT_WAIT_MS - 20, SHORT_WAIT_MS + 3000);
	assert_int_equal(db_commit(holder), DB_OK);
	assert_int_equal(update(db), DB_OK);
	assert_int_equal(store_place_number(db, "SELECT n FROM held"), 2);
	db_close(&db);
	db_close(&holder);
}

struct busy {
	const struct store_place *place;
	atomic_bool stop;
};

static void *commit_without_a_pause(void *argument)
{
	struct busy *busy = argument;
	struct db *db;
	int error = db_open(busy->place->where, true, STORE_PLACE_WAIT_MS, &db, NULL);

	while (!error && !atomic_load(&busy->stop))
		error = update(db);
	db_close(&db);
	return NULL;
}

/* Beside one that commits all the time, another gets its turns. */
static void test_nobody_starves(void **state)
{
	struct busy busy = {.place = store_place(state)};
	struct db *db = open_waiting(busy.place, STORE_PLACE_WAIT_MS);
	pthread_t thread;

	assert_int_equal(db_script(db, "CREATE TABLE held (n INTEGER);"
				       "INSERT INTO held (n) VALUES (0)"),
			 DB_OK);
	assert_int_equal(pthread_create(&thread, NULL, commit_without_a_pause, &busy), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(update(db), DB_OK);
	atomic_store(&busy.stop, true);
	pthread_join(thread, NULL);
	db_close(&db);
}

int main(void)
{
#define SQLITE(test)                                                                               \
	cmocka_unit_test_setup_teardown(test, store_place_sqlite, store_place_tear_down)
#define POSTGRES(test)                                                                             \
	cmocka_unit_test_setup_teardown(test, store_place_postgres, store_place_tear_down)
	const struct CMUnitTest tests[] = {
		SQLITE(test_file_mode),
		SQLITE(test_settings),
		SQLITE(test_settle),
		SQLITE(test_disk_that_loses),
		SQLITE(test_what_is_no_store),
		SQLITE(test_opened_by_many),
		cmocka_unit_test(test_no_password_in_messages),
		POSTGRES(test_synchronous_commit),
		STORE_PLACE_BOTH(test_wait_is_bounded),
		STORE_PLACE_BOTH(test_nobody_starves),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db open", tests, NULL, NULL);
}
