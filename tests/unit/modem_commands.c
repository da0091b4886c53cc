#include "modem_commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modem_card.h"

#define COMMAND_MAX 261 /* most bytes that it passes on */

/* Numbers of +CME ERROR (27.007 §9.2). */
#define CME_NOT_ALLOWED 3
#define CME_NOT_FOUND   22
#define CME_PARAMETERS  50

/* ---- Writing ---- */

void modem_put(struct modem *modem, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t part = modem->options.chunk ? modem->options.chunk : len;
		ssize_t sent = write(modem->master, bytes, part < len ? part : len);

		if (sent <= 0)
			return;
		bytes += sent;
		len -= (size_t)sent;
	}
}

static void add(struct modem_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct modem_text *text, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	text->len += (size_t)vsnprintf(text->bytes + text->len, sizeof text->bytes - text->len,
				       format, list);
	va_end(list);
}

static void say_ok(struct modem_text *text)
{
	add(text, "\r\nOK\r\n");
}

static void refuse(const struct modem *modem, struct modem_text *text, int cme)
{
	text->len = 0;
	if (modem->numbers && cme > 0)
		add(text, "\r\n+CME ERROR: %d\r\n", cme);
	else
		add(text, "\r\nERROR\r\n");
}

/* ---- Arguments ---- */

static bool number(const char **text, unsigned *value)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	*value = (unsigned)strtoul(*text, &end, 10);
	*text = end;
	return true;
}

static bool skip(const char **text, char c)
{
	return *(*text)++ == c;
}

/* <length>,"<hex>" and nothing after; the length counts digits. */
static size_t apdu(const char *text, uint8_t out[static COMMAND_MAX])
{
	unsigned length, byte;
	const char *end;

	if (!number(&text, &length) || !skip(&text, ',') || !skip(&text, '"'))
		return 0;
	end = strchr(text, '"');
	if (!end || end[1] || (size_t)(end - text) != length || length % 2 != 0 ||
	    length > 2 * COMMAND_MAX)
		return 0;
	if (strspn(text, "0123456789ABCDEF") != length)
		return 0;
	for (size_t i = 0; i < length / 2; i++) {
		sscanf(text + 2 * i, "%2X", &byte);
		out[i] = (uint8_t)byte;
	}
	return length / 2;
}

/* Whether a T=0 line carries it: a header, P3, and as many bytes as P3 says or none. */
static bool is_tpdu(const uint8_t *command, size_t len)
{
	return len == 5 || (len > 5 && len == 5U + command[4]);
}

/* ---- Faults ---- */

static void hex_answer(struct modem_text *text, const char *prefix, size_t length,
		       const uint8_t *bytes, size_t len)
{
	add(text, "\r\n%s: %zu,\"", prefix, length);
	for (size_t i = 0; i < len; i++)
		add(text, "%02X", bytes[i]);
	add(text, "\"\r\n");
}

/* What is wrong with this access, if anything; true: it is answered, or never will be. */
static bool fails(struct modem *modem, const char *prefix, struct modem_text *text)
{
	static const uint8_t ok[] = {0, SW_OK >> 8, SW_OK & 0xFF};

	if (modem->accesses++ < modem->options.after)
		return false;
	switch (modem->options.fault) {
	case MODEM_WELL:
		return false;
	case MODEM_REFUSES:
		refuse(modem, text, modem->options.cme);
		return true;
	case MODEM_MUTE:
		return true;
	case MODEM_GONE:
		close(modem->slave);
		close(modem->master);
		modem->master = modem->slave = -1;
		return true;
	case MODEM_HALF:
		add(text, "\r\n%s: 4,\"90", prefix);
		return true;
	case MODEM_GARBLED:
		hex_answer(text, prefix, 4, ok, 3);
		break;
	case MODEM_ODD:
		add(text, "\r\n%s: 5,\"90000\"\r\n", prefix);
		break;
	case MODEM_NO_HEX:
		add(text, "\r\n%s: 4,\"90G0\"\r\n", prefix);
		break;
	case MODEM_EMPTY:
		break;
	case MODEM_SHORT:
		add(text, "\r\n%s: 2,\"90\"\r\n", prefix);
		break;
	case MODEM_BABBLING:
		for (unsigned i = 0; i < 3300; i++)
			modem_put(modem, "0123456789012345678901234567890123456789", 40);
		return true;
	}
	say_ok(text);
	return true;
}

/* ---- The commands ---- */

static void csim(struct modem *modem, const char *arguments, struct modem_text *text)
{
	uint8_t command[COMMAND_MAX], out[MODEM_ANSWER_MAX];
	size_t len = apdu(arguments, command);

	if (fails(modem, "+CSIM", text))
		return;
	if (len == 0 || !is_tpdu(command, len)) {
		modem->refused++;
		refuse(modem, text, CME_PARAMETERS);
		return;
	}
	modem_card_watch(modem, command);
	len = modem_card_respond(modem, bytes_of(command, len), out);
	hex_answer(text, "+CSIM", 2 * len, out, len);
	say_ok(text);
}

static bool read_name(const char *arguments, uint8_t select[static 21], size_t *len)
{
	unsigned byte;
	size_t digits;

	if (*arguments++ != '"')
		return false;
	digits = strspn(arguments, "0123456789ABCDEF");
	if (strcmp(arguments + digits, "\"") != 0 || digits % 2 != 0 || digits < 2 || digits > 32)
		return false;
	select[1] = INS_SELECT;
	select[2] = SELECT_BY_AID;
	select[3] = SELECT_ANSWER_NOTHING;
	select[4] = (uint8_t)(digits / 2);
	for (size_t i = 0; i < digits / 2; i++) {
		sscanf(arguments + 2 * i, "%2X", &byte);
		select[5 + i] = (uint8_t)byte;
	}
	*len = 5 + digits / 2;
	return true;
}

