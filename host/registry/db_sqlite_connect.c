#include "db_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Errors ---- */

/* SQLite knows ENOSPC of a write; quotas, limits and files that cannot grow it calls I/O errors. */
bool db_sqlite_no_room(int system_error)
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
		return db_sqlite_no_room(system_error) ? DB_ERR_FULL : DB_ERR_GONE;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return DB_ERR_GONE;
	}
	return DB_ERR_SQL;
}

/* The connection's last error. SQLite's texts name tables and columns, never what is in them. */
int db_sqlite_fail(struct sqlite *sqlite)
{
	int code = sqlite3_extended_errcode(sqlite->connection);
	/* It does not keep what failed within a commit. */
	int kept = sqlite3_system_errno(sqlite->connection);
	int system_error = kept ? kept : errno;
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

/* SQLite gives the file's companions its mode. It gets its name when it is closed: closing it later
 * would end the locks that another thread has on it by then.*/
int db_sqlite_make_file(const char *path)
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

/* Measured with tests/bench/bench_store.c. Pages of 4 KiB, which take effect on an empty file
 * alone: keys are random, every row written dirties a page of its own, and larger ones are more to
 * write. mmap: among 10 million subscribers a lookup costs half of what it does with read(); SQLite
 * itself stops at 2 GiB. The log is bounded, by those who have nobody to settle it for them as
 * well; its file keeps the size that it has, since one that grows costs more to flush.
 * secure_delete: what was purged leaves the file. */
static const char settings[] = "PRAGMA page_size = 4096;"
			       "PRAGMA secure_delete = ON;"
			       "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA wal_autocheckpoint = 16000;"
			       "PRAGMA journal_size_limit = 67108864;"
			       "PRAGMA cache_size = -8192;"
			       "PRAGMA mmap_size = 2147418112;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA trusted_schema = OFF;";

static int is_wal(void *context, int columns, char **values, char **names)
{
	(void)names;
	if (columns == 1 && values[0] && strcmp(values[0], "wal") == 0)
		*(bool *)context = true;
	return 0;
}

void db_sqlite_disconnect(struct sqlite *sqlite)
{
	db_statements_free(&sqlite->db);
	sqlite3_close(sqlite->connection);
	sqlite->connection = NULL;
}

int db_sqlite_connect(struct sqlite *sqlite)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	bool wal = false;
	int tries = 0, result;

	if (sqlite3_open_v2(sqlite->path, &sqlite->connection, flags, NULL) != SQLITE_OK) {
		if (!sqlite->connection)
			return db_fail(&sqlite->db, DB_ERR_MEMORY, "out of memory");
		return db_sqlite_fail(sqlite);
	}
	sqlite3_extended_result_codes(sqlite->connection, 1);
	sqlite3_busy_handler(sqlite->connection, wait_for_lock, sqlite);
	/* Where two make a log for a new file at once, SQLite turns one away without asking the
	 * handler. */
	do
		result = sqlite3_exec(sqlite->connection, settings, is_wal, &wal, NULL);
	while ((result & 0xFF) == SQLITE_BUSY && wait_for_lock(sqlite, tries++));
	if (result != SQLITE_OK)
		return db_sqlite_fail(sqlite);
	if (!wal)
		return db_fail(&sqlite->db, DB_ERR_GONE,
			       "SQLite: no write-ahead log there; is it a local disk?");
	sqlite->gone = false;
	return DB_OK;
}

bool db_sqlite_moved(struct sqlite *sqlite)
{
	int away = 0;

	sqlite3_file_control(sqlite->connection, "main", SQLITE_FCNTL_HAS_MOVED, &away);
	return away != 0;
}
