/* Migrations: once, whole or not at all, in order, however many start at once. */
#include "store_place.h"

#include "migrate_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define STATEMENTS(...)                                                                            \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
#define BOTH(...) STATEMENTS(__VA_ARGS__), STATEMENTS(__VA_ARGS__)
#define END                                                                                        \
	{                                                                                          \
		0, NULL, NULL, NULL                                                                \
	}

static const char count_sql[] = "SELECT COUNT(*) FROM schema_migrations";
static const char rows_sql[] = "SELECT COUNT(*) FROM one";

static void test_all(void **state)
{
	struct db *db = store_place_open(store_place(state));
	int all = migrate_missing(db, MIGRATE_OPERATOR);
	unsigned applied;

	assert_in_range(all, 1, 999);
	assert_int_equal(migrate_run(db, MIGRATE_OPERATOR, &applied), DB_OK);
	assert_int_equal(applied, all);
	assert_int_equal(migrate_missing(db, MIGRATE_OPERATOR), 0);
	assert_int_equal(store_place_number(db, "SELECT COUNT(*) FROM subscribers"), 0);
	assert_int_equal(migrate_run(db, MIGRATE_OPERATOR, &applied), DB_OK);
	assert_int_equal(applied, 0);
	assert_int_equal(migrate_run(db, MIGRATE_OPERATOR, NULL), DB_OK);
	assert_int_equal(store_place_number(db, count_sql), all);
	db_close(&db);
}

static void test_messenger(void **state)
{
	struct db *db = store_place_migrated(store_place(state), MIGRATE_MESSENGER);

	assert_int_equal(migrate_missing(db, MIGRATE_MESSENGER), 0);
	db_close(&db);
}

/* The numbers of one role say nothing about the other's. */
static void test_another_role(void **state)
{
	struct db *db = store_place_migrated(store_place(state), MIGRATE_OPERATOR);

	assert_int_equal(migrate_missing(db, MIGRATE_MESSENGER), DB_ERR_SQL);
	assert_int_equal(migrate_run(db, MIGRATE_MESSENGER, NULL), DB_ERR_SQL);
	assert_non_null(strstr(db_detail(db), "messenger"));
	db_close(&db);
}

static void test_newer_schema(void **state)
{
	static const char newer[] = "INSERT INTO schema_migrations (number, role, name, applied_at)"
				    " VALUES (999, 'operator', '999_later', 0)";
	struct db *db = store_place_migrated(store_place(state), MIGRATE_OPERATOR);

	assert_int_equal(db_run(db, newer, DB_NONE, NULL), DB_OK);
	assert_int_equal(migrate_missing(db, MIGRATE_OPERATOR), DB_ERR_SQL);
	assert_non_null(strstr(db_detail(db), "newer"));
	assert_int_equal(migrate_run(db, MIGRATE_OPERATOR, NULL), DB_ERR_SQL);
	db_close(&db);
}

/* ---- What goes wrong on the way ---- */

static const struct migration broken[] = {
	{1, "001_one", BOTH("CREATE TABLE one (n INTEGER)", "INSERT INTO one (n) VALUES (1)")},
	{2, "002_two",
	 BOTH("INSERT INTO one (n) VALUES (2)", "CREATE TABLE two (n INTEGER)",
	      "INSERT INTO nowhere (n) VALUES (2)")},
	END};
static const struct migration mended[] = {
	{1, "001_one", BOTH("CREATE TABLE one (n INTEGER)", "INSERT INTO one (n) VALUES (1)")},
	{2, "002_two", BOTH("INSERT INTO one (n) VALUES (2)", "CREATE TABLE two (n INTEGER)")},
	{3, "003_three", BOTH("INSERT INTO one (n) VALUES (3)")},
	END};

static void test_a_failing_one_leaves_nothing(void **state)
{
	struct db *db = store_place_open(store_place(state));
	unsigned applied;

	assert_int_equal(migrate_apply(db, "test", broken, &applied), DB_ERR_SQL);
	assert_int_equal(applied, 1);
	assert_int_equal(migrate_lacks(db, "test", broken), 1);
	assert_int_equal(store_place_number(db, rows_sql), 1);
	assert_int_equal(migrate_lacks(db, "test", mended), 2);
	assert_int_equal(migrate_apply(db, "test", mended, &applied), DB_OK);
	assert_int_equal(applied, 2);
	assert_int_equal(store_place_number(db, rows_sql), 3);
	assert_int_equal(migrate_lacks(db, "test", broken), DB_ERR_SQL);
	db_close(&db);
}

static void test_a_hole_is_refused(void **state)
{
	struct db *db = store_place_open(store_place(state));

	assert_int_equal(migrate_apply(db, "test", mended, NULL), DB_OK);
	assert_int_equal(db_script(db, "DELETE FROM schema_migrations WHERE number = 2"), DB_OK);
	assert_int_equal(migrate_lacks(db, "test", mended), DB_ERR_SQL);
	db_close(&db);
}

