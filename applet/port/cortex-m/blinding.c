/*
 * The random numbers that mbedTLS blinds its arithmetic with: SHA-256(key || number of the block),
 * the key drawn from the board's source when the card gets power. A source that gives a byte in
 * 0.7 ms is too slow to be asked for each, and no key is ever made of these.
 */
#include "blinding.h"

#include <psa/crypto.h>

#include "../../crypto/crypto.h"
#include "board.h"

static uint8_t key[SHA256_SIZE];
static uint32_t blocks;

bool blinding_open(void)
{
	return random_blinding_key(key);
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
					     uint8_t *out, size_t size, size_t *len)
{
	uint8_t number[4], block[SHA256_SIZE];
	const struct bytes parts[] = {{key, sizeof(key)}, {number, sizeof(number)}};

	(void)context;
	for (size_t done = 0; done < size; done += sizeof(block)) {
		size_t part = size - done < sizeof(block) ? size - done : sizeof(block);

		put_be32(number, blocks++);
		if (!crypto_sha256(parts, 2, block))
			return PSA_ERROR_INSUFFICIENT_ENTROPY;
		memcpy(out + done, block, part);
	}
	bytes_wipe(block, sizeof(block));
	*len = size;
	return PSA_SUCCESS;
}
