/*
 * Numbered schema migrations, compiled in from migrations/ROLE/NNN_name.sql.
 *
 * Owns the table schema_migrations and the rule that a migration is applied once, whole or not at
 * all, in order, however many daemons start at once. Refuses to run on a schema that is newer than
 * this program.
 */
#ifndef SIMTIE_REGISTRY_MIGRATE_H
#define SIMTIE_REGISTRY_MIGRATE_H

#include "db.h"

enum migrate_role { MIGRATE_OPERATOR, MIGRATE_MESSENGER };

/* Applies what is missing; *applied (may be NULL) gets how many. An error of db.h. */
int migrate_run(struct db *db, enum migrate_role role, unsigned *applied);

/* Whether the schema is what this program works with: 0, or how many migrations it lacks, or a
 * negative error; DB_ERR_SQL when it is newer. */
int migrate_missing(struct db *db, enum migrate_role role);

#endif
