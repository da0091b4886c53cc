#include "secure.h"

/* The lowest channel that is not open; LIMIT_CHANNELS when there is none. */
static uint8_t first_closed(const struct applet *applet)
{
	uint8_t number = 0;

	while (number < LIMIT_CHANNELS && applet->channels[number].open)
		number++;
	return number;
}

static uint16_t open(struct applet *applet, struct command *command)
{
	uint8_t number = command->p2 ? command->p2 : first_closed(applet);

	if (number >= LIMIT_CHANNELS || applet->channels[number].open)
		return SW_CHANNEL_NOT_SUPPORTED;
	applet->channels[number].open = true; /* close and reset left nothing else in it */
	if (command->p2 == 0)
		writer_put(&command->out, bytes_of(&number, 1));
	return SW_OK;
}

static uint16_t close(struct applet *applet, uint8_t number)
{
	if (number == 0) /* the basic channel is always open */
		return SW_WRONG_P1P2;
	if (!applet->channels[number].open)
		return SW_CHANNEL_NOT_SUPPORTED;
	secure_end_on(applet, number);
	applet->channels[number] = (struct channel){0};
	return SW_OK;
}

uint16_t cmd_manage_channel(struct applet *applet, struct command *command)
{
	if (command->p2 >= LIMIT_CHANNELS)
		return SW_WRONG_P1P2;
	if (command->p1 == CHANNEL_ACTION_OPEN)
		return open(applet, command);
	return close(applet, command->p2);
}
