#include <string.h>

#include "client.h"

/* A command whose data is a PIN or PUK, and perhaps a new PIN. */
static int send_pin(struct simtie_session *session, struct client_command command,
		    const char *secret, size_t secret_min, const char *new_pin, unsigned *tries)
{
	uint8_t data[2 * LIMIT_PIN_SIZE];
	uint8_t none;
	size_t len;
	int error = SIMTIE_ERR_ARGUMENT;

	if (!client_pad(secret, secret_min, data))
		goto out;
	command.data = bytes_of(data, LIMIT_PIN_SIZE);
	if (command.ins != INS_VERIFY_PIN) {
		if (!client_pad(new_pin, LIMIT_PIN_DIGITS_MIN, data + LIMIT_PIN_SIZE))
			goto out;
		command.data.len += LIMIT_PIN_SIZE;
	}
	command.p2 = KEY_REFERENCE_PIN;
	error = client_send(session, &command, &none, 0, &len);
	if (error == SIMTIE_ERR_CARD)
		client_tries(session, tries);
out:
	bytes_wipe(data, sizeof data);
	return error;
}

int simtie_pin_verify(struct simtie_session *session, const char *pin, unsigned *tries)
{
	const struct client_command command = {.cla = CLA_VERIFY_PIN, .ins = INS_VERIFY_PIN};

	return send_pin(session, command, pin, LIMIT_PIN_DIGITS_MIN, NULL, tries);
}

int simtie_pin_change(struct simtie_session *session, const char *pin, const char *new_pin,
		      unsigned *tries)
{
	const struct client_command command = {.cla = CLA_CHANGE_REFERENCE_DATA,
					       .ins = INS_CHANGE_REFERENCE_DATA};

	return send_pin(session, command, pin, LIMIT_PIN_DIGITS_MIN, new_pin, tries);
}

int simtie_pin_unblock(struct simtie_session *session, const char *puk, const char *new_pin,
		       unsigned *tries)
{
	const struct client_command command = {.cla = CLA_RESET_RETRY_COUNTER,
					       .ins = INS_RESET_RETRY_COUNTER};

	return send_pin(session, command, puk, LIMIT_PIN_SIZE, new_pin, tries);
}

int simtie_pin_status(struct simtie_session *session, struct simtie_pin_state *state)
{
	struct tlv_field fields[] = {
		{.tag = TAG_STATE_PIN_TRIES, .min = 1, .max = 1},
		{.tag = TAG_STATE_PIN_TRIES_MAX, .min = 1, .max = 1},
		{.tag = TAG_STATE_PUK_TRIES, .min = 1, .max = 1},
		{.tag = TAG_STATE_PUK_TRIES_MAX, .min = 1, .max = 1},
		{.tag = TAG_STATE_VERIFIED, .min = 1, .max = 1},
	};
	uint8_t answer[64];
	struct bytes value;
	int error = client_get_data(session, TAG_PIN_STATE, answer, sizeof answer, &value);

	if (error)
		return error;
	if (!tlv_read(value, fields, sizeof fields / sizeof fields[0]))
		return SIMTIE_ERR_PROTOCOL;
	*state = (struct simtie_pin_state){
		.pin_tries = fields[0].value.ptr[0],
		.pin_tries_max = fields[1].value.ptr[0],
		.puk_tries = fields[2].value.ptr[0],
		.puk_tries_max = fields[3].value.ptr[0],
		.verified = fields[4].value.ptr[0],
	};
	if (fields[4].value.ptr[0] > 1 || state->pin_tries > state->pin_tries_max ||
	    state->puk_tries > state->puk_tries_max)
		return SIMTIE_ERR_PROTOCOL;
	return 0;
}
