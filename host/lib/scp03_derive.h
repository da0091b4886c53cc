/*
 * What both sides of SCP03 derive from the static keys and the two challenges (GlobalPlatform
 * Amendment D §4.1.5, §6.2.1, §6.2.2). Owns nothing, and refuses no lengths but those of AES keys.
 */
#ifndef SIMTIE_LIB_SCP03_DERIVE_H
#define SIMTIE_LIB_SCP03_DERIVE_H

#include "scp03.h"

/* Derivation constants, Amendment D table 4-1. */
enum scp03_constant {
	SCP03_CONSTANT_CARD_CRYPTOGRAM = 0x00,
	SCP03_CONSTANT_HOST_CRYPTOGRAM = 0x01,
	SCP03_CONSTANT_CARD_CHALLENGE = 0x02,
	SCP03_CONSTANT_S_ENC = 0x04,
	SCP03_CONSTANT_S_MAC = 0x06,
	SCP03_CONSTANT_S_RMAC = 0x07,
};

/* `len` bytes from `key`: the KDF of Amendment D §4.1.5. False: the library failed; `out` is wiped.
 */
bool scp03_derive(struct bytes key, enum scp03_constant constant, struct bytes context,
		  uint8_t *out, size_t len);

/* S-ENC, S-MAC and S-RMAC into `scp`, from both challenges in it. False: the library failed. */
bool scp03_derive_session(struct scp03 *scp, const struct scp03_keys *keys);

/* A cryptogram of scp->mac_size bytes, once the session keys are there. */
bool scp03_derive_cryptogram(const struct scp03 *scp, enum scp03_constant constant,
			     uint8_t cryptogram[static SCP03_MAC_MAX]);

/* The challenge that a card gives at this count, when it draws none at random: scp->mac_size bytes
 * (Amendment D §6.2.2.1). */
bool scp03_derive_challenge(const struct scp03 *scp, const struct scp03_keys *keys,
			    struct bytes aid, uint8_t challenge[static SCP03_MAC_MAX]);

#endif
