/*
 * Sends notices to messengers: Security Event Tokens by push (RFC 8935), from the durable outbox.
 *
 * A notice is claimed, sent once the claim is committed, and what became of it written down. A
 * daemon that dies in between lets its claim run out, and the notice is sent again under the same
 * id, which tells the messenger that it has it. What is in flight is bounded, in all and for each
 * messenger: one that hangs costs memory to nobody, and its notices keep no other's from their
 * turn.
 */
#include "operator.h"
#include "outbox.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLIGHTS_MAX 64
#define LANE_MAX    8 /* of one messenger */
#define TIMEOUT_MS  10000
#define PAUSE_MIN   1000
#define PAUSE_STEP  100
#define PAUSE_STEPS 600   /* up to a minute */
#define CLAIM_MS    60000 /* well over the time-out, so that no other daemon sends it meanwhile */

/* One messenger's share. */
struct lane {
	atomic_uint flights;
	atomic_uint put_off; /* notices that waited for their turn since it last took one */
	unsigned planned;    /* of the claim under way */
};

struct operator_outbox {
	atomic_uint flights;   /* notices under way */
	atomic_bool under_way; /* one claim at a time */
	struct lane lanes[];   /* one for each messenger of the settings */
};

/* One notice under way, then the job that settles it. */
struct flight {
	struct job job; /* first: the engine knows no more of it */
	struct service *service;
	struct operator_outbox *outbox;
	struct lane *lane; /* NULL: of no messenger that there is */
	struct outbox_entry entry;
	bool delivered, given_up;
	char error[sizeof(((struct outbox_entry *)0)->last_error)];
};

static int settle(struct work *work, struct job *job)
{
	struct flight *flight = (struct flight *)job;

	return outbox_done(work->db, &flight->entry, flight->delivered ? NULL : flight->error,
			   &flight->given_up);
}

static const char *outcome(const struct flight *flight, int result)
{
	if (result == DB_OK && flight->delivered)
		return "outcome=\"delivered\"";
	return result == DB_OK && flight->given_up ? "outcome=\"given_up\"" : "outcome=\"failed\"";
}

/* A settling that failed leaves the claim to run out. */
static void settled(struct job *job, int result)
{
	struct flight *flight = (struct flight *)job;

	metrics_count(flight->service->metrics, "notices", outcome(flight, result), 1);
	if (flight->lane && flight->delivered)
		atomic_store(&flight->lane->put_off, 0);
	if (flight->lane)
		atomic_fetch_sub(&flight->lane->flights, 1);
	atomic_fetch_sub(&flight->outbox->flights, 1);
	free(flight);
}

static void submit(struct flight *flight)
{
	if (!engine_submit(flight->service->engine, &flight->job))
		settled(&flight->job, DB_ERR_BUSY);
}

/* The event loop's thread: the messenger has answered, or has not. */
static void answered(void *context, const struct outgoing_answer *answer)
{
	struct flight *flight = context;

	/* RFC 8935 asks for 202; who answers another success has it as well. */
	flight->delivered = answer->status >= 200 && answer->status < 300;
	if (answer->status)
		snprintf(flight->error, sizeof(flight->error), "it answered %d", answer->status);
	else
		snprintf(flight->error, sizeof(flight->error), "%s", answer->error);
	submit(flight);
}

/* The messenger's lane, and its address (NULL: none). NULL: it is none of the settings'. */
static struct lane *lane_of(const struct operator_state *op, const char *audience,
			    const char **address)
{
	*address = NULL;
	for (size_t i = 0; i < op->messenger_count; i++) {
		if (strcmp(op->messengers[i].audience, audience) != 0)
			continue;
		*address = op->messengers[i].notify;
		return &op->outbox->lanes[i];
	}
	return NULL;
}

/* How long one waits whose messenger has its share under way: each a little longer than the one
 * before, so that many are not looked at again and again for one that takes none. */
static unsigned pause_of(struct lane *lane)
{
	const unsigned before = atomic_fetch_add(&lane->put_off, 1);

	return PAUSE_MIN + (before < PAUSE_STEPS ? before : PAUSE_STEPS) * PAUSE_STEP;
}

/* The token of a notice, malloc()ed; NULL: the library failed. */
static char *notice_text(const struct operator_state *op, const struct outbox_entry *entry)
{
	struct simtie_notice notice = {.event = entry->event, .issued_at = clock_wall_ms() / 1000};
	char id[VAULT_ID_TEXT_SIZE], registration[VAULT_ID_TEXT_SIZE], *jwt = NULL;

	vault_id_text(entry->id, id);
	vault_id_text(entry->registration, registration);
	snprintf(notice.issuer, sizeof(notice.issuer), "%s", op->name);
	snprintf(notice.audience, sizeof(notice.audience), "%s", entry->audience);
	snprintf(notice.id, sizeof(notice.id), "%s", id);
	snprintf(notice.registration, sizeof(notice.registration), "%s", registration);
	return simtie_notice_issue(op->signer, &notice, &jwt) ? NULL : jwt;
}

