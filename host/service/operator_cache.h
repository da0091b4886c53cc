/*
 * Service keys that were derived already, by card and audience.
 *
 * Owns a bounded number of them; which go first: those unused for longest. An entry is found by a
 * digest over all that its key is made of, so that none can be stale, and holds no chain code.
 * Refuses what did not verify: only a token that holds puts a key in, so that nobody fills the
 * cache by asking for numbers.
 *
 * Any number of threads may use one cache.
 */
#ifndef SIMTIE_SERVICE_OPERATOR_CACHE_H
#define SIMTIE_SERVICE_OPERATOR_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simtie-token.h"

struct operator_cache;

/* `size` keys at most, rounded up to a multiple of the number of shards; 0: none are kept. NULL:
 * out of memory. Memory is touched as it is filled: some 130 bytes a key. */
struct operator_cache *operator_cache_new(size_t size);
void operator_cache_free(struct operator_cache **cache);

/* What a key is found by. False: the library failed. */
#define OPERATOR_CACHE_NAME_SIZE 32
bool operator_cache_name(const struct simtie_card_key *card, const char *audience,
			 uint8_t name[static OPERATOR_CACHE_NAME_SIZE]);

bool operator_cache_get(struct operator_cache *cache,
			const uint8_t name[static OPERATOR_CACHE_NAME_SIZE],
			uint8_t service_public[static SIMTIE_POINT_SIZE]);
void operator_cache_put(struct operator_cache *cache,
			const uint8_t name[static OPERATOR_CACHE_NAME_SIZE],
			const uint8_t service_public[static SIMTIE_POINT_SIZE]);

/* How many keys it holds. */
size_t operator_cache_count(struct operator_cache *cache);

#endif
