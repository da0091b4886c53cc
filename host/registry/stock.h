/*
 * Cards that were made, by ICCID, until a subscriber has them.
 *
 * Owns their rows. Refuses two cards of one ICCID, and to give one card to two subscribers.
 */
#ifndef SIMTIE_REGISTRY_STOCK_H
#define SIMTIE_REGISTRY_STOCK_H

#include "db.h"
#include "simtie-token.h"
#include "vault.h"

/* Puts a card into stock. The same card again changes nothing. DB_ERR_CONFLICT: another card has
 * this ICCID. */
int stock_put(struct db *db, const struct vault *vault, const char *iccid,
	      const struct simtie_card_key *key);

enum stock_state {
	STOCK_UNKNOWN, /* no card of that ICCID */
	STOCK_GIVEN,   /* it is the caller's now */
	STOCK_TAKEN,   /* a subscriber has it already: key has its public key alone */
};

/* Gives a card to a subscriber. The key is the caller's to wipe. */
int stock_take(struct db *db, const struct vault *vault, const char *iccid,
	       struct simtie_card_key *key, enum stock_state *state);

/* 18 to 20 digits (ITU-T E.118, with or without the check digit). */
bool stock_iccid_valid(const char *iccid);

#endif
