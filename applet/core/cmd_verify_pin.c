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
	if (applet->lifecycle != LIFECYCLE_PERSONALISED)
		return SW_CONDITIONS;
	if (command->data.len == 0)
		return ask(applet, command->channel);
	return pin_command(applet, command, PIN_HOLDER, NULL);
}
