/*
 * Notices to messengers, durable until delivered or too old.
 *
 * Owns the rows and the schedule: first try after a random few seconds, then back-off with jitter,
 * given up after 24 hours; by no jump of the clock before as many tries as fit into them. Refuses
 * to know how a notice is sent.
 */
#ifndef SIMTIE_REGISTRY_OUTBOX_H
#define SIMTIE_REGISTRY_OUTBOX_H

#include "db.h"
#include "simtie-service.h"
#include "vault.h"

/* Queues a notice about one registration, in the caller's transaction. */
int outbox_put(struct db *db, const struct vault *vault, int64_t hi, const char *audience,
	       const uint8_t registration[static VAULT_ID_SIZE], enum simtie_event event);

struct outbox_entry {
	int64_t hi;
	uint8_t id[VAULT_ID_SIZE];
	unsigned attempts;
	int64_t created_at, due_at, expires_at;
	bool given_up; /* nobody tries it again */
	char audience[SIMTIE_AUDIENCE_MAX + 1];
	uint8_t registration[VAULT_ID_SIZE];
	enum simtie_event event;
	char last_error[161];
};

/* Takes up to `room` entries that are due, for `claim_ms`: no other daemon takes them meanwhile.
 * One that does not open, its key not being in the key file perhaps, has no audience ("") and wants
 * to be said to have failed, so that it keeps none from its turn. */
int outbox_claim(struct db *db, const struct vault *vault, unsigned claim_ms,
		 struct outbox_entry *entries, size_t room, size_t *count);

/* What became of one: delivered (error NULL), or when to try again. *given_up: that was its last
 * try. */
int outbox_done(struct db *db, const struct outbox_entry *entry, const char *error, bool *given_up);

/* Gives a claimed one back without a try, to be due in so many milliseconds. */
int outbox_put_off(struct db *db, const struct outbox_entry *entry, unsigned pause_ms);

/* Those not delivered, oldest first, for a person to look at; the text is borrowed for the call. Of
 * one that does not open audience and event are "" and 0. */
int outbox_list(struct db *db, const struct vault *vault,
		void (*see)(void *context, const struct outbox_entry *entry), void *context);

#endif
