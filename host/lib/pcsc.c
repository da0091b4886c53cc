#include "pcsc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "readers.h"
#include "transport.h"

/* How long the service may take to notice that a card is gone: it looks every 400 ms. */
#define SETTLE_MS 1500

/* How long letting go of the card may take. */
#define CLOSE_MS 2000

#define PROTOCOLS (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)

/* All that a call on the card touches. It belongs to the worker, so that a call which never returns
 * finds its memory in place for ever. */
struct job {
	struct deadline deadline;
	int error; /* of the call, once it returned */

	char wanted[SIMTIE_READER_NAME_MAX];
	DWORD protocols;
	char detail[SIMTIE_DETAIL_MAX];
	bool in_use; /* another program was connected before us */

	SCARDCONTEXT context;
	SCARDHANDLE card;
	bool has_context, has_card;
	struct card_line line;

	size_t command_len;
	DWORD answer_len;
	BYTE command[TRANSPORT_COMMAND_MAX];
	BYTE answer[TRANSPORT_ANSWER_MAX];
};

/* What the session holds on to. */
struct pcsc {
	struct worker *worker; /* NULL once abandoned: the job is lost */
	struct job *job;
};

/* ---- In the worker's thread ---- */

static void job_free(void *argument)
{
	struct job *job = argument;

	if (job->has_context)
		SCardReleaseContext(job->context); /* lets go of the card as well */
	bytes_wipe(job->command, job->command_len);
	free(job);
}

/* Finds the reader and notes whether another program uses its card. */
static int choose(struct job *job)
{
	struct pcsc_readers readers;
	int error = pcsc_list(job->context, &readers);
	int chosen;

	if (error)
		return error;
	chosen = readers_choose(readers.reader, readers.count, job->wanted, job->detail);
	if (chosen < 0)
		return chosen;
	memcpy(job->line.reader, readers.reader[chosen].name, sizeof job->line.reader);
	job->in_use = readers.in_use[chosen];
	return readers.reader[chosen].card ? 0 : SIMTIE_ERR_NO_CARD;
}

static void call_find(void *argument)
{
	struct job *job = argument;

	job->error = pcsc_establish(&job->context);
	if (job->error)
		return;
	job->has_context = true;
	job->error = choose(job);
}

/* Protocol and answer to reset, as they are after a reset. */
static LONG read_line(struct job *job, DWORD protocol)
{
	DWORD state, atr_len = sizeof job->line.atr;
	LONG result =
		SCardStatus(job->card, NULL, NULL, &state, &protocol, job->line.atr, &atr_len);

	if (result != SCARD_S_SUCCESS)
		return result;
	job->line.atr_len = atr_len;
	job->line.protocol =
		protocol == SCARD_PROTOCOL_T0 ? SIMTIE_PROTOCOL_T0 : SIMTIE_PROTOCOL_T1;
	return SCARD_S_SUCCESS;
}

static LONG reset(struct job *job)
{
	DWORD protocol;
	LONG result = SCardReconnect(job->card, SCARD_SHARE_SHARED, job->protocols,
				     SCARD_RESET_CARD, &protocol);

	return result == SCARD_S_SUCCESS ? read_line(job, protocol) : result;
}

/* Connects, keeps others out and resets. Each of the first two waits while another program is in a
 * transaction. */
static void call_take(void *argument)
{
	struct job *job = argument;
	DWORD protocol;
	LONG result = SCardConnect(job->context, job->line.reader, SCARD_SHARE_SHARED,
				   job->protocols, &job->card, &protocol);

	if (result == SCARD_S_SUCCESS) {
		job->has_card = true;
		result = SCardBeginTransaction(job->card);
		if (result == SCARD_S_SUCCESS)
			result = reset(job);
	}
	job->error = pcsc_error(result);
	if (job->error == SIMTIE_ERR_SERVICE)
		job->error = pcsc_turned_away();
}

/* A driver that lost its card says no more than that the exchange failed. Waits until the service
 * has noticed, if it is to notice at all. */
static int settle(struct job *job)
{
	SCARD_READERSTATE state = {.szReader = job->line.reader,
				   .dwCurrentState = SCARD_STATE_PRESENT};
	DWORD wait = deadline_left_ms(deadline_within(job->deadline, SETTLE_MS));
	LONG result = SCardGetStatusChange(job->context, wait, &state, 1);

	if (result == (LONG)SCARD_E_TIMEOUT ||
	    (result == SCARD_S_SUCCESS &&
	     !(state.dwEventState &
	       (SCARD_STATE_EMPTY | SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE))))
		return SIMTIE_ERR_TRANSPORT;
	return SIMTIE_ERR_GONE;
}

static int settled(struct job *job, LONG result)
{
	int error = pcsc_lost(result);

	return error == SIMTIE_ERR_TRANSPORT ? settle(job) : error;
}

