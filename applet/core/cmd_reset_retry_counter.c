#include "pin.h"

uint16_t cmd_reset_retry_counter(struct applet *applet, struct command *command)
{
	if (applet->lifecycle != LIFECYCLE_PERSONALISED)
		return SW_CONDITIONS;
	return pin_command(applet, command, PIN_UNBLOCK, command->data.ptr + LIMIT_PIN_SIZE);
}
