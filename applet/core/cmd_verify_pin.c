#include "command.h"
#include "pin.h"

/* What VERIFY without data answers: whether the PIN was given, else the tries left. */
static uint16_t ask(const struct applet *applet, const struct channel *channel)
{
	uint8_t left = pin_tries_left(applet, PIN_HOLDER);

	if (channel->verified)
		return SW_OK;
	return left ? (uint16_t)(SW_TRIES_LEFT | left) : SW_BLOCKED;
}

uint16_t cmd_verify_pin(struct applet *applet, struct command *command)
{
	enum pin_result result;
	uint8_t left;

	if (applet->lifecycle != LIFECYCLE_PERSONALISED)
		return SW_CONDITIONS;
	if (command->data.len == 0)
		return ask(applet, command->channel);
	command->channel->verified = false;
	result = pin_try(applet, PIN_HOLDER, command->data, &left);
	if (result != PIN_RIGHT)
		return pin_refusal(result, left);

	const struct journal_write back = pin_tries_back(PIN_HOLDER);

	if (journal_commit(&applet->journal, &back, 1) != JOURNAL_OK)
		return SW_MEMORY_FAILURE;
	command->channel->verified = true;
	return SW_OK;
}
