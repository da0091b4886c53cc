/*
 * AES as SCP03 uses it: CMAC, CBC, one block, and the key derivation that is built on CMAC.
 *
 * Owns no keys: they come in as bytes and are wiped from the library's memory on return. Refuses
 * keys that are not of 16, 24 or 32 bytes.
 *
 * Every function gives false for such a key and when the library failed (out of memory); what it
 * was to write is then wiped.
 */
#ifndef SIMTIE_LIB_SCP03_AES_H
#define SIMTIE_LIB_SCP03_AES_H

#include "bytes.h"

#define AES_BLOCK_SIZE 16

/* Whether AES has keys of this many bytes. */
bool scp03_aes_takes(size_t key_len);

/* AES-CMAC (NIST SP 800-38B) over the parts, as if joined. */
bool scp03_aes_cmac(struct bytes key, const struct bytes *parts, size_t count,
		    uint8_t mac[static AES_BLOCK_SIZE]);

/* One block, enciphered. `out` may be `in`. */
bool scp03_aes_block(struct bytes key, const uint8_t in[static AES_BLOCK_SIZE],
		     uint8_t out[static AES_BLOCK_SIZE]);

/* CBC over whole blocks, in place, from the initial chaining value `icv`. False too when `len` is
 * no multiple of AES_BLOCK_SIZE. */
bool scp03_aes_encrypt(struct bytes key, const uint8_t icv[static AES_BLOCK_SIZE], uint8_t *data,
		       size_t len);
bool scp03_aes_decrypt(struct bytes key, const uint8_t icv[static AES_BLOCK_SIZE], uint8_t *data,
		       size_t len);

/*
 * NIST SP 800-108 §5.1, counter mode, with AES-CMAC and a counter of one byte that stands between
 * `before` and `after`: `len` bytes, 1 to 255 blocks. False too for another `len`.
 */
bool scp03_aes_kdf(struct bytes key, struct bytes before, struct bytes after, uint8_t *out,
		   size_t len);

#endif
