#include "random.h"

#include "../crypto/scalar.h"

#define BLOCK_SIZE 16

static bool uniform(const uint8_t block[static BLOCK_SIZE])
{
	for (size_t i = 1; i < BLOCK_SIZE; i++)
		if (block[i] != block[0])
			return false;
	return true;
}

/* One block that is neither uniform nor the one before it. */
static bool next_block(struct applet *applet, uint8_t block[static BLOCK_SIZE])
{
	const struct port *port = applet->port;
	uint8_t digest[SHA256_SIZE];
	bool sound;

	if (!port->random(port->context, block, BLOCK_SIZE) || uniform(block))
		return false;
	if (!crypto_sha256(&(struct bytes){block, BLOCK_SIZE}, 1, digest))
		return false;
	sound = memcmp(digest, applet->random_check, sizeof applet->random_check) != 0;
	memcpy(applet->random_check, digest, sizeof applet->random_check);
	bytes_wipe(digest, sizeof digest);
	return sound;
}

bool random_bytes(struct applet *applet, uint8_t *out, size_t len)
{
	uint8_t block[BLOCK_SIZE];
	size_t done = 0;

	while (done < len && !applet->shut) {
		size_t part = len - done < BLOCK_SIZE ? len - done : BLOCK_SIZE;

		if (next_block(applet, block))
			memcpy(out + done, block, part);
		else
			applet->shut = true;
		done += part;
	}
	bytes_wipe(block, sizeof block);
	if (applet->shut)
		bytes_wipe(out, len);
	return !applet->shut;
}

bool random_scalar(struct applet *applet, uint8_t out[static P256_SCALAR_SIZE])
{
	do {
		if (!random_bytes(applet, out, P256_SCALAR_SIZE))
			return false;
	} while (!scalar_valid(out));
	return true;
}
