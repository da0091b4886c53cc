/*
 * From an APDU to its handler: every check that the contract's table can express is made here,
 * once, in the order of apdu-specs/common.toml.
 */
#include "apdu.h"
#include "chain.h"
#include "response.h"
#include "secure.h"

/* The class byte's part of the command; SW_OK when the command may go on. */
static uint16_t check_class(struct applet *applet, const struct apdu_class *class,
			    struct command *command)
{
	if (class->reserved)
		return SW_CLA_NOT_SUPPORTED;
	if (class->secure && !class->secure_globalplatform)
		return SW_SM_NOT_SUPPORTED;
	if (class->channel >= LIMIT_CHANNELS || !applet->channels[class->channel].open)
		return SW_CHANNEL_NOT_SUPPORTED;
	command->channel_number = class->channel;
	command->channel = &applet->channels[class->channel];
	return SW_OK;
}

/* Whether a command may come in clear on the channel of an open session. */
static bool clear_allowed(const struct command_row *row)
{
	return row != NULL && (row->flags & COMMAND_CARD || row->ins == INS_INITIALIZE_UPDATE ||
			       row->handler == cmd_internal_authenticate_scp11b);
}

/*
 * Secure messaging: a command of the session is unwrapped behind the chain gathered so far, where
 * its data may be altered; one in clear ends the session. One that has only been begun waits for
 * EXTERNAL AUTHENTICATE, and ends with anything else but the fetching of its own answer.
 */
static uint16_t check_session(struct applet *applet, const struct command_row *row,
			      const struct apdu *apdu, bool secure, struct command *command)
{
	size_t len = apdu->data.len;

	if (row != NULL && row->flags & COMMAND_OWN_MAC)
		return secure ? SW_OK : SW_CLA_NOT_SUPPORTED;
	if (applet->secure.state == SECURE_STARTED && (!row || row->handler != cmd_get_response))
		secure_end_on(applet, command->channel_number);
	if (!secure) {
		if (!secure_on(applet, command->channel_number) || clear_allowed(row))
			return SW_OK;
		secure_end(applet);
		return SW_NOT_SATISFIED;
	}
	if (!secure_on(applet, command->channel_number))
		return SW_NOT_SATISFIED;
	if (len > sizeof applet->chain - applet->chain_used) {
		secure_end(applet);
		return SW_WRONG_LENGTH;
	}

	uint8_t *plain = applet->chain + applet->chain_used;

	command->level = applet->secure.messaging.level;
	if (len)
		memcpy(plain, apdu->data.ptr, len);
	if (!secure_unwrap(applet, apdu->header, plain, &len))
		return applet->shut ? SW_CARD_SHUT : SW_WRONG_MAC;
	command->data = bytes_of(plain, len);
	return SW_OK;
}

/* Whether the command fetches a response that waits, as the MAC of a link's answer does: a chain
 * goes on behind it. */
static bool fetches(const struct applet *applet, const struct command *command)
{
	return command->header[1] == INS_GET_RESPONSE &&
	       response_waits(applet, command->channel_number);
}

/* Gathers a chain; on SW_OK the handler has to wait for the rest if the command is chained. */
static uint16_t check_chain(struct applet *applet, const struct command_row *row, bool chained,
			    struct command *command)
{
	if (row == NULL)
		return SW_INS_NOT_SUPPORTED;
	if (!fetches(applet, command) && chain_broken(applet, command))
		return SW_CHAIN_BROKEN;
	if (chained && !(row->flags & COMMAND_CHAINING))
		return SW_CHAINING_NOT_SUPPORTED;
	if (!command_parameters_allowed(row, command->p1, command->p2))
		return SW_WRONG_P1P2;
	if (chained || (applet->chaining && !fetches(applet, command))) {
		if (!chain_add(applet, command))
			return SW_WRONG_LENGTH;
		command->data = chain_data(applet);
	}
	if (!chained && !command_length_allowed(row, command->data.len))
		return SW_WRONG_LENGTH;
	return SW_OK;
}

/* Protects what a handler of a session wrote. */
static uint16_t protect(struct applet *applet, struct command *command, uint16_t sw)
{
	if (!command->level || !command_answers(sw) || applet->secure.state != SECURE_OPEN)
		return sw;
	return secure_wrap(applet, sw, command->out.out, command->out.size, &command->out.used)
		       ? sw
		       : SW_CARD_SHUT;
}

/* Runs the handler, if the chain is at its end, and makes its response the one under way. */
static uint16_t run(struct applet *applet, const struct command_row *row, bool chained,
		    struct command *command)
{
	uint16_t sw = SW_OK;

	if (!chained && response_repeated(applet, command))
		return applet->response_sw;
	if (row->handler == cmd_get_response)
		return row->handler(applet, command);
	response_drop(applet);
	command->out = (struct writer){.out = applet->response, .size = sizeof applet->response};
	if (!chained) {
		if (row->handler != cmd_domain_store_data)
			chain_forget_blocks(applet);
		sw = row->handler(applet, command);
	}
	if (applet->shut)
		sw = SW_CARD_SHUT;
	sw = protect(applet, command, sw);
	if (!command_answers(sw)) {
		bytes_wipe(applet->response, command->out.used);
		command->out.used = 0;
	}
	response_begin(applet, command, sw);
	return sw;
}

/* A session whose chain is cut short ends: the chain's rest must not pass for a whole command. */
static struct answer refuse(struct applet *applet, uint16_t sw)
{
	if (applet->chaining)
		secure_end_on(applet, chain_channel(applet));
	chain_drop(applet);
	response_drop(applet);
	return (struct answer){.sw = sw};
}

struct answer applet_transmit(struct applet *applet, struct bytes bytes)
{
	const struct command_row *row = NULL;
	struct command command = {0};
	struct apdu apdu;
	uint16_t sw;

	if (applet->shut)
		return refuse(applet, SW_CARD_SHUT);
	if (!apdu_parse(bytes, &apdu))
		return refuse(applet, SW_WRONG_LENGTH);

	const struct apdu_class class = apdu_class(apdu.header[0]);

	memcpy(command.header, apdu.header, sizeof command.header);
	command.header[0] = (uint8_t)(class.base | class.channel);
	command.p1 = apdu.header[2];
	command.p2 = apdu.header[3];
	command.data = apdu.data;
	command.sent_data = apdu.data.len > 0;
	command.ne = apdu.ne;
	sw = check_class(applet, &class, &command);
	if (sw == SW_OK) {
		row = command_find(class.base, apdu.header[1], command.p2,
				   command.channel->selected);
		sw = check_session(applet, row, &apdu, class.secure, &command);
	}
	if (sw == SW_OK)
		sw = check_chain(applet, row, class.chained, &command);
	if (sw != SW_OK)
		return refuse(applet, sw);

	const bool whole = !class.chained && !fetches(applet, &command);

	sw = run(applet, row, class.chained, &command);
	if (whole)
		chain_drop(applet);
	if (!command_answers(sw))
		return (struct answer){.sw = sw};
	return response_next(applet, &command);
}
