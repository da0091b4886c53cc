#include "migrate.h"
#include "migrate_internal.h"

#include "clock.h"
#include "db_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long whoever comes second waits for the first, in all; one wait is db_open()'s. */
#define WAIT_MS 60000

static const struct migration *list_of(enum migrate_role role)
{
	switch (role) {
	case MIGRATE_OPERATOR:
		return migrate_operator;
	case MIGRATE_MESSENGER:
		return migrate_messenger;
	}
	return NULL;
}

static const char *name_of(enum migrate_role role)
{
	return role == MIGRATE_OPERATOR ? "operator" : "messenger";
}

/* ---- What is there ---- */

static const char table_sqlite[] = "CREATE TABLE IF NOT EXISTS schema_migrations ("
				   "number INTEGER PRIMARY KEY, role TEXT NOT NULL, "
				   "name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;";
static const char table_postgresql[] = "CREATE TABLE IF NOT EXISTS schema_migrations ("
				       "number BIGINT PRIMARY KEY, role TEXT NOT NULL, "
				       "name TEXT NOT NULL, applied_at BIGINT NOT NULL);";

static const char has_table_sqlite[] =
	"SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
static const char has_table_postgresql[] =
	"SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass('schema_migrations')";

static const char count_sql[] = "SELECT COUNT(*), COALESCE(MAX(number), 0), "
				"COALESCE(MAX(CASE WHEN role = $1 THEN 0 ELSE 1 END), 0) "
				"FROM schema_migrations";

static int one_row(struct db *db, const char *sql, const struct db_value *values, size_t count)
{
	int result = db_query(db, sql, values, count);

	if (result == DB_OK)
		result = db_next(db);
	if (result == DB_OK)
		return db_fail(db, DB_ERR_SQL, "no row where one is expected");
	return result == DB_ROW ? DB_OK : result;
}

static int has_table(struct db *db, bool *there)
{
	int error = one_row(
		db, db_engine(db) == DB_SQLITE ? has_table_sqlite : has_table_postgresql, DB_NONE);

	*there = error == DB_OK && db_column_int(db, 0) > 0;
	db_end(db);
	return error;
}

static int length_of(const struct migration *list)
{
	int length = 0;

	while (list[length].number)
		length++;
	return length;
}

int migrate_lacks(struct db *db, const char *role, const struct migration *list)
{
	int64_t count, newest;
	int known = length_of(list);
	bool there, other;
	int error = has_table(db, &there);

	if (error)
		return error;
	if (!there)
		return known;
	error = one_row(db, count_sql, DB_VALUES(db_text(role)));
	if (error)
		return error;
	count = db_column_int(db, 0);
	newest = db_column_int(db, 1);
	other = db_column_int(db, 2) != 0;
	db_end(db);
	if (other)
		return db_fail(db, DB_ERR_SQL, "this store is not for the role %s", role);
	if (newest > known)
		return db_fail(db, DB_ERR_SQL,
			       "the schema is number %lld, newer than this program's %d",
			       (long long)newest, known);
	if (count != newest)
		return db_fail(db, DB_ERR_SQL, "the schema lacks a migration before number %lld",
			       (long long)newest);
	return known - (int)newest;
}

/* ---- Applying ---- */

static const char claim_sql[] = "INSERT INTO schema_migrations (number, role, name, applied_at) "
				"VALUES ($1, $2, $3, $4) ON CONFLICT (number) DO NOTHING";

/* A migration may take longer than any statement of a request. */
static const char no_limit[] = "SET LOCAL statement_timeout = 0";

/* The row of schema_migrations comes first: whoever has written it, and not yet committed, holds up
 * all others that would. */
static int apply_one(struct db *db, const char *role, const struct migration *migration,
		     int64_t *changed)
{
	bool sqlite = db_engine(db) == DB_SQLITE;
	const char *const *next = sqlite ? migration->sqlite : migration->postgresql;
	int error = sqlite ? DB_OK : db_script(db, no_limit);

	if (!error)
		error = db_run(db, claim_sql,
			       DB_VALUES(db_int(migration->number), db_text(role),
					 db_text(migration->name), db_int(clock_wall_ms())),
			       changed);
	while (!error && *changed && *next)
		error = db_script(db, *next++);
	return error;
}

/* One transaction; `migration` NULL makes the table of migrations. */
static int transact(struct db *db, const char *role, const struct migration *migration,
		    int64_t *changed)
{
	int error = db_begin(db);

	*changed = 0;
	if (!error && !migration)
		error = db_script(db, db_engine(db) == DB_SQLITE ? table_sqlite : table_postgresql);
	if (!error && migration)
		error = apply_one(db, role, migration, changed);
	if (!error)
		return db_commit(db);
	db_rollback(db);
	return error;
}

static bool in_time(int64_t since)
{
	return clock_boot_ms() - since < WAIT_MS;
}

/* Of two that make it at once PostgreSQL tells one of a conflict. */
static int make_table(struct db *db, int64_t since)
{
	int64_t changed;
	int error;

	do
		error = transact(db, NULL, NULL, &changed);
	while ((error == DB_ERR_BUSY || error == DB_ERR_CONFLICT) && in_time(since));
	return error;
}

int migrate_apply(struct db *db, const char *role, const struct migration *list, unsigned *applied)
{
	int64_t since = clock_boot_ms(), changed;
	int error = make_table(db, since);
	int lacks = error ? error : migrate_lacks(db, role, list);

	if (applied)
		*applied = 0;
	if (lacks < 0)
		return lacks;
	for (list += length_of(list) - lacks; list->number && !error; list++) {
		do
			error = transact(db, role, list, &changed);
		while (error == DB_ERR_BUSY && in_time(since));
		if (applied && !error && changed)
			++*applied;
	}
	return error;
}

int migrate_run(struct db *db, enum migrate_role role, unsigned *applied)
{
	return migrate_apply(db, name_of(role), list_of(role), applied);
}

int migrate_missing(struct db *db, enum migrate_role role)
{
	return migrate_lacks(db, name_of(role), list_of(role));
}
