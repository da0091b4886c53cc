/*
 * An operator for tests, without sockets: a store, keys, a vault, and its handlers run as the
 * engine runs them; and SIMs, by the card's own core, that make real tokens.
 */
#ifndef SIMTIE_TESTS_OPERATOR_PLACE_H
#define SIMTIE_TESTS_OPERATOR_PLACE_H

#include "core_card.h"
#include "operator.h"
#include "store_place.h"

#define OPERATOR_PLACE_AUDIENCE "chat.example"
#define OPERATOR_PLACE_NONCE    16

struct operator_place {
	const struct store_place *store;
	struct db *db; /* of the test's own thread */
	struct service service;
	struct operator_state op;
	bool prepares;    /* what can be is prepared first, as the engine does with SQLite */
	struct work work; /* of the last request; waited_ms and tries_left are what the next gets */
};

/* Set-up and teardown of a test, on either store; and of the whole program, which has the keys. */
int operator_place_sqlite(void **state);
int operator_place_prepares(void **state); /* SQLite */
int operator_place_postgres(void **state);
int operator_place_tear_down(void **state);
int operator_place_keys_make(void **state);
int operator_place_keys_free(void **state);

#define OPERATOR_PLACE_BOTH(test)                                                                  \
	{#test " on SQLite", test, operator_place_sqlite, operator_place_tear_down, NULL},         \
		{#test " on SQLite, prepared", test, operator_place_prepares,                      \
		 operator_place_tear_down, NULL},                                                  \
	{                                                                                          \
#test " on PostgreSQL", test, operator_place_postgres, operator_place_tear_down,   \
			NULL                                                                       \
	}

/* The place of a test; skips the test where there is no such store. */
struct operator_place *operator_place(void **state);

/* The certificate that numbers are sealed to, and the one that credentials are verified with. */
const struct simtie_service_key *operator_place_sealing(void);
const struct simtie_service_key *operator_place_issuer(void);
const struct simtie_service_key *operator_place_signer(void);

/* ---- SIMs ---- */

struct operator_sim {
	struct core_card card;
	struct simtie_card_key key;
};

struct operator_token {
	uint8_t nonce[OPERATOR_PLACE_NONCE];
	uint8_t bytes[SIMTIE_TOKEN_MAX];
	size_t len;
};

/* A personalised SIM; its keys follow from the seed. */
void operator_sim_init(struct operator_sim *sim, uint8_t seed);
void operator_sim_free(struct operator_sim *sim);

/* The SIM attests to an audience, with a nonce that was never used; with a purpose but 0. */
void operator_sim_attest(struct operator_sim *sim, const char *audience, uint8_t purpose,
			 struct operator_token *token);

/* The same with the caller's nonce. */
void operator_sim_answer(struct operator_sim *sim, const char *audience, struct bytes nonce,
			 uint8_t purpose, uint8_t token[static SIMTIE_TOKEN_MAX], size_t *len);

/* The same claims under another signature that holds: (r, n - s). */
void operator_token_twist(struct operator_token *token);

/* Writes a subscriber with this SIM (NULL: none). */
void operator_place_subscriber(struct operator_place *place, const char *number,
			       const struct operator_sim *sim);

/* ---- Requests ---- */

/* Runs a handler until its transaction is committed, on a connection; a few times over when it
 * meets locks. What the engine would say of it. The reply is the caller's to reply_clear(). */
int operator_place_run(struct operator_place *place, struct db *db, request_handler *handler,
		       const struct request *request, struct reply *reply);

/* One round of the backlog, on a connection. *more: there was more to do. An error of db.h. */
int operator_place_backlog(struct service *service, struct db *db, bool ahead, bool *more);

/* A request of the messenger OPERATOR_PLACE_AUDIENCE, or another, with a JSON body (or NULL). */
struct request operator_place_request(const char *audience, const char *segment, const char *body);

/* The body of a verification; static until the next but seven. */
const char *operator_place_body(const char *number, const struct operator_token *token);

/* POST /v1/verifications, on the place's connection; expects `status`, gives the body's status
 * member, or its reason, or its code; `id` (may be NULL) gets the verification's id. Static. */
const char *operator_place_verify(struct operator_place *place, const char *audience,
				  const char *number, const struct operator_token *token, char *id);

/* What an answer says in one word: status, reason behind "NOT_VERIFIED ", or an error's code. */
const char *operator_place_word(const struct reply *reply);

#endif
