/*
 * Cards by radio, through libnfc: "nfc:" and a device's name, or "nfc:" alone.
 *
 * A call on a device can take longer than it may, whatever time-out libnfc is given (each of its
 * reads has that time anew, and a card can keep it reading), so all are made by a worker. What one
 * exchange can carry is little, and libnfc aborts the program when it is more: it is refused
 * before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nfc_card.h"
#include "nfc_line.h"
#include "port/nfc/claim.h"
#include "transport.h"

/* One exchange of a PN53x: 264 bytes of frame, less command and target number, or less status. */
#define COMMAND_MAX 262
#define ANSWER_MAX  263

/* libnfc gets less time than there is, so that it is libnfc that gives up and the device is closed
 * in good order. */
#define MARGIN_MS 50

/* How long letting go of the device may take: three commands of 1000 ms each at most. */
#define CLOSE_MS 3500

/* How often a card is asked whether it is there, on a line that garbles what it says. */
#define PRESENCE_TRIES 2

/* Stack that libnfc's copies of a command lie in, to be overwritten. */
#define SCRUB_SIZE 4096

#define PREFIX "nfc:"

/* All that a call on the device touches. It belongs to the worker, so that a call which never
 * returns finds its memory in place for ever. */
struct job {
	struct deadline deadline;
	int error; /* of the call, once it returned */

	char wanted[CLAIM_NAME_MAX];
	char detail[SIMTIE_DETAIL_MAX];

	struct nfc_claim claim;
	bool claimed;
	nfc_target card;
	struct card_line line;

	size_t command_len, answer_len;
	uint8_t command[COMMAND_MAX];
	uint8_t answer[ANSWER_MAX];
};

/* What the session holds on to. */
struct nfc {
	struct worker *worker; /* NULL once abandoned: the job is lost */
	struct job *job;
};

_Static_assert(CLAIM_TEXT_MAX <= SIMTIE_DETAIL_MAX, "a sentence has room");
_Static_assert(CLAIM_NAME_MAX + sizeof PREFIX <= SIMTIE_READER_NAME_MAX, "a name has room");

/* ---- In the worker's thread ---- */

static void call_close(void *argument)
{
	struct job *job = argument;

	if (job->claimed)
		claim_close(&job->claim);
	job->claimed = false;
}

static void job_free(void *argument)
{
	struct job *job = argument;

	call_close(job);
	bytes_wipe(job, sizeof *job);
	free(job);
}

/* 0 when there is none; libnfc takes 0 for no time-out at all. */
static int time_left(const struct job *job)
{
	unsigned left = deadline_left_ms(job->deadline);

	return left > MARGIN_MS ? (int)(left - MARGIN_MS) : 0;
}

static void describe(struct job *job)
{
	job->line = (struct card_line){.protocol = SIMTIE_PROTOCOL_T1, .over_the_air = true};
	snprintf(job->line.reader, sizeof job->line.reader, PREFIX "%s", job->claim.name);
	job->line.atr_len = nfc_card_atr(&job->card, job->line.atr);
}

static int claim_error(enum claim_result result)
{
	switch (result) {
	case CLAIM_OK:
		return 0;
	case CLAIM_ABSENT:
		return SIMTIE_ERR_NO_READER;
	case CLAIM_SEVERAL:
		return SIMTIE_ERR_AMBIGUOUS;
	case CLAIM_DENIED:
		return SIMTIE_ERR_ACCESS;
	case CLAIM_BUSY:
		return SIMTIE_ERR_BUSY;
	case CLAIM_MEMORY:
		break;
	}
	return SIMTIE_ERR_MEMORY;
}

static void call_open(void *argument)
{
	struct job *job = argument;

	job->error = claim_error(
		claim_open(&job->claim, job->wanted, (unsigned)time_left(job), job->detail));
	job->claimed = !job->error;
	if (!job->error)
		job->error = nfc_card_find(job->claim.device, &job->card, job->detail);
	if (!job->error)
		describe(job);
}

static void call_reset(void *argument)
{
	struct job *job = argument;
	nfc_target before = job->card;

	job->error = nfc_card_find(job->claim.device, &job->card, job->detail);
	if (job->error == SIMTIE_ERR_NO_CARD || job->error == SIMTIE_ERR_AMBIGUOUS ||
	    (!job->error && !nfc_card_same(&before, &job->card)))
		job->error = SIMTIE_ERR_GONE;
	else if (job->error == SIMTIE_ERR_TRANSPORT)
		job->error = SIMTIE_ERR_GONE; /* the device does not do the simplest thing */
	if (!job->error)
		describe(job);
}

/* libnfc asks twice if it must, and does not wait for both answers. So the line is brought into
 * step before, to hear this answer and not another's, and after, so that the next exchange hears
 * its. */
static bool is_present(struct job *job)
{
	bool present = false;

	for (int i = 0; i < PRESENCE_TRIES && !present; i++)
		present = nfc_line_regain(&job->claim, job->deadline) &&
			  nfc_initiator_target_is_present(job->claim.device, NULL) == NFC_SUCCESS;
	return present && nfc_line_regain(&job->claim, job->deadline);
}

