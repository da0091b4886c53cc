/*
 * The MPS2 boards have no random source. This one repeats itself from a seed, and says so: block
 * number i, from 0, is HMAC-SHA-256(seed, i as 4 bytes, big-endian), and each random_take() begins
 * a new block, as `simtie-card --seed` does. Without a seed from the host it is DEFAULT_SEED.
 */
#include "../board.h"

#include "../../../crypto/crypto.h"
#include "../host.h"

#define DEFAULT_SEED "simtie"

const bool random_is_seeded = true;

static struct bytes seed;
static uint32_t blocks;

void random_open(void)
{
	seed = host_seed();
	if (seed.len == 0)
		seed = bytes_of((const uint8_t *)DEFAULT_SEED, sizeof(DEFAULT_SEED) - 1);
	blocks = 0;
}

bool random_take(uint8_t *out, size_t len)
{
	uint8_t number[4], block[SHA256_SIZE];
	const struct bytes part = {number, sizeof(number)};
	bool done = crypto_init();

	for (size_t at = 0; done && at < len; at += sizeof(block)) {
		put_be32(number, blocks++);
		done = crypto_hmac(seed, &part, 1, block);
		memcpy(out + at, block, len - at < sizeof(block) ? len - at : sizeof(block));
	}
	bytes_wipe(block, sizeof(block));
	return done;
}

bool random_blinding_key(uint8_t key[static SHA256_SIZE])
{
	static const char label[] = "blinding";
	const struct bytes part = {(const uint8_t *)label, sizeof(label)};

	return crypto_init() && crypto_hmac(seed, &part, 1, key);
}
