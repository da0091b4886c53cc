/*
 * libsimtie: what passes between client, messenger and operator beside the attestation itself.
 *
 * Owns the formats: the sealed number (COSE_Encrypt, RFC 9052), the service credential (X.509, RFC
 * 5280), the status list (IETF Token Status List) and the notice (Security Event Token, RFC 8417).
 * Both sides of each are here. Refuses to fetch, store or cache anything.
 *
 * Nothing here keeps state; all of it may run in any number of threads. Functions return 0 or a
 * negative enum simtie_service_error.
 */
#ifndef SIMTIE_SERVICE_H
#define SIMTIE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simtie-contract.h"
#include "simtie-token.h"

#ifdef __cplusplus
extern "C" {
#endif

enum simtie_service_error {
	SIMTIE_SERVICE_OK = 0,
	SIMTIE_SERVICE_ERR_ARGUMENT = -1,  /* a value out of its documented range */
	SIMTIE_SERVICE_ERR_FILE = -2,      /* cannot be read, see errno, or holds no such key */
	SIMTIE_SERVICE_ERR_FORMAT = -3,    /* not such a message, or not in deterministic form */
	SIMTIE_SERVICE_ERR_KEY = -4,       /* made for another key, or by one that is not trusted */
	SIMTIE_SERVICE_ERR_SIGNATURE = -5, /* does not hold, or what was sealed was changed */
	SIMTIE_SERVICE_ERR_AUDIENCE = -6,  /* for another audience, nonce or issuer */
	SIMTIE_SERVICE_ERR_TIME = -7,      /* not valid yet, or no more */
	SIMTIE_SERVICE_ERR_REVOKED = -8,   /* its bit in the status list is set */
	SIMTIE_SERVICE_ERR_SIZE = -9,      /* the caller's room is too small */
	SIMTIE_SERVICE_ERR_LIBRARY = -10,  /* out of memory, or OpenSSL failed */
	SIMTIE_SERVICE_ERR_TOKEN = -11,    /* the attestation does not fit the credential */
};

/* What happened and what to do. Static; never NULL. */
SIMTIE_API const char *simtie_service_strerror(int error);

/* ---- Keys ---- */

/* A P-256 key with its certificate, or a certificate alone, or the certificates that one trusts. */
struct simtie_service_key;

/* From PEM files: `key` may be NULL (a certificate alone, to verify and to seal with), encrypted
 * keys are refused. The certificate file may hold the chain behind it. ERR_FILE, ERR_FORMAT (no
 * P-256 key, or it is not the certificate's). */
SIMTIE_API int simtie_service_key_read(const char *certificate, const char *key,
				       struct simtie_service_key **out);
SIMTIE_API void simtie_service_key_free(struct simtie_service_key **key);

/* Whether `key`'s certificate was issued under a root in the PEM file `roots` and is valid now. */
SIMTIE_API int simtie_service_key_trusted(const struct simtie_service_key *key, const char *roots);

/* ---- The sealed number ---- */

/*
 * COSE_Encrypt (tag 96): content A256GCM, one recipient ECDH-ES + HKDF-256 (-25) with a fresh
 * ephemeral key, so that two seals of one number look alike to nobody. The plaintext is padded to
 * one length. Audience and nonce of the challenge are bound to it as external_aad: it opens for
 * nothing else.
 */
#define SIMTIE_SEALED_NUMBER_MAX 320 /* bytes */
#define SIMTIE_NUMBER_SIZE       17  /* "+", 5 to 15 digits (E.164), the terminator */

SIMTIE_API bool simtie_number_valid(const char *number); /* ^\+[1-9][0-9]{4,14}$ */

/* With the operator's certificate alone. ERR_ARGUMENT: audience, nonce or number are out of their
 * bounds; ERR_LIBRARY. */
SIMTIE_API int simtie_number_seal(const struct simtie_service_key *operator_key,
				  const char *audience, const uint8_t *nonce, size_t nonce_len,
				  const char *number, uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX],
				  size_t *len);

/* With the operator's private key. ERR_FORMAT; ERR_KEY: sealed to another key, an older one of this
 * operator perhaps; ERR_SIGNATURE: changed, or for another audience or nonce, which nobody can tell
 * apart. `number` is "" then. It is the caller's to wipe. */
SIMTIE_API int simtie_number_unseal(const struct simtie_service_key *operator_key,
				    const char *audience, const uint8_t *nonce, size_t nonce_len,
				    const uint8_t *sealed, size_t len,
				    char number[SIMTIE_NUMBER_SIZE]);

/* ---- The service credential ---- */

/*
 * An X.509 v3 certificate over the audience's service key, by the operator. Subject: CN = audience;
 * serial number: 16 random bytes; validity in whole days (UTC). The reference into the status list
 * is a subjectAltName URI, STATUS-URI#INDEX. Nothing in it is the same for two audiences but what
 * is the operator's own.
 */
#define SIMTIE_CREDENTIAL_MAX 1024 /* bytes, DER */
#define SIMTIE_STATUS_URI_MAX 128

struct simtie_credential {
	char audience[SIMTIE_AUDIENCE_MAX + 1];
	uint8_t service_public[SIMTIE_POINT_SIZE];
	int64_t not_before, not_after;              /* seconds since 1970 */
	char status_uri[SIMTIE_STATUS_URI_MAX + 1]; /* of its status list */
	uint32_t status_index;
};

