#include "client.h"

#include <string.h>

#define COMMAND_MAX (4 + 3 + LIMIT_COMMAND_DATA + 2)
#define PIN_FILLER  0xFF

/* The APDU; data over 255 bytes in extended form, which simtie_transmit() turns into a chain. */
static size_t build(const struct client_command *command, uint8_t channel,
		    uint8_t apdu[static COMMAND_MAX])
{
	size_t len = 4;

	apdu[0] = command->cla | channel;
	apdu[1] = command->ins;
	apdu[2] = command->p1;
	apdu[3] = command->p2;
	if (command->data.len > 255) {
		apdu[len++] = 0;
		put_be16(apdu + len, (uint16_t)command->data.len);
		len += 2;
	} else if (command->data.len > 0) {
		apdu[len++] = (uint8_t)command->data.len;
	}
	if (command->data.len > 0)
		memcpy(apdu + len, command->data.ptr, command->data.len);
	len += command->data.len;
	if (command->ne > 0)
		apdu[len++] = (uint8_t)command->ne; /* 256 goes as 00 */
	return len;
}

int client_send(struct simtie_session *session, const struct client_command *command, uint8_t *out,
		size_t size, size_t *len)
{
	uint8_t apdu[COMMAND_MAX];
	size_t apdu_len = build(command, session->channel, apdu);
	int error = simtie_transmit(session, apdu, apdu_len, out, size, len);

	bytes_wipe(apdu, apdu_len);
	if (error == SIMTIE_ERR_MEMORY)
		return SIMTIE_ERR_PROTOCOL;
	if (!error && session->sw != SW_OK)
		return SIMTIE_ERR_CARD;
	return error;
}

int client_get_data(struct simtie_session *session, uint16_t tag, uint8_t *out, size_t size,
		    struct bytes *value)
{
	const struct client_command command = {
		.cla = CLA_GET_DATA,
		.ins = INS_GET_DATA,
		.p1 = (uint8_t)(tag >> 8),
		.p2 = (uint8_t)tag,
		.ne = APDU_NE_SHORT,
	};
	size_t len;
	int error = client_send(session, &command, out, size, &len);

	if (!error && !tlv_only(bytes_of(out, len), tag, value))
		return SIMTIE_ERR_PROTOCOL;
	return error;
}

bool client_pad(const char *digits, size_t min, uint8_t padded[static LIMIT_PIN_SIZE])
{
	size_t len = digits ? strlen(digits) : 0;

	if (len < min || len > LIMIT_PIN_SIZE)
		return false;
	memset(padded, PIN_FILLER, LIMIT_PIN_SIZE);
	for (size_t i = 0; i < len; i++) {
		if (digits[i] < '0' || digits[i] > '9') {
			bytes_wipe(padded, LIMIT_PIN_SIZE);
			return false;
		}
		padded[i] = (uint8_t)digits[i];
	}
	return true;
}

void client_tries(const struct simtie_session *session, unsigned *tries)
{
	if (!tries)
		return;
	if ((session->sw & 0xFFF0) == SW_TRIES_LEFT)
		*tries = session->sw & 0x0F;
	else if (session->sw == SW_BLOCKED)
		*tries = 0;
}
