#include "random.h"
#include "records.h"
#include "secure.h"

#define SCP11_NUMBER    0x11
#define SCP11_PARAMETER 0x00 /* SCP11b, no host identifier */

/* How the one request begins that the card knows; the host's point follows. */
static const uint8_t request_head[] = {
	TAG_KEY_AGREEMENT,
	13,
	TAG_AGREEMENT_PROTOCOL,
	2,
	SCP11_NUMBER,
	SCP11_PARAMETER,
	TAG_AGREEMENT_USAGE,
	1,
	MESSAGING_AGREED_USAGE,
	TAG_AGREEMENT_KEY_TYPE,
	1,
	MESSAGING_AGREED_TYPE,
	TAG_AGREEMENT_KEY_LENGTH,
	1,
	MESSAGING_AGREED_KEY,
	TAG_EPHEMERAL_POINT >> 8,
	TAG_EPHEMERAL_POINT & 0xFF,
	LIMIT_POINT_SIZE,
};

_Static_assert(sizeof request_head + LIMIT_POINT_SIZE == LIMIT_CHANNEL_REQUEST_SIZE,
	       "the table lets through what fits");

/* The session's keys and the answer, from the card's key. */
static uint16_t agree(struct applet *applet, struct command *command,
		      const uint8_t key[static P256_SCALAR_SIZE])
{
	struct messaging *session = &applet->secure.messaging;
	struct writer *out = &command->out;
	uint8_t ephemeral[P256_SCALAR_SIZE], point[P256_POINT_SIZE];
	bool agreed = false;

	applet->port->alive(applet->port->context);
	if (!random_scalar(applet, ephemeral) || !crypto_p256_public(ephemeral, point)) {
		applet->shut = true;
	} else {
		ber_put(out, TAG_EPHEMERAL_POINT, bytes_of(point, sizeof point));
		applet->port->alive(applet->port->context);
		agreed = messaging_agree(session, key, ephemeral, command->data,
					 bytes_of(out->out, out->used));
	}
	bytes_wipe(ephemeral, sizeof ephemeral);
	if (!agreed) {
		secure_end(applet);
		return SW_WRONG_DATA;
	}
	ber_put(out, TAG_RECEIPT, bytes_of(session->chaining, LIMIT_RECEIPT_SIZE));
	secure_opened(applet, command->channel_number, SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC);
	return SW_OK;
}

uint16_t cmd_internal_authenticate_scp11b(struct applet *applet, struct command *command)
{
	uint8_t key[P256_SCALAR_SIZE];
	uint16_t sw = SW_MEMORY_FAILURE;

	secure_end(applet);
	if (command->p1 != LIMIT_CHANNEL_KEY_VERSION ||
	    !journal_has(&applet->journal, RECORD_CHANNEL_KEY))
		return SW_DATA_NOT_FOUND;
	if (memcmp(command->data.ptr, request_head, sizeof request_head) != 0)
		return SW_WRONG_DATA;
	if (record_read(applet, RECORD_CHANNEL_KEY, key, sizeof key))
		sw = agree(applet, command, key);
	bytes_wipe(key, sizeof key);
	return sw;
}
