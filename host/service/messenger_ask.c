/*
 * The talk with operators: from durable rows, over the network, and back into them.
 *
 * A row that is due is leased, its question sent, and what became of it written down. A daemon that
 * dies in between lets the lease run out, and the question is asked again: nothing is lost, and
 * nothing counts twice. What is under way is bounded.
 */
#include "messenger_ask.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLIGHTS_MAX 64
#define CLAIMS_MAX  16    /* rows of one transaction */
#define TIMEOUT_MS  30000 /* over the long poll */
#define LEASE_MS    40000 /* over the time-out, so that no other daemon asks meanwhile */
#define ANSWER_MAX  8192  /* bytes; a verification's answer has 2 KiB at most */

struct messenger_talk {
	atomic_uint flights; /* questions under way */
};

/* One question under way, then the job that settles it. */
struct flight {
	struct job job; /* first: the engine knows no more of it */
	struct messenger *messenger;
	const struct messenger_operator *to;
	struct messenger_row row;   /* as it was when asked */
	enum messenger_state state; /* what it came to */
	int status;
	size_t answer_len;
	uint8_t answer[ANSWER_MAX];
};

/* Of a registration that has come to an end, or to its goal. */
static const char *outcome(enum messenger_state state)
{
	switch (state) {
	case MESSENGER_PENDING:
	case MESSENGER_REVERIFICATION_REQUIRED:
		break;
	case MESSENGER_REGISTERED:
		return "state=\"registered\"";
	case MESSENGER_REFUSED:
		return "state=\"refused\"";
	case MESSENGER_EXPIRED:
		return "state=\"expired\"";
	}
	return NULL;
}

static int settle(struct work *work, struct job *job)
{
	struct flight *flight = (struct flight *)job;
	struct messenger_row row = flight->row;
	bool changed;
	int result;

	messenger_answer(flight->messenger, flight->to, &row, flight->status,
			 bytes_of(flight->answer, flight->answer_len));
	result = messenger_row_update(work, &row, messenger_row_at(&flight->row), &changed);
	flight->state = changed ? row.state : flight->row.state;
	bytes_wipe(&row, sizeof(row));
	return result;
}

/* A settling that failed leaves the lease to run out. */
static void settled(struct job *job, int result)
{
	struct flight *flight = (struct flight *)job;
	struct service *service = flight->messenger->service;
	const char *labels = outcome(flight->state);

	if (result == DB_OK && labels && flight->state != flight->row.state)
		metrics_count(service->metrics, "registrations", labels, 1);
	metrics_count(service->metrics, "questions",
		      flight->status ? "outcome=\"answered\"" : "outcome=\"unanswered\"", 1);
	atomic_fetch_sub(&flight->messenger->talk->flights, 1);
	if (result == DB_OK && service->engine)
		engine_wake(service->engine, "ask");
	bytes_wipe(flight, sizeof(*flight));
	free(flight);
}

/* The event loop's thread: the operator has answered, or has not. */
static void answered(void *context, const struct outgoing_answer *answer)
{
	struct flight *flight = context;

	flight->status = answer->body.len <= sizeof(flight->answer) ? answer->status : 0;
	if (flight->status && answer->body.len > 0) {
		memcpy(flight->answer, answer->body.ptr, answer->body.len);
		flight->answer_len = answer->body.len;
	}
	if (!engine_submit(flight->messenger->service->engine, &flight->job))
		settled(&flight->job, DB_ERR_BUSY);
}

/* Sends one off. False: it could not be. */
static bool launch(struct messenger *messenger, const struct messenger_operator *to,
		   const struct messenger_row *row)
{
	struct flight *flight = calloc(1, sizeof(*flight));
	struct messenger_question question = {.body = NULL};
	bool sent = false;

	if (flight && messenger_question_make(messenger->service->vault, to, row, &question)) {
		const struct outgoing_request request = {
			.method = question.method,
			.url = question.url,
			.content_type = question.body ? "application/json" : NULL,
			.body = bytes_of((const uint8_t *)question.body,
					 question.body ? strlen(question.body) : 0),
			.idempotency = question.idempotency[0] ? question.idempotency : NULL,
			.timeout_ms = TIMEOUT_MS,
			.done = answered,
			.context = flight,
		};

		flight->job = (struct job){.run = settle, .done = settled};
		flight->messenger = messenger;
		flight->to = to;
		flight->row = *row;
		flight->state = row->state;
		atomic_fetch_add(&messenger->talk->flights, 1);
		sent = outgoing_send(messenger->service, &request);
		if (!sent)
			atomic_fetch_sub(&messenger->talk->flights, 1);
	}
	messenger_question_free(&question);
	if (!sent && flight)
		bytes_wipe(flight, sizeof(*flight));
	if (!sent)
		free(flight);
	return sent;
}

/* One row that is due: late, to be asked about, or looked at too early because a clock jumped. */
static int take_up(struct work *work, struct messenger_row *row)
{
	struct messenger *messenger = messenger_of(work);
	const struct messenger_at before = messenger_row_at(row);
	const struct messenger_operator *to = messenger_operator(messenger, row->to);
	const int64_t left = messenger_row_left(messenger, row);
	bool changed;
	int result;

	if (row->step == STEP_NONE) {
		metrics_count(work->service->metrics, "damaged", "table=\"registrations\"", 1);
		return DB_OK;
	}
	if (left > 0 && row->step != STEP_ATTEST) {
		if (to && launch(messenger, to, row))
			return DB_OK;
		/* No agreement any more, or no room: it waits for either, until its deadline. */
		messenger_answer(messenger, to, row, 0, bytes_of(NULL, 0));
	} else if (left > 0) {
		row->due_at = clock_wall_ms() + left;
	} else {
		messenger_row_expire(row);
	}
	result = messenger_row_update(work, row, before, &changed);
	if (result == DB_OK && row->state != before.state && outcome(row->state))
		metrics_count(work->service->metrics, "registrations", outcome(row->state), 1);
	return result;
}

int messenger_ask_run(struct work *work, bool *more)
{
	struct messenger *messenger = messenger_of(work);
	const unsigned flights = atomic_load(&messenger->talk->flights);
	size_t room = flights < FLIGHTS_MAX ? FLIGHTS_MAX - flights : 0, count = 0;
	struct messenger_row rows[CLAIMS_MAX];
	int result;

	if (room == 0)
		return DB_OK;
	if (room > CLAIMS_MAX)
		room = CLAIMS_MAX;
	result = messenger_row_claim(work, LEASE_MS, rows, room, &count);
	for (size_t i = 0; i < count && result == DB_OK; i++)
		result = take_up(work, &rows[i]);
	bytes_wipe(rows, sizeof(rows));
	*more = result == DB_OK && count == room;
	return result;
}

struct messenger_talk *messenger_talk_new(void)
{
	return calloc(1, sizeof(struct messenger_talk));
}

void messenger_talk_free(struct messenger_talk **talk)
{
	free(*talk);
	*talk = NULL;
}
