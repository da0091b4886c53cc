/*
 * Sealing again, under the newest key, what is sealed under older ones, while daemons run.
 *
 * Owns the walk over all tables that have sealed rows, in short transactions of its caller's.
 * Refuses to touch what a row says: only its sealing changes.
 */
#ifndef SIMTIE_REGISTRY_REKEY_H
#define SIMTIE_REGISTRY_REKEY_H

#include "migrate.h"
#include "vault.h"

/* Where the walk stands. Zeroed but for the role, it is at the beginning. */
struct rekey {
	enum migrate_role role; /* whose tables */
	unsigned table;         /* which of the tables */
	int64_t number; /* key of the last row seen: first its number or text, then the other */
	int64_t second;
	char text[80];
	uint8_t bytes[VAULT_ID_SIZE];
	int64_t changed; /* rows sealed anew so far */
};

/*
 * One transaction's worth: at most `rows` rows. *more: the walk is not at its end. On an error the
 * caller rolls back and goes on with a copy of `rekey` from before. An error of db.h;
 * DB_ERR_DAMAGED when a row does not open, which *damaged (static) then names by its table.
 */
int rekey_step(struct db *db, const struct vault *vault, struct rekey *rekey, unsigned rows,
	       bool *more, const char **damaged);

#endif
