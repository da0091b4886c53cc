#include <string.h>

#include "at.h"

/* ---- A command ---- */

/* Adds text as far as there is room: no APDU that a transport is given is longer than AT_LINE_MAX
 * allows for. */
static void put(struct at *at, const char *text, size_t len)
{
	if (len > sizeof at->out - at->out_len)
		len = sizeof at->out - at->out_len;
	memcpy(at->out + at->out_len, text, len);
	at->out_len += len;
	if (at->out_len > at->out_dirty)
		at->out_dirty = at->out_len;
}

void at_say(struct at *at, const char *text)
{
	at->out_len = 0;
	at_add(at, text);
}

void at_add(struct at *at, const char *text)
{
	put(at, text, strlen(text));
}

void at_add_number(struct at *at, size_t number)
{
	char digits[24];
	size_t first = sizeof digits;

	do {
		digits[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	put(at, digits + first, sizeof digits - first);
}

void at_add_hex(struct at *at, struct bytes bytes)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < bytes.len; i++) {
		const char pair[] = {digits[bytes.ptr[i] >> 4], digits[bytes.ptr[i] & 0xF]};

		put(at, pair, sizeof pair);
	}
}

/* ---- Its result ---- */

static bool is(struct at_line line, const char *text)
{
	return line.len == strlen(text) && memcmp(line.ptr, text, line.len) == 0;
}

static bool begins(struct at_line line, const char *text)
{
	return line.len >= strlen(text) && memcmp(line.ptr, text, strlen(text)) == 0;
}

/* The line without what it begins with, nor blanks after that. */
static struct at_line after(struct at_line line, const char *text)
{
	line.ptr += strlen(text);
	line.len -= strlen(text);
	while (line.len > 0 && *line.ptr == ' ') {
		line.ptr++;
		line.len--;
	}
	return line;
}

/* A number of at most three digits and nothing else; AT_CME_NONE for anything else. */
static int number_of(struct at_line line)
{
	int number = 0;

	if (line.len == 0 || line.len > 3)
		return AT_CME_NONE;
	for (size_t i = 0; i < line.len; i++) {
		if (line.ptr[i] < '0' || line.ptr[i] > '9')
			return AT_CME_NONE;
		number = 10 * number + (line.ptr[i] - '0');
	}
	return number;
}

static bool is_number(struct at_line line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] < '0' || line.ptr[i] > '9')
			return false;
	return line.len > 0;
}

/* The ends of a command that are none of success: V.250 §5.7.1, 27.007 §9.2, and what makers add.
 */
static bool is_refusal(struct at_line line, int *cme)
{
	*cme = AT_CME_NONE;
	if (begins(line, "+CME ERROR:")) {
		*cme = number_of(after(line, "+CME ERROR:"));
		return true;
	}
	return is(line, "ERROR") || begins(line, "+CMS ERROR:") || is(line, "NO CARRIER") ||
	       is(line, "ABORTED") || is(line, "COMMAND NOT SUPPORT");
}

/* Whether a line is the answer with this prefix. Some modems leave it out at +CCHO. */
static bool is_answer(struct at_line line, const char *prefix)
{
	return begins(line, prefix) || (strcmp(prefix, "+CCHO:") == 0 && is_number(line));
}

static void keep(struct at *at, struct at_line line, const char *prefix)
{
	struct at_line value = begins(line, prefix) ? after(line, prefix) : line;

	memcpy(at->info, value.ptr, value.len);
	at->info[value.len] = '\0';
	at->info_len = value.len;
}

/* Reads on to the end of the command. */
static int listen(struct at *at, struct deadline deadline, const char *prefix)
{
	const size_t echo = at->out_len - 1; /* without its end */
	bool answered = false;
	struct at_line line;
	int error;

	while ((error = at_port_line(&at->port, deadline, &line)) == 0) {
		if (line.len == echo && memcmp(line.ptr, at->out, echo) == 0)
			continue;
		if (is(line, "OK"))
			return 0;
		if (is_refusal(line, &at->cme)) {
			at->refused = true;
			return at_error(at->cme);
		}
		if (prefix && !answered && is_answer(line, prefix)) {
			answered = true;
			keep(at, line, prefix);
		}
	}
	return error;
}

