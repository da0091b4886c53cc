/*
 * CAMARA SIM Swap v2: whether, and when, a subscriber's SIM was changed. For messengers with the
 * scope sim-swap; each answer leaves a line in the audit log that the subscriber sees.
 *
 * A number that is not ours, and one whose contract has ended, are the same to who asks.
 */
#include "audit.h"
#include "operator.h"

#include <stdio.h>

#define HOUR_MS 3600000LL

/* CAMARA's bounds and default of maxAge, hours. */
#define AGE_MIN     1
#define AGE_MAX     2400
#define AGE_DEFAULT 240

/* Finds the subscriber asked for, and writes the line. *found false: the reply is written, or the
 * result is an error. */
static int look_up(struct work *work, const struct request *request, const char *number,
		   const char *action, struct reply *reply, int64_t *changed_at, bool *found)
{
	const struct vault *vault = work->service->vault;
	struct subscriber subscriber;
	struct audit_line line = {.action = action, .subscriber = &subscriber.index};
	char actor[SIMTIE_AUDIENCE_MAX + 16];
	int result = subscriber_find(work->db, vault, number, SUBSCRIBER_READ, &subscriber, found);

	bytes_wipe(&subscriber.key, sizeof(subscriber.key));
	if (result)
		return result;
	*found = *found && (subscriber.state == SUBSCRIBER_ACTIVE ||
			    subscriber.state == SUBSCRIBER_SUSPENDED);
	if (!*found)
		return reply_error(reply, 404, "IDENTIFIER_NOT_FOUND",
				   "The number is none of this operator's.");
	*changed_at = subscriber.sim_changed_at;
	snprintf(actor, sizeof(actor), "messenger %s", request->peer.name);
	line.actor = actor;
	return audit_write(work->db, vault, work->chain, &line);
}

int operator_sim_swap_check(struct work *work, const struct request *request, struct reply *reply)
{
	const char *number = NULL;
	json_int_t age = AGE_DEFAULT;
	const struct field fields[] = {
		{.name = "phoneNumber", .kind = FIELD_PHONE, .target = &number},
		{.name = "maxAge", .kind = FIELD_NUMBER, .target = &age, .max = INT32_MAX},
	};
	int64_t changed_at = 0;
	bool found = false, swapped;
	json_t *root;
	int result = DB_OK;

	if (!request_fields(request, fields, sizeof(fields) / sizeof(fields[0]), &root, reply))
		return DB_OK;
	if (!number)
		reply_error(reply, 422, "MISSING_IDENTIFIER", "phoneNumber is missing.");
	else if (age < AGE_MIN || age > AGE_MAX)
		reply_error(reply, 400, "OUT_OF_RANGE", "maxAge is %d to %d hours.", AGE_MIN,
			    AGE_MAX);
	else
		result = look_up(work, request, number, "sim-swap check", reply, &changed_at,
				 &found);
	if (result == DB_OK && found) {
		/* A change that the clock puts into the future was a moment ago. */
		swapped = changed_at != 0 && clock_wall_ms() - changed_at <= age * HOUR_MS;
		reply_json(reply, 200, json_pack("{s:b}", "swapped", swapped));
	}
	json_decref(root);
	return result;
}

int operator_sim_swap_date(struct work *work, const struct request *request, struct reply *reply)
{
	const char *number = NULL;
	const struct field fields[] = {
		{.name = "phoneNumber", .kind = FIELD_PHONE, .target = &number},
	};
	int64_t changed_at = 0;
	char text[CLOCK_TEXT_SIZE];
	bool found = false;
	json_t *root;
	int result = DB_OK;

	if (!request_fields(request, fields, sizeof(fields) / sizeof(fields[0]), &root, reply))
		return DB_OK;
	if (!number)
		reply_error(reply, 422, "MISSING_IDENTIFIER", "phoneNumber is missing.");
	else
		result =
			look_up(work, request, number, "sim-swap date", reply, &changed_at, &found);
	if (result == DB_OK && found) {
		clock_text(changed_at, text);
		reply_json(reply, 200,
			   json_pack("{s:s?}", "latestSimChange", changed_at ? text : NULL));
	}
	json_decref(root);
	return result;
}
