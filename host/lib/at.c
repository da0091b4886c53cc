/*
 * The transport "at:", a SIM in a modem: "at:PORT[,SPEED][,csim|cgla]".
 */
#include "at.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long a modem may take to say OK to nothing in particular, and how often it is asked. */
#define GREET_MS 800
#define GREETS   3
#define HUSH_MS  200

/* How long letting go may take: the end of the command under way, then the channel's. */
#define SETTLE_MS 1000
#define CLOSE_MS  2000

/* ---- The name ---- */

struct address {
	char path[SIMTIE_READER_NAME_MAX];
	unsigned speed;
	enum at_way way;
};

/* Reads one of the words after the path. */
static bool read_word(struct address *address, const char *word)
{
	char *end;
	unsigned long speed = strtoul(word, &end, 10);

	if (strcmp(word, "csim") == 0)
		address->way = AT_WAY_CSIM;
	else if (strcmp(word, "cgla") == 0)
		address->way = AT_WAY_CGLA;
	else if (*word < '0' || *word > '9' || *end || speed > 10000000)
		return false;
	else
		address->speed = (unsigned)speed;
	return true;
}

static bool read_address(const char *name, struct address *address)
{
	char *word, *rest;

	*address = (struct address){.speed = AT_SPEED};
	if (strlen(name) >= sizeof address->path - strlen(transport_at.prefix))
		return false;
	snprintf(address->path, sizeof address->path, "%s", name);
	rest = address->path;
	strsep(&rest, ",");
	while ((word = strsep(&rest, ",")))
		if (!read_word(address, word))
			return false;
	return address->path[0] != '\0';
}

/* ---- Reaching the modem ---- */

/* Reads on until the modem has been silent for a while: answers to what was asked more than once.
 */
static void hush(struct at *at)
{
	struct at_line line;

	while (at_port_line(&at->port, deadline_after(HUSH_MS), &line) == 0)
		continue;
	at_port_forget(&at->port);
}

/*
 * Gets the modem to answer: no echo, results in words, errors with numbers. The first try may end a
 * line that somebody left half written. An echo that stays on is passed over all the same.
 */
static int greet(struct at *at, const char *path, struct deadline deadline, char *detail)
{
	int error = SIMTIE_ERR_TIMEOUT;
	unsigned tries;

	for (tries = 0; tries < GREETS && error && error != SIMTIE_ERR_GONE; tries++) {
		at_say(at, "ATE0V1");
		error = at_chat(at, deadline_within(deadline, GREET_MS), NULL);
	}
	if (error && error != SIMTIE_ERR_GONE) {
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "nothing answers AT commands at %s; is it the modem's AT port (most have "
			 "several), and the speed right? ModemManager may hold it too",
			 path);
		return SIMTIE_ERR_MUTE;
	}
	if (error)
		return error;
	if (tries > 1)
		hush(at);
	at_say(at, "AT+CMEE=1");
	error = at_chat(at, deadline, NULL);
	return at->refused ? 0 : error;
}

static void describe(const struct at *at, const struct card_request *request,
		     struct card_line *line)
{
	*line = (struct card_line){
		.protocol = SIMTIE_PROTOCOL_T0,
		.fetches = true,
		.lent = true,
		.selected = at->way == AT_WAY_CGLA,
	};
	snprintf(line->reader, sizeof line->reader, "%s%s", transport_at.prefix, request->name);
}

/* What is said where no sentence has been found yet. */
static int explain(int error, const char *path, char *detail)
{
	if (detail[0])
		return error;
	if (error == SIMTIE_ERR_GONE)
		snprintf(detail, SIMTIE_DETAIL_MAX, "the modem at %s went away; plug it in again",
			 path);
	else if (error == SIMTIE_ERR_TIMEOUT)
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "the modem at %s answers AT commands, but does not reach its SIM in time; "
			 "try again, or start the modem anew",
			 path);
	else if (error == SIMTIE_ERR_PROTOCOL)
		snprintf(
			detail, SIMTIE_DETAIL_MAX,
			"the modem at %s answers otherwise than 3GPP TS 27.007 says; try the other "
			"way to its SIM, with ,csim or ,cgla after the name",
			path);
	return error;
}

static int at_check(const struct card_request *request, struct address *address)
{
	if (!read_address(request->name, address)) {
		snprintf(request->detail, SIMTIE_DETAIL_MAX,
			 "a modem is named at:PORT[,SPEED][,csim|cgla], at:/dev/ttyUSB2 for "
			 "example; `simtie doctor` shows the ports that there are");
		return SIMTIE_ERR_NO_READER;
	}
	if (request->protocol == SIMTIE_PROTOCOL_T1) {
		snprintf(request->detail, SIMTIE_DETAIL_MAX,
			 "a modem takes commands in the form of T=0 alone; leave --protocol out");
		return SIMTIE_ERR_MUTE;
	}
	return 0;
}

static void at_close(void *state)
{
	struct at *at = state;

	if (at->port.fd >= 0) {
		at_settle(at, deadline_after(SETTLE_MS));
		at_channel_close(at, deadline_after(CLOSE_MS));
		at_port_close(&at->port);
	}
	at_wipe(at);
	free(at);
}

static int at_open(const struct card_request *request, void **state, struct card_line *line)
{
	struct address address;
	struct at *at;
	int error = at_check(request, &address);

	if (error)
		return error;
	at = calloc(1, sizeof *at);
	if (!at)
		return SIMTIE_ERR_MEMORY;
	at->way = address.way;
	error = at_port_open(&at->port, address.path, address.speed, request->deadline,
			     request->detail);
	if (!error)
		error = greet(at, address.path, request->deadline, request->detail);
	if (!error)
		error = at_channel_open(at, request->deadline, request->detail);
	if (error) {
		at_close(at);
		return explain(error, address.path, request->detail);
	}
	describe(at, request, line);
	*state = at;
	return 0;
}

static int transmit(void *state, struct deadline deadline, struct bytes command, uint8_t *answer,
		    size_t size, size_t *answer_len)
{
	return at_transmit(state, deadline, command, answer, size, answer_len);
}

/* The channel anew; the SIM itself stays as it is. */
static int at_reset(void *state, struct deadline deadline, struct card_line *line)
{
	char detail[SIMTIE_DETAIL_MAX] = "";
	struct at *at = state;
	int error = at_channel_close(at, deadline);

	(void)line;
	if (error && !at->refused)
		return error;
	return at_channel_open(at, deadline, detail);
}

/* A handler may come at any instant: what was received is given up, the command under way is waited
 * for, and the channel is closed as always. */
static void at_abandon(void *state)
{
	struct at *at = state;

	if (at->port.fd < 0)
		return;
	at->port.used = 0;
	at->port.next = 0;
	at_settle(at, deadline_after(SETTLE_MS));
	at_channel_close(at, deadline_after(CLOSE_MS));
	at_port_close(&at->port);
}

const struct transport transport_at = {
	.prefix = "at:",
	.open = at_open,
	.transmit = transmit,
	.reset = at_reset,
	.close = at_close,
	.abandon = at_abandon,
};
