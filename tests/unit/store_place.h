/*
 * A fresh store for one test, of either kind: a file in a folder of its own, or a schema of its own
 * in the PostgreSQL that SIMTIE_POSTGRES names (tests/run starts one). Owns and removes both.
 *
 * A test that runs on both is listed twice:
 *
 *   cmocka_unit_test_setup_teardown(test_x, store_place_sqlite, store_place_tear_down),
 *   cmocka_unit_test_setup_teardown(test_x, store_place_postgres, store_place_tear_down),
 *
 * or by STORE_PLACE_BOTH(test_x). Where there is no PostgreSQL, store_place() skips it.
 */
#ifndef SIMTIE_TESTS_STORE_PLACE_H
#define SIMTIE_TESTS_STORE_PLACE_H

#include "db.h"
#include "migrate.h"

#define STORE_PLACE_WAIT_MS 2000

struct store_place {
	enum db_engine engine;
	char folder[64]; /* the test's own, for other files too */
	char where[320]; /* of db_open(); "": there is no PostgreSQL */
	char schema[64]; /* of PostgreSQL */
};

int store_place_sqlite(void **state);
int store_place_postgres(void **state);
int store_place_tear_down(void **state);

/* The place of a test; skips the test where there is none. */
const struct store_place *store_place(void **state);

/* A connection, opened without fail; with the role's schema. */
struct db *store_place_open(const struct store_place *place);
struct db *store_place_migrated(const struct store_place *place, enum migrate_role role);

/* The first column of the first row, a number; fails when there is no row. */
int64_t store_place_number(struct db *db, const char *sql);

#define STORE_PLACE_BOTH(test)                                                                     \
	{#test " on SQLite", test, store_place_sqlite, store_place_tear_down, NULL},               \
	{                                                                                          \
#test " on PostgreSQL", test, store_place_postgres, store_place_tear_down, NULL    \
	}

#endif
