/*
 * POST /v1/verifications, and GET of one.
 *
 * What is asked is answered at once when it can be: decided, written and committed before the reply
 * leaves. When the job has waited too long, or the subscriber's row stays locked, the request alone
 * is written, and the backlog decides it later. Either way nothing is acknowledged that is not in
 * the store.
 *
 * An Idempotency-Key counts for one messenger and one subscriber: it is there so that a request may
 * be sent again after a broken connection. The same key with another number is another request.
 */
#include "operator_verification.h"

#include "base64url.h"
#include "crypto.h"
#include "operator_guess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asked {
	json_t *root;
	const char *number; /* borrowed from it, or … */
	char unsealed[SIMTIE_NUMBER_SIZE];
	struct field_bytes sealed, nonce, token;
	struct vault_index subscriber;
	int64_t service;
};

/* ---- The answer ---- */

static const char *reason_code(enum verification_reason reason)
{
	static const char *const codes[] = {
#define REASON_CODE(name, text) #name,
		VERIFICATION_REASONS(REASON_CODE)
#undef REASON_CODE
	};

	return codes[reason];
}

static const char *reason_text(enum verification_reason reason)
{
	static const char *const texts[] = {
#define REASON_TEXT(name, text) text,
		VERIFICATION_REASONS(REASON_TEXT)
#undef REASON_TEXT
	};

	return texts[reason];
}

static const char *state_name(enum verification_state state)
{
	switch (state) {
	case VERIFICATION_PENDING:
		return "PENDING";
	case VERIFICATION_VERIFIED:
		return "VERIFIED";
	case VERIFICATION_NOT_VERIFIED:
		return "NOT_VERIFIED";
	case VERIFICATION_EXPIRED:
		break;
	}
	return "EXPIRED";
}

static json_t *answer_body(const struct row *row, const char *id)
{
	const struct decision *decision = &row->decision;
	char credential[BASE64URL_LEN(SIMTIE_CREDENTIAL_MAX)], deadline[CLOCK_TEXT_SIZE];
	json_t *body = json_pack("{s:s, s:s}", "verificationId", id, "status",
				 state_name(decision->state));
	int failed = 0;

	if (!body)
		return NULL;
	if (decision->state == VERIFICATION_PENDING) {
		clock_text(row->deadline_at, deadline);
		failed = json_object_set_new(body, "deadline", json_string(deadline));
	} else if (decision->state == VERIFICATION_VERIFIED) {
		const size_t len = base64url_write(
			bytes_of(decision->credential, decision->credential_len), credential);

		failed = json_object_set_new(body, "credential", json_stringn(credential, len));
	} else {
		const bool refused = decision->reason == REASON_TOKEN_REFUSED;

		failed = json_object_set_new(body, "reason",
					     json_string(reason_code(decision->reason)));
		if (refused)
			failed |= json_object_set_new(
				body, "refusal",
				json_string(simtie_refusal_code(decision->refusal)));
		failed |= json_object_set_new(
			body, "message",
			json_string(refused ? simtie_refusal_text(decision->refusal)
					    : reason_text(decision->reason)));
	}
	if (failed) {
		json_decref(body);
		return NULL;
	}
	return body;
}

static int answer(struct work *work, const struct row *row, struct reply *reply)
{
	char id[VAULT_ID_TEXT_SIZE];

	vault_id_text(row->id, id);
	reply_json(reply, row->decision.state == VERIFICATION_PENDING ? 202 : 200,
		   answer_body(row, id));
	if (row->decision.state == VERIFICATION_PENDING)
		snprintf(reply->location, sizeof(reply->location), "/v1/verifications/%s", id);
	if (row->decision.state == VERIFICATION_NOT_VERIFIED)
		reply->not_before_ms = (unsigned)operator_of(work)->refusal_ms;
	return DB_OK;
}

const char *operator_verification_outcome(const struct decision *decision)
{
	if (decision->cloned)
		return "outcome=\"cloned\"";
	switch (decision->state) {
	case VERIFICATION_PENDING:
		return "outcome=\"pending\"";
	case VERIFICATION_VERIFIED:
		return "outcome=\"verified\"";
	case VERIFICATION_EXPIRED:
		return "outcome=\"expired\"";
	case VERIFICATION_NOT_VERIFIED:
		break;
	}
	switch (decision->reason) {
	case REASON_TOKEN_USED:
		return "outcome=\"token_used\"";
	case REASON_OLD_COUNTER:
		return "outcome=\"old_counter\"";
	case REASON_TOKEN_REFUSED:
		return "outcome=\"token_refused\"";
	case REASON_NONE:
	case REASON_NOT_CONFIRMED:
	case REASON_DEADLINE:
		break;
	}
	return "outcome=\"not_confirmed\"";
}