/* ---- At once ---- */

struct racer {
	const char *where;
	const struct migration *list;
	pthread_barrier_t *start;
	int error;
	unsigned applied;
};

static void *race(void *argument)
{
	struct racer *racer = argument;
	struct db *db;

	racer->error = db_open(racer->where, true, STORE_PLACE_WAIT_MS, &db, NULL);
	pthread_barrier_wait(racer->start);
	if (racer->error == DB_OK)
		racer->error = migrate_apply(db, "test", racer->list, &racer->applied);
	db_close(&db);
	return NULL;
}

static void test_at_once(void **state)
{
	const struct store_place *place = store_place(state);
	struct db *db = store_place_open(place);
	struct racer racers[6];
	pthread_barrier_t start;
	pthread_t threads[6];
	unsigned applied = 0;

	pthread_barrier_init(&start, NULL, 6);
	for (int i = 0; i < 6; i++) {
		racers[i] = (struct racer){place->where, mended, &start, 0, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < 6; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(racers[i].error, DB_OK);
		applied += racers[i].applied;
	}
	pthread_barrier_destroy(&start);
	assert_int_equal(applied, 3);
	assert_int_equal(store_place_number(db, rows_sql), 3);
	db_close(&db);
}

/* ---- Killed half way ---- */

/* Counts longer than any test, after it has written. */
static const struct migration slow[] = {
	{1, "001_one",
	 STATEMENTS("CREATE TABLE one (n INTEGER)", "INSERT INTO one (n) VALUES (1)",
		    "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < "
		    "1000000000000) SELECT MAX(n) FROM c"),
	 STATEMENTS("CREATE TABLE one (n INTEGER)", "INSERT INTO one (n) VALUES (1)",
		    "SELECT pg_sleep(3600)")},
	END};

static void assert_untouched(const struct store_place *place)
{
	struct db *db = store_place_open(place);

	assert_int_equal(migrate_lacks(db, "test", slow), 1);
	assert_int_equal(db_query(db, rows_sql, DB_NONE), DB_ERR_SQL);
	assert_int_equal(migrate_apply(db, "test", mended, NULL), DB_OK);
	assert_int_equal(store_place_number(db, rows_sql), 3);
	db_close(&db);
}

/* The process is killed once it holds the file: until then another can begin. */
static void test_killed_process(void **state)
{
	const struct store_place *place = store_place(state);
	struct db *db;
	pid_t child;
	int error, status;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (db_open(place->where, true, STORE_PLACE_WAIT_MS, &db, NULL) == DB_OK)
			migrate_apply(db, "test", slow, NULL);
		_exit(1);
	}
	assert_int_equal(db_open(place->where, true, 200, &db, NULL), DB_OK);
	while ((error = db_begin(db)) == DB_OK)
		db_rollback(db);
	assert_int_equal(error, DB_ERR_BUSY);
	/* It may have been the table of migrations: that is written in an instant, this is not. */
	assert_int_equal(db_begin(db), DB_ERR_BUSY);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	db_close(&db);
	assert_untouched(place);
}

/* The same by the server's hand: it ends the connection while the migration runs. */
static void test_ended_connection(void **state)
{
	static const char end_sql[] =
		"SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity "
		"WHERE query = 'SELECT pg_sleep(3600)' AND state = 'active' "
		"AND EXISTS (SELECT 1 FROM pg_locks l JOIN pg_class c ON l.relation = c.oid "
		"WHERE l.pid = pg_stat_activity.pid "
		"AND c.oid = to_regclass('schema_migrations'))";
	const struct store_place *place = store_place(state);
	struct racer racer = {.where = place->where, .list = slow};
	struct db *db = store_place_open(place);
	pthread_barrier_t start;
	pthread_t thread;

	pthread_barrier_init(&start, NULL, 1);
	racer.start = &start;
	assert_int_equal(pthread_create(&thread, NULL, race, &racer), 0);
	while (store_place_number(db, end_sql) == 0)
		sched_yield();
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&start);
	assert_int_equal(racer.error, DB_ERR_GONE);
	assert_int_equal(racer.applied, 0);
	db_close(&db);
	assert_untouched(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_PLACE_BOTH(test_all),
		STORE_PLACE_BOTH(test_messenger),
		STORE_PLACE_BOTH(test_another_role),
		STORE_PLACE_BOTH(test_newer_schema),
		STORE_PLACE_BOTH(test_a_failing_one_leaves_nothing),
		STORE_PLACE_BOTH(test_a_hole_is_refused),
		STORE_PLACE_BOTH(test_at_once),
		cmocka_unit_test_setup_teardown(test_killed_process, store_place_sqlite,
						store_place_tear_down),
		cmocka_unit_test_setup_teardown(test_ended_connection, store_place_postgres,
						store_place_tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
