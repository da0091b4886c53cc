/*
 * The store in a SQLite file: WAL, each commit flushed to the disk.
 */
#include "db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct statement {
	struct db_statement head;
	sqlite3_stmt *stmt;
	size_t parameters;                  /* how many values it takes */
	size_t places;                      /* parameters of SQLite: one for each name */
	uint8_t numbers[DB_PARAMETERS_MAX]; /* which value each of them wants, from 0 */
};

struct sqlite {
	struct db db;
	char *path;
	unsigned wait_ms;
	struct timespec wait_since;
	sqlite3 *connection; /* NULL: could not be opened again */
	bool gone;           /* to be opened again by the next begin */
	struct statement *running;
	bool ahead; /* the first step was made by the query, and gave `row` */
	int row;
	int64_t changes_before, changed;
};

static const struct db_methods methods;

static struct sqlite *of(struct db *db)
{
	return (struct sqlite *)db;
}

static const struct sqlite *of_const(const struct db *db)
{
	return (const struct sqlite *)db;
}

/* ---- Errors ---- */

/* SQLite knows ENOSPC of a write; quotas, limits and files that cannot grow it calls I/O errors. */
static bool no_room(int system_error)
{
	return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

static int error_of(int code, int system_error)
{
	switch (code) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
	case SQLITE_CONSTRAINT_CHECK:
		return DB_ERR_CONFLICT;
	case SQLITE_IOERR_NOMEM:
		return DB_ERR_MEMORY;
	case SQLITE_IOERR_CORRUPTFS:
		return DB_ERR_DAMAGED;
	}
	switch (code & 0xFF) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return DB_ERR_BUSY;
	case SQLITE_FULL:
		return DB_ERR_FULL;
	case SQLITE_NOMEM:
		return DB_ERR_MEMORY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return DB_ERR_DAMAGED;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return no_room(system_error) ? DB_ERR_FULL : DB_ERR_GONE;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return DB_ERR_GONE;
	}
	return DB_ERR_SQL;
}

/* The connection's last error. SQLite's texts name tables and columns, never what is in them. */
static int fail(struct sqlite *sqlite)
{
	int code = sqlite3_extended_errcode(sqlite->connection);
	int system_error = sqlite3_system_errno(sqlite->connection);
	int error = error_of(code, system_error);

	sqlite->gone = sqlite->gone || error == DB_ERR_GONE;
	if ((code & 0xFF) == SQLITE_IOERR || (code & 0xFF) == SQLITE_CANTOPEN)
		return db_fail(&sqlite->db, error, "SQLite: %s: %s",
			       sqlite3_errmsg(sqlite->connection), strerror(system_error));
	return db_fail(&sqlite->db, error, "SQLite: %s", sqlite3_errmsg(sqlite->connection));
}

/* ---- Opening ---- */

static int64_t since_us(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)(now.tv_sec - then->tv_sec) * 1000000 +
	       (now.tv_nsec - then->tv_nsec) / 1000;
}

/* Looks again every half millisecond: SQLite's own waits grow to 100 ms, and whoever waits so
 * seldom hardly ever gets a turn beside one that commits without a pause. */
static int wait_for_lock(void *context, int count)
{
	static const struct timespec pause = {.tv_nsec = 500000};
	struct sqlite *sqlite = context;

	if (count == 0)
		clock_gettime(CLOCK_MONOTONIC, &sqlite->wait_since);
	if (since_us(&sqlite->wait_since) >= (int64_t)sqlite->wait_ms * 1000)
		return 0;
	nanosleep(&pause, NULL);
	return 1;
}

static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd, error = 0;

	if (!copy)
		return ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return errno;
	if (fsync(fd) != 0)
		error = errno;
	close(fd);
	return error;
}

/* Makes the file, if it is not there, with mode 0600 from its first instant; SQLite gives its
 * companions the same. It gets its name when it is closed: closing it later would end the locks
 * that another thread has on it by then. 0 or an errno. */
static int make_file(const char *path)
{
	char *draft;
	int fd, error = 0;

	if (access(path, F_OK) == 0)
		return 0;
	if (asprintf(&draft, "%s.XXXXXX", path) < 0)
		return ENOMEM;
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0) {
		error = errno;
		goto out;
	}
	close(fd);
	if (link(draft, path) != 0 && errno != EEXIST)
		error = errno;
	unlink(draft);
	/* A name that is not on the disk is a store lost at the next power cut. */
	if (!error)
		error = sync_directory(path);
out:
	free(draft);
	return error;
}

/* The page size takes effect on an empty file alone. WAL and its checkpoints are bounded: 512 pages
 * of 8 KiB. secure_delete: what was purged leaves the file. */
static const char settings[] = "PRAGMA page_size = 8192;"
			       "PRAGMA secure_delete = ON;"
			       "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA wal_autocheckpoint = 512;"
			       "PRAGMA journal_size_limit = 16777216;"
			       "PRAGMA cache_size = -8192;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA trusted_schema = OFF;";

