#include "response.h"

void response_drop(struct applet *applet)
{
	bytes_wipe(applet->response, applet->response_len);
	applet->response_len = 0;
	applet->response_sent = 0;
	applet->response_repeat = false;
}

bool response_waits(const struct applet *applet, uint8_t channel_number)
{
	return applet->response_sent < applet->response_len && !applet->response_repeat &&
	       applet->response_channel == channel_number;
}

bool response_repeated(const struct applet *applet, const struct command *command)
{
	return applet->response_repeat && !command->sent_data &&
	       memcmp(applet->response_header, command->header, sizeof command->header) == 0;
}

void response_begin(struct applet *applet, const struct command *command, uint16_t sw)
{
	applet->response_len = command->out.used;
	applet->response_sent = 0;
	applet->response_sw = sw;
	applet->response_channel = command->channel_number;
	memcpy(applet->response_header, command->header, sizeof command->header);
}

/* "XX more" and "XX are there": 00 stands for 256, and in 61xx for that or more. */
static uint16_t counted(uint16_t sw, size_t count)
{
	return (uint16_t)(sw | (count < 0x100 ? count : 0));
}

/* Whether the reader has to come again with the right Le, before a byte is sent. */
static bool le_refused(const struct applet *applet, const struct command *command, size_t left)
{
	if (command->sent_data || left > 0x100)
		return false;
	if (command->ne > left)
		return applet->protocol == APPLET_T0;
	return command->ne < left && command->header[1] != INS_GET_RESPONSE;
}

struct answer response_next(struct applet *applet, const struct command *command)
{
	size_t left = applet->response_len - applet->response_sent;
	size_t part = command->ne;
	struct answer answer = {.sw = applet->response_sw};

	applet->response_repeat = false;
	if (left == 0)
		return answer;
	if (part == 0 || (applet->protocol == APPLET_T0 && command->sent_data)) {
		answer.sw = counted(SW_BYTES_AVAILABLE, left);
		return answer;
	}
	if (le_refused(applet, command, left)) {
		applet->response_repeat = command->header[1] != INS_GET_RESPONSE;
		answer.sw = counted(SW_WRONG_LE, left);
		return answer;
	}
	if (part > left)
		part = left;
	answer.data = bytes_of(applet->response + applet->response_sent, part);
	applet->response_sent += part;
	if (part < left)
		answer.sw = counted(SW_BYTES_AVAILABLE, left - part);
	return answer;
}
