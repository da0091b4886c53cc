#include "session.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

/* What one exchange puts on a T=0 line beside data (ISO/IEC 7816-3 §10.3). */
#define LINE_HEADER    5
#define LINE_PROCEDURE 1
#define LINE_STATUS    2

static bool is_fatal(int error)
{
	return error == SIMTIE_ERR_TIMEOUT || error == SIMTIE_ERR_GONE;
}

int session_on(struct link link, const struct card_line *line, const struct simtie_options *options,
	       struct simtie_session **out)
{
	static const struct simtie_options defaults = {0};
	struct simtie_session *session = calloc(1, sizeof *session);
	int error = session ? 0 : SIMTIE_ERR_MEMORY;

	*out = NULL;
	if (!options)
		options = &defaults;
	if (!error && options->trace)
		error = trace_wrap(&link, line, options);
	if (error) {
		int fault = errno; /* of a trace that could not be opened */

		free(session);
		link.transport->close(link.state);
		errno = fault;
		return error;
	}
	session->link = link;
	session->line = *line;
	session->timeout_ms = options->timeout_ms ? options->timeout_ms : SIMTIE_TIMEOUT_MS;
	*out = session;
	return 0;
}

static int open_session(const struct simtie_options *options, struct simtie_session **session)
{
	char detail[SIMTIE_DETAIL_MAX] = "";
	struct card_request request = {.detail = detail};
	struct card_line line = {0};
	struct link link;
	int error;

	request.protocol = options->protocol;
	request.deadline =
		deadline_after(options->timeout_ms ? options->timeout_ms : SIMTIE_TIMEOUT_MS);
	error = transport_open(options->reader, &request, &link, &line);
	if (options->detail)
		memcpy(options->detail, detail, sizeof detail);
	return error ? error : session_on(link, &line, options, session);
}

static void hold_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, before);
}

static void let_signals(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* A handler finds the whole session in the guard, or NULL. */
int simtie_open(const struct simtie_options *options, struct simtie_session **session)
{
	static const struct simtie_options defaults = {0};
	sigset_t before;
	int error;

	*session = NULL;
	if (!options)
		options = &defaults;
	if (!options->guard)
		return open_session(options, session);
	hold_signals(&before);
	error = open_session(options, session);
	*options->guard = *session;
	if (*session)
		(*session)->guard = options->guard;
	let_signals(&before);
	return error;
}

void simtie_close(struct simtie_session **session)
{
	sigset_t before;

	if (!session || !*session)
		return;
	hold_signals(&before);
	if ((*session)->guard)
		*(*session)->guard = NULL;
	(*session)->link.transport->close((*session)->link.state);
	bytes_wipe(*session, sizeof **session);
	free(*session);
	*session = NULL;
	let_signals(&before);
}

void simtie_abandon(const struct simtie_session *session)
{
	if (session && session->link.transport->abandon)
		session->link.transport->abandon(session->link.state);
}

int simtie_reset(struct simtie_session *session)
{
	int error = session_begin(session);

	if (error)
		return error;
	session->channel = 0;
	simtie_secure_close(session);
	error = session->link.transport->reset(session->link.state, session->deadline,
					       &session->line);
	if (is_fatal(error))
		session->dead = error;
	return error;
}

const char *simtie_session_reader(const struct simtie_session *session)
{
	return session->line.reader;
}

const uint8_t *simtie_session_atr(const struct simtie_session *session, size_t *len)
{
	*len = session->line.atr_len;
	return session->line.atr;
}

const struct card_line *session_line(const struct simtie_session *session)
{
	return &session->line;
}

enum simtie_protocol simtie_session_protocol(const struct simtie_session *session)
{
	return session->line.protocol;
}

bool simtie_session_over_the_air(const struct simtie_session *session)
{
	return session->line.over_the_air;
}

uint16_t simtie_status_word(const struct simtie_session *session)
{
	return session->sw;
}

struct simtie_line simtie_session_line(const struct simtie_session *session)
{
	return session->count;
}

int simtie_use_channel(struct simtie_session *session, uint8_t channel)
{
	if (channel >= SIMTIE_CHANNELS)
		return SIMTIE_ERR_ARGUMENT;
	session->channel = channel;
	return 0;
}

int session_begin(struct simtie_session *session)
{
	session->exchanges_left = SIMTIE_EXCHANGES_MAX;
	session->deadline = deadline_after(session->timeout_ms);
	return session->dead;
}

/* What of this exchange a T=0 line would carry. Where data went both ways at once, T=0 fetches the
 * response with GET RESPONSE, at most 256 bytes at a time. */
static unsigned long line_bytes(struct bytes command, size_t response)
{
	struct apdu apdu;
	unsigned long bytes = LINE_HEADER + LINE_STATUS;
	size_t fetches;

	if (!apdu_parse(command, &apdu))
		return (unsigned long)(command.len + response + LINE_STATUS);
	if (apdu.data.len > 0)
		bytes += LINE_PROCEDURE + apdu.data.len;
	if (response == 0)
		return bytes;
	if (apdu.data.len == 0)
		return bytes + LINE_PROCEDURE + response;
	fetches = (response + APDU_NE_SHORT - 1) / APDU_NE_SHORT;
	return bytes + fetches * (LINE_HEADER + LINE_PROCEDURE + LINE_STATUS) + response;
}

int session_exchange(struct simtie_session *session, struct bytes command, struct bytes *data)
{
	size_t len = 0;
	int error;

	if (session->exchanges_left == 0)
		return SIMTIE_ERR_ENDLESS;
	session->exchanges_left--;
	if (deadline_passed(session->deadline))
		error = SIMTIE_ERR_TIMEOUT;
	else
		error = session->link.transport->transmit(session->link.state, session->deadline,
							  command, session->answer,
							  sizeof session->answer, &len);
	if (is_fatal(error))
		session->dead = error;
	if (error)
		return error;
	session->count.exchanges++;
	if (len < 2 || len > sizeof session->answer)
		return SIMTIE_ERR_PROTOCOL;
	if (len > session->dirty)
		session->dirty = len;
	*data = bytes_of(session->answer, len - 2);
	session->sw = get_be16(session->answer + len - 2);
	session->count.bytes += line_bytes(command, data->len);
	return 0;
}

void session_wipe(struct simtie_session *session)
{
	bytes_wipe(session->answer, session->dirty);
	session->dirty = 0;
}
