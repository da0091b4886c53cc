/*
 * libsimtie: attestation tokens and card records, without a card.
 *
 * A token is a COSE_Sign1 (RFC 9052) over a CWT/EAT claims set (RFC 8392, RFC 9711) in
 * deterministic CBOR (RFC 8949 §4.2.1). Owns building, parsing and the order of verification.
 * Refuses to call a token valid for any reason but that every check passed; each refusal has a code
 * of its own.
 *
 * Nothing here keeps state or blocks: all of it may run in any number of threads.
 */
#ifndef SIMTIE_TOKEN_H
#define SIMTIE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simtie-contract.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef SIMTIE_API
#define SIMTIE_API __attribute__((visibility("default")))
#endif

#define SIMTIE_TOKEN_MAX 1024 /* bytes; a larger one is refused unread */

/* What a token says. Filled in by simtie_token_parse(); nothing in it is believed yet. */
struct simtie_claims {
	char audience[SIMTIE_AUDIENCE_MAX + 1]; /* UTF-8, terminated */
	uint8_t nonce[SIMTIE_NONCE_MAX];
	size_t nonce_len;
	bool has_thumbprint;
	uint8_t thumbprint[SIMTIE_THUMBPRINT_SIZE];
	uint8_t debug_status;
	uint8_t purpose;
	uint8_t consent;
	uint8_t sealed_counter[SIMTIE_SEALED_COUNTER_SIZE];
	uint8_t signature[SIMTIE_SIGNATURE_SIZE]; /* r || s */
};

/*
 * Why a token is refused, in the order of the checks: the first that fails counts.
 * X(constant, code for programs, sentence for people)
 */
#define SIMTIE_REFUSALS(X)                                                                         \
	X(ACCEPTED, "the token is valid")                                                          \
	X(TOO_LARGE, "the token is empty or larger than 1024 bytes")                               \
	X(NOT_CBOR, "the token is cut short, nests too deep, or is not CBOR")                      \
	X(TRAILING_BYTES, "bytes follow the token")                                                \
	X(NOT_SIGN1, "the token is not a tagged COSE_Sign1 of four parts")                         \
	X(NOT_DETERMINISTIC, "the token is not in deterministic CBOR")                             \
	X(WRONG_HEADER, "the protected header is not {1: -7, 16: 263}")                            \
	X(UNPROTECTED_HEADER, "the unprotected header is not empty")                               \
	X(NOT_CLAIMS, "the payload is not a claims map")                                           \
	X(UNKNOWN_CLAIM, "the token carries a claim that the profile does not know")               \
	X(DUPLICATE_CLAIM, "the token carries a claim twice")                                      \
	X(MISSING_CLAIM, "the token lacks a claim that the profile asks for")                      \
	X(MALFORMED_CLAIM, "a claim has the wrong type, length or range")                          \
	X(MALFORMED_SIGNATURE, "the signature is not 64 bytes")                                    \
	X(WRONG_PROFILE, "the token is of another profile")                                        \
	X(WRONG_AUDIENCE, "the token was made for another audience")                               \
	X(WRONG_NONCE, "the token answers another challenge")                                      \
	X(WRONG_THUMBPRINT, "the token does not vouch for this client key")                        \
	X(WRONG_PURPOSE, "the token was made for another purpose")                                 \
	X(NO_CONSENT, "the holder's consent is weaker than the policy asks for")                   \
	X(DEBUGGABLE, "the card is virtual or debuggable, which the policy does not allow")        \
	X(BAD_SIGNATURE, "the signature does not fit the card and the audience")                   \
	X(OLD_COUNTER, "the counter was seen before: this is a replay or a clone")                 \
	X(INTERNAL_ERROR, "nothing was decided: no key, no challenge, or the crypto failed")

enum simtie_refusal {
#define SIMTIE_REFUSAL_ENUM(name, text) SIMTIE_##name,
	SIMTIE_REFUSALS(SIMTIE_REFUSAL_ENUM)
#undef SIMTIE_REFUSAL_ENUM
};

/* "WRONG_NONCE" and the sentence for it. Static; never NULL. */
SIMTIE_API const char *simtie_refusal_code(enum simtie_refusal refusal);
SIMTIE_API const char *simtie_refusal_text(enum simtie_refusal refusal);

/* The operator's knowledge of a card: whoever holds it can verify for any audience, and sign for
 * none. The chain code is confidential: it links the card across audiences. */
