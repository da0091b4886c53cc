#include "key_set.h"
#include "secure.h"

uint16_t cmd_initialize_update(struct applet *applet, struct command *command)
{
	uint8_t slot = key_set_find(applet, command->p1);

	secure_end(applet);
	if (slot == KEY_SET_NONE)
		return SW_DATA_NOT_FOUND;
	if (key_set_failures(applet, slot) >= LIMIT_AUTHENTICATIONS)
		return SW_BLOCKED;
	return secure_begin(applet, slot, command->channel_number, command->data, &command->out);
}
