/*
 * What is derived from a card's device key d and chain code: the service key of an audience, and
 * the mask that seals the counter. apdu-specs/gen/reference.md, "The attestation token".
 */
#ifndef SIMTIE_CRYPTO_DERIVE_H
#define SIMTIE_CRYPTO_DERIVE_H

#include "crypto.h"

#define CHAIN_CODE_SIZE   32
#define COUNTER_MASK_SIZE 4

/*
 * d' = d + t mod n, with t = int(HKDF-Expand(chain code, label || 00 || audience, 48 bytes)) mod n.
 * False: the crypto failed, or t or d' is 0 (no such input is known); d' is then wiped.
 */
bool derive_service_key(const uint8_t d[static P256_SCALAR_SIZE],
			const uint8_t chain_code[static CHAIN_CODE_SIZE], struct bytes audience,
			uint8_t service_key[static P256_SCALAR_SIZE]);

/*
 * mask = HKDF-Expand(chain code, label || 00 || len(audience) || audience || nonce || salt, 4
 * bytes). The audience is at most 255 bytes long.
 */
bool derive_counter_mask(const uint8_t chain_code[static CHAIN_CODE_SIZE], struct bytes audience,
			 struct bytes nonce, struct bytes salt,
			 uint8_t mask[static COUNTER_MASK_SIZE]);

#endif