/* ---- POST ---- */

/* Opens the sealed number. False: `reply` says why not, or *result is an error. */
static bool unseal(struct work *work, const struct request *request, struct asked *asked,
		   struct reply *reply, int *result)
{
	const int error = simtie_number_unseal(
		operator_of(work)->sealing, request->peer.name, asked->nonce.bytes,
		asked->nonce.len, asked->sealed.bytes, asked->sealed.len, asked->unsealed);

	asked->number = asked->unsealed;
	if (error == 0)
		return true;
	*result = error == SIMTIE_SERVICE_ERR_LIBRARY
			  ? DB_ERR_MEMORY
			  : reply_error(reply, 400, "INVALID_ARGUMENT",
					"sealedNumber does not open: seal the number to this "
					"operator's present key, for this audience and nonce");
	return false;
}

/* Reads the body. False: `reply` says what is wrong with it, or *result is an error. */
static bool read_body(struct work *work, const struct request *request, struct asked *asked,
		      struct reply *reply, int *result)
{
	const struct field fields[] = {
		{.name = "phoneNumber", .kind = FIELD_PHONE, .target = &asked->number},
		{"sealedNumber", FIELD_BASE64, &asked->sealed, false, 1, SIMTIE_SEALED_NUMBER_MAX},
		{"nonce", FIELD_BASE64, &asked->nonce, true, SIMTIE_NONCE_MIN, SIMTIE_NONCE_MAX},
		{"attestation", FIELD_BASE64, &asked->token, true, 1, FIELD_BYTES_MAX},
	};

	asked->root = NULL;
	asked->number = NULL;
	asked->sealed.len = asked->nonce.len = asked->token.len = 0;
	*result = DB_OK;
	if (!request_fields(request, fields, sizeof(fields) / sizeof(fields[0]), &asked->root,
			    reply))
		return false;
	if (asked->number && asked->sealed.len) {
		reply_error(reply, 422, "UNNECESSARY_IDENTIFIER",
			    "phoneNumber and sealedNumber are both there: send one of them");
		return false;
	}
	if (!asked->number && !asked->sealed.len) {
		reply_error(reply, 422, "MISSING_IDENTIFIER",
			    "phoneNumber or sealedNumber is missing");
		return false;
	}
	return asked->number || unseal(work, request, asked, reply, result);
}

/* What stands for a challenge: a token that holds has its audience and nonce, whoever signed it. */
static bool challenge_index(const struct vault *vault, const struct request *request,
			    const struct asked *asked, struct vault_index *challenge)
{
	uint8_t of[SIMTIE_AUDIENCE_MAX + 1 + SIMTIE_NONCE_MAX];
	const size_t len = strlen(request->peer.name) + 1;

	memcpy(of, request->peer.name, len);
	memcpy(of + len, asked->nonce.bytes, asked->nonce.len);
	return vault_index(vault, "challenge", bytes_of(of, len + asked->nonce.len), challenge);
}

/* Reads it, and finds whose it is, unless the challenge has been tried too often; as read_body().
 * The caller's to asked_free() in any case. */
static bool asked_read(struct work *work, const struct request *request, struct asked *asked,
		       struct reply *reply, int *result)
{
	const struct vault *vault = work->service->vault;
	struct vault_index challenge;

	if (!read_body(work, request, asked, reply, result))
		return false;
	if (!subscriber_index(vault, asked->number, &asked->subscriber) ||
	    !subscriber_service(vault, &asked->subscriber, request->peer.name, &asked->service) ||
	    !challenge_index(vault, request, asked, &challenge)) {
		*result = DB_ERR_MEMORY;
		return false;
	}
	if (operator_guess_allowed(operator_of(work)->guess, &challenge, &asked->subscriber))
		return true;
	reply_error(
		reply, 429, "TOO_MANY_REQUESTS",
		"this challenge was tried with %d other numbers: send a fresh one to the client",
		OPERATOR_GUESS_MAX);
	return false;
}