struct simtie_card_key {
	uint8_t device_public[SIMTIE_POINT_SIZE]; /* uncompressed P-256 point */
	uint8_t chain_code[SIMTIE_CHAIN_CODE_SIZE];
};

/* The primitives that verification needs, over a crypto library. */
struct simtie_crypto;
SIMTIE_API const struct simtie_crypto *simtie_crypto_mbedtls(void);
SIMTIE_API const struct simtie_crypto *simtie_crypto_openssl(void);

/*
 * Q' = Q + t·G: the public key under which this card signs for this audience.
 * False: the audience is out of bounds, the point not on the curve, or t or Q' degenerate.
 */
SIMTIE_API bool simtie_service_key(const struct simtie_crypto *crypto,
				   const struct simtie_card_key *card, const char *audience,
				   uint8_t service_public[SIMTIE_POINT_SIZE]);

/* What the verifier insists on. Zeroed but for audience and nonce it is the strictest: registration
 * purpose, PIN consent, hardware alone. */
struct simtie_policy {
	const char *audience; /* ours */
	const uint8_t *nonce; /* of the challenge that we sent */
	size_t nonce_len;
	const uint8_t *thumbprint; /* the client key that must be vouched for; NULL: any or none */
	uint8_t purpose;           /* 0 means registration */
	bool allow_no_consent;     /* accept consent 0 */
	bool allow_virtual;        /* accept a debug status of 0 to 2 */
	uint32_t min_counter;      /* one more than the last counter seen; 0: no check */
};

/* What the token is verified with: the card's record, or the service key alone, which cannot open
 * the counter (min_counter must then be 0). When both are there the service key is taken as already
 * derived, which spares the derivation. */
struct simtie_verify_key {
	const struct simtie_card_key *card; /* or NULL */
	const uint8_t *service_public;      /* SIMTIE_POINT_SIZE bytes, or NULL */
};

/*
 * Reads a token without verifying it. SIMTIE_ACCEPTED, or a refusal up to SIMTIE_WRONG_PROFILE.
 * *claims is valid only when accepted.
 */
SIMTIE_API enum simtie_refusal simtie_token_parse(const uint8_t *token, size_t len,
						  struct simtie_claims *claims);

/*
 * Verifies a token. *claims (may be NULL) is filled in as far as parsing got; *counter (may be
 * NULL) gets the opened counter when the card's record is there and the signature holds, else 0.
 * SIMTIE_INTERNAL_ERROR, before the token is looked at, when `policy` has no audience or no nonce,
 * or `key` neither record nor service key, or no record and a min_counter.
 */
SIMTIE_API enum simtie_refusal simtie_token_verify(const struct simtie_crypto *crypto,
						   const struct simtie_verify_key *key,
						   const struct simtie_policy *policy,
						   const uint8_t *token, size_t len,
						   struct simtie_claims *claims, uint32_t *counter);

/*
 * Writes the token that says `claims`, signature and all, as the card would. False: a claim is out
 * of bounds. *len is at most SIMTIE_TOKEN_MAX.
 */
SIMTIE_API bool simtie_token_build(const struct simtie_claims *claims,
				   uint8_t token[SIMTIE_TOKEN_MAX], size_t *len);

/*
 * A card's record as a file (JSON, "simtie-card-record/1"), written with mode 0600, atomically, and
 * never over an existing file. `applet_version` is "major.minor.patch", `created_at` RFC 3339.
 * Members that this version does not know are passed over on reading. Returns 0 or a negative enum
 * simtie_error: SIMTIE_ERR_FILE (errno says why; EEXIST: there is such a file), SIMTIE_ERR_FORMAT
 * (the file is not such a record), SIMTIE_ERR_ARGUMENT (`record` to be written is none),
 * SIMTIE_ERR_MEMORY. A read that fails leaves *record zeroed; who has
 * read one wipes it after use.
 */
struct simtie_record {
	struct simtie_card_key key;
	char applet_version[16];
	char created_at[32];
};
SIMTIE_API int simtie_record_write(const char *path, const struct simtie_record *record);
SIMTIE_API int simtie_record_read(const char *path, struct simtie_record *record);

/* The same of a record's text, at most 4096 bytes: SIMTIE_ERR_FORMAT, SIMTIE_ERR_MEMORY. The caller
 * wipes the text. */
SIMTIE_API int simtie_record_parse(const char *text, size_t len, struct simtie_record *record);

#ifdef __cplusplus
}
#endif

#endif
