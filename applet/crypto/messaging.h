/*
 * Secure messaging of a GlobalPlatform session (Amendment D v1.2 §6): the session's keys and all
 * that is computed under them, be it MAC, encryption or padding.
 *
 * Why beside the crypto: it is key derivation, CMAC and CBC over bytes, at one cost whatever they
 * are, and knows neither commands nor records. It owns no state but what its caller hands in, and
 * decides nothing: what opens a session, what ends it and who may do what in it is the core's.
 */
#ifndef SIMTIE_CRYPTO_MESSAGING_H
#define SIMTIE_CRYPTO_MESSAGING_H

#include "crypto.h"

#define MESSAGING_KEY_MAX 32 /* bytes */
#define MESSAGING_MAC_MAX AES_BLOCK

/* A session's keys, the caller's to wipe. All zero before the first use. */
struct messaging {
	uint8_t level;     /* enum security_level */
	uint8_t key_len;   /* bytes of each session key: 16, 24 or 32 */
	uint8_t mac_len;   /* 8 in S8, 16 in S16 */
	uint32_t commands; /* counted for the encryption's initial vector */
	uint8_t enc[MESSAGING_KEY_MAX];
	uint8_t mac[MESSAGING_KEY_MAX];
	uint8_t rmac[MESSAGING_KEY_MAX];
	uint8_t chaining[MESSAGING_MAC_MAX]; /* MAC chaining value */
};

enum messaging_result {
	MESSAGING_RIGHT,
	MESSAGING_WRONG,  /* MAC or padding */
	MESSAGING_FAILED, /* the crypto did */
};

/*
 * Session keys and both cryptograms (Amendment D §6.2.1, §6.2.2) from two static keys of key_len
 * bytes and both challenges. False: the crypto failed.
 */
bool messaging_derive(struct messaging *session, const uint8_t *static_enc,
		      const uint8_t *static_mac, const struct bytes challenges[static 2],
		      uint8_t card_cryptogram[static MESSAGING_MAC_MAX],
		      uint8_t host_cryptogram[static MESSAGING_MAC_MAX]);

/* What SCP11b agrees on here (GlobalPlatform Amendment F v1.3 §3.1.2, §7.6.2.3): MAC and encryption
 * both ways, under AES-128. */
#define MESSAGING_AGREED_USAGE 0x3C
#define MESSAGING_AGREED_TYPE  0x88
#define MESSAGING_AGREED_KEY   16 /* bytes */

/*
 * Session keys of SCP11b from the card's static and ephemeral private keys and the host's ephemeral
 * public key, at the end of `request`: ECDH twice, X9.63 with SHA-256 (SEC 1 §3.6.1). The receipt,
 * AES-CMAC over request and answer so far, becomes the chaining value. False: the host's point is
 * none, or the crypto failed.
 */
bool messaging_agree(struct messaging *session, const uint8_t key[static P256_SCALAR_SIZE],
		     const uint8_t ephemeral[static P256_SCALAR_SIZE], struct bytes request,
		     struct bytes answer);

/* Moves the chaining value on over a command and compares the MAC that came with it. `header` is
 * as sent; the channel's bits in it do not count. */
enum messaging_result messaging_mac(struct messaging *session, const uint8_t header[static 4],
				    const uint8_t *data, size_t len, const uint8_t *mac);

/*
 * Checks the MAC of a command and decrypts its data in place as the level asks. `data` is what
 * followed Lc; its plain length goes to *len. A wrong MAC and wrong padding cost the same.
 */
enum messaging_result messaging_unwrap(struct messaging *session, const uint8_t header[static 4],
				       uint8_t *data, size_t *len);

/* Encrypts and MACs a response of `*len` bytes in place (room for `size`) as the level asks, `sw`
 * included. False: the crypto failed, or it does not fit. */
bool messaging_wrap(const struct messaging *session, uint16_t sw, uint8_t *data, size_t size,
		    size_t *len);

#endif
