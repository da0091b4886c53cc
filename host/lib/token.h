/*
 * The token's inside: what the files of this part share, and the session layer needs of it.
 *
 * Owns the reading of CBOR item by item, the signed structure and the sealed counter. Refuses, like
 * simtie-token.h, to allocate or to keep anything between calls.
 */
#ifndef SIMTIE_TOKEN_INTERNAL_H
#define SIMTIE_TOKEN_INTERNAL_H

#include "crypto.h"
#include "simtie.h"

/* ---- CBOR, as received (token_cbor.c) ---- */

#define SIMTIE_CBOR_DEPTH 8 /* levels of tags, arrays and maps; a token has four */

/* The major types (RFC 8949 §3.1). */
enum simtie_cbor_kind {
	CBOR_KIND_UINT,
	CBOR_KIND_NEGINT,
	CBOR_KIND_BYTES,
	CBOR_KIND_TEXT,
	CBOR_KIND_ARRAY,
	CBOR_KIND_MAP,
	CBOR_KIND_TAG,
	CBOR_KIND_SIMPLE, /* floats, simple values, break */
};

/* The head of an item and, of a string of definite length, its bytes. */
struct simtie_cbor_item {
	enum simtie_cbor_kind kind;
	uint8_t initial; /* first byte of the item */
	bool indefinite;
	bool shortest;        /* the head is in its shortest form (RFC 8949 §4.2.1) */
	uint64_t argument;    /* value, count of members, tag; -1 - n of a negative integer is n */
	struct bytes content; /* of BYTES and TEXT of definite length; borrowed from the input */
};

/*
 * Takes the head of one item (a string with its bytes) off the front of *in. False: cut short, or
 * no CBOR. Simple values but false, true, null and undefined count as no CBOR: libcbor knows no
 * others.
 */
bool simtie_cbor_head(struct bytes *in, struct simtie_cbor_item *item);

/*
 * Takes one whole item, all that nests in it included, off the front of *in; *whole is what was
 * taken. False: cut short, no CBOR, or nested over SIMTIE_CBOR_DEPTH. *deterministic is cleared
 * when the item breaks RFC 8949 §4.2.1: a head that is not the shortest, an indefinite length, map
 * keys out of order. Equal keys and the width of a float do not count: the one has a refusal of its
 * own, and no float is ever accepted.
 */
bool simtie_cbor_item(struct bytes *in, struct bytes *whole, bool *deterministic);

/* ---- CBOR, to be sent (token_cbor_put.c) ---- */

/* Where to write. Once something did not fit, `full` is set and what is there is of no use. */
struct simtie_cbor_output {
	uint8_t *at;
	size_t left;
	bool full;
};

void simtie_cbor_put_int(struct simtie_cbor_output *out, int64_t value);
void simtie_cbor_put_tag(struct simtie_cbor_output *out, uint64_t tag);
void simtie_cbor_put_null(struct simtie_cbor_output *out);
/* The heads alone; as many members follow, of a map keys in the order of their encodings. */
void simtie_cbor_put_array(struct simtie_cbor_output *out, size_t count);
void simtie_cbor_put_map(struct simtie_cbor_output *out, size_t count);
void simtie_cbor_put_bytes(struct simtie_cbor_output *out, const uint8_t *ptr, size_t len);
void simtie_cbor_put_text(struct simtie_cbor_output *out, const char *text);
/* Bytes as they are, without a head. */
void simtie_cbor_put_raw(struct simtie_cbor_output *out, struct bytes raw);

/* ---- The token ---- */

/* The parts of a token that was accepted, as they stand in it, heads included. */
struct simtie_token_parts {
	struct bytes protected_header;
	struct bytes payload;
};

/* simtie_token_parse() that also says where the signed parts are. */
enum simtie_refusal simtie_token_split(struct bytes token, struct simtie_claims *claims,
				       struct simtie_token_parts *parts);

/* The part of simtie_token_verify() that needs no key: SIMTIE_ACCEPTED, or a refusal before
 * SIMTIE_BAD_SIGNATURE. It follows from the token and the policy alone. */
enum simtie_refusal simtie_token_check(const struct simtie_policy *policy, struct bytes token,
				       struct simtie_claims *claims);

/* UTF-8 (RFC 3629) of 1 to 64 bytes without control characters (C0, DEL, C1). */
bool simtie_audience_valid(struct bytes audience);
bool simtie_utf8_valid(struct bytes text);

#define SIMTIE_PROTECTED_MAX 16

/* The protected header {1: -7, 16: 263}, without the head of the byte string that wraps it. */
size_t simtie_token_protected(uint8_t out[static SIMTIE_PROTECTED_MAX]);

#define SIMTIE_SIGNED_MAX (SIMTIE_TOKEN_MAX + 16)

/* What is signed: the Sig_structure (RFC 9052 §4.4) over the parts. 0: they do not fit. */
size_t simtie_token_signed(const struct simtie_token_parts *parts,
			   uint8_t out[static SIMTIE_SIGNED_MAX]);

/*
 * The claims that the card's compact answer to `challenge` stands for. False: the challenge is out
 * of its bounds, or the answer's debug status or consent is none that the contract knows.
 */
bool simtie_token_from_compact(const struct simtie_challenge *challenge,
			       const uint8_t compact[static SIMTIE_COMPACT_SIZE],
			       struct simtie_claims *claims);

/* Whether every claim is within the bounds that the profile sets. */
bool simtie_claims_valid(const struct simtie_claims *claims);

/* Opens the sealed counter; anyone can seal any, so that it says nothing before the signature
 * holds. False: the crypto library failed. */
bool simtie_counter_open(const struct simtie_crypto *crypto, const struct simtie_card_key *card,
			 const struct simtie_claims *claims, uint32_t *counter);

#endif
