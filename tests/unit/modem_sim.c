#include "modem_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_MAX 261 /* most bytes that it passes on */
#define ANSWER_MAX  258

/* Numbers of +CME ERROR (27.007 §9.2). */
#define CME_NOT_ALLOWED 3
#define CME_NOT_FOUND   22
#define CME_PARAMETERS  50

/* What an answer becomes, put together before it is written. */
struct text {
	size_t len;
	char bytes[2 * MODEM_LINE_MAX];
};

/* ---- Writing ---- */

static void put(struct modem *modem, const char *bytes, size_t len)
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

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	text->len += (size_t)vsnprintf(text->bytes + text->len, sizeof text->bytes - text->len,
				       format, list);
	va_end(list);
}

static void say_ok(struct text *text)
{
	add(text, "\r\nOK\r\n");
}

static void refuse(const struct modem *modem, struct text *text, int cme)
{
	text->len = 0;
	if (modem->numbers && cme > 0)
		add(text, "\r\n+CME ERROR: %d\r\n", cme);
	else
		add(text, "\r\nERROR\r\n");
}

/* ---- The SIM ---- */

static struct answer ask(struct modem *modem, struct bytes command)
{
	const struct timespec pause = {.tv_nsec = modem->options.slow_ms * 1000000L};

	if (modem->options.slow_ms > 0)
		nanosleep(&pause, NULL); /* even one of nothing takes its time */
	return applet_transmit(modem->applet, command);
}

static uint16_t manage(struct modem *modem, uint8_t action, uint8_t channel, uint8_t *opened)
{
	const uint8_t command[] = {CLA_MANAGE_CHANNEL, INS_MANAGE_CHANNEL, action, channel, 1};
	struct answer answer = ask(modem, bytes_of(command, 4 + (action == CHANNEL_ACTION_OPEN)));

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

/* What the guest has no business with: the basic channel, and those that the phone opened first. */
static void watch(struct modem *modem, const uint8_t *command)
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

/* Puts a response into out; with `fetches` also what 61xx says is left. */
static size_t respond(struct modem *modem, struct bytes command, uint8_t out[static ANSWER_MAX])
{
	struct answer answer = ask(modem, command);

	if (modem->options.fetches && answer.data.len == 0 &&
	    (answer.sw & 0xFF00) == SW_BYTES_AVAILABLE) {
		const uint8_t more[] = {command.ptr[0] & 3, INS_GET_RESPONSE, 0, 0,
					(uint8_t)answer.sw};

		answer = ask(modem, bytes_of(more, sizeof more));
	}
	if (answer.data.len > ANSWER_MAX - 2)
		abort(); /* the core gives no more at T=0 */
	if (answer.data.len > 0)
		memcpy(out, answer.data.ptr, answer.data.len);
	put_be16(out + answer.data.len, answer.sw);
	return answer.data.len + 2;
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

static void hex_answer(struct text *text, const char *prefix, size_t length, const uint8_t *bytes,
		       size_t len)
{
	add(text, "\r\n%s: %zu,\"", prefix, length);
	for (size_t i = 0; i < len; i++)
		add(text, "%02X", bytes[i]);
	add(text, "\"\r\n");
}

/* What is wrong with this access, if anything; true: it is answered, or never will be. */
static bool fails(struct modem *modem, const char *prefix, struct text *text)
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
			put(modem, "0123456789012345678901234567890123456789", 40);
		return true;
	}
	say_ok(text);
	return true;
}

/* ---- The commands ---- */

