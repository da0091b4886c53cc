/*
 * A connection to a SQLite file. Internal to db_sqlite*.c: db_sqlite.c runs statements,
 * db_sqlite_connect.c has the file and its errors.
 */
#ifndef SIMTIE_REGISTRY_DB_SQLITE_H
#define SIMTIE_REGISTRY_DB_SQLITE_H

#include "db_internal.h"

#include <sqlite3.h>
#include <time.h>

struct sqlite_statement;

struct sqlite {
	struct db db;
	char *path;
	unsigned wait_ms;
	struct timespec wait_since;
	sqlite3 *connection; /* NULL: could not be opened again */
	bool gone;           /* to be opened again by the next begin */
	struct sqlite_statement *running;
	int settled; /* pages of the log that were in the file the last time */
	bool ahead;  /* the first step was made by the query, and gave `row` */
	int row;
	int64_t changes_before, changed;
};

/* Makes the file, if it is not there, with mode 0600 from its first instant. 0 or an errno. */
int db_sqlite_make_file(const char *path);

/* Opens; and closes, and forgets the statements. */
int db_sqlite_connect(struct sqlite *sqlite);
void db_sqlite_disconnect(struct sqlite *sqlite);

/* Whether the file was moved or removed under us: SQLite would go on with what nobody will find. */
bool db_sqlite_moved(struct sqlite *sqlite);

/* The error of db.h for the connection's last one; db_detail() tells more. */
int db_sqlite_fail(struct sqlite *sqlite);

/* Whether an errno says that there is no room. */
bool db_sqlite_no_room(int system_error);

#endif