/* Issues one; the serial number is drawn here; it is valid from the first second of not_before's
 * day to the last of not_after's. ERR_ARGUMENT: a field is out of its bounds, the public key no
 * point, the URI not of visible ASCII, or the issuer without a private key. */
SIMTIE_API int simtie_credential_issue(const struct simtie_service_key *issuer,
				       const struct simtie_credential *credential,
				       uint8_t der[SIMTIE_CREDENTIAL_MAX], size_t *len);

/* Reads and verifies one: issued by `issuer`, for `audience`, valid at `now` (seconds). The status
 * is another question: simtie_status_check(). ERR_FORMAT: not to the byte as it would be issued;
 * ERR_KEY, ERR_AUDIENCE, ERR_TIME, ERR_SIGNATURE; *credential is zeros then. */
SIMTIE_API int simtie_credential_verify(const struct simtie_service_key *issuer,
					const char *audience, int64_t now, const uint8_t *der,
					size_t len, struct simtie_credential *credential);

/*
 * Whether an operator's yes holds: the credential, as simtie_credential_verify() has it, for the
 * policy's audience; and the attestation under its service key, as simtie_token_verify() has it. A
 * messenger registers nobody before. ERR_ARGUMENT: the policy has no audience; ERR_TOKEN: *refusal
 * says why; those of simtie_credential_verify(), and then *refusal is SIMTIE_INTERNAL_ERROR.
 * *credential is zeros but on success.
 */
SIMTIE_API int simtie_credential_accept(const struct simtie_service_key *issuer,
					const struct simtie_policy *policy, int64_t now,
					const uint8_t *der, size_t len, const uint8_t *token,
					size_t token_len, struct simtie_credential *credential,
					enum simtie_refusal *refusal);

/* ---- The status list ---- */

#define SIMTIE_STATUS_BITS_MAX (1u << 24)

/* A Status List Token as JWT, ES256, typ "statuslist+jwt": `bits` is one bit a credential, index 0
 * the least of byte 0; `size` bits, a multiple of 8. Others may keep it for `ttl_seconds` and are
 * to refuse it after twice that time. *jwt is malloc()ed. ERR_ARGUMENT, ERR_LIBRARY. */
SIMTIE_API int simtie_status_issue(const struct simtie_service_key *signer, const char *uri,
				   const uint8_t *bits, uint32_t size, int64_t now,
				   uint32_t ttl_seconds, char **jwt);

/* 0: the credential stands. ERR_REVOKED; ERR_TIME: the list is too old, fetch it anew;
 * ERR_AUDIENCE: it is another list; ERR_ARGUMENT: it has no such index; ERR_KEY, ERR_SIGNATURE,
 * ERR_FORMAT. A list that says it is larger than SIMTIE_STATUS_BITS_MAX is refused before it is
 * unpacked any further. */
SIMTIE_API int simtie_status_check(const struct simtie_service_key *signer, const char *uri,
				   uint32_t index, int64_t now, const char *jwt, size_t len);

/* ---- Notices ---- */

enum simtie_event {
	SIMTIE_EVENT_TERMINATED = 1,
	SIMTIE_EVENT_PORTED_OUT = 2,
	SIMTIE_EVENT_SIM_SWAPPED = 3,
	SIMTIE_EVENT_SUSPENDED = 4,
	SIMTIE_EVENT_RESUMED = 5,
};

/* "SIM_SWAPPED"; NULL: none. And back; 0: none. */
SIMTIE_API const char *simtie_event_name(enum simtie_event event);
SIMTIE_API enum simtie_event simtie_event_read(const char *name);

#define SIMTIE_NOTICE_ID_MAX  32    /* letters of base64url */
#define SIMTIE_NOTICE_MAX     1536  /* bytes of a JWT */
#define SIMTIE_NOTICE_AGE_MAX 86400 /* seconds; an older one is refused */

/* What a messenger is told: which of its registrations, what happened, and when it was sent. */
struct simtie_notice {
	char issuer[SIMTIE_AUDIENCE_MAX + 1];
	char audience[SIMTIE_AUDIENCE_MAX + 1];
	char id[SIMTIE_NOTICE_ID_MAX + 1];           /* jti: the same however often it is sent */
	char registration[SIMTIE_NOTICE_ID_MAX + 1]; /* the verification's id */
	enum simtie_event event;
	int64_t issued_at; /* seconds since 1970 */
};

/* A Security Event Token (RFC 8417), JWT, ES256, typ "secevent+jwt"; the event's URI is
 * urn:x-simtie:event:NAME, its subject (sub_id, RFC 9493) the registration as an opaque identifier.
 * *jwt is malloc()ed. ERR_ARGUMENT: a member is out of its bounds; ERR_LIBRARY. */
SIMTIE_API int simtie_notice_issue(const struct simtie_service_key *signer,
				   const struct simtie_notice *notice, char **jwt);

/* Whoever gets one twice knows it by its id: this keeps nothing. ERR_FORMAT, ERR_KEY,
 * ERR_SIGNATURE; ERR_AUDIENCE: from another issuer or for another audience; ERR_TIME: issued over a
 * minute in the future, or longer ago than SIMTIE_NOTICE_AGE_MAX. *notice is zeros then. */
SIMTIE_API int simtie_notice_verify(const struct simtie_service_key *signer, const char *issuer,
				    const char *audience, int64_t now, const char *jwt, size_t len,
				    struct simtie_notice *notice);

#ifdef __cplusplus
}
#endif

#endif
