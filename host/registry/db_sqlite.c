/*
 * The store in a SQLite file: WAL, each commit flushed to the disk.
 */
#include "db_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct sqlite_statement {
	struct db_statement head;
	sqlite3_stmt *stmt;
	size_t parameters;                  /* how many values it takes */
	size_t places;                      /* parameters of SQLite: one for each name */
	uint8_t numbers[DB_PARAMETERS_MAX]; /* which value each of them wants, from 0 */
};

#define LONG_PAGES     6000  /* of the log: worth a pause of those who write */
#define TOO_LONG_PAGES 12000 /* soon a commit would settle it (wal_autocheckpoint) */

static const struct db_methods methods;

static struct sqlite *of(struct db *db)
{
	return (struct sqlite *)db;
}

static const struct sqlite *of_const(const struct db *db)
{
	return (const struct sqlite *)db;
}

/* ---- Opening, closing ---- */

int db_sqlite_open(const char *path, bool create, unsigned wait_ms, struct db **db, char *detail)
{
	struct sqlite *sqlite;
	int error;

	/* To SQLite these are stores in memory, or in a file that has no name. */
	if (path[0] == 0 || path[0] == ':') {
		snprintf(detail, DB_DETAIL_MAX, "a file's name is expected after sqlite:");
		return DB_ERR_GONE;
	}
	error = create ? db_sqlite_make_file(path) : 0;
	if (error) {
		snprintf(detail, DB_DETAIL_MAX, "%s: %s", path, strerror(error));
		return db_sqlite_no_room(error) ? DB_ERR_FULL : DB_ERR_GONE;
	}
	sqlite = calloc(1, sizeof(*sqlite));
	if (!sqlite || !(sqlite->path = strdup(path))) {
		free(sqlite);
		snprintf(detail, DB_DETAIL_MAX, "out of memory");
		return DB_ERR_MEMORY;
	}
	sqlite->db.methods = &methods;
	sqlite->wait_ms = wait_ms;
	error = db_sqlite_connect(sqlite);
	if (error) {
		snprintf(detail, DB_DETAIL_MAX, "%.100s: %.150s", path, sqlite->db.detail);
		sqlite->db.methods->close(&sqlite->db);
		return error;
	}
	*db = &sqlite->db;
	return DB_OK;
}

static void sqlite_close(struct db *db)
{
	struct sqlite *sqlite = of(db);

	db_sqlite_disconnect(sqlite);
	free(sqlite->path);
	free(sqlite);
}

/* ---- Transactions ---- */

