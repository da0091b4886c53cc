#include "command.h"
#include "pin.h"

uint16_t cmd_reset_retry_counter(struct applet *applet, struct command *command)
{
	struct bytes puk = bytes_of(command->data.ptr, LIMIT_PIN_SIZE);
	struct bytes new = bytes_of(command->data.ptr + LIMIT_PIN_SIZE, LIMIT_PIN_SIZE);
	enum pin_result result;
	uint8_t left;

	if (applet->lifecycle != LIFECYCLE_PERSONALISED)
		return SW_CONDITIONS;
	if (!pin_well_formed(PIN_HOLDER, new))
		return SW_WRONG_DATA;
	command->channel->verified = false;
	result = pin_try(applet, PIN_UNBLOCK, puk, &left);
	if (result != PIN_RIGHT)
		return pin_refusal(result, left);

	const struct journal_write writes[] = {pin_set(PIN_HOLDER, new), pin_tries_back(PIN_HOLDER),
					       pin_tries_back(PIN_UNBLOCK)};

	if (journal_commit(&applet->journal, writes, 3) != JOURNAL_OK)
		return SW_MEMORY_FAILURE;
	return SW_OK;
}
