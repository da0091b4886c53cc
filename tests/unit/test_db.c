/* The store's interface: both engines do the same. */
#include "store_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char insert_sql[] = "INSERT INTO things (id, number, bytes, text) "
				 "VALUES ($1, $2, $3, $4)";
static const char select_sql[] = "SELECT number, bytes, text FROM things WHERE id = $1";
static const char count_sql[] = "SELECT COUNT(*) FROM things";

static struct db *open_things(void **state)
{
	const struct store_place *place = store_place(state);
	struct db *db = store_place_open(place);
	const char *sql = place->engine == DB_SQLITE
				  ? "CREATE TABLE things (id INTEGER PRIMARY KEY, number INTEGER "
				    "CHECK (number <> 13), bytes BLOB, text TEXT NOT NULL) STRICT"
				  : "CREATE TABLE things (id BIGINT PRIMARY KEY, number BIGINT "
				    "CHECK (number <> 13), bytes BYTEA, text TEXT NOT NULL)";

	assert_int_equal(db_script(db, sql), DB_OK);
	return db;
}

static struct bytes bytes(const char *text)
{
	return bytes_of((const uint8_t *)text, strlen(text));
}

static int insert(struct db *db, int64_t id, int64_t number, const char *text)
{
	return db_run(db, insert_sql,
		      DB_VALUES(db_int(id), db_int(number), db_bytes(bytes("b")), db_text(text)),
		      NULL);
}

static void assert_bytes(struct bytes found, const void *expected, size_t len)
{
	assert_int_equal(found.len, len);
	if (len)
		assert_memory_equal(found.ptr, expected, len);
}

/* ---- Values ---- */

static void test_values(void **state)
{
	static const int64_t numbers[] = {0, 1, -1, INT32_MAX + 1LL, INT64_MAX, INT64_MIN};
	static const uint8_t raw[] = {0, 1, 0xFF, 0, '\'', '"', '\\'};
	static const char text[] = "K\xC3\xB6ln's \"$1\" \\x";
	struct db *db = open_things(state);

	for (int i = 0; i < 6; i++) {
		assert_int_equal(
			db_run(db, insert_sql,
			       DB_VALUES(db_int(i), db_int(numbers[i]),
					 db_bytes(bytes_of(raw, sizeof(raw))), db_text(text)),
			       NULL),
			DB_OK);
		assert_int_equal(db_query(db, select_sql, DB_VALUES(db_int(i))), DB_OK);
		assert_int_equal(db_next(db), DB_ROW);
		assert_true(db_column_int(db, 0) == numbers[i]);
		assert_bytes(db_column_bytes(db, 1), raw, sizeof(raw));
		assert_bytes(db_column_bytes(db, 2), text, strlen(text));
		assert_int_equal(db_next(db), DB_OK);
	}
	db_close(&db);
	assert_null(db);
}

/* Nothing and no value are two things, also where NULL stood the last time. */
static void test_null_and_empty(void **state)
{
	struct db *db = open_things(state);
	const struct db_value rows[][4] = {
		{db_int(1), db_null(), db_null(), db_text("")},
		{db_int(2), db_int(7), db_bytes(bytes_of(NULL, 0)), db_text("")},
		{db_int(3), db_null(), db_bytes(bytes("x")), db_text("t")},
		{db_int(4), db_int(0), db_null(), db_text("t")},
	};

	for (int i = 0; i < 4; i++) {
		assert_int_equal(db_run(db, insert_sql, rows[i], 4, NULL), DB_OK);
		assert_int_equal(db_query(db, select_sql, DB_VALUES(db_int(i + 1))), DB_OK);
		assert_int_equal(db_next(db), DB_ROW);
		for (int column = 0; column < 3; column++) {
			const struct db_value *value = &rows[i][column + 1];

			assert_int_equal(db_is_null(db, column), value->kind == DB_NULL);
			assert_int_equal(db_column_bytes(db, 1).len, rows[i][2].bytes.len);
		}
		assert_int_equal(db_column_int(db, 0), rows[i][1].number);
	}
	db_close(&db);
}

