/*
 * A connection to a PostgreSQL server. Internal to db_postgres*.c: db_postgres.c runs statements,
 * db_postgres_connect.c has the connection and its errors.
 */
#ifndef SIMTIE_REGISTRY_DB_POSTGRES_H
#define SIMTIE_REGISTRY_DB_POSTGRES_H

#include "db_internal.h"

#include <libpq-fe.h>

struct postgres {
	struct db db;
	char *where;
	unsigned wait_ms;
	PGconn *connection; /* NULL: none could be had */
	bool gone;          /* to be made anew by the next begin */
	bool warned;        /* the server warned of something since this was cleared */
	unsigned prepared;  /* names given */
	PGresult *result;
	int row, rows;
	int64_t changed;
};

/* Connects; drops the connection, if any, and its statements; both. */
int db_postgres_connect(struct postgres *postgres);
void db_postgres_disconnect(struct postgres *postgres);
int db_postgres_reconnect(struct postgres *postgres);

/* The error of db.h for a result (NULL: the connection's own); db_detail() tells more. */
int db_postgres_fail(struct postgres *postgres, const PGresult *result);

#endif
