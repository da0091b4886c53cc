#include "client.h"

/* MANAGE CHANNEL, from the basic channel: what a new channel inherits is then always the same. */
static int manage(struct simtie_session *session, const struct client_command *command,
		  uint8_t *out, size_t size, size_t *len)
{
	uint8_t channel = session->channel;
	int error;

	session->channel = 0;
	error = client_send(session, command, out, size, len);
	session->channel = channel;
	return error;
}

int simtie_channel_open(struct simtie_session *session, uint8_t *channel)
{
	const struct client_command command = {
		.cla = CLA_MANAGE_CHANNEL,
		.ins = INS_MANAGE_CHANNEL,
		.p1 = CHANNEL_ACTION_OPEN,
		.ne = 1,
	};
	uint8_t number;
	size_t len;
	int error = manage(session, &command, &number, 1, &len);

	if (error)
		return error;
	if (len != 1 || number == 0 || number >= LIMIT_CHANNELS)
		return SIMTIE_ERR_PROTOCOL;
	*channel = number;
	return 0;
}

int simtie_channel_close(struct simtie_session *session, uint8_t channel)
{
	const struct client_command command = {
		.cla = CLA_MANAGE_CHANNEL,
		.ins = INS_MANAGE_CHANNEL,
		.p1 = CHANNEL_ACTION_CLOSE,
		.p2 = channel,
	};
	uint8_t none;
	size_t len;
	int error;

	if (channel == 0 || channel >= LIMIT_CHANNELS)
		return SIMTIE_ERR_ARGUMENT;
	error = manage(session, &command, &none, 0, &len);
	if (!error && session->channel == channel)
		session->channel = 0;
	return error;
}