/* A parameter goes by its number, wherever it stands and however often. */
static void test_order_of_parameters(void **state)
{
	static const char sql[] = "INSERT INTO things (text, id, number) VALUES ($3, $2, $1 + $2)";
	static const char found[] = "SELECT $2 - $1, number FROM things WHERE text = $3 "
				    "AND number = $1 + $2";
	struct db *db = open_things(state);

	assert_int_equal(
		db_run(db, sql, DB_VALUES(db_int(1LL << 40), db_int(2), db_text("x")), NULL),
		DB_OK);
	assert_int_equal(db_query(db, found, DB_VALUES(db_int(1LL << 40), db_int(2), db_text("x"))),
			 DB_OK);
	assert_int_equal(db_next(db), DB_ROW);
	assert_true(db_column_int(db, 0) == 2 - (1LL << 40));
	assert_true(db_column_int(db, 1) == (1LL << 40) + 2);
	db_close(&db);
}

static void test_wrong_statements(void **state)
{
	struct db *db = open_things(state);
	struct db_value many[DB_PARAMETERS_MAX + 1] = {{0}};

	assert_int_equal(db_query(db, "SELECT id FROM nowhere", DB_NONE), DB_ERR_SQL);
	assert_non_null(strstr(db_detail(db), "nowhere"));
	assert_int_equal(db_query(db, select_sql, DB_NONE), DB_ERR_SQL);
	assert_int_equal(db_query(db, select_sql, DB_VALUES(db_int(1), db_int(2))), DB_ERR_SQL);
	assert_int_equal(db_query(db, select_sql, many, DB_PARAMETERS_MAX + 1), DB_ERR_SQL);
	assert_int_equal(db_run(db, "SELECT 1", DB_NONE, NULL), DB_ERR_SQL);
	assert_int_equal(db_script(db, "SELECT 1; NOT SQL"), DB_ERR_SQL);
	/* Each by itself, outside a transaction: nothing is broken. */
	assert_int_equal(insert(db, 1, 1, "t"), DB_OK);
	db_close(&db);
}

/* What one engine would take and the other not is refused by both. */
static void test_types_are_kept(void **state)
{
	struct db *db = open_things(state);

	assert_int_equal(db_run(db, insert_sql,
				DB_VALUES(db_int(1), db_text("seven"), db_null(), db_text("t")),
				NULL),
			 DB_ERR_SQL);
	assert_int_equal(db_run(db, insert_sql,
				DB_VALUES(db_int(1), db_int(7), db_int(7), db_text("t")), NULL),
			 DB_ERR_SQL);
	assert_int_equal(
		db_run(db, insert_sql, DB_VALUES(db_int(1), db_int(7), db_null(), db_null()), NULL),
		DB_ERR_SQL);
	assert_int_equal(store_place_number(db, count_sql), 0);
	db_close(&db);
}

/* ---- Rows ---- */

static void test_rows(void **state)
{
	static const char all[] = "SELECT id FROM things ORDER BY id DESC";
	struct db *db = open_things(state);

	for (int i = 1; i <= 3; i++)
		assert_int_equal(insert(db, i, i, "t"), DB_OK);
	assert_int_equal(db_query(db, all, DB_NONE), DB_OK);
	for (int i = 3; i >= 1; i--) {
		assert_int_equal(db_next(db), DB_ROW);
		assert_int_equal(db_column_int(db, 0), i);
	}
	assert_int_equal(db_next(db), DB_OK);
	assert_int_equal(db_next(db), DB_OK);
	/* The next query ends this one, whichever it is. */
	assert_int_equal(db_query(db, all, DB_NONE), DB_OK);
	assert_int_equal(db_next(db), DB_ROW);
	assert_int_equal(db_query(db, all, DB_NONE), DB_OK);
	assert_int_equal(db_next(db), DB_ROW);
	assert_int_equal(db_column_int(db, 0), 3);
	db_end(db);
	db_end(db);
	assert_int_equal(db_next(db), DB_OK);
	assert_int_equal(db_column_int(db, 0), 0);
	assert_true(db_is_null(db, 0));
	db_close(&db);
}

