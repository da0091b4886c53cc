/*
 * A thousand subscribers who registered at two messengers, and all that each of these was given.
 *
 * All of it is made by the code that ships, the card's part alone by the test.
 */
#ifndef SIMTIE_TESTS_LINK_MESSENGERS_H
#define SIMTIE_TESTS_LINK_MESSENGERS_H

#include <stddef.h>
#include <stdint.h>

#define LINK_SUBSCRIBERS 1000
#define LINK_SIDES       2
#define LINK_ALL_MAX     2048 /* bytes that a messenger has of one user */

/* What an operator may be careless in. */
enum flaw {
	CAREFUL,
	SERIAL_OF_CARD,
	INDEX_IN_ORDER,
	INDEX_OF_CARD,
	TIME_IN_SECONDS,
	ID_OF_CARD,
	NOTICE_ID_SHARED,
	KEY_FOR_ALL,
	COUNTER_IN_CLEAR,
	SEAL_REPEATED,
	FLAW_COUNT,
};

/* The values by which one might sort. */
enum value {
	VALUE_KEY,
	VALUE_KEY_ID,
	VALUE_SERIAL,
	VALUE_INDEX,
	VALUE_BEGIN,
	VALUE_END,
	VALUE_REGISTRATION,
	VALUE_NOTICE,
	VALUE_SALT,
	VALUE_COUNTER,
	VALUE_SIGNATURE,
	VALUE_SEALED_KEY,
	VALUE_SEALED,
	VALUE_SIZE,
	VALUE_COUNT,
};

/* What a messenger has of one of its users. */
struct gotten {
	unsigned who; /* which it does not know */
	uint8_t all[LINK_ALL_MAX];
	size_t len;
	uint64_t value[VALUE_COUNT];
};

extern struct gotten link_gotten[LINK_SIDES][LINK_SUBSCRIBERS];

/* Group set-up and teardown of cmocka: keys and cards. */
int link_make(void **state);
int link_free(void **state);

/* Fills in link_gotten for the first `count`; they register at both messengers in one order. */
void link_get_all(enum flaw flaw, unsigned count);

uint64_t link_be64(const uint8_t *bytes);
void link_random(void *out, size_t len);

#endif
