/*
 * POST /v1/notices: what an operator tells of a registration, as a Security Event Token by push
 * (RFC 8935). Each counts once, however often it comes; its answer is 202 each time, so that the
 * operator stops sending it.
 *
 * A notice about a registration that is not known is acknowledged as well: it may have been deleted
 * since, and the operator could do nothing about it.
 */
#include "messenger_row.h"

#include <string.h>

/* RFC 8935 §2.4 beside the form that all our errors have. */
static int refuse(struct reply *reply, unsigned status, const char *code, const char *err,
		  const char *text)
{
	reply_error(reply, status, code, "%s", text);
	if (reply->body) {
		json_object_set_new(reply->body, "err", json_string(err));
		json_object_set_new(reply->body, "description", json_string(text));
	}
	return DB_OK;
}

static int refuse_error(struct reply *reply, int error)
{
	const char *text = simtie_service_strerror(error);

	switch (error) {
	case SIMTIE_SERVICE_ERR_KEY:
	case SIMTIE_SERVICE_ERR_SIGNATURE:
		return refuse(reply, 400, "INVALID_ARGUMENT", "authentication_failed", text);
	case SIMTIE_SERVICE_ERR_AUDIENCE:
		return refuse(reply, 400, "INVALID_ARGUMENT", "invalid_audience", text);
	case SIMTIE_SERVICE_ERR_LIBRARY:
		return DB_ERR_MEMORY;
	default:
		return refuse(reply, 400, "INVALID_ARGUMENT", "invalid_request", text);
	}
}

static enum messenger_reason reason_of(enum simtie_event event)
{
	switch (event) {
	case SIMTIE_EVENT_TERMINATED:
		return MESSENGER_REASON_TERMINATED;
	case SIMTIE_EVENT_PORTED_OUT:
		return MESSENGER_REASON_PORTED_OUT;
	case SIMTIE_EVENT_SIM_SWAPPED:
		return MESSENGER_REASON_SIM_SWAPPED;
	case SIMTIE_EVENT_SUSPENDED:
		return MESSENGER_REASON_SUSPENDED;
	case SIMTIE_EVENT_RESUMED:
		break;
	}
	return MESSENGER_REASON_NONE;
}

static int remember(struct work *work, const struct simtie_notice *notice, bool *fresh)
{
	static const char insert[] =
		"INSERT INTO notices (operator, id, event, verification, received_at)"
		" VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
	int64_t changed = 0;
	int result = db_run(work->db, insert,
			    DB_VALUES(db_text(notice->issuer), db_text(notice->id),
				      db_int(notice->event), db_text(notice->registration),
				      db_int(clock_wall_ms())),
			    &changed);

	*fresh = changed > 0;
	return result;
}

static int end_one(struct work *work, struct messenger_row *row, enum messenger_reason reason)
{
	const struct messenger_at before = messenger_row_at(row);
	bool changed;
	int result;

	messenger_row_settle(row, MESSENGER_REVERIFICATION_REQUIRED, reason);
	result = messenger_row_update(work, row, before, &changed);
	return result == DB_OK && !changed ? DB_ERR_BUSY : result; /* look at it once more */
}

/* All that this SIM has registered is to be verified again, not the one alone that the notice
 * names: for the operator each registration took the place of the one before, and whose
 * acknowledgement came last is no matter of which it keeps. What was suspended and is resumed stays
 * so. */
static int apply(struct work *work, const struct simtie_notice *notice, struct reply *reply)
{
	const enum messenger_reason reason = reason_of(notice->event);
	struct messenger_row row;
	uint8_t sim[MESSENGER_SIM_SIZE];
	bool found;
	int result = messenger_row_find_verification(work, notice->issuer, notice->registration,
						     &row, &found);

	if (result != DB_OK || !found || !row.has_sim || reason == MESSENGER_REASON_NONE)
		return result;
	memcpy(sim, row.sim, sizeof(sim));
	/* The status list was quicker, and did not say why. */
	if (row.state == MESSENGER_REVERIFICATION_REQUIRED &&
	    row.reason == MESSENGER_REASON_REVOKED)
		result = end_one(work, &row, reason);
	if (result == DB_OK)
		result = messenger_row_find_standing(work, sim, &row, &found);
	while (result == DB_OK && found) {
		reply->count = "registrations";
		reply->count_labels = "state=\"reverification_required\"";
		result = end_one(work, &row, reason);
		if (result == DB_OK)
			result = messenger_row_find_standing(work, sim, &row, &found);
	}
	bytes_wipe(&row, sizeof(row));
	return result;
}

int messenger_notice_post(struct work *work, const struct request *request, struct reply *reply)
{
	const struct messenger *messenger = messenger_of(work);
	const struct messenger_operator *from = messenger_operator(messenger, request->peer.name);
	struct simtie_notice notice;
	bool fresh;
	int result;

	if (request->type != BODY_NOTICE)
		return refuse(reply, 415, "UNSUPPORTED_MEDIA_TYPE", "invalid_request",
			      "send application/secevent+jwt");
	if (!from)
		return refuse(reply, 403, "PERMISSION_DENIED", "access_denied",
			      "there is no agreement with an operator of this name");
	result = simtie_notice_verify(from->signer, from->name, messenger->audience,
				      clock_wall_ms() / 1000, (const char *)request->body.ptr,
				      request->body.len, &notice);
	if (result != SIMTIE_SERVICE_OK)
		return refuse_error(reply, result);
	result = remember(work, &notice, &fresh);
	if (result == DB_OK && fresh)
		result = apply(work, &notice, reply);
	if (result == DB_OK)
		reply->status = 202;
	return result;
}