static void test_changed(void **state)
{
	static const char nothing[] = "INSERT INTO things (id, text) VALUES ($1, 't') "
				      "ON CONFLICT (id) DO NOTHING";
	static const char update[] = "UPDATE things SET number = $1 WHERE id >= $2";
	struct db *db = open_things(state);
	int64_t changed;

	for (int i = 1; i <= 3; i++)
		assert_int_equal(insert(db, i, i, "t"), DB_OK);
	assert_int_equal(db_run(db, update, DB_VALUES(db_int(9), db_int(2)), &changed), DB_OK);
	assert_int_equal(changed, 2);
	assert_int_equal(db_run(db, update, DB_VALUES(db_int(9), db_int(50)), &changed), DB_OK);
	assert_int_equal(changed, 0);
	assert_int_equal(db_run(db, nothing, DB_VALUES(db_int(1)), &changed), DB_OK);
	assert_int_equal(changed, 0);
	assert_int_equal(db_run(db, nothing, DB_VALUES(db_int(4)), &changed), DB_OK);
	assert_int_equal(changed, 1);
	db_close(&db);
}

/* A statement has done its work once it is started, whether or not its rows are read. */
static void test_returning(void **state)
{
	static const char sql[] = "UPDATE things SET number = number + $1 WHERE id IN "
				  "(SELECT id FROM things WHERE number < 100 ORDER BY id LIMIT 2 "
				  "FOR UPDATE SKIP LOCKED) RETURNING id, number";
	static const char sum[] = "SELECT CAST(SUM(number) AS BIGINT) FROM things";
	struct db *db = open_things(state);

	for (int i = 1; i <= 3; i++)
		assert_int_equal(insert(db, i, i, "t"), DB_OK);
	assert_int_equal(db_query(db, sql, DB_VALUES(db_int(10))), DB_OK);
	assert_int_equal(db_next(db), DB_ROW);
	assert_int_equal(db_column_int(db, 1), db_column_int(db, 0) + 10);
	db_end(db);
	assert_int_equal(store_place_number(db, sum), 11 + 12 + 3);
	db_close(&db);
}

/* PostgreSQL's SUM of integers is NUMERIC: said at once, not read as something else. */
static void test_unknown_types(void **state)
{
	struct db *db = open_things(state);

	if (db_engine(db) == DB_POSTGRESQL) {
		assert_int_equal(db_query(db, "SELECT SUM(number) FROM things", DB_NONE),
				 DB_ERR_SQL);
		assert_non_null(strstr(db_detail(db), "cast"));
	}
	assert_int_equal(store_place_number(db, "SELECT 1 + 1"), 2);
	assert_int_equal(store_place_number(db, "SELECT 2 > 1"), 1);
	assert_int_equal(store_place_number(db, "SELECT EXISTS (SELECT 1 FROM things)"), 0);
	db_close(&db);
}

/* ---- Transactions ---- */

static void test_transactions(void **state)
{
	struct db *db = open_things(state), *other = store_place_open(store_place(state));

	assert_int_equal(db_commit(db), DB_ERR_SQL);
	assert_int_equal(db_begin(db), DB_OK);
	assert_int_equal(insert(db, 1, 1, "t"), DB_OK);
	assert_int_equal(store_place_number(other, count_sql), 0);
	db_rollback(db);
	assert_int_equal(store_place_number(db, count_sql), 0);
	assert_int_equal(db_begin(db), DB_OK);
	assert_int_equal(insert(db, 1, 1, "t"), DB_OK);
	assert_int_equal(db_commit(db), DB_OK);
	assert_int_equal(store_place_number(other, count_sql), 1);
	db_rollback(db);
	assert_int_equal(db_begin(db), DB_OK);
	assert_int_equal(insert(db, 2, 2, "t"), DB_OK);
	db_close(&db);
	assert_int_equal(store_place_number(other, count_sql), 1);
	db_close(&other);
}

