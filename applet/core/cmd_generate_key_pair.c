#include "../crypto/derive.h"
#include "access.h"
#include "command.h"
#include "random.h"
#include "records.h"

_Static_assert(KEY_DEVICE == 0, "a key of SCP11b is made where a device key is, by itself");

/* A device key and a chain code, or a key of SCP11b alone, and its public key. */
static bool draw(struct applet *applet, bool device, uint8_t key[static KEY_SIZE],
		 uint8_t point[static LIMIT_POINT_SIZE])
{
	key[KEY_FLAGS] = applet->port->seeded ? KEY_FLAG_SEEDED : 0;
	return random_scalar(applet, key) &&
	       (!device || random_bytes(applet, key + KEY_CHAIN_CODE, LIMIT_CHAIN_CODE_SIZE)) &&
	       crypto_p256_public(key, point);
}

uint16_t cmd_generate_key_pair(struct applet *applet, struct command *command)
{
	const bool device = command->p2 != KEY_ID_SCP11B;
	uint8_t key[KEY_SIZE];
	uint8_t point[LIMIT_POINT_SIZE];
	uint16_t sw = SW_CARD_SHUT;

	if (!access_generate(applet, command))
		return SW_NOT_SATISFIED;
	applet->port->alive(applet->port->context);
	if (!draw(applet, device, key, point)) {
		applet->shut = true;
		goto out;
	}
	sw = record_put(applet, device ? RECORD_KEY : RECORD_CHANNEL_KEY, key,
			device ? KEY_SIZE : P256_SCALAR_SIZE);
	if (sw != SW_OK)
		goto out;

	size_t template = ber_open(&command->out, TAG_PUBLIC_KEY);

	ber_put(&command->out, TAG_PUBLIC_POINT, bytes_of(point, LIMIT_POINT_SIZE));
	if (device)
		ber_put(&command->out, TAG_CHAIN_CODE,
			bytes_of(key + KEY_CHAIN_CODE, LIMIT_CHAIN_CODE_SIZE));
	ber_close(&command->out, template);
out:
	bytes_wipe(key, sizeof key);
	return sw;
}
