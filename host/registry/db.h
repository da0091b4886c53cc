/*
 * One connection to the store, SQLite or PostgreSQL, behind one small interface.
 *
 * Owns the connection, its prepared statements, and the few differences between the engines, so
 * that every statement elsewhere is written once, in SQL that both understand: parameters are $1,
 * $2 …; types INTEGER (64 bits), BYTEA and TEXT; INSERT … ON CONFLICT, RETURNING, partial indexes.
 * FOR UPDATE [SKIP LOCKED] at the end of a SELECT is left out for SQLite, where a transaction holds
 * the whole file. Refuses to retry by itself: whoever owns the transaction does that.
 *
 * One thread at a time per connection; one query at a time per connection.
 */
#ifndef SIMTIE_REGISTRY_DB_H
#define SIMTIE_REGISTRY_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

struct db;

enum db_engine { DB_SQLITE, DB_POSTGRESQL };

enum db_result {
	DB_OK = 0,
	DB_ROW = 1,           /* db_next(): there is a row */
	DB_ERR_BUSY = -1,     /* locked, deadlock, serialisation: roll back, and once more */
	DB_ERR_CONFLICT = -2, /* a unique key or a check forbids it */
	DB_ERR_FULL = -3,     /* no room on the disk */
	DB_ERR_GONE = -4, /* cannot be opened, or the connection is lost; db_begin() reconnects */
	DB_ERR_MEMORY = -5,
	DB_ERR_DAMAGED = -6, /* the engine says that the file is not a sound database */
	DB_ERR_SQL = -7,     /* the statement is wrong, or the schema is another: see db_detail() */
	DB_ERR_LOST = -8,    /* db_settle(): the disk has not kept what was written */
};

/* What happened and what to do. Static; never NULL. */
const char *db_strerror(int error);

/* What the engine said of the last error on this connection; holds no value of a parameter. */
const char *db_detail(const struct db *db);

/*
 * Opens "sqlite:FILE" (WAL, synchronous FULL; made with mode 0600 if `create`) or what libpq takes
 * ("postgresql://…", "host=… dbname=…"). A lock of another is waited for `wait_ms` at most, in
 * every statement; then it is DB_ERR_BUSY. On failure *db is NULL and `detail` (may be NULL,
 * DB_DETAIL_MAX bytes) gets a sentence.
 */
#define DB_DETAIL_MAX 256
int db_open(const char *where, bool create, unsigned wait_ms, struct db **db, char *detail);
void db_close(struct db **db);
enum db_engine db_engine(const struct db *db);

/* BEGIN IMMEDIATE in SQLite; READ COMMITTED in PostgreSQL. db_commit() returns DB_OK only when what
 * was written survives a power cut. db_rollback() never fails; a lost connection is one as well. */
int db_begin(struct db *db);
int db_commit(struct db *db);
void db_rollback(struct db *db);

/* A transaction that sees one state of the store and writes nothing: with SQLite it waits for no
 * writer and holds up none. Ended by db_rollback(). */
int db_begin_read(struct db *db);

/* What became of a store's log. */
struct db_log {
	bool used;    /* it is of another length than the last time */
	bool is_long; /* and it begins anew only when all of it is in the file at one instant */
};

/*
 * Housekeeping, outside a transaction, best every 20 ms or so while others write, and on a
 * connection of its own: SQLite's log is written into the file here, and that to the disk, little
 * by little, and not by one of them in its commit when the log has grown to its bound. A log that
 * is long wants one more call at once while nobody writes: there is little left to do then.
 * PostgreSQL does all that by itself. DB_ERR_BUSY: something is left for the next time.
 * DB_ERR_LOST: what is in memory may not be on the disk, and no other call needs to find that out.
 * End the process at once: the log has everything, and who opens the store first reads it all.
 */
int db_settle(struct db *db, struct db_log *log);

/* One parameter. Bytes are borrowed until the query ends. */
enum db_kind { DB_NULL, DB_INT, DB_BYTES, DB_TEXT };
struct db_value {
	enum db_kind kind;
	int64_t number;
	struct bytes bytes;
};

struct db_value db_null(void);
struct db_value db_int(int64_t number);
struct db_value db_bytes(struct bytes bytes);
struct db_value db_text(const char *text); /* NULL is DB_NULL */

#define DB_PARAMETERS_MAX 24
#define DB_VALUES(...)                                                                             \
	(const struct db_value[]){__VA_ARGS__},                                                    \
		sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value)
#define DB_NONE NULL, 0

/*
 * Starts a query. `sql` is a string literal: prepared once per connection and found again by its
 * address. Then db_next() until it gives DB_OK, or db_end() before that; the next db_query() ends
 * it as well.
 */
int db_query(struct db *db, const char *sql, const struct db_value *values, size_t count);

/* DB_ROW, DB_OK (no more rows), or an error. PostgreSQL's rows are all in memory by then: ask for a
 * bounded number. A SUM is NUMERIC there: CAST(SUM(x) AS BIGINT). */
int db_next(struct db *db);
void db_end(struct db *db);

/* Columns of the row that db_next() gave, from 0. Bytes and text are borrowed until the next call
 * of db_next(), db_end() or db_query(). NULL reads as 0 or {NULL, 0}. */
bool db_is_null(const struct db *db, int column);
int64_t db_column_int(const struct db *db, int column);
struct bytes db_column_bytes(const struct db *db, int column); /* BYTEA and TEXT */

/* A statement without rows; *changed (may be NULL) gets how many rows it touched. */
int db_run(struct db *db, const char *sql, const struct db_value *values, size_t count,
	   int64_t *changed);

/* Runs several statements parted by ";" (migrations; BEGIN and COMMIT are the caller's). */
int db_script(struct db *db, const char *sql);

#endif