static struct flight *flight_new(struct operator_state *op, struct lane *lane,
				 const struct outbox_entry *entry)
{
	struct flight *flight = calloc(1, sizeof(*flight));

	if (!flight)
		return NULL;
	flight->job = (struct job){.run = settle, .done = settled};
	flight->service = op->service;
	flight->outbox = op->outbox;
	flight->lane = lane;
	flight->entry = *entry;
	atomic_fetch_add(&op->outbox->flights, 1);
	if (lane)
		atomic_fetch_add(&lane->flights, 1);
	return flight;
}

/* NULL, or why it could not be sent off. */
static const char *send(const struct operator_state *op, struct flight *flight, const char *url)
{
	char *jwt;
	bool sent;

	if (!flight->entry.audience[0])
		return "it does not open: is its key in the key file?";
	if (!url)
		return "no notify address is configured for this messenger";
	jwt = notice_text(op, &flight->entry);
	if (!jwt)
		return "out of memory";
	sent = outgoing_send(op->service,
			     &(const struct outgoing_request){
				     .method = "POST",
				     .url = url,
				     .content_type = "application/secevent+jwt",
				     .body = bytes_of((const uint8_t *)jwt, strlen(jwt)),
				     .timeout_ms = TIMEOUT_MS,
				     .done = answered,
				     .context = flight,
			     });
	free(jwt);
	return sent ? NULL : "its notify address is no https:// address, or too much is under way";
}

/* Sends one that is claimed. What could not be sent off is a try that failed; what there was no
 * memory for is due again when the claim has run out. */
static void launch(struct operator_state *op, const struct outbox_entry *entry)
{
	const char *url, *error;
	struct lane *lane = lane_of(op, entry->audience, &url);
	struct flight *flight = flight_new(op, lane, entry);

	error = flight ? send(op, flight, url) : NULL;
	if (error) {
		snprintf(flight->error, sizeof(flight->error), "%s", error);
		submit(flight);
	}
}

/* ---- Claims ---- */

struct batch {
	struct job job; /* first: the engine knows no more of it */
	struct service *service;
	size_t room, found, count; /* found: in all; count: those to be sent */
	struct outbox_entry entries[FLIGHTS_MAX];
};

/* Whether one has its turn; else it is said when to come back to it. */
static int plan(struct work *work, const struct outbox_entry *entry, bool *now)
{
	const char *url;
	struct lane *lane = lane_of(operator_of(work), entry->audience, &url);

	*now = !lane || atomic_load(&lane->flights) + lane->planned < LANE_MAX;
	if (!*now)
		return outbox_put_off(work->db, entry, pause_of(lane));
	if (lane)
		lane->planned++;
	return DB_OK;
}

static int batch_run(struct work *work, struct job *job)
{
	struct batch *batch = (struct batch *)job;
	struct operator_state *op = operator_of(work);
	bool now;
	int result = outbox_claim(work->db, work->service->vault, CLAIM_MS, batch->entries,
				  batch->room, &batch->found);

	batch->count = 0;
	for (size_t i = 0; i < op->messenger_count; i++)
		op->outbox->lanes[i].planned = 0;
	for (size_t i = 0; i < batch->found && result == DB_OK; i++) {
		result = plan(work, &batch->entries[i], &now);
		if (result == DB_OK && now)
			batch->entries[batch->count++] = batch->entries[i];
	}
	return result;
}

static void batch_done(struct job *job, int result)
{
	struct batch *batch = (struct batch *)job;
	struct service *service = batch->service;
	struct operator_state *op = service->state;
	const bool more = result == DB_OK && batch->found == batch->room;

	for (size_t i = 0; result == DB_OK && i < batch->count; i++)
		launch(op, &batch->entries[i]);
	free(batch);
	atomic_store(&op->outbox->under_way, false);
	if (more)
		engine_wake(service->engine, "outbox");
}

int operator_outbox_run(struct work *work, bool *more)
{
	struct operator_state *op = work->service->state;
	const unsigned flights = atomic_load(&op->outbox->flights);
	struct batch *batch;

	*more = false;
	if (flights >= FLIGHTS_MAX || atomic_load(&op->outbox->under_way))
		return DB_OK;
	batch = malloc(sizeof(*batch));
	if (!batch)
		return DB_ERR_MEMORY;
	batch->job = (struct job){.run = batch_run, .done = batch_done};
	batch->service = work->service;
	batch->room = FLIGHTS_MAX - flights;
	atomic_store(&op->outbox->under_way, true);
	if (!engine_submit(work->service->engine, &batch->job))
		batch_done(&batch->job, DB_ERR_BUSY);
	return DB_OK;
}

struct operator_outbox *operator_outbox_new(size_t messengers)
{
	return calloc(1, sizeof(struct operator_outbox) + messengers * sizeof(struct lane));
}

void operator_outbox_free(struct operator_outbox **outbox)
{
	free(*outbox);
	*outbox = NULL;
}
