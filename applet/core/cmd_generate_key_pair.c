#include "../crypto/derive.h"
#include "../crypto/scalar.h"
#include "access.h"
#include "command.h"
#include "random.h"
#include "records.h"

/* A device key, uniform in 1 to n - 1 (FIPS 186-5 §A.2.2), and a chain code. */
static bool draw(struct applet *applet, uint8_t key[static KEY_SIZE])
{
	do {
		if (!random_bytes(applet, key + KEY_DEVICE, P256_SCALAR_SIZE))
			return false;
	} while (!scalar_valid(key + KEY_DEVICE));
	key[KEY_FLAGS] = applet->port->seeded ? KEY_FLAG_SEEDED : 0;
	return random_bytes(applet, key + KEY_CHAIN_CODE, LIMIT_CHAIN_CODE_SIZE);
}

static void put_public(struct writer *out, const uint8_t key[static KEY_SIZE],
		       const uint8_t point[static LIMIT_POINT_SIZE])
{
	size_t template = ber_open(out, TAG_PUBLIC_KEY);

	ber_put(out, TAG_PUBLIC_POINT, bytes_of(point, LIMIT_POINT_SIZE));
	ber_put(out, TAG_CHAIN_CODE, bytes_of(key + KEY_CHAIN_CODE, LIMIT_CHAIN_CODE_SIZE));
	ber_close(out, template);
}

uint16_t cmd_generate_key_pair(struct applet *applet, struct command *command)
{
	uint8_t key[KEY_SIZE];
	uint8_t point[LIMIT_POINT_SIZE];
	uint16_t sw = SW_CARD_SHUT;

	if (!access_generate(applet, command))
		return SW_NOT_SATISFIED;
	applet->port->alive(applet->port->context);
	if (!draw(applet, key) || !crypto_p256_public(key + KEY_DEVICE, point)) {
		applet->shut = true;
		goto out;
	}
	sw = record_put(applet, RECORD_KEY, key, sizeof key);
	if (sw == SW_OK)
		put_public(&command->out, key, point);
out:
	bytes_wipe(key, sizeof key);
	return sw;
}
