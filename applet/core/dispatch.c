/*
 * From an APDU to its handler: every check that the contract's table can express is made here,
 * once, in the order of apdu-specs/common.toml.
 */
#include "apdu.h"
#include "chain.h"
#include "response.h"

/* The class byte's part of the command; SW_OK when the command may go on. */
static uint16_t check_class(struct applet *applet, const struct apdu_class *class,
			    struct command *command)
{
	if (class->reserved)
		return SW_CLA_NOT_SUPPORTED;
	if (class->secure)
		return SW_SM_NOT_SUPPORTED;
	if (class->channel >= LIMIT_CHANNELS || !applet->channels[class->channel].open)
		return SW_CHANNEL_NOT_SUPPORTED;
	command->channel_number = class->channel;
	command->channel = &applet->channels[class->channel];
	return SW_OK;
}

static uint16_t check_row(const struct command_row *row, const struct command *command)
{
	if (row == NULL || !(row->flags & COMMAND_CARD || command->channel->selected))
		return SW_INS_NOT_SUPPORTED;
	return SW_OK;
}

/* Gathers a chain; on SW_OK *more says whether the handler has to wait for the rest. */
static uint16_t check_chain(struct applet *applet, const struct command_row *row, bool chained,
			    struct command *command, bool *more)
{
	*more = chained;
	if (chain_broken(applet, command))
		return SW_CHAIN_BROKEN;
	if (chained && !(row->flags & COMMAND_CHAINING))
		return SW_CHAINING_NOT_SUPPORTED;
	if (!command_parameters_allowed(row, command->p1, command->p2))
		return SW_WRONG_P1P2;
	if (chained || applet->chaining) {
		if (!chain_add(applet, command))
			return SW_WRONG_LENGTH;
		command->data = bytes_of(applet->chain, applet->chain_used);
	}
	if (!chained && !command_length_allowed(row, command->data.len))
		return SW_WRONG_LENGTH;
	return SW_OK;
}

/* Runs the handler and makes its response the one under way. */
static uint16_t run(struct applet *applet, const struct command_row *row, struct command *command)
{
	uint16_t sw;

	if (response_repeated(applet, command))
		return applet->response_sw;
	if (command->header[1] == INS_GET_RESPONSE)
		return row->handler(applet, command);
	response_drop(applet);
	command->out = (struct writer){.out = applet->response, .size = sizeof applet->response};
	sw = row->handler(applet, command);
	if (applet->shut)
		sw = SW_CARD_SHUT;
	if (sw != SW_OK && sw != SW_TERMINATED) {
		bytes_wipe(applet->response, command->out.used);
		command->out.used = 0;
	}
	response_begin(applet, command, sw);
	return sw;
}

static struct answer refuse(struct applet *applet, uint16_t sw)
{
	chain_drop(applet);
	response_drop(applet);
	return (struct answer){.sw = sw};
}

struct answer applet_transmit(struct applet *applet, struct bytes bytes)
{
	struct command command = {0};
	struct apdu apdu;
	bool more;
	uint16_t sw;

	if (applet->shut)
		return refuse(applet, SW_CARD_SHUT);
	if (!apdu_parse(bytes, &apdu))
		return refuse(applet, SW_WRONG_LENGTH);

	const struct apdu_class class = apdu_class(apdu.header[0]);
	const struct command_row *row = command_find(class.base, apdu.header[1]);

	memcpy(command.header, apdu.header, sizeof command.header);
	command.header[0] = (uint8_t)(class.base | class.channel);
	command.p1 = apdu.header[2];
	command.p2 = apdu.header[3];
	command.data = apdu.data;
	command.ne = apdu.ne;

	sw = check_class(applet, &class, &command);
	if (sw == SW_OK)
		sw = check_row(row, &command);
	if (sw == SW_OK)
		sw = check_chain(applet, row, class.chained, &command, &more);
	if (sw != SW_OK)
		return refuse(applet, sw);
	if (more) {
		response_drop(applet);
		return (struct answer){.sw = SW_OK};
	}
	sw = run(applet, row, &command);
	chain_drop(applet);
	if (sw != SW_OK && sw != SW_TERMINATED)
		return (struct answer){.sw = sw};
	return response_next(applet, &command);
}
