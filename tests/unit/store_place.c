#include "store_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct store_place *make(enum db_engine engine)
{
	struct store_place *place = calloc(1, sizeof(*place));

	if (!place)
		return NULL;
	place->engine = engine;
	snprintf(place->folder, sizeof(place->folder), "/tmp/simtie-store-XXXXXX");
	if (!mkdtemp(place->folder)) {
		free(place);
		return NULL;
	}
	return place;
}

int store_place_sqlite(void **state)
{
	struct store_place *place = make(DB_SQLITE);

	*state = place;
	if (!place)
		return -1;
	snprintf(place->where, sizeof(place->where), "sqlite:%s/store.db", place->folder);
	return 0;
}

static int in_postgres(const char *format, const struct store_place *place)
{
	struct db *db;
	char sql[160];
	int error = db_open(getenv("SIMTIE_POSTGRES"), false, 60000, &db, NULL);

	snprintf(sql, sizeof(sql), format, place->schema);
	if (!error)
		error = db_script(db, sql);
	db_close(&db);
	return error;
}

int store_place_postgres(void **state)
{
	const char *server = getenv("SIMTIE_POSTGRES");
	struct store_place *place = make(DB_POSTGRESQL);

	*state = place;
	if (!place)
		return -1;
	if (!server || !server[0])
		return 0;
	/* The folder's name is as unique as the schema's must be. */
	snprintf(place->schema, sizeof(place->schema), "t_%d_%s", (int)getpid(),
		 strrchr(place->folder, '-') + 1);
	snprintf(place->where, sizeof(place->where), "%s options='-c search_path=\"%s\"'", server,
		 place->schema);
	return in_postgres("CREATE SCHEMA \"%s\"", place);
}

int store_place_tear_down(void **state)
{
	struct store_place *place = *state;
	char command[96];
	int error;

	snprintf(command, sizeof(command), "rm -rf %s", place->folder);
	error = system(command);
	if (place->schema[0])
		error |= in_postgres("DROP SCHEMA \"%s\" CASCADE", place);
	free(place);
	return error;
}

const struct store_place *store_place(void **state)
{
	const struct store_place *place = *state;

	if (!place->where[0])
		skip();
	return place;
}

struct db *store_place_open(const struct store_place *place)
{
	char detail[DB_DETAIL_MAX];
	struct db *db;

	if (db_open(place->where, true, STORE_PLACE_WAIT_MS, &db, detail) != DB_OK)
		fail_msg("%s", detail);
	return db;
}

struct db *store_place_migrated(const struct store_place *place, enum migrate_role role)
{
	struct db *db = store_place_open(place);

	if (migrate_run(db, role, NULL) != DB_OK)
		fail_msg("%s", db_detail(db));
	return db;
}

int64_t store_place_number(struct db *db, const char *sql)
{
	int64_t number;

	if (db_query(db, sql, DB_NONE) != DB_OK || db_next(db) != DB_ROW)
		fail_msg("%s", db_detail(db));
	number = db_column_int(db, 0);
	db_end(db);
	return number;
}
