/*
 * Deciding whether a token and a number belong together, and counting the token.
 *
 * Owns the order of the checks, the rule that a counter value counts once, the clone alarm, and the
 * equality of all refusals that could tell something of a person. Refuses to write verifications:
 * that is for who asked.
 *
 * What is refused when, and why it tells nothing:
 *
 *   1. The token by itself: form, audience, nonce, purpose, consent, debug status. Decided before
 *      the number is looked up, from the request's bytes and the operator's published policy alone.
 *      Whoever sent them could have computed the answer, so it may be exact (TOKEN_REFUSED and the
 *      refusal's code), and quick.
 *   2. Number and SIM: the number is unknown, its SIM did not sign, or subscriber or card may not.
 *      One reason, NOT_CONFIRMED, one body, one amount of work: a number that nobody has is looked
 *      up, unsealed and verified against a key that nobody has.
 *   3. The counter. Only who holds a token that this subscriber's SIM signed for this audience gets
 *      here, and so knows already that number and SIM belong together: TOKEN_USED and OLD_COUNTER
 *      may be told apart. A clone alarm is not told: the card is suspended, which is 2.
 */
#ifndef SIMTIE_SERVICE_OPERATOR_DECIDE_H
#define SIMTIE_SERVICE_OPERATOR_DECIDE_H

#include "operator.h"

#include "crypto.h"

struct decide_request {
	const char *audience; /* that the token must be for */
	const char *number;
	struct bytes nonce;
	struct bytes token;
	uint8_t purpose; /* 0: registration */
};

struct decision {
	enum verification_state state;
	enum verification_reason reason;
	enum simtie_refusal refusal; /* with REASON_TOKEN_REFUSED */
	uint32_t counter;            /* of a verified one, and the card that said yes: */
	uint8_t card[SUBSCRIBER_CARD_SIZE];
	bool cloned; /* notices were queued: wake the outbox */
	int64_t status_list, status_index;
	size_t credential_len; /* 0: none */
	uint8_t credential[SIMTIE_CREDENTIAL_MAX];
};

/* What a token counts as: of one service, and by its content. */
struct decide_counted {
	int64_t service;
	uint8_t digest[SIMTIE_DIGEST_SIZE];
};

/*
 * What can be found out before the transaction, from the store as it was then: all that costs time.
 * Within it the subscriber's row is held and compared; when it is the same, so would be all that
 * was concluded from it, and only counting and writing are left. If not, all of it is done anew. So
 * what is decided is never older than the lock, and 2 costs the same for every number either way.
 */
struct decide_ahead {
	struct subscriber_seen seen;
	struct subscriber subscriber;
	bool holds;
	uint32_t counter;
	uint8_t service_public[SIMTIE_POINT_SIZE];
	/* Of a yes: what is counted, and a credential over a status index that was free. */
	struct decide_counted counted;
	struct decision credential; /* credential_len is 0: none */
};

/* Of a token that 1 accepts. False: nothing is known, decide without it. The caller's to wipe. */
bool operator_decide_ahead(struct work *work, const struct decide_request *request,
			   struct decide_ahead *ahead);

/* 1 of the above: SIMTIE_ACCEPTED when the token may be looked at further. */
enum simtie_refusal operator_decide_token(const struct operator_state *op,
					  const struct decide_request *request);

/*
 * 2 and 3: *reason is REASON_NONE when the token holds and was counted; her row is locked then. A
 * no waits for no lock. *subscriber is the one of the number, zeros when there is none (the
 * caller's to wipe); *decision gets reason, counter and cloned; service_public the key that holds.
 * An error of db.h; what was written is then to be rolled back.
 * `ahead` may be NULL.
 */
int operator_decide_card(struct work *work, const struct decide_request *request,
			 const struct decide_ahead *ahead, struct subscriber *subscriber,
			 struct decision *decision,
			 uint8_t service_public[static SIMTIE_POINT_SIZE]);

/* All three, and the service credential of a yes: VERIFIED or NOT_VERIFIED. */
int operator_decide(struct work *work, const struct decide_request *request,
		    const struct decide_ahead *ahead, struct decision *decision);

/* Suspends the subscriber's card, tells her messengers, and writes it down (operator_clone.c). */
int operator_clone_alarm(struct work *work, struct subscriber *subscriber);

#endif
