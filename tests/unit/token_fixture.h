/*
 * Tokens for the tests, right ones and wrong ones, written as text one can read beside RFC 8949.
 *
 * A token is put together from slots, each in the notation of token_fixture_bytes(). The one that
 * token_fixture_good() gives is right in everything; a test changes a slot or two.
 */
#ifndef SIMTIE_TESTS_TOKEN_FIXTURE_H
#define SIMTIE_TESTS_TOKEN_FIXTURE_H

#include "token.h"

#define FIXTURE_AUDIENCE "chat.example"
#define FIXTURE_COUNTER  1 /* what the sealed counter opens to */

enum token_slot {
	SLOT_PREFIX,         /* tag and head of the array */
	SLOT_PROTECTED_HEAD, /* of the byte string; "" : the shortest */
	SLOT_PROTECTED,
	SLOT_UNPROTECTED,
	SLOT_PAYLOAD_HEAD, /* of the byte string; "" : the shortest */
	SLOT_MAP,          /* head of the claims; "" : as many as there are */
	SLOT_AUDIENCE,     /* from here on one claim each, or "" for none */
	SLOT_CONFIRMATION,
	SLOT_NONCE,
	SLOT_DEBUG_STATUS,
	SLOT_PROFILE,
	SLOT_PURPOSE,
	SLOT_PURPOSE_AGAIN,
	SLOT_COUNTER,
	SLOT_CONSENT,
	SLOT_UNKNOWN,
	SLOT_SIGNATURE, /* head included; "" : right for what it stands under */
	SLOT_SUFFIX,
	SLOT_COUNT,
};

struct token_recipe {
	const char *slot[SLOT_COUNT];
};

/* One change to a recipe; a table of them ends with a NULL text. */
struct token_change {
	enum token_slot slot;
	const char *text;
};

struct token_fixture {
	uint8_t bytes[4096];
	size_t len;
};

/* Writes bytes from text: hex digits, 'ASCII in quotes', and <byte>*<count> for repetition; blanks
 * are skipped. Ends the test on anything else. Returns the number of bytes. */
size_t token_fixture_bytes(const char *text, uint8_t *out, size_t size);

struct token_recipe token_fixture_good(void);
void token_fixture_change(struct token_recipe *recipe, const struct token_change *changes);
void token_fixture_cook(const struct token_recipe *recipe, struct token_fixture *token);

/* The card, its service key for FIXTURE_AUDIENCE, and a policy that the good token satisfies, with
 * nothing relaxed. All static. */
const struct simtie_card_key *token_fixture_card(void);
const uint8_t *token_fixture_service_public(void);
struct simtie_policy token_fixture_policy(void);

/* ECDSA by OpenSSL over a digest with the private key d, whose public key is `point`. */
void token_fixture_sign(const uint8_t d[static 32], const uint8_t point[static SIMTIE_POINT_SIZE],
			const uint8_t digest[static 32],
			uint8_t signature[static SIMTIE_SIGNATURE_SIZE]);

/* Parses from a heap block of the exact size, so that a sanitizer sees every read past it. */
enum simtie_refusal token_fixture_parse(const uint8_t *token, size_t len,
					struct simtie_claims *claims);
enum simtie_refusal token_fixture_verify(const struct simtie_policy *policy, const uint8_t *token,
					 size_t len);

#endif
