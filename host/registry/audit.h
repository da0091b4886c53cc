/*
 * The audit log: who read or changed what of whom, why; a hash chain for each connection.
 *
 * Owns the lines' form and the chain. A line is written in the transaction of what it tells of:
 * there is no read without its line. Refuses to be written without a chain or an actor.
 */
#ifndef SIMTIE_REGISTRY_AUDIT_H
#define SIMTIE_REGISTRY_AUDIT_H

#include "db.h"
#include "vault.h"

struct audit_line {
	const char *actor;  /* "messenger chat.example", "staff alice", "subscriber" */
	const char *action; /* "read registrations", "sim-swap check", "event SIM_SWAPPED" */
	const char *reason; /* or NULL */
	const struct vault_index *subscriber; /* or NULL */
};

/* The action of the line with which a number that somebody had before begins anew. */
#define AUDIT_NEW_SUBSCRIBER "number given to a new subscriber"

/* That of the line with which a subscriber was deleted. */
#define AUDIT_SUBSCRIBER_DELETED "subscriber deleted"

/* An error of db.h. */
int audit_write(struct db *db, const struct vault *vault, const char *chain,
		const struct audit_line *line);

/* Calls `see` for each line about a subscriber, newest first, at most `limit`, back to when the
 * number was given to her, or who had it before was deleted: what is older is another's. Text is
 * borrowed for the call. */
int audit_read(struct db *db, const struct vault *vault, const struct vault_index *subscriber,
	       unsigned limit,
	       void (*see)(void *context, int64_t at, const struct audit_line *line),
	       void *context);

/* Where a chain is broken. */
struct audit_fault {
	char chain[80];
	int64_t seq;      /* the first line that does not fit, or is missing */
	const char *what; /* static */
};

/* Walks every chain. *broken says whether one is; then *fault has the first. *lines counts. */
int audit_verify(struct db *db, const struct vault *vault, int64_t *lines, bool *broken,
		 struct audit_fault *fault);

#endif
