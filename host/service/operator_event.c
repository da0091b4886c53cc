/*
 * POST /v1/admin/subscribers/{number}/events {event, iccid?, reason?}: what happened to a contract
 * or its SIM, from the operator's own systems. The change, the revocation of credentials, the
 * notices to messengers and the audit line are one transaction.
 *
 *   event         from                  to           registrations   credentials
 *   TERMINATED    active, suspended     terminated   ended           revoked
 *   PORTED_OUT    active, suspended     ported out   ended           revoked
 *   SIM_SWAPPED   active, suspended     as it was    stand           revoked
 *   SUSPENDED     active                suspended    stand           revoked
 *   RESUMED       suspended             active       stand           (revoked for good)
 *
 * A revoked credential stays so: one bit knows no way back, and who resumes attests again. The same
 * event once more changes nothing and tells nobody; one from elsewhere is a conflict. SIM_SWAPPED
 * names the new card by its ICCID; without one the subscriber has no card until that event names
 * it.
 */
#include "audit.h"
#include "operator.h"
#include "operator_registration.h"
#include "outbox.h"
#include "stock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS     86400000LL
#define REASON_MAX 200 /* bytes */

struct event {
	struct work *work;
	const struct operator_state *op;
	enum simtie_event kind;
	const char *iccid;  /* of the new card, or NULL */
	const char *reason; /* or NULL */
	struct subscriber subscriber;
	size_t told; /* messengers */
};

/* What an event does to a subscriber. */
enum effect { EFFECT_NONE, EFFECT_CHANGE, EFFECT_CONFLICT };

static enum effect effect_of(enum simtie_event kind, enum subscriber_state from,
			     enum subscriber_state *to)
{
	const bool ended = from == SUBSCRIBER_TERMINATED || from == SUBSCRIBER_PORTED_OUT;

	*to = from;
	switch (kind) {
	case SIMTIE_EVENT_TERMINATED:
		*to = SUBSCRIBER_TERMINATED;
		break;
	case SIMTIE_EVENT_PORTED_OUT:
		*to = SUBSCRIBER_PORTED_OUT;
		break;
	case SIMTIE_EVENT_SIM_SWAPPED:
		return ended ? EFFECT_CONFLICT : EFFECT_CHANGE;
	case SIMTIE_EVENT_SUSPENDED:
		*to = SUBSCRIBER_SUSPENDED;
		break;
	case SIMTIE_EVENT_RESUMED:
		*to = SUBSCRIBER_ACTIVE;
		break;
	}
	if (*to == from)
		return EFFECT_NONE;
	return ended ? EFFECT_CONFLICT : EFFECT_CHANGE;
}

/* Ends the registrations that stand; their retention begins. */
static int end_registrations(const struct event *event)
{
	static const char end[] = "UPDATE registrations SET state = 3, ended_at = $1, purge_at = $2"
				  " WHERE hi = $3 AND lo = $4 AND state = 1";
	const struct vault_index *index = &event->subscriber.index;
	const int64_t now = clock_wall_ms();

	return db_run(event->work->db, end,
		      DB_VALUES(db_int(now), db_int(now + event->op->retention_days * DAY_MS),
				db_int(index->hi), db_int(index->lo)),
		      NULL);
}

/* Queues a notice for each registration that stands. */
static int tell(struct event *event)
{
	const struct vault *vault = event->work->service->vault;
	struct registration *list = NULL;
	size_t count = 0;
	int result = operator_registration_standing(event->work, &event->subscriber.index, &list,
						    &count);

	for (size_t i = 0; i < count && result == DB_OK; i++)
		result = outbox_put(event->work->db, vault, event->subscriber.index.hi,
				    list[i].audience, list[i].id, event->kind);
	event->told = count;
	if (list)
		bytes_wipe(list, count * sizeof(*list));
	free(list);
	return result;
}

/* Puts the new card, or none, into the subscriber. *wrong: why it cannot be; *again: she has it. */
static int swap_card(struct event *event, const char **wrong, bool *again)
{
	struct subscriber *subscriber = &event->subscriber;
	struct simtie_card_key key = {{0}, {0}};
	enum stock_state state = STOCK_UNKNOWN;
	int result = DB_OK;

	if (event->iccid)
		result = stock_take(event->work->db, event->work->service->vault, event->iccid,
				    &key, &state);
	if (result != DB_OK)
		return result;
	*again = state == STOCK_TAKEN && subscriber->card_state != SUBSCRIBER_CARD_NONE &&
		 memcmp(subscriber->key.device_public, key.device_public, SIMTIE_POINT_SIZE) == 0;
	if (event->iccid && state == STOCK_UNKNOWN)
		*wrong = "no card of this ICCID was imported: POST /v1/admin/records first";
	else if (state == STOCK_TAKEN && !*again)
		*wrong = "a subscriber has this card, or had it";
	if (!*wrong && !*again) {
		subscriber->key = key;
		subscriber->card_state = event->iccid ? SUBSCRIBER_CARD_GOOD : SUBSCRIBER_CARD_NONE;
		subscriber->sim_changed_at = clock_wall_ms();
	}
	bytes_wipe(&key, sizeof(key));
	return result;
}