static void asked_free(struct asked *asked)
{
	json_decref(asked->root);
	bytes_wipe(asked->unsealed, sizeof(asked->unsealed));
}

/* `asked` outlives it. */
static struct decide_request decide_request_of(const struct request *request,
					       const struct asked *asked)
{
	return (struct decide_request){
		.audience = request->peer.name,
		.number = asked->number,
		.nonce = bytes_of(asked->nonce.bytes, asked->nonce.len),
		.token = bytes_of(asked->token.bytes, asked->token.len),
	};
}

/* What tells one request from another under one Idempotency-Key. The number is part of the row's
 * place already. */
static bool fingerprint(const struct asked *asked, uint8_t out[static ROW_FINGERPRINT_SIZE])
{
	uint8_t of[3 + SIMTIE_SEALED_NUMBER_MAX + SIMTIE_NONCE_MAX + FIELD_BYTES_MAX];
	uint8_t *at = of;

	*at++ = (uint8_t)asked->nonce.len;
	memcpy(at, asked->nonce.bytes, asked->nonce.len);
	at += asked->nonce.len;
	put_be16(at, (uint16_t)asked->sealed.len);
	memcpy(at + 2, asked->sealed.bytes, asked->sealed.len);
	at += 2 + asked->sealed.len;
	memcpy(at, asked->token.bytes, asked->token.len);
	at += asked->token.len;
	return simtie_crypto_openssl()->sha256(bytes_of(of, (size_t)(at - of)), out);
}

/* Whether the client's key was here before. *answered: `reply` has the answer. */
static int idempotent(struct work *work, const struct request *request, const struct asked *asked,
		      struct row *row, struct reply *reply, bool *answered)
{
	struct row earlier;
	struct vault_index key;
	bool found;
	int result;

	*answered = false;
	if (!request->idempotency[0])
		return DB_OK;
	if (!vault_index(
		    work->service->vault, "idempotency",
		    bytes_of((const uint8_t *)request->idempotency, strlen(request->idempotency)),
		    &key) ||
	    !fingerprint(asked, row->fingerprint))
		return DB_ERR_MEMORY;
	row->has_idempotency = true;
	memcpy(row->idempotency, &key, sizeof(row->idempotency));
	result = operator_row_find_again(work, &row->subscriber, row->service, row->idempotency,
					 &earlier, &found);
	*answered = result == DB_OK && found;
	if (*answered && memcmp(earlier.fingerprint, row->fingerprint, sizeof(row->fingerprint)))
		reply_error(reply, 409, "CONFLICT",
			    "this Idempotency-Key was sent with another request: use a new one");
	else if (*answered)
		answer(work, &earlier, reply);
	bytes_wipe(&earlier, sizeof(earlier));
	return result;
}

/* Makes the request itself what is written. */
static void keep_request(const struct decide_request *asked, struct row *row)
{
	struct row_request *request = &row->request;

	memset(&row->decision, 0, sizeof(row->decision));
	row->decision.state = VERIFICATION_PENDING;
	memcpy(request->audience, asked->audience, strlen(asked->audience) + 1);
	memcpy(request->number, asked->number, strlen(asked->number) + 1);
	memcpy(request->nonce, asked->nonce.ptr, asked->nonce.len);
	request->nonce_len = asked->nonce.len;
	memcpy(request->token, asked->token.ptr, asked->token.len);
	request->token_len = asked->token.len;
}

static bool is_late(const struct work *work)
{
	return work->waited_ms >= operator_of(work)->answer_within_ms;
}

/* Decides, or puts off. On the last try the row has been locked all the time, and a statement that
 * failed has spoilt the transaction: what is written then is the request, and nothing before it. */
static int decide(struct work *work, const struct decide_request *asked,
		  const struct decide_ahead *ahead, struct row *row)
{
	const bool late = work->tries_left == 0 || is_late(work);

	if (!late || operator_decide_token(operator_of(work), asked) != SIMTIE_ACCEPTED)
		return operator_decide(work, asked, ahead, &row->decision);
	keep_request(asked, row);
	return DB_OK;
}