static int is_wal(void *context, int columns, char **values, char **names)
{
	(void)names;
	if (columns == 1 && values[0] && strcmp(values[0], "wal") == 0)
		*(bool *)context = true;
	return 0;
}

static void disconnect(struct sqlite *sqlite)
{
	db_statements_free(&sqlite->db);
	sqlite3_close(sqlite->connection);
	sqlite->connection = NULL;
}

static int connect_file(struct sqlite *sqlite)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	bool wal = false;

	if (sqlite3_open_v2(sqlite->path, &sqlite->connection, flags, NULL) != SQLITE_OK) {
		if (!sqlite->connection)
			return db_fail(&sqlite->db, DB_ERR_MEMORY, "out of memory");
		return fail(sqlite);
	}
	sqlite3_extended_result_codes(sqlite->connection, 1);
	sqlite3_busy_handler(sqlite->connection, wait_for_lock, sqlite);
	if (sqlite3_exec(sqlite->connection, settings, is_wal, &wal, NULL) != SQLITE_OK)
		return fail(sqlite);
	if (!wal)
		return db_fail(&sqlite->db, DB_ERR_GONE,
			       "SQLite: no write-ahead log there; is it a local disk?");
	sqlite->gone = false;
	return DB_OK;
}

int db_sqlite_open(const char *path, bool create, unsigned wait_ms, struct db **db, char *detail)
{
	struct sqlite *sqlite;
	int error;

	/* To SQLite these are stores in memory, or in a file that has no name. */
	if (path[0] == 0 || path[0] == ':') {
		snprintf(detail, DB_DETAIL_MAX, "a file's name is expected after sqlite:");
		return DB_ERR_GONE;
	}
	error = create ? make_file(path) : 0;
	if (error) {
		snprintf(detail, DB_DETAIL_MAX, "%s: %s", path, strerror(error));
		return no_room(error) ? DB_ERR_FULL : DB_ERR_GONE;
	}
	sqlite = calloc(1, sizeof(*sqlite));
	if (!sqlite || !(sqlite->path = strdup(path))) {
		free(sqlite);
		snprintf(detail, DB_DETAIL_MAX, "out of memory");
		return DB_ERR_MEMORY;
	}
	sqlite->db.methods = &methods;
	sqlite->wait_ms = wait_ms;
	error = connect_file(sqlite);
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

	disconnect(sqlite);
	free(sqlite->path);
	free(sqlite);
}

/* ---- Transactions ---- */

static int run(struct sqlite *sqlite, const char *sql)
{
	if (sqlite3_exec(sqlite->connection, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail(sqlite);
	return DB_OK;
}

/* Whether the file was moved or removed under us: SQLite would go on with what nobody will find. */
static bool moved(struct sqlite *sqlite)
{
	int away = 0;

	sqlite3_file_control(sqlite->connection, "main", SQLITE_FCNTL_HAS_MOVED, &away);
	return away != 0;
}

static int sqlite_begin(struct db *db)
{
	struct sqlite *sqlite = of(db);

	if (!sqlite->connection || sqlite->gone || moved(sqlite)) {
		int error;

		disconnect(sqlite);
		error = connect_file(sqlite);
		if (error) {
			disconnect(sqlite);
			return error;
		}
	}
	return run(sqlite, "BEGIN IMMEDIATE");
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

/* ---- Statements ---- */

static void free_statement(struct db_statement *head)
{
	struct statement *statement = (struct statement *)head;

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
static bool read_names(struct statement *statement)
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

static int prepare(struct sqlite *sqlite, const char *sql, struct statement **out)
{
	struct statement *statement = calloc(1, sizeof(*statement));
	char *ours = strdup(sql);
	int error = DB_OK;

	if (!statement || !ours) {
		error = db_fail(&sqlite->db, DB_ERR_MEMORY, "out of memory");
		goto out;
	}
	strip_locks(ours);
	if (sqlite3_prepare_v3(sqlite->connection, ours, -1, SQLITE_PREPARE_PERSISTENT,
			       &statement->stmt, NULL) != SQLITE_OK) {
		error = fail(sqlite);
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

static int bind(struct statement *statement, int place, const struct db_value *value)
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
	switch (sqlite3_step(sqlite->running->stmt)) {
	case SQLITE_ROW:
		return DB_ROW;
	case SQLITE_DONE:
		sqlite->changed =
			sqlite3_total_changes64(sqlite->connection) - sqlite->changes_before;
		return DB_OK;
	}
	return fail(sqlite);
}

static int sqlite_query(struct db *db, const char *sql, const struct db_value *values, size_t count)
{
	struct sqlite *sqlite = of(db);
	struct statement *statement = (struct statement *)db_statement_find(db, sql, 0);
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
			return fail(sqlite);
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
