/*
 * The crypto seam: the few primitives that the core needs, each with a fixed size.
 *
 * Owns no keys: they come in as bytes and are gone when the call returns. An adapter (mbedtls.c)
 * maps this onto a library; it must wipe what it copied. False means that the library failed; the
 * output is then wiped, and the core latches the card shut.
 */
#ifndef SIMTIE_CRYPTO_H
#define SIMTIE_CRYPTO_H

#include "../core/bytes.h"

#define SHA256_SIZE      32
#define P256_SCALAR_SIZE 32 /* big-endian */
#define P256_POINT_SIZE  65 /* uncompressed: 04 || X || Y (SEC 1 §2.3.3) */
#define ECDSA_SIZE       64 /* r || s, big-endian (RFC 9053 §2.1) */

/* Makes the library ready. Idempotent. */
bool crypto_init(void);

/* SHA-256 (FIPS 180-4) over the parts, as if joined. */
bool crypto_sha256(const struct bytes *parts, size_t count, uint8_t digest[static SHA256_SIZE]);

/* HMAC-SHA-256 (RFC 2104) over the parts, as if joined. */
bool crypto_hmac(struct bytes key, const struct bytes *parts, size_t count,
		 uint8_t mac[static SHA256_SIZE]);

/* The public key d·G. False too if d is not in 1 to n - 1. */
bool crypto_p256_public(const uint8_t d[static P256_SCALAR_SIZE],
			uint8_t point[static P256_POINT_SIZE]);

/* ECDSA over a SHA-256 digest, the nonce by RFC 6979: the same input gives the same signature. */
bool crypto_p256_sign(const uint8_t d[static P256_SCALAR_SIZE],
		      const uint8_t digest[static SHA256_SIZE],
		      uint8_t signature[static ECDSA_SIZE]);

/* ECDH (SEC 1 §3.3.1): the X of d·point. False too if the point is none on the curve, which is its
 * sender's fault: the caller refuses it, and latches nothing shut. */
bool crypto_p256_agree(const uint8_t d[static P256_SCALAR_SIZE],
		       const uint8_t point[static P256_POINT_SIZE],
		       uint8_t shared[static P256_SCALAR_SIZE]);

#define AES_BLOCK 16 /* bytes */

/* AES-CMAC (RFC 4493, NIST SP 800-38B) over the parts, as if joined; a key of 16, 24 or 32 bytes.
 */
bool crypto_cmac(struct bytes key, const struct bytes *parts, size_t count,
		 uint8_t mac[static AES_BLOCK]);

/* AES-CBC (NIST SP 800-38A §6.2) without padding, in place; len is a multiple of AES_BLOCK. */
bool crypto_cbc_encrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data,
			size_t len);
bool crypto_cbc_decrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data,
			size_t len);

#endif