/* Sessions are numbered from 1, by the place that they have. */
static void tell_session(const struct modem *modem, unsigned session, struct modem_text *text)
{
	const char *prefix = modem->options.bare_sessions ? "" : "+CCHO: ";

	if (modem->options.hex_sessions)
		add(text, "\r\n%s%016x\r\n", prefix, 0x38a5700 | session);
	else
		add(text, "\r\n%s%u\r\n", prefix, session);
	say_ok(text);
}

static void ccho(struct modem *modem, const char *arguments, struct modem_text *text)
{
	uint8_t select[21] = {0}, channel;
	unsigned free_one = 0;
	size_t len;
	uint16_t sw;

	if (fails(modem, "+CCHO", text))
		return;
	while (free_one < MODEM_SESSIONS_MAX && modem->sessions[free_one])
		free_one++;
	if (free_one == MODEM_SESSIONS_MAX || !read_name(arguments, select, &len)) {
		refuse(modem, text, CME_PARAMETERS);
		return;
	}
	if (modem_card_manage(modem, CHANNEL_ACTION_OPEN, 0, &channel) != SW_OK) {
		refuse(modem, text, CME_NOT_ALLOWED);
		return;
	}
	select[0] = CLA_SELECT | channel;
	sw = modem_card_ask(modem, bytes_of(select, len)).sw;
	if (sw != SW_OK && sw != SW_TERMINATED) {
		modem_card_manage(modem, CHANNEL_ACTION_CLOSE, channel, NULL);
		refuse(modem, text, CME_NOT_FOUND);
		return;
	}
	modem->opened++;
	modem->sessions[free_one] = channel;
	tell_session(modem, free_one + 1, text);
}

/* The session that is named, from 0; false: there is none. */
static bool find_session(const struct modem *modem, const char **text, unsigned *session)
{
	char *end;
	unsigned long named = strtoul(*text, &end, modem->options.hex_sessions ? 16 : 10);

	if (end == *text)
		return false;
	*text = end;
	*session = (unsigned)(named & 0xFF) - 1;
	return *session < MODEM_SESSIONS_MAX && modem->sessions[*session] &&
	       (!modem->options.hex_sessions || named >> 8 == 0x38a57);
}

static void cgla(struct modem *modem, const char *arguments, struct modem_text *text)
{
	uint8_t command[COMMAND_MAX], out[MODEM_ANSWER_MAX];
	unsigned session;
	size_t len;

	if (fails(modem, "+CGLA", text))
		return;
	len = find_session(modem, &arguments, &session) && skip(&arguments, ',')
		      ? apdu(arguments, command)
		      : 0;
	if (len == 0 || !is_tpdu(command, len) || (command[0] & 0x43) != 0) {
		modem->refused++;
		refuse(modem, text, CME_PARAMETERS);
	} else if (command[1] == INS_MANAGE_CHANNEL) {
		modem->refused++;
		refuse(modem, text, CME_NOT_ALLOWED);
	} else {
		command[0] |= modem->sessions[session];
		len = modem_card_respond(modem, bytes_of(command, len), out);
		hex_answer(text, "+CGLA", 2 * len, out, len);
		say_ok(text);
	}
}

static void cchc(struct modem *modem, const char *arguments, struct modem_text *text)
{
	unsigned session;

	if (!find_session(modem, &arguments, &session) || *arguments) {
		refuse(modem, text, CME_PARAMETERS);
		return;
	}
	modem_card_manage(modem, CHANNEL_ACTION_CLOSE, modem->sessions[session], NULL);
	modem->sessions[session] = 0;
	modem->closed++;
	add(text, "\r\n+CCHC\r\n");
	say_ok(text);
}

static void echo_off(struct modem *modem, const char *arguments, struct modem_text *text)
{
	(void)arguments;
	modem->echo = modem->options.stuck_echo;
	say_ok(text);
}

static void cmee(struct modem *modem, const char *arguments, struct modem_text *text)
{
	if (modem->options.plain_errors || strcmp(arguments, "1") != 0) {
		refuse(modem, text, 0);
		return;
	}
	modem->numbers = true;
	say_ok(text);
}

void modem_obey(struct modem *modem, const char *line, struct modem_text *text)
{
	const struct {
		const char *name;
		void (*run)(struct modem *modem, const char *arguments, struct modem_text *text);
		bool has;
	} commands[] = {
		{"ATE0V1", echo_off, true},
		{"AT+CMEE=", cmee, true},
		{"AT+CSIM=", csim, modem->options.csim},
		{"AT+CCHO=", ccho, modem->options.cgla},
		{"AT+CGLA=", cgla, modem->options.cgla},
		{"AT+CCHC=", cchc, modem->options.cgla},
	};

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		const size_t len = strlen(commands[i].name);

		if (!commands[i].has || strncmp(line, commands[i].name, len) != 0)
			continue;
		if (strcmp(line + len, "?") == 0 && modem->options.silent_tests)
			return;
		if (strcmp(line + len, "?") == 0)
			say_ok(text);
		else
			commands[i].run(modem, line + len, text);
		return;
	}
	refuse(modem, text, 0);
}
