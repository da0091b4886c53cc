#include "response.h"

uint16_t cmd_get_response(struct applet *applet, struct command *command)
{
	if (!response_waits(applet, command->channel_number))
		return SW_CONDITIONS;
	return applet->response_sw;
}
