/*
 * The key sets of the issuer security domain: found, stored, their failures and sequence counted.
 *
 * A key set stands in one of LIMIT_KEY_SETS slots. What leaves this file with keys in it is its
 * caller's to wipe.
 */
#ifndef SIMTIE_CORE_KEY_SET_H
#define SIMTIE_CORE_KEY_SET_H

#include "applet.h"
#include "records.h"

#define KEY_SET_NONE 0xFF

/* Slot of the set with this version, of the first set for version 0; KEY_SET_NONE. */
uint8_t key_set_find(const struct applet *applet, uint8_t version);

/* A slot that is free; KEY_SET_NONE. */
uint8_t key_set_free(const struct applet *applet);

/* Reads the set in a slot. False: none is there, or the memory failed. */
bool key_set_read(const struct applet *applet, uint8_t slot, uint8_t set[static KEY_SET_SIZE]);

/*
 * Stores a set in a slot, its failures at 0, in one commit, and erases the one that it replaces.
 * The slot's sequence counter goes on: were the same keys put again, recorded sessions would
 * otherwise fit once more.
 */
enum journal_result key_set_store(struct applet *applet, uint8_t slot,
				  const uint8_t set[static KEY_SET_SIZE]);

/* Authentications with the set in a slot that failed in a row. An unreadable count is the most. */
uint8_t key_set_failures(const struct applet *applet, uint8_t slot);

/* Stores that count, durably. False: the memory failed. */
bool key_set_count(struct applet *applet, uint8_t slot, uint8_t failures);

/* Moves the sequence counter on, durably, and gives the new value. False: the memory failed, or the
 * counter is spent. */
bool key_set_sequence(struct applet *applet, uint8_t slot, uint32_t *sequence);

/* On blank memory: takes over what the card's maker gave. */
enum journal_result key_set_install(struct applet *applet);

#endif
