/*
 * The cache of service keys: shards with a lock each, so that workers seldom meet; in a shard a
 * table of chains for finding, and a ring in order of use for letting go.
 *
 * Links are indexes into the shard's entries, 0 being the ring's head; a name is a digest already,
 * whose first bytes choose shard and chain.
 */
#include "operator_cache.h"

#include "bytes.h"
#include "crypto.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS 16

struct entry {
	uint8_t name[OPERATOR_CACHE_NAME_SIZE];
	uint8_t point[SIMTIE_POINT_SIZE];
	uint32_t chain;        /* the next in its chain; 0: none */
	uint32_t newer, older; /* the ring */
};

struct shard {
	pthread_mutex_t lock;
	uint32_t room, used;
	struct entry *entries; /* room + 1; the ring's head is the first */
	uint32_t *heads;       /* room chains */
};

struct operator_cache {
	struct shard shards[SHARDS];
};

struct operator_cache *operator_cache_new(size_t size)
{
	struct operator_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &cache->shards[i];

		pthread_mutex_init(&shard->lock, NULL);
		shard->room = (uint32_t)((size + SHARDS - 1) / SHARDS);
		shard->entries = calloc((size_t)shard->room + 1, sizeof(*shard->entries));
		shard->heads = calloc((size_t)shard->room + 1, sizeof(*shard->heads));
		if (!shard->entries || !shard->heads) {
			operator_cache_free(&cache);
			return NULL;
		}
	}
	return cache;
}

void operator_cache_free(struct operator_cache **cache)
{
	if (!*cache)
		return;
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &(*cache)->shards[i];

		free(shard->entries);
		free(shard->heads);
		pthread_mutex_destroy(&shard->lock);
	}
	free(*cache);
	*cache = NULL;
}

bool operator_cache_name(const struct simtie_card_key *card, const char *audience,
			 uint8_t name[static OPERATOR_CACHE_NAME_SIZE])
{
	uint8_t of[sizeof(*card) + SIMTIE_AUDIENCE_MAX];
	const size_t len = strnlen(audience, SIMTIE_AUDIENCE_MAX);
	bool ok;

	memcpy(of, card, sizeof(*card)); /* bytes alone: no padding in it */
	memcpy(of + sizeof(*card), audience, len);
	ok = simtie_crypto_openssl()->sha256(bytes_of(of, sizeof(*card) + len), name);
	bytes_wipe(of, sizeof(of));
	return ok;
}

static struct shard *shard_of(struct operator_cache *cache, const uint8_t *name)
{
	return &cache->shards[name[0] % SHARDS];
}

static uint32_t *head_of(struct shard *shard, const uint8_t *name)
{
	return &shard->heads[get_be32(name + 1) % shard->room];
}

static uint32_t find(struct shard *shard, const uint8_t *name)
{
	uint32_t at = *head_of(shard, name);

	while (at && memcmp(shard->entries[at].name, name, OPERATOR_CACHE_NAME_SIZE) != 0)
		at = shard->entries[at].chain;
	return at;
}

static void ring_leave(struct shard *shard, uint32_t at)
{
	struct entry *entry = &shard->entries[at];

	shard->entries[entry->newer].older = entry->older;
	shard->entries[entry->older].newer = entry->newer;
}

/* Makes an entry the newest. */
static void ring_enter(struct shard *shard, uint32_t at)
{
	struct entry *entries = shard->entries;

	entries[at].newer = 0;
	entries[at].older = entries[0].older;
	entries[entries[0].older].newer = at;
	entries[0].older = at;
}

static void chain_leave(struct shard *shard, uint32_t at)
{
	uint32_t *link = head_of(shard, shard->entries[at].name);

	while (*link != at)
		link = &shard->entries[*link].chain;
	*link = shard->entries[at].chain;
}

/* An entry to fill: a fresh one, or that unused for longest. */
static uint32_t take(struct shard *shard)
{
	uint32_t at;

	if (shard->used < shard->room)
		return ++shard->used;
	at = shard->entries[0].newer;
	ring_leave(shard, at);
	chain_leave(shard, at);
	return at;
}

bool operator_cache_get(struct operator_cache *cache,
			const uint8_t name[static OPERATOR_CACHE_NAME_SIZE],
			uint8_t service_public[static SIMTIE_POINT_SIZE])
{
	struct shard *shard = shard_of(cache, name);
	uint32_t at;

	if (shard->room == 0)
		return false;
	pthread_mutex_lock(&shard->lock);
	at = find(shard, name);
	if (at) {
		ring_leave(shard, at);
		ring_enter(shard, at);
		memcpy(service_public, shard->entries[at].point, SIMTIE_POINT_SIZE);
	}
	pthread_mutex_unlock(&shard->lock);
	return at != 0;
}

void operator_cache_put(struct operator_cache *cache,
			const uint8_t name[static OPERATOR_CACHE_NAME_SIZE],
			const uint8_t service_public[static SIMTIE_POINT_SIZE])
{
	struct shard *shard = shard_of(cache, name);
	struct entry *entry;
	uint32_t at;

	if (shard->room == 0)
		return;
	pthread_mutex_lock(&shard->lock);
	if (!find(shard, name)) {
		at = take(shard);
		entry = &shard->entries[at];
		memcpy(entry->name, name, sizeof(entry->name));
		memcpy(entry->point, service_public, sizeof(entry->point));
		entry->chain = *head_of(shard, name);
		*head_of(shard, name) = at;
		ring_enter(shard, at);
	}
	pthread_mutex_unlock(&shard->lock);
}

size_t operator_cache_count(struct operator_cache *cache)
{
	size_t count = 0;

	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&cache->shards[i].lock);
		count += cache->shards[i].used;
		pthread_mutex_unlock(&cache->shards[i].lock);
	}
	return count;
}