static void csim(struct modem *modem, const char *arguments, struct text *text)
{
	uint8_t command[COMMAND_MAX], out[ANSWER_MAX];
	size_t len = apdu(arguments, command);

	if (fails(modem, "+CSIM", text))
		return;
	if (len == 0 || !is_tpdu(command, len)) {
		modem->refused++;
		refuse(modem, text, CME_PARAMETERS);
		return;
	}
	watch(modem, command);
	len = respond(modem, bytes_of(command, len), out);
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
static void tell_session(const struct modem *modem, unsigned session, struct text *text)
{
	const char *prefix = modem->options.bare_sessions ? "" : "+CCHO: ";

	if (modem->options.hex_sessions)
		add(text, "\r\n%s%016x\r\n", prefix, 0x38a5700 | session);
	else
		add(text, "\r\n%s%u\r\n", prefix, session);
	say_ok(text);
}

static void ccho(struct modem *modem, const char *arguments, struct text *text)
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
	if (manage(modem, CHANNEL_ACTION_OPEN, 0, &channel) != SW_OK) {
		refuse(modem, text, CME_NOT_ALLOWED);
		return;
	}
	select[0] = CLA_SELECT | channel;
	sw = ask(modem, bytes_of(select, len)).sw;
	if (sw != SW_OK && sw != SW_TERMINATED) {
		manage(modem, CHANNEL_ACTION_CLOSE, channel, NULL);
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

static void cgla(struct modem *modem, const char *arguments, struct text *text)
{
	uint8_t command[COMMAND_MAX], out[ANSWER_MAX];
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
		len = respond(modem, bytes_of(command, len), out);
		hex_answer(text, "+CGLA", 2 * len, out, len);
		say_ok(text);
	}
}

static void cchc(struct modem *modem, const char *arguments, struct text *text)
{
	unsigned session;

	if (!find_session(modem, &arguments, &session) || *arguments) {
		refuse(modem, text, CME_PARAMETERS);
		return;
	}
	manage(modem, CHANNEL_ACTION_CLOSE, modem->sessions[session], NULL);
	modem->sessions[session] = 0;
	modem->closed++;
	add(text, "\r\n+CCHC\r\n");
	say_ok(text);
}

static void echo_off(struct modem *modem, const char *arguments, struct text *text)
{
	(void)arguments;
	modem->echo = modem->options.stuck_echo;
	say_ok(text);
}

static void cmee(struct modem *modem, const char *arguments, struct text *text)
{
	if (modem->options.plain_errors || strcmp(arguments, "1") != 0) {
		refuse(modem, text, 0);
		return;
	}
	modem->numbers = true;
	say_ok(text);
}

/* Carries out one line; what it does not know is an ERROR. */
static void obey(struct modem *modem, const char *line, struct text *text)
{
	const struct {
		const char *name;
		void (*run)(struct modem *modem, const char *arguments, struct text *text);
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

/* ---- Lines ---- */

static void take_line(struct modem *modem, const char *line)
{
	static const char before[] = "\r\n+CREG: 1,\"01A2\",\"0003C4F5\"\r\n\r\nRING\r\n";
	static const char after[] = "\r\n^RSSI: 17\r\n";
	struct text text = {0};

	if (modem->echo) {
		put(modem, line, strlen(line));
		put(modem, "\r", 1);
	}
	if (modem->options.chatty)
		put(modem, before, strlen(before));
	obey(modem, line, &text);
	if (modem->master < 0)
		return;
	if (modem->options.sleepy > 0) {
		modem->options.sleepy--;
		modem->pending++;
		return;
	}
	for (; modem->pending > 0; modem->pending--)
		put(modem, "\r\nOK\r\n", 6);
	put(modem, text.bytes, text.len);
	if (modem->options.chatty && text.len > 0)
		put(modem, after, strlen(after));
}

static void take(struct modem *modem, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && modem->master >= 0; i++) {
		if (bytes[i] == '\n')
			continue;
		if (bytes[i] == '\r') {
			modem->in[modem->used] = '\0';
			modem->used = 0;
			if (modem->in[0])
				take_line(modem, modem->in);
		} else if (modem->used < sizeof modem->in - 1) {
			modem->in[modem->used++] = bytes[i];
		}
	}
}

/* Whether a signal came. ppoll() that finds input waiting returns without looking; what was asked
 * for before that input was written shall be done before it is read. */
static bool signalled(const sigset_t *wanted)
{
	const struct timespec at_once = {0, 0};

	return ppoll(NULL, 0, &at_once, wanted) < 0 && errno == EINTR;
}

void modem_serve(struct modem *modem, const sigset_t *wanted, void (*fresh)(struct modem *modem))
{
	char bytes[MODEM_LINE_MAX];

	while (modem->master >= 0) {
		struct pollfd watched[] = {{.fd = modem->master, .events = POLLIN},
					   {.fd = modem->wake[0], .events = POLLIN}};

		if (ppoll(watched, 2, NULL, wanted) < 0) {
			if (errno == EINTR && fresh)
				fresh(modem);
			continue;
		}
		if (fresh && signalled(wanted))
			fresh(modem);
		if (watched[1].revents)
			return;
		ssize_t got = read(modem->master, bytes, sizeof bytes);

		if (got > 0)
			take(modem, bytes, (size_t)got);
	}
}

static void *serve(void *argument)
{
	modem_serve(argument, NULL, NULL);
	return NULL;
}

bool modem_start(struct modem *modem)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	modem->running = pthread_create(&modem->thread, NULL, serve, modem) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return modem->running;
}

void modem_stop(struct modem *modem)
{
	if (!modem->running)
		return;
	if (write(modem->wake[1], "", 1) != 1)
		abort();
	pthread_join(modem->thread, NULL);
	modem->running = false;
}

/* ---- The port ---- */

bool modem_open(struct modem *modem, const struct modem_options *options, struct applet *applet)
{
	struct termios raw;
	uint8_t channel;

	*modem = (struct modem){.options = *options, .applet = applet, .echo = true};
	modem->slave = -1;
	modem->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (modem->master < 0 || grantpt(modem->master) != 0 || unlockpt(modem->master) != 0 ||
	    ptsname_r(modem->master, modem->path, sizeof modem->path) != 0 ||
	    pipe2(modem->wake, O_CLOEXEC) != 0)
		return false;
	/* Open on this side too, so that the port outlives each of its users. */
	modem->slave = open(modem->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (modem->slave < 0 || tcgetattr(modem->slave, &raw) != 0)
		return false;
	cfmakeraw(&raw);
	if (tcsetattr(modem->slave, TCSANOW, &raw) != 0)
		return false;
	for (unsigned i = 0; i < options->phone; i++)
		if (manage(modem, CHANNEL_ACTION_OPEN, 0, &channel) != SW_OK)
			return false;
	return true;
}

void modem_close(struct modem *modem)
{
	modem_stop(modem);
	if (modem->slave >= 0)
		close(modem->slave);
	if (modem->master >= 0)
		close(modem->master);
	close(modem->wake[0]);
	close(modem->wake[1]);
}
