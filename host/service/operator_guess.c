#include "operator_guess.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384 /* a power of two */
#define WAYS    4

struct tried {
	struct vault_index challenge;
	int64_t numbers[OPERATOR_GUESS_MAX]; /* the half that tells them apart well enough */
	uint64_t used_at;                    /* by the table's count; 0: empty */
	unsigned count;
};

struct operator_guess {
	pthread_mutex_t lock;
	uint64_t now;
	struct tried buckets[BUCKETS][WAYS];
};

struct operator_guess *operator_guess_new(void)
{
	struct operator_guess *guess = calloc(1, sizeof(*guess));

	if (guess)
		pthread_mutex_init(&guess->lock, NULL);
	return guess;
}

void operator_guess_free(struct operator_guess **guess)
{
	if (!*guess)
		return;
	pthread_mutex_destroy(&(*guess)->lock);
	free(*guess);
	*guess = NULL;
}

/* The challenge's place in its bucket, or the one used longest ago, emptied. */
static struct tried *place_of(struct tried bucket[static WAYS], const struct vault_index *challenge)
{
	struct tried *oldest = &bucket[0];

	for (int i = 0; i < WAYS; i++) {
		if (bucket[i].used_at && bucket[i].challenge.hi == challenge->hi &&
		    bucket[i].challenge.lo == challenge->lo)
			return &bucket[i];
		if (bucket[i].used_at < oldest->used_at)
			oldest = &bucket[i];
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->challenge = *challenge;
	return oldest;
}

static bool note(struct tried *tried, int64_t number)
{
	for (unsigned i = 0; i < tried->count; i++)
		if (tried->numbers[i] == number)
			return true;
	if (tried->count == OPERATOR_GUESS_MAX)
		return false;
	tried->numbers[tried->count++] = number;
	return true;
}

bool operator_guess_allowed(struct operator_guess *guess, const struct vault_index *challenge,
			    const struct vault_index *number)
{
	struct tried *tried;
	bool allowed;

	pthread_mutex_lock(&guess->lock);
	tried = place_of(guess->buckets[(uint64_t)challenge->hi % BUCKETS], challenge);
	tried->used_at = ++guess->now;
	allowed = note(tried, number->lo);
	pthread_mutex_unlock(&guess->lock);
	return allowed;
}
