/*
 * Subscribers and the cards in use, as rows.
 *
 * Owns the rows' form: the blind index by number, what is sealed. Refuses to list: a subscriber is
 * found by number, one at a time.
 */
#ifndef SIMTIE_REGISTRY_SUBSCRIBER_H
#define SIMTIE_REGISTRY_SUBSCRIBER_H

#include "db.h"
#include "simtie-service.h"
#include "simtie-token.h"
#include "vault.h"

#define SUBSCRIBER_CARD_SIZE 16
#define SUBSCRIBER_SEALED_MAX                                                                      \
	(SIMTIE_CHAIN_CODE_SIZE + SUBSCRIBER_CARD_SIZE + SIMTIE_NUMBER_SIZE - 1 + VAULT_OVERHEAD)

enum subscriber_state {
	SUBSCRIBER_ACTIVE = 1,
	SUBSCRIBER_SUSPENDED = 2,
	SUBSCRIBER_TERMINATED = 3,
	SUBSCRIBER_PORTED_OUT = 4,
};

enum subscriber_card {
	SUBSCRIBER_CARD_NONE = 0,
	SUBSCRIBER_CARD_GOOD = 1,
	SUBSCRIBER_CARD_SUSPENDED = 2, /* cloned, or reported stolen */
};

struct subscriber {
	struct vault_index index;
	enum subscriber_state state;
	enum subscriber_card card_state;
	uint8_t card[SUBSCRIBER_CARD_SIZE];
	struct simtie_card_key key; /* without a card one that nobody has; the caller's to wipe */
	char number[SIMTIE_NUMBER_SIZE];
	int64_t sim_changed_at; /* wall ms; 0: never */
	int64_t purge_at;       /* wall ms; 0: the contract runs */
};

enum subscriber_lock { SUBSCRIBER_READ, SUBSCRIBER_LOCK };

/* The index of a number. False: the library failed. */
bool subscriber_index(const struct vault *vault, const char *number, struct vault_index *index);

/*
 * Finds one. *found says whether; when not, *subscriber has its index and, for whoever must spend
 * the same time on it, a key that nobody has, the same for a number each time; so has a subscriber
 * without a card. SUBSCRIBER_LOCK holds the row until the transaction ends. An error of db.h;
 * DB_ERR_DAMAGED when the row does not open, or its public key is not the card's.
 */
int subscriber_find(struct db *db, const struct vault *vault, const char *number,
		    enum subscriber_lock lock, struct subscriber *subscriber, bool *found);

/* A row as it lies in the store, or that there is none, to be compared with what is there later.
 * What is sealed has a random nonce: the same bytes are the same row. */
struct subscriber_seen {
	struct vault_index index;
	bool found;
	int64_t state, card_state, sim_changed_at, key_id;
	size_t point_len, sealed_len;
	uint8_t point[SIMTIE_POINT_SIZE];
	uint8_t sealed[SUBSCRIBER_SEALED_MAX];
};

/* subscriber_find() with SUBSCRIBER_READ, and the row that it read. */
int subscriber_see(struct db *db, const struct vault *vault, const char *number,
		   struct subscriber *subscriber, struct subscriber_seen *seen);

/* Whether the row is still as it was seen. It is not held. */
int subscriber_see_again(struct db *db, const struct subscriber_seen *seen, bool *same);

/* Writes one, new or changed. Index and card are made from number and key, which without a card
 * (SUBSCRIBER_CARD_NONE) is not kept. DB_ERR_CONFLICT: the number is none (E.164). */
int subscriber_write(struct db *db, const struct vault *vault, struct subscriber *subscriber);

/* 64 bits that tell whether two rows of this subscriber are of one audience. */
bool subscriber_service(const struct vault *vault, const struct vault_index *index,
			const char *audience, int64_t *service);

#endif
