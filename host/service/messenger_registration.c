/*
 * POST /v1/registrations: a challenge for a number, or for a number that only its operator shall
 * read; and GET of one.
 *
 * The registration's id is 128 random bits, given to the client once and not kept: whoever has it
 * is the client.
 */
#include "messenger_registration.h"

#include "base64url.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* ---- POST ---- */

struct asked {
	const char *number, *operator_name; /* either, or both */
	struct field_bytes thumbprint;
};

static int not_covered(struct reply *reply)
{
	return reply_error(reply, 422, "OPERATOR_NOT_COVERED",
			   "there is no agreement with the operator of this number, so that its "
			   "SIM cannot be verified here");
}

/* Anybody may ask for a challenge; what nobody answers must not fill the store. */
static int too_many(struct reply *reply)
{
	reply->retry_after_s = 5;
	return reply_error(reply, 503, "UNAVAILABLE",
			   "too many challenges wait for an answer: try again later");
}

/* A number that was ported has another operator than its prefix says: who knows it names it. */
static const struct messenger_operator *operator_for(const struct messenger *messenger,
						     const struct asked *asked)
{
	return asked->operator_name ? messenger_operator(messenger, asked->operator_name)
				    : messenger_route(messenger, asked->number);
}

static int answer_challenge(const struct messenger *messenger, const char *id,
			    const struct messenger_row *row, struct reply *reply)
{
	char nonce[BASE64URL_LEN(MESSENGER_NONCE_SIZE) + 1], expires[CLOCK_TEXT_SIZE];

	nonce[base64url_write(bytes_of(row->secret.nonce, row->secret.nonce_len), nonce)] = '\0';
	clock_text(row->from.wall_ms + messenger->challenge_s * 1000, expires);
	reply_json(reply, 201,
		   json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "registrationId", id,
			     "audience", messenger->audience, "nonce", nonce, "purpose",
			     "registration", "operator", row->to, "expiresAt", expires, "sealing",
			     row->secret.number[0] == '\0'));
	snprintf(reply->location, sizeof(reply->location), "/v1/registrations/%s", id);
	reply->count = "registrations";
	reply->count_labels = "state=\"begun\"";
	return DB_OK;
}

static int begin(struct work *work, const struct asked *asked, const char *to, struct reply *reply)
{
	struct messenger *messenger = messenger_of(work);
	struct messenger_row row = {.state = MESSENGER_PENDING, .step = STEP_ATTEST};
	struct messenger_secret *secret = &row.secret;
	uint8_t id[MESSENGER_ID_SIZE];
	char text[VAULT_ID_TEXT_SIZE];
	int result = DB_ERR_MEMORY;

	if (getrandom(id, sizeof(id), 0) != sizeof(id) ||
	    getrandom(secret->nonce, sizeof(secret->nonce), 0) != sizeof(secret->nonce))
		goto out;
	vault_id_text(id, text);
	if (!messenger_row_key(work->service->vault, text, &row.key))
		goto out;
	secret->nonce_len = sizeof(secret->nonce);
	snprintf(secret->number, sizeof(secret->number), "%s", asked->number ? asked->number : "");
	secret->thumbprint_len = asked->thumbprint.len;
	memcpy(secret->thumbprint, asked->thumbprint.bytes, asked->thumbprint.len);
	snprintf(row.to, sizeof(row.to), "%s", to);
	row.from = clock_now();
	row.changed_at = row.from.wall_ms;
	row.due_at = row.from.wall_ms + messenger->challenge_s * 1000;
	result = messenger_row_insert(work, &row);
	if (result == DB_OK)
		result = answer_challenge(messenger, text, &row, reply);
out:
	bytes_wipe(&row, sizeof(row));
	bytes_wipe(id, sizeof(id));
	bytes_wipe(text, sizeof(text));
	return result;
}

int messenger_registration_post(struct work *work, const struct request *request,
				struct reply *reply)
{
	struct asked asked = {.thumbprint.len = 0};
	const struct field fields[] = {
		{.name = "phoneNumber", .kind = FIELD_PHONE, .target = &asked.number},
		{"operator", FIELD_TEXT, &asked.operator_name, false, 1, SIMTIE_AUDIENCE_MAX},
		{"clientKey", FIELD_BASE64, &asked.thumbprint, false, SIMTIE_THUMBPRINT_SIZE,
		 SIMTIE_THUMBPRINT_SIZE},
	};
	const struct messenger_operator *to;
	json_t *root = NULL;
	int result = DB_OK;

	if (!request_fields(request, fields, sizeof(fields) / sizeof(fields[0]), &root, reply))
		return DB_OK;
	if (!asked.number && !asked.operator_name) {
		reply_error(reply, 422, "MISSING_IDENTIFIER",
			    "send phoneNumber; or operator, and the number sealed to it with the "
			    "attestation");
	} else {
		to = operator_for(messenger_of(work), &asked);
		if (to && !messenger_challenge_may(messenger_of(work)))
			result = too_many(reply);
		else
			result = to ? begin(work, &asked, to->name, reply) : not_covered(reply);
		if (!to) {
			reply->count = "registrations";
			reply->count_labels = "state=\"not_covered\"";
		}
	}
	json_decref(root);
	return result;
}

/* ---- GET ---- */

int messenger_registration_find(struct work *work, const struct request *request,
				struct messenger_row *row, struct reply *reply, bool *found)
{
	struct messenger_at before;
	struct vault_index key;
	bool changed = true;
	int result = DB_OK;

	*found = false;
	if (messenger_row_key(work->service->vault, request->segment[0], &key))
		result = messenger_row_find(work, &key, row, found);
	if (result == DB_OK && !*found)
		reply_error(reply, 404, "NOT_FOUND", "There is no such registration.");
	if (result != DB_OK || !*found || row->state != MESSENGER_PENDING ||
	    messenger_row_left(messenger_of(work), row) > 0)
		return result;
	before = messenger_row_at(row);
	messenger_row_expire(row);
	result = messenger_row_update(work, row, before, &changed);
	return result == DB_OK && !changed ? DB_ERR_BUSY : result; /* another was quicker */
}

int messenger_registration_answer(const struct request *request, const struct messenger_row *row,
				  unsigned status, struct reply *reply)
{
	char since[CLOCK_TEXT_SIZE];
	const bool reason = row->reason != MESSENGER_REASON_NONE;

	clock_text(row->changed_at, since);
	return reply_json(reply, status,
			  json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "registrationId",
				    request->segment[0], "state", messenger_state_name(row->state),
				    "since", since, "reason",
				    reason ? messenger_reason_code(row->reason) : NULL, "message",
				    reason ? messenger_reason_text(row->reason) : NULL));
}

int messenger_registration_get(struct work *work, const struct request *request,
			       struct reply *reply)
{
	struct messenger_row row;
	bool found;
	int result = messenger_registration_find(work, request, &row, reply, &found);

	if (result != DB_OK || !found)
		return result;
	result = messenger_registration_answer(request, &row, 200, reply);
	reply->hold = row.state == MESSENGER_PENDING && request->wait_ms > 0;
	bytes_wipe(&row, sizeof(row));
	return result;
}