static int run(struct sqlite *sqlite, const char *sql)
{
	errno = 0;
	if (sqlite3_exec(sqlite->connection, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_sqlite_fail(sqlite);
	return DB_OK;
}

static int sqlite_begin(struct db *db, bool read_only)
{
	struct sqlite *sqlite = of(db);

	if (!sqlite->connection || sqlite->gone || db_sqlite_moved(sqlite)) {
		int error;

		db_sqlite_disconnect(sqlite);
		error = db_sqlite_connect(sqlite);
		if (error) {
			db_sqlite_disconnect(sqlite);
			return error;
		}
	}
	return run(sqlite, read_only ? "BEGIN DEFERRED" : "BEGIN IMMEDIATE");
}

static int sqlite_commit(struct db *db)
{
	return run(of(db), "COMMIT");
}

static void sqlite_rollback(struct db *db)
{
	struct sqlite *sqlite = of(db);

	/* Some errors have ended it already. */
	if (sqlite->connection && !sqlite3_get_autocommit(sqlite->connection))
		sqlite3_exec(sqlite->connection, "ROLLBACK", NULL, NULL, NULL);
}

static int lost(struct sqlite *sqlite, int system_error)
{
	return db_fail(&sqlite->db, DB_ERR_LOST, "%.200s: %s", sqlite->path,
		       strerror(system_error));
}

/* SQLite flushes the file only once all of the log is in it: left to that, it would do so while
 * nobody may write, for everything since the last time. */
static int sync_file(struct sqlite *sqlite)
{
	sqlite3_file *file = NULL;

	errno = 0;
	sqlite3_file_control(sqlite->connection, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (!file || !file->pMethods || file->pMethods->xSync(file, SQLITE_SYNC_NORMAL))
		return lost(sqlite, errno);
	return DB_OK;
}

static int checkpoint(struct sqlite *sqlite, int mode, int *pages, int *settled)
{
	errno = 0;
	if (sqlite3_wal_checkpoint_v2(sqlite->connection, "main", mode, pages, settled) ==
	    SQLITE_OK)
		return DB_OK;
	if (sqlite3_extended_errcode(sqlite->connection) == SQLITE_IOERR_FSYNC)
		return lost(sqlite, errno);
	return db_sqlite_fail(sqlite);
}

/* Holds up nobody. When all of the log is in the file and nobody reads in the log, the next who
 * writes begins it anew. SQLite's own way to force that (RESTART) keeps writers out until the last
 * reader has gone: only a log that nothing else has helped gets it. */
static int sqlite_settle(struct db *db, struct db_log *log)
{
	struct sqlite *sqlite = of(db);
	int pages = 0, settled = 0, error;

	if (!sqlite->connection || sqlite->gone || db_sqlite_moved(sqlite))
		return db_fail(db, DB_ERR_GONE, "%.200s is not open", sqlite->path);
	error = checkpoint(sqlite, SQLITE_CHECKPOINT_PASSIVE, &pages, &settled);
	if (error != DB_OK)
		return error;
	log->used = settled != sqlite->settled;
	log->is_long = log->used && pages > LONG_PAGES;
	sqlite->settled = settled;
	if (log->used)
		error = sync_file(sqlite);
	if (error == DB_OK && pages > TOO_LONG_PAGES)
		error = checkpoint(sqlite, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
	return error;
}

/* ---- Statements ---- */

static void free_statement(struct db_statement *head)
{
	struct sqlite_statement *statement = (struct sqlite_statement *)head;

	sqlite3_finalize(statement->stmt);
	free(statement);
}

/* Row locks are PostgreSQL's; here the transaction has the whole file. */
static void strip_locks(char *sql)
{
	static const char lock[] = "FOR UPDATE", skip[] = " SKIP LOCKED";
	char *at = sql;

	while ((at = strstr(at, lock))) {
		size_t len = sizeof(lock) - 1;

		if (strncmp(at + len, skip, sizeof(skip) - 1) == 0)
			len += sizeof(skip) - 1;
		memset(at, ' ', len);
	}
}

/* SQLite numbers "$2, $1" by appearance; the names say which value is meant. */
static bool read_names(struct sqlite_statement *statement)
{
	int places = sqlite3_bind_parameter_count(statement->stmt);

	if (places > DB_PARAMETERS_MAX)
		return false;
	for (int i = 0; i < places; i++) {
		const char *name = sqlite3_bind_parameter_name(statement->stmt, i + 1);
		long number = name && name[0] == '$' ? strtol(name + 1, NULL, 10) : 0;

		if (number < 1 || number > DB_PARAMETERS_MAX)
			return false;
		statement->numbers[i] = (uint8_t)(number - 1);
		if ((size_t)number > statement->parameters)
			statement->parameters = (size_t)number;
	}
	statement->places = (size_t)places;
	return true;
}

static int prepare(struct sqlite *sqlite, const char *sql, struct sqlite_statement **out)
{
	struct sqlite_statement *statement = calloc(1, sizeof(*statement));
	char *ours = strdup(sql);
	int error = DB_OK;

	if (!statement || !ours) {
		error = db_fail(&sqlite->db, DB_ERR_MEMORY, "out of memory");
		goto out;
	}
	strip_locks(ours);
	if (sqlite3_prepare_v3(sqlite->connection, ours, -1, SQLITE_PREPARE_PERSISTENT,
			       &statement->stmt, NULL) != SQLITE_OK) {
		error = db_sqlite_fail(sqlite);
	} else if (!statement->stmt || !read_names(statement)) {
		error = db_fail(&sqlite->db, DB_ERR_SQL,
				"not one statement with parameters $1 to $%d", DB_PARAMETERS_MAX);
	} else {
		statement->head.sql = sql;
		db_statement_keep(&sqlite->db, &statement->head);
		*out = statement;
		statement = NULL;
	}
out:
	if (statement)
		free_statement(&statement->head);
	free(ours);
	return error;
}

static int bind(struct sqlite_statement *statement, int place, const struct db_value *value)
{
	const void *bytes = value->bytes.ptr ? (const void *)value->bytes.ptr : "";
	sqlite3_uint64 len = value->bytes.len;

	switch (value->kind) {
	case DB_NULL:
		return sqlite3_bind_null(statement->stmt, place);
	case DB_INT:
		return sqlite3_bind_int64(statement->stmt, place, value->number);
	case DB_BYTES:
		return sqlite3_bind_blob64(statement->stmt, place, bytes, len, SQLITE_STATIC);
	case DB_TEXT:
		return sqlite3_bind_text64(statement->stmt, place, bytes, len, SQLITE_STATIC,
					   SQLITE_UTF8);
	}
	return SQLITE_MISUSE;
}

/* ---- Queries ---- */

static void sqlite_end(struct db *db)
{
	struct sqlite *sqlite = of(db);

	if (sqlite->running)
		sqlite3_reset(sqlite->running->stmt);
	sqlite->running = NULL;
}

static int step(struct sqlite *sqlite)
{
	errno = 0;
	switch (sqlite3_step(sqlite->running->stmt)) {
	case SQLITE_ROW:
		return DB_ROW;
	case SQLITE_DONE:
		sqlite->changed =
			sqlite3_total_changes64(sqlite->connection) - sqlite->changes_before;
		return DB_OK;
	}
	return db_sqlite_fail(sqlite);
}

static int sqlite_query(struct db *db, const char *sql, const struct db_value *values, size_t count)
{
	struct sqlite *sqlite = of(db);
	struct sqlite_statement *statement =
		(struct sqlite_statement *)db_statement_find(db, sql, 0);
	int error;

	if (!sqlite->connection)
		return db_fail(db, DB_ERR_GONE, "%.200s is not open", sqlite->path);
	if (!statement) {
		error = prepare(sqlite, sql, &statement);
		if (error)
			return error;
	}
	if (statement->parameters != count)
		return db_fail(db, DB_ERR_SQL, "%zu values for a statement with %zu parameters",
			       count, statement->parameters);
	for (size_t i = 0; i < statement->places; i++)
		if (bind(statement, (int)i + 1, &values[statement->numbers[i]]) != SQLITE_OK)
			return db_sqlite_fail(sqlite);
	sqlite->running = statement;
	sqlite->changes_before = sqlite3_total_changes64(sqlite->connection);
	sqlite->row = step(sqlite);
	sqlite->ahead = true;
	return sqlite->row < 0 ? sqlite->row : DB_OK;
}

static int sqlite_next(struct db *db)
{
	struct sqlite *sqlite = of(db);

	if (!sqlite->running)
		return DB_OK;
	if (!sqlite->ahead)
		return step(sqlite);
	sqlite->ahead = false;
	return sqlite->row;
}

static int64_t sqlite_changed(const struct db *db)
{
	return of_const(db)->changed;
}

static bool sqlite_is_null(const struct db *db, int column)
{
	const struct sqlite *sqlite = of_const(db);

	return !sqlite->running ||
	       sqlite3_column_type(sqlite->running->stmt, column) == SQLITE_NULL;
}

static int64_t sqlite_column_int(const struct db *db, int column)
{
	const struct sqlite *sqlite = of_const(db);

	return sqlite->running ? sqlite3_column_int64(sqlite->running->stmt, column) : 0;
}

static struct bytes sqlite_column_bytes(const struct db *db, int column)
{
	const struct sqlite *sqlite = of_const(db);
	struct bytes bytes = {0};

	if (!sqlite->running)
		return bytes;
	bytes.ptr = sqlite3_column_blob(sqlite->running->stmt, column);
	bytes.len = (size_t)sqlite3_column_bytes(sqlite->running->stmt, column);
	return bytes;
}

static int sqlite_script(struct db *db, const char *sql)
{
	struct sqlite *sqlite = of(db);

	if (!sqlite->connection)
		return db_fail(db, DB_ERR_GONE, "%.200s is not open", sqlite->path);
	return run(sqlite, sql);
}

static const struct db_methods methods = {
	.engine = DB_SQLITE,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.settle = sqlite_settle,
	.query = sqlite_query,
	.next = sqlite_next,
	.end = sqlite_end,
	.changed = sqlite_changed,
	.is_null = sqlite_is_null,
	.column_int = sqlite_column_int,
	.column_bytes = sqlite_column_bytes,
	.script = sqlite_script,
	.free_statement = free_statement,
	.close = sqlite_close,
};
