#include <stdio.h>
#include <string.h>

#include "at.h"
#include "contract.h"

/* How long a test form may take; no SIM is asked for it. */
#define PROBE_MS 700

/* ---- +CCHO, +CGLA, +CCHC ---- */

/* What a modem may write for a session: 27.007 says a number, some write hexadecimal. */
static bool is_session(const char *text, size_t len)
{
	if (len == 0 || len >= AT_SESSION_MAX)
		return false;
	return strspn(text, "0123456789ABCDEFabcdef") == len;
}

static int open_session(struct at *at, struct deadline deadline)
{
	static const uint8_t aid[] = APPLET_AID;
	int error;

	at_say(at, "AT+CCHO=\"");
	at_add_hex(at, bytes_of(aid, sizeof aid));
	at_add(at, "\"");
	error = at_chat(at, deadline, "+CCHO:");
	if (error)
		return error;
	if (!is_session(at->info, at->info_len))
		return SIMTIE_ERR_PROTOCOL;
	memcpy(at->session, at->info, at->info_len + 1);
	return 0;
}

static int close_session(struct at *at, struct deadline deadline)
{
	at_say(at, "AT+CCHC=");
	at_add(at, at->session);
	return at_chat(at, deadline, NULL);
}

/* ---- +CSIM and MANAGE CHANNEL ---- */

static int manage(struct at *at, struct deadline deadline, uint8_t action, uint8_t channel,
		  uint8_t ne, uint8_t answer[static 3], size_t *len)
{
	const uint8_t command[] = {CLA_MANAGE_CHANNEL, INS_MANAGE_CHANNEL, action, channel, ne};

	return at_exchange(at, deadline, bytes_of(command, sizeof command), answer, 3, len);
}

static int open_channel(struct at *at, struct deadline deadline, char *detail)
{
	uint8_t answer[3];
	uint16_t sw;
	size_t len;
	int error = manage(at, deadline, CHANNEL_ACTION_OPEN, 0, 1, answer, &len);

	if (error)
		return error;
	sw = get_be16(answer + len - 2);
	if (sw == SW_OK && len == 3 && answer[0] > 0 && answer[0] < AT_CHANNELS) {
		at->channel = answer[0];
		return 0;
	}
	snprintf(detail, SIMTIE_DETAIL_MAX,
		 "the SIM opens no logical channel (%04X); start the modem anew, which closes "
		 "those that were left open",
		 sw);
	return sw == SW_OK ? SIMTIE_ERR_PROTOCOL : SIMTIE_ERR_BUSY;
}

static int close_channels(struct at *at, struct deadline deadline)
{
	uint32_t open = at->further | 1U << at->channel;
	uint8_t answer[3];
	size_t len;
	int error = 0;

	for (uint8_t channel = AT_CHANNELS - 1; channel > 0 && !error; channel--)
		if (open >> channel & 1)
			error = manage(at, deadline, CHANNEL_ACTION_CLOSE, channel, 0, answer,
				       &len);
	return error;
}

/* ---- Either ---- */

/* Whether the modem knows a command, by its test form (V.250 §5.4.3.3). One that says nothing to
 * that may know it all the same. */
static int knows(struct at *at, struct deadline deadline, const char *test, bool *known)
{
	int error;

	at_say(at, test);
	error = at_chat(at, deadline_within(deadline, PROBE_MS), NULL);
	*known = error == 0 || error == SIMTIE_ERR_TIMEOUT;
	return at->refused || *known ? 0 : error;
}

static int probe(struct at *at, struct deadline deadline, bool *csim, bool *cgla)
{
	bool ccho;
	int error = knows(at, deadline, "AT+CCHO=?", &ccho);

	/* One that has +CCHO has +CGLA, though some do not know the test form of the latter. */
	*cgla = ccho;
	if (!error)
		error = knows(at, deadline, "AT+CSIM=?", csim);
	return error;
}

/* Refusals of +CCHO after which +CSIM would not do better. */
static bool is_of_the_sim(int cme)
{
	return (cme >= 10 && cme <= 15) || cme == 5;
}

static int explain(const struct at *at, int error, const char *what, char *detail)
{
	if (at->refused)
		snprintf(detail, SIMTIE_DETAIL_MAX, "%s: %s", what, at_cme_text(at->cme));
	return error;
}

static int open_by(struct at *at, enum at_way way, struct deadline deadline, char *detail)
{
	int error;

	at->way = way;
	at->further = 0;
	error = way == AT_WAY_CGLA ? open_session(at, deadline)
				   : open_channel(at, deadline, detail);
	at->is_open = error == 0;
	if (error && !detail[0])
		error = explain(at, error, way == AT_WAY_CGLA ? "AT+CCHO" : "AT+CSIM", detail);
	return error;
}

/* The better way first. A SIM without the applet refuses +CCHO; +CSIM still shows what it is. */
static int open_any(struct at *at, struct deadline deadline, char *detail)
{
	bool csim = false, cgla = false;
	int error = probe(at, deadline, &csim, &cgla);

	if (error)
		return error;
	if (!csim && !cgla) {
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "the modem knows neither AT+CSIM nor AT+CCHO, so that its SIM cannot be "
			 "reached; take another port of it, or another modem");
		return SIMTIE_ERR_TRANSPORT;
	}
	if (!cgla)
		return open_by(at, AT_WAY_CSIM, deadline, detail);
	error = open_by(at, AT_WAY_CGLA, deadline, detail);
	if (!at->refused || !csim || is_of_the_sim(at->cme))
		return error;
	detail[0] = '\0';
	return open_by(at, AT_WAY_CSIM, deadline, detail);
}

int at_channel_open(struct at *at, struct deadline deadline, char *detail)
{
	if (at->way == AT_WAY_ANY)
		return open_any(at, deadline, detail);
	return open_by(at, at->way, deadline, detail);
}

int at_channel_close(struct at *at, struct deadline deadline)
{
	int error;

	if (!at->is_open)
		return 0;
	at->is_open = false;
	error = at->way == AT_WAY_CGLA ? close_session(at, deadline) : close_channels(at, deadline);
	at->further = 0;
	return error;
}
