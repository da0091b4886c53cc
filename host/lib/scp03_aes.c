/*
 * Over mbedTLS, 2.28 and 3.6, by its own functions and not by PSA, as the verifier's seam does: PSA
 * keeps key slots in a global that 2.28 guards with no lock.
 */
#include "scp03_aes.h"

#include <mbedtls/aes.h>
#include <mbedtls/cipher.h>
#include <mbedtls/cmac.h>

#define COUNTER_MAX 255

static const mbedtls_cipher_info_t *cipher_of(size_t key_len)
{
	switch (key_len) {
	case 16:
		return mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_128_ECB);
	case 24:
		return mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_192_ECB);
	case 32:
		return mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_256_ECB);
	}
	return NULL;
}

bool scp03_aes_takes(size_t key_len)
{
	return key_len == 16 || key_len == 24 || key_len == 32;
}

bool scp03_aes_cmac(struct bytes key, const struct bytes *parts, size_t count,
		    uint8_t mac[static AES_BLOCK_SIZE])
{
	const mbedtls_cipher_info_t *info = cipher_of(key.len);
	mbedtls_cipher_context_t context;
	bool done;

	mbedtls_cipher_init(&context);
	done = info && mbedtls_cipher_setup(&context, info) == 0 &&
	       mbedtls_cipher_cmac_starts(&context, key.ptr, key.len * 8) == 0;
	for (size_t i = 0; i < count && done; i++)
		if (parts[i].len > 0)
			done = mbedtls_cipher_cmac_update(&context, parts[i].ptr, parts[i].len) ==
			       0;
	done = done && mbedtls_cipher_cmac_finish(&context, mac) == 0;
	mbedtls_cipher_free(&context);
	if (!done)
		bytes_wipe(mac, AES_BLOCK_SIZE);
	return done;
}

bool scp03_aes_block(struct bytes key, const uint8_t in[static AES_BLOCK_SIZE],
		     uint8_t out[static AES_BLOCK_SIZE])
{
	mbedtls_aes_context context;
	bool done;

	mbedtls_aes_init(&context);
	done = scp03_aes_takes(key.len) &&
	       mbedtls_aes_setkey_enc(&context, key.ptr, (unsigned)(key.len * 8)) == 0 &&
	       mbedtls_aes_crypt_ecb(&context, MBEDTLS_AES_ENCRYPT, in, out) == 0;
	mbedtls_aes_free(&context);
	if (!done)
		bytes_wipe(out, AES_BLOCK_SIZE);
	return done;
}

/* `icv` is copied, since the library moves it on. */
static bool crypt_cbc(struct bytes key, int mode, const uint8_t *icv, uint8_t *data, size_t len)
{
	const unsigned bits = (unsigned)(key.len * 8);
	mbedtls_aes_context context;
	uint8_t chain[AES_BLOCK_SIZE];
	bool done = scp03_aes_takes(key.len) && len % AES_BLOCK_SIZE == 0;

	mbedtls_aes_init(&context);
	memcpy(chain, icv, sizeof chain);
	if (done && mode == MBEDTLS_AES_ENCRYPT)
		done = mbedtls_aes_setkey_enc(&context, key.ptr, bits) == 0;
	else if (done)
		done = mbedtls_aes_setkey_dec(&context, key.ptr, bits) == 0;
	done = done && mbedtls_aes_crypt_cbc(&context, mode, len, chain, data, data) == 0;
	mbedtls_aes_free(&context);
	bytes_wipe(chain, sizeof chain);
	if (!done)
		bytes_wipe(data, len);
	return done;
}

bool scp03_aes_encrypt(struct bytes key, const uint8_t icv[static AES_BLOCK_SIZE], uint8_t *data,
		       size_t len)
{
	return crypt_cbc(key, MBEDTLS_AES_ENCRYPT, icv, data, len);
}

bool scp03_aes_decrypt(struct bytes key, const uint8_t icv[static AES_BLOCK_SIZE], uint8_t *data,
		       size_t len)
{
	return crypt_cbc(key, MBEDTLS_AES_DECRYPT, icv, data, len);
}

bool scp03_aes_kdf(struct bytes key, struct bytes before, struct bytes after, uint8_t *out,
		   size_t len)
{
	uint8_t block[AES_BLOCK_SIZE];
	uint8_t counter = 0;
	bool done = len > 0 && len <= (size_t)COUNTER_MAX * AES_BLOCK_SIZE;

	for (size_t at = 0; at < len && done; at += AES_BLOCK_SIZE) {
		const struct bytes parts[] = {before, {&counter, 1}, after};
		size_t take = len - at < AES_BLOCK_SIZE ? len - at : AES_BLOCK_SIZE;

		counter++;
		done = scp03_aes_cmac(key, parts, 3, block);
		memcpy(out + at, block, take);
	}
	bytes_wipe(block, sizeof block);
	if (!done)
		bytes_wipe(out, len);
	return done;
}
