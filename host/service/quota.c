/*
 * A table of sets of a few entries each, by a keyed hash: nobody can choose whom to push out.
 */
#include "quota.h"

#include <openssl/rand.h>
#include <stdlib.h>

#define SETS   1024
#define WAYS   4
#define SECOND 1000000 /* a request, in tokens; and microseconds */

struct entry {
	uint64_t client; /* its hash; 0: free */
	int64_t tokens;  /* millionths of a request */
	int64_t seen_us;
};

struct quota {
	int64_t rate, full;
	uint64_t key[2];
	struct entry sets[SETS][WAYS];
};

struct quota *quota_new(unsigned rate, unsigned burst)
{
	struct quota *quota = calloc(1, sizeof(*quota));

	if (!quota)
		return NULL;
	quota->rate = rate;
	quota->full = (int64_t)burst * SECOND;
	if (RAND_bytes((unsigned char *)quota->key, sizeof(quota->key)) != 1)
		quota_free(&quota);
	return quota;
}

void quota_free(struct quota **quota)
{
	free(*quota);
	*quota = NULL;
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 */
static uint64_t hash(const uint64_t key[2], struct bytes text)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
			 key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
	uint64_t word = 0;

	for (size_t i = 0; i <= text.len; i++) {
		bool last = i == text.len;
		unsigned at = i % 8;

		if (!last)
			word |= (uint64_t)text.ptr[i] << 8 * at;
		else
			word |= (uint64_t)(text.len & 0xff) << 56;
		if (at != 7 && !last)
			continue;
		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
		word = 0;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Its entry; a new one has all its tokens. */
static struct entry *find(struct quota *quota, uint64_t client)
{
	struct entry *set = quota->sets[client % SETS], *oldest = set;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].client == client)
			return &set[i];
		if (set[i].seen_us < oldest->seen_us)
			oldest = &set[i];
	}
	*oldest = (struct entry){client, quota->full, 0};
	return oldest;
}

unsigned quota_take(struct quota *quota, struct bytes client, int64_t now_us)
{
	struct entry *entry = find(quota, hash(quota->key, client) | 1);
	int64_t passed = now_us - entry->seen_us;

	if (entry->seen_us > 0 && passed > 0) {
		/* Full at the latest after `full / rate` of time: no overflow. */
		if (passed > quota->full / quota->rate)
			entry->tokens = quota->full;
		else
			entry->tokens += passed * quota->rate;
		if (entry->tokens > quota->full)
			entry->tokens = quota->full;
	}
	entry->seen_us = now_us;
	if (entry->tokens < SECOND)
		return (unsigned)((SECOND - entry->tokens) / quota->rate / SECOND + 1);
	entry->tokens -= SECOND;
	return 0;
}
