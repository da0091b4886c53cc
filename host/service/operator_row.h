/*
 * A verification as a row: written once, decided once.
 *
 * Owns the row's columns, the form of what is sealed in it, and its age. Refuses to change a row
 * that is decided.
 */
#ifndef SIMTIE_SERVICE_OPERATOR_ROW_H
#define SIMTIE_SERVICE_OPERATOR_ROW_H

#include "operator_decide.h"

#define ROW_FINGERPRINT_SIZE 32
#define ROW_IDEMPOTENCY_SIZE 16

/* The request, as a pending row keeps it. */
struct row_request {
	char audience[SIMTIE_AUDIENCE_MAX + 1];
	char number[SIMTIE_NUMBER_SIZE];
	uint8_t nonce[SIMTIE_NONCE_MAX];
	size_t nonce_len;
	uint8_t token[SIMTIE_TOKEN_MAX];
	size_t token_len;
};

struct row {
	uint8_t id[VAULT_ID_SIZE];
	struct vault_index subscriber;
	int64_t service;
	struct clock_moment accepted;
	int64_t deadline_at; /* wall ms */
	int64_t order_at; /* what the backlog goes by: the deadline, but for operator_row_write() */
	uint8_t fingerprint[ROW_FINGERPRINT_SIZE]; /* of the request; zeros without a key */
	uint8_t idempotency[ROW_IDEMPOTENCY_SIZE];
	bool has_idempotency;
	struct decision decision;   /* or state PENDING … */
	struct row_request request; /* … and the request; the caller's to wipe */
};

/* A new one of a subscriber, accepted now, not yet written. DB_ERR_MEMORY. */
int operator_row_new(struct work *work, const struct vault_index *subscriber, int64_t service,
		     struct row *row);

/* Writes it as its decision, or PENDING, says; a PENDING one behind those of the same subscriber
 * that wait already, whatever the wall clock did between them. DB_ERR_BUSY when another one with
 * its idempotency key was written meanwhile: once more, from the start. */
int operator_row_write(struct work *work, const struct row *row);

/* Finds it by its name, or by the client's key. *found. DB_ERR_DAMAGED when it does not open. */
int operator_row_find(struct work *work, const uint8_t id[static VAULT_ID_SIZE], struct row *row,
		      bool *found);
int operator_row_find_again(struct work *work, const struct vault_index *subscriber,
			    int64_t service, const uint8_t key[static ROW_IDEMPOTENCY_SIZE],
			    struct row *row, bool *found);

/* A place in the order of pending rows. ROW_MARK_START is before all of them. */
struct row_mark {
	int64_t order_at;
	uint8_t id[VAULT_ID_SIZE];
};
#define ROW_MARK_START ((struct row_mark){.order_at = INT64_MIN})

/* Takes up to `room` pending rows behind a mark, oldest deadline first, that no other daemon has
 * taken; held until the transaction ends. One that does not open has an empty token. */
int operator_row_take(struct work *work, const struct row_mark *after, struct row *rows,
		      size_t room, size_t *count);

/* Whether an earlier one of the same subscriber still waits. One that does not open is not waited
 * for. */
int operator_row_earlier(struct work *work, const struct row *row, bool *is);

/* Writes the decision of a row that was pending. *changed: false when it was decided meanwhile. */
int operator_row_decide(struct work *work, const struct row *row, bool *changed);

/* Whether a pending one has passed its deadline, by the clock that does not jump; and the decision
 * that then is. */
bool operator_row_late(const struct row *row);
void operator_row_expire(struct row *row);

#endif
