/*
 * The attestation itself: claims to a signed COSE_Sign1, or to the compact answer. Keys come in,
 * nothing is stored; counter, consent and log are the caller's.
 */
#ifndef SIMTIE_CORE_ATTEST_H
#define SIMTIE_CORE_ATTEST_H

#include "ber.h"
#include "contract.h"

struct attestation {
	struct bytes audience;
	struct bytes nonce;
	struct bytes thumbprint; /* empty: no cnf claim */
	uint8_t purpose;         /* enum purpose */
	uint8_t consent;         /* enum consent */
	uint8_t debug_status;    /* enum debug_status */
	uint8_t sealed_counter[LIMIT_SEALED_COUNTER_SIZE];
	uint8_t signature[LIMIT_SIGNATURE_SIZE];
};

/* Seals `counter` under `salt` (LIMIT_SALT_SIZE bytes). False: the crypto failed. */
bool attest_seal(struct attestation *attestation, const uint8_t *chain_code, uint32_t counter,
		 struct bytes salt);

/*
 * Signs with the audience's service key. `scratch` holds the payload meanwhile; what it had is
 * overwritten. False: the crypto failed, or scratch is too small.
 */
bool attest_sign(struct attestation *attestation, const uint8_t *device_key,
		 const uint8_t *chain_code, struct writer *scratch);

/* Writes the signed attestation: in the compact form, or as a COSE_Sign1. */
void attest_put_compact(struct writer *out, const struct attestation *attestation);
void attest_put_full(struct writer *out, const struct attestation *attestation);

#endif