static int note(const struct event *event, const struct request *request)
{
	char actor[SIMTIE_AUDIENCE_MAX + 16], action[64];
	const struct audit_line line = {
		.actor = actor,
		.action = action,
		.reason = event->reason,
		.subscriber = &event->subscriber.index,
	};

	snprintf(actor, sizeof(actor), "admin %s", request->peer.name);
	snprintf(action, sizeof(action), "event %s", simtie_event_name(event->kind));
	return audit_write(event->work->db, event->work->service->vault, event->work->chain, &line);
}

/* All that the event does, the subscriber's row first. */
static int apply(struct event *event, const struct request *request)
{
	struct work *work = event->work;
	const struct vault_index *index = &event->subscriber.index;
	const bool ends =
		event->kind == SIMTIE_EVENT_TERMINATED || event->kind == SIMTIE_EVENT_PORTED_OUT;
	int result = subscriber_write(work->db, work->service->vault, &event->subscriber);

	if (result == DB_OK)
		result = tell(event);
	if (result == DB_OK && event->kind != SIMTIE_EVENT_RESUMED)
		result = operator_status_revoke_all(work, index);
	if (result == DB_OK && ends)
		result = end_registrations(event);
	return result ? result : note(event, request);
}

static int answer(const struct event *event, struct reply *reply)
{
	reply->wake[0] = event->told ? "outbox" : NULL;
	return reply_json(reply, 200,
			  json_pack("{s:s,s:I}", "event", simtie_event_name(event->kind), "notices",
				    (json_int_t)event->told));
}

static int happen(struct event *event, const struct request *request, struct reply *reply)
{
	enum subscriber_state to;
	const char *wrong = NULL;
	bool again = false;
	int result = DB_OK;

	switch (effect_of(event->kind, event->subscriber.state, &to)) {
	case EFFECT_NONE:
		return answer(event, reply);
	case EFFECT_CONFLICT:
		return reply_error(reply, 409, "CONFLICT",
				   "The contract has ended: import the number anew.");
	case EFFECT_CHANGE:
		break;
	}
	event->subscriber.state = to;
	if (to == SUBSCRIBER_TERMINATED || to == SUBSCRIBER_PORTED_OUT)
		event->subscriber.purge_at = clock_wall_ms() + event->op->subscriber_days * DAY_MS;
	if (event->kind == SIMTIE_EVENT_SIM_SWAPPED)
		result = swap_card(event, &wrong, &again);
	if (result != DB_OK)
		return result;
	if (wrong)
		return reply_error(reply, 409, "CONFLICT", "%s.", wrong);
	if (!again)
		result = apply(event, request);
	return result ? result : answer(event, reply);
}

/* Reads the body; false: the reply is written. */
static bool body_read(struct event *event, const struct request *request, struct reply *reply,
		      json_t **root)
{
	const char *name = NULL;
	const struct field fields[] = {
		{.name = "event",
		 .kind = FIELD_TEXT,
		 .target = &name,
		 .required = true,
		 .min = 1,
		 .max = 32},
		{.name = "iccid",
		 .kind = FIELD_TEXT,
		 .target = &event->iccid,
		 .min = 18,
		 .max = 20},
		{.name = "reason",
		 .kind = FIELD_TEXT,
		 .target = &event->reason,
		 .min = 1,
		 .max = REASON_MAX},
	};

	if (!request_fields(request, fields, sizeof(fields) / sizeof(fields[0]), root, reply))
		return false;
	event->kind = simtie_event_read(name);
	if (!event->kind)
		reply_error(reply, 400, "INVALID_ARGUMENT",
			    "event is TERMINATED, PORTED_OUT, SIM_SWAPPED, SUSPENDED or RESUMED.");
	else if (event->iccid &&
		 (event->kind != SIMTIE_EVENT_SIM_SWAPPED || !stock_iccid_valid(event->iccid)))
		reply_error(reply, 400, "INVALID_ARGUMENT",
			    "iccid has 18 to 20 digits and goes with SIM_SWAPPED alone.");
	else
		return true;
	json_decref(*root);
	return false;
}

int operator_event_post(struct work *work, const struct request *request, struct reply *reply)
{
	struct event event = {.work = work, .op = work->service->state};
	const char *number = request->segment[0];
	bool found = false;
	json_t *root;
	int result = DB_OK;

	if (!simtie_number_valid(number))
		return reply_error(reply, 400, "INVALID_ARGUMENT",
				   "The number in the path is none: + and 5 to 15 digits (E.164).");
	if (!body_read(&event, request, reply, &root))
		return DB_OK;
	result = subscriber_find(work->db, work->service->vault, number, SUBSCRIBER_LOCK,
				 &event.subscriber, &found);
	if (result == DB_OK && !found)
		reply_error(reply, 404, "IDENTIFIER_NOT_FOUND",
			    "The number is none of this operator's.");
	else if (result == DB_OK)
		result = happen(&event, request, reply);
	bytes_wipe(&event.subscriber, sizeof(event.subscriber));
	json_decref(root);
	return result;
}
