#include <string.h>

#include "apdu.h"
#include "at.h"
#include "contract.h"

/* Class bytes (ISO/IEC 7816-4 §5.4.1): channels 0 to 3 stand in two bits, those from 4 on in four
 * of another form, where secure messaging has one bit. */
#define CLA_FURTHER         0x40
#define CLA_BASIC_CHANNEL   0x03
#define CLA_BASIC_SECURE    0x0C
#define CLA_FURTHER_SECURE  0x20
#define CLA_FURTHER_CHANNEL 0x0F
#define CHANNELS_BASIC      4

/* Longest command in the form of T=0: header, P3, 255 bytes. */
#define TPDU_MAX 260

/* ---- Text ---- */

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads hexadecimal; false when it is none, or of an odd number of digits. */
static bool read_hex(const char *text, size_t digits, uint8_t *out)
{
	if (digits % 2 != 0)
		return false;
	for (size_t i = 0; i < digits; i += 2) {
		int high = digit_of(text[i]), low = digit_of(text[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* The answer's line: <length>,<response>, the length counting digits, the response in quotes or
 * not (§8.17, §8.43). A length that does not fit the response is no answer. */
static int read_answer(const struct at *at, uint8_t *answer, size_t size, size_t *answer_len)
{
	const char *text = at->info, *end = at->info + at->info_len;
	size_t length = 0;

	if (*text < '0' || *text > '9')
		return SIMTIE_ERR_PROTOCOL;
	while (*text >= '0' && *text <= '9' && length < AT_LINE_MAX)
		length = 10 * length + (size_t)(*text++ - '0');
	if (*text++ != ',')
		return SIMTIE_ERR_PROTOCOL;
	while (*text == ' ')
		text++;
	if (*text == '"' && end - text >= 2 && end[-1] == '"') {
		text++;
		end--;
	}
	if ((size_t)(end - text) != length || length < 4 || length / 2 > size ||
	    !read_hex(text, length, answer))
		return SIMTIE_ERR_PROTOCOL;
	*answer_len = length / 2;
	return 0;
}

int at_exchange(struct at *at, struct deadline deadline, struct bytes command, uint8_t *answer,
		size_t size, size_t *answer_len)
{
	const bool csim = at->way == AT_WAY_CSIM;
	int error;

	at_say(at, csim ? "AT+CSIM=" : "AT+CGLA=");
	if (!csim) {
		at_add(at, at->session);
		at_add(at, ",");
	}
	at_add_number(at, 2 * command.len);
	at_add(at, ",\"");
	at_add_hex(at, command);
	at_add(at, "\"");
	error = at_chat(at, deadline, csim ? "+CSIM:" : "+CGLA:");
	if (!error)
		error = read_answer(at, answer, size, answer_len);
	at_wipe(at);
	return error;
}

/* ---- Channels ---- */

static uint8_t channel_of(uint8_t cla)
{
	return cla & CLA_FURTHER ? (cla & CLA_FURTHER_CHANNEL) + CHANNELS_BASIC
				 : cla & CLA_BASIC_CHANNEL;
}

/* A class byte of the basic channel, for the channel that is ours. */
static uint8_t put_on_channel(uint8_t cla, uint8_t channel)
{
	if (channel < CHANNELS_BASIC)
		return cla | channel;
	return (uint8_t)((cla & ~CLA_BASIC_SECURE) | CLA_FURTHER |
			 (cla & CLA_BASIC_SECURE ? CLA_FURTHER_SECURE : 0) |
			 (channel - CHANNELS_BASIC));
}

bool at_class(const struct at *at, uint8_t cla, uint8_t *mapped)
{
	const uint8_t channel = channel_of(cla);

	*mapped = cla;
	if (channel == 0 && at->way == AT_WAY_CSIM)
		*mapped = put_on_channel(cla, at->channel);
	return channel == 0 || (at->further >> channel & 1);
}

/* Whether a command is MANAGE CHANNEL of a kind that is not allowed: with +CGLA channels are the
 * modem's affair; with +CSIM only the host's own may be closed. */
static bool is_forbidden(const struct at *at, const uint8_t *command, size_t len)
{
	if (len < 4 || command[1] != INS_MANAGE_CHANNEL)
		return false;
	if (at->way == AT_WAY_CGLA)
		return true;
	return command[2] == CHANNEL_ACTION_CLOSE &&
	       (command[3] >= AT_CHANNELS || !(at->further >> command[3] & 1));
}

/* Keeps in mind which channels the host opened and closed: they are closed with ours. */
static void note_channels(struct at *at, const uint8_t *command, struct bytes answer)
{
	uint8_t number = command[3];

	if (command[1] != INS_MANAGE_CHANNEL || get_be16(answer.ptr + answer.len - 2) != SW_OK)
		return;
	if (command[2] == CHANNEL_ACTION_CLOSE) {
		at->further &= ~(1U << number);
	} else if (command[2] == CHANNEL_ACTION_OPEN) {
		if (number == 0 && answer.len == 3)
			number = answer.ptr[0];
		if (number > 0 && number < AT_CHANNELS)
			at->further |= 1U << number;
	}
}

/*
 * A short command as T=0 has it (ISO/IEC 7816-3 §12.2): P3 is always there, Le never beside data.
 * Modems pass on what they get, and few put it right. Gives the length; what is no short command
 * goes as it is, for the modem to refuse.
 */
static size_t form(struct bytes command, uint8_t tpdu[static TPDU_MAX + 1])
{
	const size_t header = sizeof((struct apdu *)0)->header;

	memcpy(tpdu, command.ptr, command.len);
	if (command.len == header) {
		tpdu[header] = 0;
		return header + 1;
	}
	if (command.len > header + 2 && tpdu[header] != 0 &&
	    command.len == header + 2 + tpdu[header])
		return command.len - 1;
	return command.len;
}

int at_transmit(struct at *at, struct deadline deadline, struct bytes command, uint8_t *answer,
		size_t size, size_t *answer_len)
{
	uint8_t tpdu[TPDU_MAX + 1] = {0};
	size_t len;
	int error;

	if (command.len == 0 || command.len > sizeof tpdu)
		return SIMTIE_ERR_ARGUMENT;
	len = form(command, tpdu);
	if (!at_class(at, tpdu[0], &tpdu[0]) || is_forbidden(at, tpdu, len))
		error = SIMTIE_ERR_ARGUMENT;
	else
		error = at_exchange(at, deadline, bytes_of(tpdu, len), answer, size, answer_len);
	if (!error)
		note_channels(at, tpdu, bytes_of(answer, *answer_len));
	bytes_wipe(tpdu, sizeof tpdu);
	return error;
}
