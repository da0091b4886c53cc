#include "command.h"
#include "pin.h"

uint16_t cmd_change_reference_data(struct applet *applet, struct command *command)
{
	struct bytes old = bytes_of(command->data.ptr, LIMIT_PIN_SIZE);
	struct bytes new = bytes_of(command->data.ptr + LIMIT_PIN_SIZE, LIMIT_PIN_SIZE);
	enum pin_result result;
	uint8_t left;

	if (applet->lifecycle != LIFECYCLE_PERSONALISED)
		return SW_CONDITIONS;
	if (!pin_well_formed(PIN_HOLDER, new))
		return SW_WRONG_DATA;
	command->channel->verified = false;
	result = pin_try(applet, PIN_HOLDER, old, &left);
	if (result != PIN_RIGHT)
		return pin_refusal(result, left);

	const struct journal_write writes[] = {pin_set(PIN_HOLDER, new),
					       pin_tries_back(PIN_HOLDER)};

	if (journal_commit(&applet->journal, writes, 2) != JOURNAL_OK)
		return SW_MEMORY_FAILURE;
	command->channel->verified = true;
	return SW_OK;
}