/* After an error there is nothing but a rollback: what follows would be a part of nothing. */
static void test_failed_transaction(void **state)
{
	struct db *db = open_things(state);

	assert_int_equal(insert(db, 1, 1, "t"), DB_OK);
	assert_int_equal(db_begin(db), DB_OK);
	assert_int_equal(insert(db, 2, 2, "t"), DB_OK);
	assert_int_equal(insert(db, 1, 1, "t"), DB_ERR_CONFLICT);
	assert_int_equal(insert(db, 3, 3, "t"), DB_ERR_CONFLICT);
	assert_int_equal(db_query(db, count_sql, DB_NONE), DB_ERR_CONFLICT);
	assert_int_equal(db_next(db), DB_ERR_CONFLICT);
	assert_int_equal(db_script(db, "SELECT 1"), DB_ERR_CONFLICT);
	assert_int_equal(db_commit(db), DB_ERR_CONFLICT);
	assert_int_equal(store_place_number(db, count_sql), 1);
	assert_int_equal(db_begin(db), DB_OK);
	assert_int_equal(db_begin(db), DB_ERR_SQL);
	assert_int_equal(db_commit(db), DB_ERR_SQL);
	assert_int_equal(db_begin(db), DB_OK);
	assert_int_equal(insert(db, 2, 2, "t"), DB_OK);
	assert_int_equal(db_commit(db), DB_OK);
	db_close(&db);
}

static void test_conflicts(void **state)
{
	struct db *db = open_things(state);

	assert_int_equal(db_script(db, "CREATE UNIQUE INDEX things_text ON things (text)"), DB_OK);
	assert_int_equal(insert(db, 1, 1, "secret"), DB_OK);
	assert_int_equal(insert(db, 1, 2, "other"), DB_ERR_CONFLICT);
	assert_int_equal(insert(db, 2, 2, "secret"), DB_ERR_CONFLICT);
	assert_null(strstr(db_detail(db), "secret"));
	assert_int_equal(insert(db, 3, 13, "thirteen"), DB_ERR_CONFLICT);
	assert_null(strstr(db_detail(db), "thirteen"));
	db_close(&db);
}

/* No error text repeats a value. */
static void test_details_hold_no_value(void **state)
{
	static const char cast[] = "SELECT CAST($1 AS BIGINT)";
	struct db *db = open_things(state);

	if (db_query(db, cast, DB_VALUES(db_text("+491701234567x"))) != DB_OK) {
		assert_null(strstr(db_detail(db), "1701234567"));
		assert_non_null(strstr(db_detail(db), "22P02"));
	} else {
		assert_int_equal(db_engine(db), DB_SQLITE);
	}
	db_close(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_PLACE_BOTH(test_values),
		STORE_PLACE_BOTH(test_null_and_empty),
		STORE_PLACE_BOTH(test_order_of_parameters),
		STORE_PLACE_BOTH(test_wrong_statements),
		STORE_PLACE_BOTH(test_types_are_kept),
		STORE_PLACE_BOTH(test_rows),
		STORE_PLACE_BOTH(test_changed),
		STORE_PLACE_BOTH(test_returning),
		STORE_PLACE_BOTH(test_unknown_types),
		STORE_PLACE_BOTH(test_transactions),
		STORE_PLACE_BOTH(test_failed_transaction),
		STORE_PLACE_BOTH(test_conflicts),
		STORE_PLACE_BOTH(test_details_hold_no_value),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
