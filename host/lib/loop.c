/*
 * The virtual card in this process: the same core as on every other card, over memory or a state
 * file. The card has no line that could hang; the deadline bounds nothing here.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "port/posix/posix.h"
#include "transport.h"

/* Answers to reset (ISO/IEC 7816-3 §8.2): the protocol and "simtie" as historical bytes. */
static const uint8_t atr_t0[] = {0x3B, 0x06, 's', 'i', 'm', 't', 'i', 'e'};
static const uint8_t atr_t1[] = {
	0x3B, 0x86, 0x01, 's', 'i',
	'm',  't',  'i',  'e', 0x86 ^ 0x01 ^ 's' ^ 'i' ^ 'm' ^ 't' ^ 'i' ^ 'e', /* check byte */
};

/*
 * The one lock of this library. The core's crypto uses mbedTLS through PSA, which in 2.28 keeps its
 * key slots in a global that nothing guards. Each call into a core holds it, so that cards in
 * several threads take turns.
 */
static pthread_mutex_t psa_lock = PTHREAD_MUTEX_INITIALIZER;

struct loop {
	struct posix_port posix;
	struct applet applet;
	enum applet_protocol protocol;
};

static int port_error(enum posix_result result)
{
	switch (result) {
	case POSIX_OK:
		return 0;
	case POSIX_MEMORY:
		return SIMTIE_ERR_MEMORY;
	case POSIX_BUSY:
		return SIMTIE_ERR_BUSY;
	case POSIX_EXPOSED:
	case POSIX_FOREIGN:
	case POSIX_VERSION:
	case POSIX_DAMAGED:
	case POSIX_REPLACED:
		return SIMTIE_ERR_STATE;
	case POSIX_IO:
		return SIMTIE_ERR_FILE;
	case POSIX_SEED:
	case POSIX_CRYPTO:
		break;
	}
	return SIMTIE_ERR_TRANSPORT;
}

static int open_port(struct loop *loop, const char *path)
{
	const struct bytes no_seed = bytes_of(NULL, 0);
	enum posix_result result;

	if (*path)
		result = posix_port_file(&loop->posix, path, no_seed, POSIX_KEEP);
	else
		result = posix_port_memory(&loop->posix, no_seed);
	return port_error(result);
}

static int open_applet(struct loop *loop)
{
	switch (applet_open(&loop->applet, &loop->posix.port)) {
	case JOURNAL_OK:
		return 0;
	case JOURNAL_IO:
		return SIMTIE_ERR_FILE;
	case JOURNAL_ABSENT:
	case JOURNAL_FULL:
	case JOURNAL_CORRUPT:
	case JOURNAL_UNKNOWN:
	case JOURNAL_UNUSABLE:
	case JOURNAL_TOO_SMALL:
		break;
	}
	return SIMTIE_ERR_STATE;
}

/* The port has a sentence for what is wrong with the file; what is wrong with the memory in it only
 * the core sees. */
static void explain(const struct loop *loop, const char *path, int error, char *detail)
{
	if (loop->posix.error.text[0] || error != SIMTIE_ERR_STATE)
		snprintf(detail, SIMTIE_DETAIL_MAX, "%s", loop->posix.error.text);
	else
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "%s: the card's memory in it is damaged or of another version; it is left "
			 "as it is",
			 path);
}

static void describe(const struct loop *loop, const char *path, struct card_line *line)
{
	bool t0 = loop->protocol == APPLET_T0;
	struct bytes atr = t0 ? bytes_of(atr_t0, sizeof atr_t0) : bytes_of(atr_t1, sizeof atr_t1);

	*line = (struct card_line){.atr_len = atr.len};
	snprintf(line->reader, sizeof line->reader, "%s%s", transport_loop.prefix, path);
	line->protocol = t0 ? SIMTIE_PROTOCOL_T0 : SIMTIE_PROTOCOL_T1;
	memcpy(line->atr, atr.ptr, atr.len);
}

static void loop_close(void *state)
{
	struct loop *loop = state;

	pthread_mutex_lock(&psa_lock);
	posix_port_close(&loop->posix);
	pthread_mutex_unlock(&psa_lock);
	bytes_wipe(loop, sizeof *loop);
	free(loop);
}

static int loop_open(const struct card_request *request, void **state, struct card_line *line)
{
	struct loop *loop = calloc(1, sizeof *loop);
	int error;

	if (!loop)
		return SIMTIE_ERR_MEMORY;
	loop->protocol = request->protocol == SIMTIE_PROTOCOL_T1 ? APPLET_T1 : APPLET_T0;
	pthread_mutex_lock(&psa_lock);
	error = open_port(loop, request->name);
	if (!error)
		error = open_applet(loop);
	if (!error)
		applet_reset(&loop->applet, loop->protocol);
	pthread_mutex_unlock(&psa_lock);
	if (error) {
		int fault = loop->posix.error.error_number;

		explain(loop, request->name, error, request->detail);
		loop_close(loop);
		errno = fault;
		return error;
	}
	describe(loop, request->name, line);
	*state = loop;
	return 0;
}

static int loop_transmit(void *state, struct deadline deadline, struct bytes command,
			 uint8_t *answer, size_t size, size_t *answer_len)
{
	struct loop *loop = state;
	struct answer response;

	(void)deadline;
	pthread_mutex_lock(&psa_lock);
	response = applet_transmit(&loop->applet, command);
	pthread_mutex_unlock(&psa_lock);
	if (response.data.len + 2 > size)
		return SIMTIE_ERR_PROTOCOL;
	if (response.data.len > 0)
		memcpy(answer, response.data.ptr, response.data.len);
	put_be16(answer + response.data.len, response.sw);
	*answer_len = response.data.len + 2;
	return 0;
}

static int loop_reset(void *state, struct deadline deadline, struct card_line *line)
{
	struct loop *loop = state;

	(void)deadline;
	(void)line;
	pthread_mutex_lock(&psa_lock);
	applet_reset(&loop->applet, loop->protocol);
	pthread_mutex_unlock(&psa_lock);
	return 0;
}

const struct transport transport_loop = {
	.prefix = "loop:",
	.open = loop_open,
	.transmit = loop_transmit,
	.reset = loop_reset,
	.close = loop_close,
};
