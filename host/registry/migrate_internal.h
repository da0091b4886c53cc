/*
 * The migrations of each role, as embed_migrations.py writes them from migrations/. Internal to
 * migrate.c.
 */
#ifndef SIMTIE_REGISTRY_MIGRATE_INTERNAL_H
#define SIMTIE_REGISTRY_MIGRATE_INTERNAL_H

#include "db.h"

struct migration {
	int number; /* from 1, without gaps */
	const char *name;
	const char *const *sqlite, *const *postgresql; /* statements; each list ends with NULL */
};

/* Each ends with a number 0. */
extern const struct migration migrate_operator[], migrate_messenger[];

/* The rule itself, over any list: `role` is the name that the store keeps. */
int migrate_apply(struct db *db, const char *role, const struct migration *list, unsigned *applied);
int migrate_lacks(struct db *db, const char *role, const struct migration *list);

#endif
