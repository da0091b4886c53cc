/*
 * Two messengers and an operator for tests, without sockets: each with a store of its own, their
 * handlers run as the engine runs them, and a wire between them that a test can cut.
 */
#ifndef SIMTIE_TESTS_MESSENGER_PLACE_H
#define SIMTIE_TESTS_MESSENGER_PLACE_H

#include "base64url.h"
#include "messenger_ask.h"
#include "operator_place.h"

#define MESSENGERS 2 /* chat.example and talk.example */

struct messenger_side {
	const struct store_place *store;
	struct db *db;
	struct service service;
	struct messenger messenger;
	struct messenger_operator operators[2]; /* mno.example, which is there; other.example */
	struct messenger_prefix prefixes[4];
};

struct messenger_place {
	struct operator_place *mno;
	struct messenger_side side[MESSENGERS];
};

int messenger_place_sqlite(void **state);
int messenger_place_postgres(void **state);
int messenger_place_tear_down(void **state);

#define MESSENGER_PLACE_BOTH(test)                                                                 \
	{#test " on SQLite", test, messenger_place_sqlite, messenger_place_tear_down, NULL},       \
	{                                                                                          \
#test " on PostgreSQL", test, messenger_place_postgres, messenger_place_tear_down, \
			NULL                                                                       \
	}

/* The place of a test; skips the test where there is no such store. */
struct messenger_place *messenger_place(void **state);

/* ---- The client's side ---- */

/* Runs a handler of a messenger; `segment` and `body` may be NULL. The reply is the caller's. */
int messenger_place_run(struct messenger_side *side, request_handler *handler, const char *segment,
			const char *body, struct reply *reply);

/* What a client knows of its registration. */
struct messenger_client {
	char id[VAULT_ID_TEXT_SIZE];
	uint8_t nonce[MESSENGER_NONCE_SIZE];
	char attestation[BASE64URL_LEN(SIMTIE_TOKEN_MAX) + 1];
};

/* POST /v1/registrations with this body; gives "STATUS CODE", "201 " for a challenge. Static. */
const char *messenger_place_begin(struct messenger_side *side, const char *body,
				  struct messenger_client *client);

/* The SIM answers the challenge, and the answer is posted; `sealed` may be NULL. "202 PENDING". */
const char *messenger_place_attest(struct messenger_side *side, struct operator_sim *sim,
				   struct messenger_client *client, const char *sealed);
/* The same attestation once more, or any body. */
const char *messenger_place_post(struct messenger_side *side, const struct messenger_client *client,
				 const char *body);

/* "REGISTERED", or "REFUSED NOT_CONFIRMED": state and reason. Static. */
const char *messenger_place_state(struct messenger_side *side,
				  const struct messenger_client *client);

/* ---- The wire ---- */

/* What is to become of one question and its answer. */
enum wire {
	WIRE_WHOLE,
	WIRE_NO_QUESTION, /* the operator never gets it */
	WIRE_NO_ANSWER,   /* it does what it is asked, and nobody hears */
};

/* The row of a client's registration, as it is stored. The caller's to wipe. */
void messenger_place_row(struct messenger_side *side, const struct messenger_client *client,
			 struct messenger_row *row);
void messenger_place_write(struct messenger_side *side, const struct messenger_row *row,
			   struct messenger_at before);

/* Asks what the row wants asked, once. Returns HTTP's status, 0: none. `reply` (may be NULL) gets a
 * copy of the operator's answer, the caller's to json_decref(). */
int messenger_place_talk(struct messenger_place *place, struct messenger_side *side,
			 const struct messenger_client *client, enum wire wire, json_t **reply);

/* A notice to this messenger, posted as `peer`; HTTP's status. */
int messenger_place_notice(struct messenger_side *side, const char *peer,
			   const struct simtie_service_key *signer,
			   const struct simtie_notice *notice);

#endif