static void call_transmit(void *argument)
{
	struct job *job = argument;
	const SCARD_IO_REQUEST *pci =
		job->line.protocol == SIMTIE_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
	LONG result;

	job->answer_len = sizeof job->answer;
	result = SCardTransmit(job->card, pci, job->command, (DWORD)job->command_len, NULL,
			       job->answer, &job->answer_len);
	if (result == (LONG)SCARD_E_INSUFFICIENT_BUFFER)
		job->error = SIMTIE_ERR_PROTOCOL;
	else
		job->error = settled(job, result);
	/* Some drivers report a card that left during the exchange as an empty answer. */
	if (!job->error && job->answer_len < 2 && settle(job) == SIMTIE_ERR_GONE)
		job->error = SIMTIE_ERR_GONE;
	bytes_wipe(job->command, job->command_len);
}

static void call_reset(void *argument)
{
	struct job *job = argument;

	job->error = settled(job, reset(job));
}

static void call_close(void *argument)
{
	struct job *job = argument;

	if (job->has_card)
		SCardDisconnect(job->card, SCARD_RESET_CARD);
	if (job->has_context)
		SCardReleaseContext(job->context);
	job->has_context = false;
}

/* ---- In the session's thread ---- */

static int run(struct pcsc *pcsc, void (*call)(void *job), struct deadline deadline)
{
	if (!pcsc->worker)
		return SIMTIE_ERR_GONE;
	pcsc->job->deadline = deadline;
	if (!worker_run(&pcsc->worker, call, deadline)) {
		pcsc->job = NULL;
		return SIMTIE_ERR_TIMEOUT;
	}
	return pcsc->job->error;
}

static void pcsc_close(void *state)
{
	struct pcsc *pcsc = state;

	if (run(pcsc, call_close, deadline_after(CLOSE_MS)) != SIMTIE_ERR_TIMEOUT && pcsc->worker) {
		worker_stop(&pcsc->worker);
		job_free(pcsc->job);
	}
	free(pcsc);
}

static bool make_job(struct pcsc *pcsc, const struct card_request *request)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job)
		return false;
	if (!worker_start(&pcsc->worker, job, job_free)) {
		free(job);
		return false;
	}
	snprintf(job->wanted, sizeof job->wanted, "%s", request->name);
	job->protocols = request->protocol == SIMTIE_PROTOCOL_T0   ? SCARD_PROTOCOL_T0
			 : request->protocol == SIMTIE_PROTOCOL_T1 ? SCARD_PROTOCOL_T1
								   : PROTOCOLS;
	pcsc->job = job;
	return true;
}

/* Finding a reader hangs only if the service does. Connecting waits for whoever is at the card;
 * what else makes it hang is the reader. */
static int take(struct pcsc *pcsc, const struct card_request *request)
{
	bool in_use;
	int error = run(pcsc, call_find, request->deadline);

	if (pcsc->job)
		memcpy(request->detail, pcsc->job->detail, SIMTIE_DETAIL_MAX);
	if (error)
		return error == SIMTIE_ERR_TIMEOUT ? SIMTIE_ERR_SERVICE : error;
	in_use = pcsc->job->in_use;
	error = run(pcsc, call_take, request->deadline);
	return error == SIMTIE_ERR_TIMEOUT && in_use ? SIMTIE_ERR_BUSY : error;
}

static int pcsc_open(const struct card_request *request, void **state, struct card_line *line)
{
	struct pcsc *pcsc;
	int error;

	if (strlen(request->name) >= SIMTIE_READER_NAME_MAX)
		return SIMTIE_ERR_NO_READER;
	pcsc = calloc(1, sizeof *pcsc);
	if (!pcsc)
		return SIMTIE_ERR_MEMORY;
	if (!make_job(pcsc, request)) {
		free(pcsc);
		return SIMTIE_ERR_MEMORY;
	}
	error = take(pcsc, request);
	if (error) {
		pcsc_close(pcsc);
		return error;
	}
	*line = pcsc->job->line;
	*state = pcsc;
	return 0;
}

static int pcsc_transmit(void *state, struct deadline deadline, struct bytes command,
			 uint8_t *answer, size_t size, size_t *answer_len)
{
	struct pcsc *pcsc = state;
	struct job *job = pcsc->job;
	int error;

	if (!job)
		return SIMTIE_ERR_GONE;
	if (command.len > sizeof job->command)
		return SIMTIE_ERR_ARGUMENT;
	memcpy(job->command, command.ptr, command.len);
	job->command_len = command.len;
	error = run(pcsc, call_transmit, deadline);
	if (error)
		return error;
	if (job->answer_len > size)
		error = SIMTIE_ERR_PROTOCOL;
	else
		memcpy(answer, job->answer, job->answer_len);
	*answer_len = job->answer_len;
	bytes_wipe(job->answer, job->answer_len);
	return error;
}

static int pcsc_reset(void *state, struct deadline deadline, struct card_line *line)
{
	struct pcsc *pcsc = state;
	int error = run(pcsc, call_reset, deadline);

	if (!error)
		*line = pcsc->job->line;
	return error;
}

const struct transport transport_pcsc = {
	.prefix = "",
	.open = pcsc_open,
	.transmit = pcsc_transmit,
	.reset = pcsc_reset,
	.close = pcsc_close,
};
