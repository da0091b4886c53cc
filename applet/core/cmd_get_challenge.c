#include "command.h"
#include "random.h"

uint16_t cmd_get_challenge(struct applet *applet, struct command *command)
{
	uint8_t challenge[LIMIT_CHALLENGE_MAX];

	if (command->ne == 0 || command->ne > sizeof challenge)
		return SW_WRONG_LENGTH;
	if (!random_bytes(applet, challenge, command->ne))
		return SW_CARD_SHUT;
	writer_put(&command->out, bytes_of(challenge, command->ne));
	return SW_OK;
}
