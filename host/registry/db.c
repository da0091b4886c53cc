#include "db.h"
#include "db_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *db_strerror(int error)
{
	switch (error) {
	case DB_OK:
	case DB_ROW:
		return "no error";
	case DB_ERR_BUSY:
		return "another transaction holds what this one needs; try again";
	case DB_ERR_CONFLICT:
		return "such a row is there already";
	case DB_ERR_FULL:
		return "no room is left for the store; make room on its disk";
	case DB_ERR_GONE:
		return "the store cannot be reached; see that it runs and may be opened";
	case DB_ERR_MEMORY:
		return "out of memory";
	case DB_ERR_DAMAGED:
		return "the store is damaged; restore it from a backup";
	case DB_ERR_SQL:
		return "the store does not understand the statement; apply the migrations "
		       "(simtied migrate), or run the program that made its schema";
	case DB_ERR_LOST:
		return "the disk has not kept what was written; look for its errors in the "
		       "kernel's log";
	}
	return "unknown error of the store";
}

const char *db_detail(const struct db *db)
{
	return db->detail;
}

int db_fail(struct db *db, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(db->detail, sizeof(db->detail), format, args);
	va_end(args);
	return error;
}

/* ---- Statements ---- */

static size_t bucket(const char *sql)
{
	return (size_t)((uintptr_t)sql >> 4 ^ (uintptr_t)sql >> 10) % DB_BUCKETS;
}

struct db_statement *db_statement_find(const struct db *db, const char *sql, uint64_t variant)
{
	struct db_statement *statement = db->statements[bucket(sql)];

	while (statement && (statement->sql != sql || statement->variant != variant))
		statement = statement->next;
	return statement;
}

void db_statement_keep(struct db *db, struct db_statement *statement)
{
	struct db_statement **head = &db->statements[bucket(statement->sql)];

	statement->next = *head;
	*head = statement;
}

void db_statements_free(struct db *db)
{
	for (size_t i = 0; i < DB_BUCKETS; i++) {
		while (db->statements[i]) {
			struct db_statement *statement = db->statements[i];

			db->statements[i] = statement->next;
			db->methods->free_statement(statement);
		}
	}
}

/* ---- Connections and transactions ---- */

int db_open(const char *where, bool create, unsigned wait_ms, struct db **db, char *detail)
{
	static const char prefix[] = "sqlite:";
	char ours[DB_DETAIL_MAX];

	if (!detail)
		detail = ours;
	*db = NULL;
	detail[0] = 0;
	if (strncmp(where, prefix, sizeof(prefix) - 1) == 0)
		return db_sqlite_open(where + sizeof(prefix) - 1, create, wait_ms, db, detail);
	return db_postgres_open(where, wait_ms, db, detail);
}

void db_close(struct db **db)
{
	if (!*db)
		return;
	db_rollback(*db);
	db_statements_free(*db);
	(*db)->methods->close(*db);
	*db = NULL;
}

enum db_engine db_engine(const struct db *db)
{
	return db->methods->engine;
}

/* An error ends a transaction in PostgreSQL, some errors do in SQLite: all do here, so that nothing
 * is written behind a broken one. */
static int outcome(struct db *db, int result)
{
	if (result >= 0)
		return result;
	db->methods->end(db);
	if (db->in_transaction && !db->failed)
		db->failed = result;
	return result;
}

static int begin(struct db *db, bool read_only)
{
	int error;

	if (db->in_transaction)
		return outcome(db, db_fail(db, DB_ERR_SQL, "a transaction within a transaction"));
	db->methods->end(db);
	error = db->methods->begin(db, read_only);
	db->in_transaction = error == DB_OK;
	db->failed = DB_OK;
	return error;
}

int db_begin(struct db *db)
{
	return begin(db, false);
}

int db_begin_read(struct db *db)
{
	return begin(db, true);
}

int db_commit(struct db *db)
{
	int error = db->failed;

	if (!db->in_transaction)
		return db_fail(db, DB_ERR_SQL, "no transaction to commit");
	db->methods->end(db);
	if (error == DB_OK)
		error = db->methods->commit(db);
	if (error != DB_OK)
		db->methods->rollback(db);
	db->in_transaction = false;
	db->failed = DB_OK;
	return error;
}

void db_rollback(struct db *db)
{
	db->methods->end(db);
	if (db->in_transaction)
		db->methods->rollback(db);
	db->in_transaction = false;
	db->failed = DB_OK;
}

int db_settle(struct db *db, struct db_log *log)
{
	*log = (struct db_log){0};
	db->methods->end(db);
	if (db->in_transaction)
		return outcome(db, db_fail(db, DB_ERR_SQL, "housekeeping within a transaction"));
	return db->methods->settle(db, log);
}

/* ---- Values ---- */

struct db_value db_null(void)
{
	return (struct db_value){.kind = DB_NULL};
}

struct db_value db_int(int64_t number)
{
	return (struct db_value){.kind = DB_INT, .number = number};
}

struct db_value db_bytes(struct bytes bytes)
{
	return (struct db_value){.kind = DB_BYTES, .bytes = bytes};
}

struct db_value db_text(const char *text)
{
	if (!text)
		return db_null();
	return (struct db_value){.kind = DB_TEXT, .bytes = {(const uint8_t *)text, strlen(text)}};
}

/* ---- Queries ---- */

int db_query(struct db *db, const char *sql, const struct db_value *values, size_t count)
{
	db->methods->end(db);
	if (db->failed)
		return db->failed;
	if (count > DB_PARAMETERS_MAX)
		return outcome(
			db, db_fail(db, DB_ERR_SQL, "more than %d parameters", DB_PARAMETERS_MAX));
	return outcome(db, db->methods->query(db, sql, values, count));
}

int db_next(struct db *db)
{
	int result;

	if (db->failed)
		return db->failed;
	result = outcome(db, db->methods->next(db));
	if (result == DB_OK)
		db->methods->end(db);
	return result;
}

void db_end(struct db *db)
{
	db->methods->end(db);
}

bool db_is_null(const struct db *db, int column)
{
	return db->methods->is_null(db, column);
}

int64_t db_column_int(const struct db *db, int column)
{
	return db->methods->column_int(db, column);
}

struct bytes db_column_bytes(const struct db *db, int column)
{
	return db->methods->column_bytes(db, column);
}

int db_run(struct db *db, const char *sql, const struct db_value *values, size_t count,
	   int64_t *changed)
{
	int result = db_query(db, sql, values, count);

	if (changed)
		*changed = 0;
	if (result != DB_OK)
		return result;
	result = db_next(db);
	if (result == DB_ROW)
		return outcome(db, db_fail(db, DB_ERR_SQL, "rows of a statement without"));
	if (result == DB_OK && changed)
		*changed = db->methods->changed(db);
	return result;
}

int db_script(struct db *db, const char *sql)
{
	db->methods->end(db);
	if (db->failed)
		return db->failed;
	return outcome(db, db->methods->script(db, sql));
}
