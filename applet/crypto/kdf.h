/*
 * Key derivation of SCP03 (GlobalPlatform Amendment D v1.2 §4.1.5): NIST SP 800-108 in counter mode
 * over AES-CMAC.
 */
#ifndef SIMTIE_CRYPTO_KDF_H
#define SIMTIE_CRYPTO_KDF_H

#include "crypto.h"

/* Derivation constants (table 4-1). */
enum kdf_constant {
	KDF_CARD_CRYPTOGRAM = 0x00,
	KDF_HOST_CRYPTOGRAM = 0x01,
	KDF_CARD_CHALLENGE = 0x02,
	KDF_S_ENC = 0x04,
	KDF_S_MAC = 0x06,
	KDF_S_RMAC = 0x07,
};

/* Derives out_len bytes (8 to 32) from a static key; the context is the parts, as if joined (at
 * most three). False: the crypto failed; out is wiped. */
bool kdf_derive(struct bytes key, enum kdf_constant constant, const struct bytes *context,
		size_t count, uint8_t *out, size_t out_len);

#endif