static int verify(struct work *work, const struct request *request, const struct asked *asked,
		  const struct decide_ahead *ahead, struct row *row, struct reply *reply)
{
	const struct decide_request decide_this = decide_request_of(request, asked);
	bool answered;
	int result = operator_row_new(work, &asked->subscriber, asked->service, row);

	if (result == DB_OK)
		result = idempotent(work, request, asked, row, reply, &answered);
	if (result != DB_OK || answered)
		return result;
	result = decide(work, &decide_this, ahead, row);
	if (result == DB_OK)
		result = operator_row_write(work, row);
	if (result != DB_OK)
		return result;
	answer(work, row, reply);
	reply->count = "verifications";
	reply->count_labels = operator_verification_outcome(&row->decision);
	if (row->decision.cloned)
		reply->wake[0] = "outbox";
	return DB_OK;
}

/* What is ready before the transaction. */
struct post_prepared {
	struct prepared head;
	struct asked asked;
	bool decided;
	struct decide_ahead ahead;
};

static void post_prepared_free(struct prepared *head)
{
	struct post_prepared *prepared = (struct post_prepared *)head;

	asked_free(&prepared->asked);
	bytes_wipe(&prepared->ahead, sizeof(prepared->ahead));
	free(prepared);
}

struct prepared *operator_verification_prepare(struct work *work, const struct request *request)
{
	struct post_prepared *prepared = malloc(sizeof(*prepared));
	struct decide_request decide_this;
	struct reply reply = {.status = 0};
	int result;

	if (!prepared)
		return NULL;
	prepared->head.free = post_prepared_free;
	prepared->decided = false;
	if (!asked_read(work, request, &prepared->asked, &reply, &result)) {
		reply_clear(&reply);
		post_prepared_free(&prepared->head);
		return NULL;
	}
	decide_this = decide_request_of(request, &prepared->asked);
	if (!is_late(work) &&
	    operator_decide_token(operator_of(work), &decide_this) == SIMTIE_ACCEPTED)
		prepared->decided = operator_decide_ahead(work, &decide_this, &prepared->ahead);
	return &prepared->head;
}

int operator_verification_post(struct work *work, const struct request *request,
			       struct reply *reply)
{
	const struct post_prepared *prepared = (struct post_prepared *)work->prepared;
	struct asked own;
	struct row row;
	int result;

	row.request.token_len = 0;
	if (prepared) {
		result = verify(work, request, &prepared->asked,
				prepared->decided ? &prepared->ahead : NULL, &row, reply);
	} else {
		if (asked_read(work, request, &own, reply, &result))
			result = verify(work, request, &own, NULL, &row, reply);
		asked_free(&own);
	}
	bytes_wipe(&row.request, sizeof(row.request));
	return result;
}

/* ---- GET ---- */

int operator_verification_find(struct work *work, const struct request *request, struct row *row,
			       struct reply *reply, bool *found)
{
	uint8_t id[VAULT_ID_SIZE];
	int64_t service;
	int result = DB_OK;

	*found = false;
	if (vault_id_read(request->segment[0], id))
		result = operator_row_find(work, id, row, found);
	if (result != DB_OK)
		return result;
	if (*found && !subscriber_service(work->service->vault, &row->subscriber,
					  request->peer.name, &service))
		return DB_ERR_MEMORY;
	if (*found && row->service == service)
		return DB_OK;
	/* Another's is as unknown as none. */
	*found = false;
	return reply_error(reply, 404, "NOT_FOUND", "There is no such verification.");
}

int operator_verification_get(struct work *work, const struct request *request, struct reply *reply)
{
	struct row row;
	bool found, changed = false;
	int result = operator_verification_find(work, request, &row, reply, &found);

	if (result != DB_OK || !found)
		return result;
	if (row.decision.state == VERIFICATION_PENDING && operator_row_late(&row)) {
		operator_row_expire(&row);
		result = operator_row_decide(work, &row, &changed);
		if (result == DB_OK && !changed) /* the backlog was quicker: read it once more */
			result = DB_ERR_BUSY;
	}
	if (result == DB_OK)
		answer(work, &row, reply);
	if (result == DB_OK && changed) {
		reply->count = "verifications";
		reply->count_labels = operator_verification_outcome(&row.decision);
	}
	reply->hold = result == DB_OK && row.decision.state == VERIFICATION_PENDING &&
		      request->wait_ms > 0;
	bytes_wipe(&row.request, sizeof(row.request));
	return result;
}