/* Why an exchange failed. A card that was taken away and a fault of the line look alike, as do a
 * device that was unplugged and one answer of its that was garbled; so the card is asked whether it
 * is there. */
static int settle(struct job *job)
{
	return is_present(job) ? SIMTIE_ERR_TRANSPORT : SIMTIE_ERR_GONE;
}

static int exchange_error(struct job *job, int result)
{
	switch (result) {
	case NFC_ETIMEOUT:
		return SIMTIE_ERR_TIMEOUT;
	case NFC_EOVFLOW:
	case NFC_ECHIP: /* an answer over what fits, or a card that broke the rules of the line */
		return SIMTIE_ERR_PROTOCOL;
	default:
		return settle(job);
	}
}

/* libnfc leaves copies of what it carried on the stack, and takes what lies there for the status of
 * an answer that has none. This frame lies where its own do. */
static __attribute__((noinline)) void scrub(void)
{
	uint8_t stack[SCRUB_SIZE];

	explicit_bzero(stack, sizeof stack);
}

static void call_transmit(void *argument)
{
	struct job *job = argument;
	int left = time_left(job);
	int result = NFC_ETIMEOUT;

	scrub();
	if (left > 0)
		result = nfc_initiator_transceive_bytes(job->claim.device, job->command,
							job->command_len, job->answer,
							sizeof job->answer, left);
	bytes_wipe(job->command, job->command_len);
	scrub();
	job->answer_len = result > 0 ? (size_t)result : 0;
	job->error = result < 0 ? exchange_error(job, result) : 0;
}

/* ---- In the session's thread ---- */

static int run(struct nfc *nfc, void (*call)(void *job), struct deadline deadline)
{
	if (!nfc->worker)
		return SIMTIE_ERR_GONE;
	nfc->job->deadline = deadline;
	if (!worker_run(&nfc->worker, call, deadline)) {
		nfc->job = NULL;
		return SIMTIE_ERR_TIMEOUT;
	}
	return nfc->job->error;
}

static void reader_close(void *state)
{
	struct nfc *nfc = state;

	run(nfc, call_close, deadline_after(CLOSE_MS));
	if (nfc->worker) {
		worker_stop(&nfc->worker);
		job_free(nfc->job);
	}
	free(nfc);
}

static struct nfc *make(const char *name)
{
	struct nfc *nfc = calloc(1, sizeof *nfc);

	if (!nfc)
		return NULL;
	nfc->job = calloc(1, sizeof *nfc->job);
	if (!nfc->job || !worker_start(&nfc->worker, nfc->job, job_free)) {
		free(nfc->job);
		free(nfc);
		return NULL;
	}
	snprintf(nfc->job->wanted, sizeof nfc->job->wanted, "%s", name);
	return nfc;
}

static int check(const struct card_request *request)
{
	if (strlen(request->name) >= CLAIM_NAME_MAX) {
		snprintf(request->detail, SIMTIE_DETAIL_MAX,
			 "the name of an NFC device has up to %d bytes", CLAIM_NAME_MAX - 1);
		return SIMTIE_ERR_NO_READER;
	}
	if (request->protocol == SIMTIE_PROTOCOL_T0) {
		snprintf(request->detail, SIMTIE_DETAIL_MAX,
			 "no contactless card speaks T=0; ask for T=1, or for none");
		return SIMTIE_ERR_MUTE;
	}
	return 0;
}

static int reader_open(const struct card_request *request, void **state, struct card_line *line)
{
	int error = check(request);
	struct nfc *nfc;

	if (error)
		return error;
	nfc = make(request->name);
	if (!nfc)
		return SIMTIE_ERR_MEMORY;
	error = run(nfc, call_open, request->deadline);
	if (nfc->job)
		memcpy(request->detail, nfc->job->detail, SIMTIE_DETAIL_MAX);
	if (error) {
		reader_close(nfc);
		return error;
	}
	*line = nfc->job->line;
	*state = nfc;
	return 0;
}

static int reader_transmit(void *state, struct deadline deadline, struct bytes command,
			   uint8_t *answer, size_t size, size_t *answer_len)
{
	struct nfc *nfc = state;
	struct job *job = nfc->job;
	int error;

	if (!job)
		return SIMTIE_ERR_GONE;
	if (command.len == 0 || command.len > sizeof job->command)
		return SIMTIE_ERR_ARGUMENT;
	memcpy(job->command, command.ptr, command.len);
	job->command_len = command.len;
	error = run(nfc, call_transmit, deadline);
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

static int reader_reset(void *state, struct deadline deadline, struct card_line *line)
{
	struct nfc *nfc = state;
	int error = run(nfc, call_reset, deadline);

	if (!error)
		*line = nfc->job->line;
	return error;
}

const struct transport transport_nfc = {
	.prefix = PREFIX,
	.open = reader_open,
	.transmit = reader_transmit,
	.reset = reader_reset,
	.close = reader_close,
};
