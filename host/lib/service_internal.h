/*
 * What the files of service_*.c share: the key's inside, signing, and the pieces of COSE and JWT.
 *
 * Owns nothing. Functions return 0 or a negative enum simtie_service_error, as in simtie-service.h.
 */
#ifndef SIMTIE_SERVICE_INTERNAL_H
#define SIMTIE_SERVICE_INTERNAL_H

#include <jansson.h>
#include <openssl/x509.h>

#include "crypto.h"
#include "simtie-service.h"
#include "token.h"

/* ---- Keys (service_key.c) ---- */

#define SERVICE_KID_SIZE    8
#define SERVICE_KEY_ID_SIZE 20
#define SERVICE_NAME_MAX    384 /* bytes of an issuer's name, DER */

struct simtie_service_key {
	X509 *certificate;
	STACK_OF(X509) * chain; /* what stands behind it in the file */
	EVP_PKEY *private_key;  /* NULL: a certificate alone */
	uint8_t point[SIMTIE_POINT_SIZE];
	uint8_t kid[SERVICE_KID_SIZE]; /* first bytes of SHA-256 of the point */
	/* Of certificates issued with it: */
	uint8_t name[SERVICE_NAME_MAX]; /* subject, DER */
	size_t name_len;
	uint8_t key_id[SERVICE_KEY_ID_SIZE]; /* subjectKeyIdentifier; its own, or made */
};

/* Leftmost 160 bits of SHA-256 of a point (RFC 7093 §2, method 1). */
bool service_key_id(const uint8_t point[static SIMTIE_POINT_SIZE],
		    uint8_t id[static SERVICE_KEY_ID_SIZE]);

#define SERVICE_SIGNATURE_DER_MAX 72

/* Signs a SHA-256 digest (ECDSA, SEQUENCE of r and s). ERR_ARGUMENT: there is no private key. */
int service_key_sign(const struct simtie_service_key *key,
		     const uint8_t digest[static SIMTIE_DIGEST_SIZE],
		     uint8_t der[static SERVICE_SIGNATURE_DER_MAX], size_t *len);

/* The two forms of a signature. False: it is no such SEQUENCE in DER, or a number is too large. */
bool service_signature_raw(struct bytes der, uint8_t raw[static SIMTIE_SIGNATURE_SIZE]);

/* Whether `raw` signs `data` by `point`: 0, ERR_SIGNATURE, ERR_LIBRARY. */
int service_signature_check(const uint8_t point[static SIMTIE_POINT_SIZE], struct bytes data,
			    const uint8_t raw[static SIMTIE_SIGNATURE_SIZE]);

/* A P-256 public key from its point. NULL: there is no such point, or the library failed. */
EVP_PKEY *service_key_public(const uint8_t point[static SIMTIE_POINT_SIZE]);

/* ---- Status lists (service_status.c) ---- */

/* A list that was verified, whole. */
struct service_status {
	uint8_t *bits; /* index 0 is the least of byte 0; malloc()ed */
	uint32_t size; /* bits */
	int64_t until; /* seconds: fetch it anew then */
};

/* Errors as of simtie_status_check(). *status is service_status_free()'s, zeros on failure. */
int service_status_read(const struct simtie_service_key *signer, const char *uri, int64_t now,
			const char *jwt, size_t len, struct service_status *status);
void service_status_free(struct service_status *status);

/* ---- COSE (service_cose.c) ---- */

enum service_cose_alg {
	COSE_ALG_A128GCM = 1, /* RFC 9053 §4.1; for known answers alone */
	COSE_ALG_A256GCM = 3,
	COSE_ALG_ECDH_ES_HKDF_256 = -25, /* RFC 9053 §6.3.1 */
};

/*
 * The content key of a direct key agreement: HKDF-SHA-256 without salt over the shared secret, its
 * info the COSE_KDF_Context (RFC 9053 §5.2) of `alg` and the recipient's protected header, parties
 * without a name. `len` is the key's. False: the library failed.
 */
bool service_cose_derive(struct bytes secret, enum service_cose_alg alg,
			 struct bytes recipient_protected, uint8_t *key, size_t len);

/* The Enc_structure (RFC 9052 §5.3) of a COSE_Encrypt. 0: no room. */
size_t service_cose_enc_structure(struct bytes body_protected, struct bytes external_aad,
				  uint8_t *out, size_t size);

/* ---- JWT (service_jwt.c) ---- */

/* A compact JWS (RFC 7515 §3.1), ES256, of `claims`, which it takes over (NULL: out of memory).
 * Members stand in the order in which they were put. *jwt is malloc()ed. */
int service_jwt_sign(const struct simtie_service_key *signer, const char *typ, json_t *claims,
		     char **jwt);

/* Verifies one of at most `max` characters and gives its claims, which are the caller's.
 * ERR_FORMAT: no such JWT, another alg or typ, `crit`, no JSON object, a member twice. ERR_KEY: its
 * kid is another's. ERR_SIGNATURE, ERR_LIBRARY. */
int service_jwt_verify(const struct simtie_service_key *signer, const char *typ, const char *jwt,
		       size_t len, size_t max, json_t **claims);

/* How far another's clock may be ahead of ours, seconds. */
#define SERVICE_CLOCK_SKEW 60

#endif
