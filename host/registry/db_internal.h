/*
 * What db.c asks of an engine, and what both engines share.
 *
 * Owns the table of statements by address and the text of the last error. Refuses to know what an
 * engine is called: that is in the methods. Internal to db*.c.
 */
#ifndef SIMTIE_REGISTRY_DB_INTERNAL_H
#define SIMTIE_REGISTRY_DB_INTERNAL_H

#include "db.h"

/* A prepared statement, the head of the engine's own struct. `variant` parts those that an engine
 * must prepare more than once for one text. */
struct db_statement {
	const char *sql;
	uint64_t variant;
	struct db_statement *next;
};

#define DB_BUCKETS 64

struct db {
	const struct db_methods *methods;
	bool in_transaction;
	int failed; /* what broke the transaction; nothing but a rollback is left */
	char detail[DB_DETAIL_MAX];
	struct db_statement *statements[DB_BUCKETS];
};

/* All are mandatory. Errors are those of db.h. */
struct db_methods {
	enum db_engine engine;
	/* Connects anew where the connection is lost. */
	int (*begin)(struct db *db, bool read_only);
	int (*commit)(struct db *db);
	void (*rollback)(struct db *db);
	int (*settle)(struct db *db, struct db_log *log);
	/* Runs up to the first row; `changed` and `next` tell what came of it. */
	int (*query)(struct db *db, const char *sql, const struct db_value *values, size_t count);
	int (*next)(struct db *db);
	void (*end)(struct db *db); /* does nothing when no query runs */
	int64_t (*changed)(const struct db *db);
	bool (*is_null)(const struct db *db, int column);
	int64_t (*column_int)(const struct db *db, int column);
	struct bytes (*column_bytes)(const struct db *db, int column);
	int (*script)(struct db *db, const char *sql);
	void (*free_statement)(struct db_statement *statement);
	void (*close)(struct db *db); /* the connection, and the struct; statements are gone */
};

/* An engine connects; *db is set on success alone, `detail` on failure alone. */
int db_sqlite_open(const char *path, bool create, unsigned wait_ms, struct db **db, char *detail);
int db_postgres_open(const char *where, unsigned wait_ms, struct db **db, char *detail);

/* The statement prepared for this literal, or NULL; and keeping one. */
struct db_statement *db_statement_find(const struct db *db, const char *sql, uint64_t variant);
void db_statement_keep(struct db *db, struct db_statement *statement);
void db_statements_free(struct db *db);

/* Sets db_detail() and returns `error`. */
int db_fail(struct db *db, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