int at_chat(struct at *at, struct deadline deadline, const char *prefix)
{
	int error;

	at_add(at, "\r");
	at->refused = false;
	at->cme = AT_CME_NONE;
	at->info_len = 0;
	at->info[0] = '\0';
	at->sending = 1;
	at->waiting = 1;
	error = at_port_write(&at->port, deadline, at->out, at->out_len);
	if (!error) {
		at->sending = 0;
		error = listen(at, deadline, prefix);
	}
	if (error != SIMTIE_ERR_TIMEOUT) {
		at->sending = 0;
		at->waiting = 0;
	}
	at_port_wipe(&at->port);
	return error;
}

void at_settle(struct at *at, struct deadline deadline)
{
	struct at_line line;
	int cme;

	if (!at->waiting)
		return;
	/* A command that was cut off is ended, so that the next is not taken for its rest. */
	if (at->sending && at_port_write(&at->port, deadline, "\r", 1) != 0)
		return;
	while (at_port_line(&at->port, deadline, &line) == 0)
		if (is(line, "OK") || is_refusal(line, &cme))
			break;
	at_port_wipe(&at->port);
	at->sending = 0;
	at->waiting = 0;
}

void at_wipe(struct at *at)
{
	bytes_wipe(at->out, at->out_dirty);
	bytes_wipe(at->info, at->info_len);
	at->out_len = 0;
	at->out_dirty = 0;
	at->info_len = 0;
}

/* ---- What refusals mean (27.007 §9.2.1) ---- */

static const struct {
	int cme;
	int error;
	const char *text;
} refusals[] = {
	{3, SIMTIE_ERR_TRANSPORT,
	 "the modem does not allow it (+CME ERROR: 3); its maker may have locked access to the "
	 "SIM, and its AT manual says how to unlock it"},
	{4, SIMTIE_ERR_TRANSPORT,
	 "the modem does not support it (+CME ERROR: 4); another firmware of it may"},
	{10, SIMTIE_ERR_NO_CARD, "there is no SIM in the modem (+CME ERROR: 10); put it in"},
	{11, SIMTIE_ERR_ACCESS,
	 "the modem waits for the SIM's own PIN, which is not simtie's (+CME ERROR: 11); give it "
	 "to "
	 "the modem with AT+CPIN"},
	{12, SIMTIE_ERR_ACCESS,
	 "the SIM's own PIN is blocked (+CME ERROR: 12); unblock it by the modem with AT+CPIN and "
	 "the operator's PUK"},
	{13, SIMTIE_ERR_MUTE,
	 "the modem cannot use its SIM (+CME ERROR: 13); take it out, clean its contacts"},
	{14, SIMTIE_ERR_BUSY,
	 "the modem is busy with its SIM (+CME ERROR: 14), as it is after starting; try again in "
	 "some seconds"},
	{15, SIMTIE_ERR_MUTE, "the modem takes its SIM for a wrong one (+CME ERROR: 15)"},
	{20, SIMTIE_ERR_BUSY,
	 "the SIM or the modem has no logical channel left (+CME ERROR: 20); start the modem anew"},
	{22, SIMTIE_ERR_NO_APPLET, "the SIM does not carry simtie (+CME ERROR: 22)"},
};

#define REFUSALS (sizeof refusals / sizeof refusals[0])

int at_error(int cme)
{
	for (size_t i = 0; i < REFUSALS; i++)
		if (refusals[i].cme == cme)
			return refusals[i].error;
	return SIMTIE_ERR_TRANSPORT;
}

const char *at_cme_text(int cme)
{
	for (size_t i = 0; i < REFUSALS; i++)
		if (refusals[i].cme == cme)
			return refusals[i].text;
	return "the modem refused, and did not say why in a way that is known";
}
