#include "modem_card.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct answer modem_card_ask(struct modem *modem, struct bytes command)
{
	const struct timespec pause = {.tv_nsec = modem->options.slow_ms * 1000000L};

	if (modem->options.slow_ms > 0)
		nanosleep(&pause, NULL); /* even one of nothing takes its time */
	return applet_transmit(modem->applet, command);
}

uint16_t modem_card_manage(struct modem *modem, uint8_t action, uint8_t channel, uint8_t *opened)
{
	const uint8_t command[] = {CLA_MANAGE_CHANNEL, INS_MANAGE_CHANNEL, action, channel, 1};
	struct answer answer =
		modem_card_ask(modem, bytes_of(command, 4 + (action == CHANNEL_ACTION_OPEN)));

	if (answer.sw == SW_OK && opened)
		*opened = answer.data.ptr[0];
	return answer.sw;
}

unsigned modem_guests(const struct modem *modem)
{
	unsigned open = 0;

	for (unsigned i = 1; i < LIMIT_CHANNELS; i++)
		open += modem->applet->channels[i].open;
	return open - modem->options.phone;
}

void modem_card_watch(struct modem *modem, const uint8_t *command)
{
	if (command[1] == INS_MANAGE_CHANNEL) {
		modem->opened += command[2] == CHANNEL_ACTION_OPEN;
		modem->closed += command[2] == CHANNEL_ACTION_CLOSE;
		if (command[2] == CHANNEL_ACTION_CLOSE && command[3] <= modem->options.phone)
			modem->trespasses++;
	} else if ((command[0] & 3) <= modem->options.phone) {
		modem->trespasses++;
	}
}

size_t modem_card_respond(struct modem *modem, struct bytes command,
			  uint8_t out[static MODEM_ANSWER_MAX])
{
	struct answer answer = modem_card_ask(modem, command);

	if (modem->options.fetches && answer.data.len == 0 &&
	    (answer.sw & 0xFF00) == SW_BYTES_AVAILABLE) {
		const uint8_t more[] = {command.ptr[0] & 3, INS_GET_RESPONSE, 0, 0,
					(uint8_t)answer.sw};

		answer = modem_card_ask(modem, bytes_of(more, sizeof more));
	}
	if (answer.data.len > MODEM_ANSWER_MAX - 2)
		abort(); /* the core gives no more at T=0 */
	if (answer.data.len > 0)
		memcpy(out, answer.data.ptr, answer.data.len);
	put_be16(out + answer.data.len, answer.sw);
	return answer.data.len + 2;
}
