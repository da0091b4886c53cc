/*
 * What an operator's answer makes of a registration.
 *
 *   step      answer                     becomes
 *   ASK, WAIT VERIFIED, and it holds     REPORT, with an identification code
 *             VERIFIED, and it does not  REFUSED, CREDENTIAL_REFUSED
 *             NOT_VERIFIED               REFUSED, with its reason
 *             EXPIRED                    EXPIRED
 *             PENDING                    WAIT
 *   REPORT    2xx                        REGISTERED
 *   WITHDRAW  2xx, 404                   nothing more to do
 *   any       refused for good (4xx)     REFUSED, or nothing more to withdraw
 *   any       none, 5xx, come later      again after a pause
 */
#include "messenger_ask.h"

#include "base64url.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Milliseconds. */
#define PAUSE_FIRST 500
#define PAUSE_MAX   30000
/* An operator that answers a long poll at once is not asked in a circle. */
#define PAUSE_PENDING 500

/* The pause after so many tries: doubled each time, then between half and one and a half of it. */
static int64_t pause_after(unsigned attempts)
{
	int64_t pause = PAUSE_FIRST;
	uint32_t random = 0;

	while (--attempts > 0 && pause < PAUSE_MAX)
		pause *= 2;
	if (pause > PAUSE_MAX)
		pause = PAUSE_MAX;
	/* A source that fails costs jitter, nothing more. */
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = 0;
	return pause / 2 + random % pause;
}

static bool again(struct messenger_row *row)
{
	row->attempts++;
	row->due_at = clock_wall_ms() + pause_after(row->attempts);
	return false;
}

/* A yes is believed when its certificate is this operator's, is for us, and its key signed this
 * attestation to this challenge. */
static bool holds(const struct messenger *messenger, const struct messenger_operator *to,
		  struct messenger_row *row, struct bytes credential)
{
	const struct messenger_secret *secret = &row->secret;
	const struct simtie_policy policy = {
		.audience = messenger->audience,
		.nonce = secret->nonce,
		.nonce_len = secret->nonce_len,
		.thumbprint = secret->thumbprint_len ? secret->thumbprint : NULL,
		.allow_virtual = messenger->allow_virtual,
	};
	struct simtie_credential opened;
	struct vault_index sim = {0, 0};
	enum simtie_refusal refusal;

	row->has_sim =
		simtie_credential_accept(
			to->issuer, &policy, clock_wall_ms() / 1000, credential.ptr, credential.len,
			secret->token, secret->token_len, &opened, &refusal) == SIMTIE_SERVICE_OK &&
		vault_index(messenger->service->vault, "service key",
			    bytes_of(opened.service_public, sizeof(opened.service_public)), &sim);
	memcpy(row->sim, &sim, sizeof(row->sim));
	memcpy(row->status_uri, opened.status_uri, sizeof(row->status_uri));
	row->status_index = opened.status_index;
	return row->has_sim;
}

static bool draw_code(char code[static MESSENGER_CODE_SIZE])
{
	uint8_t random[16];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return false;
	code[base64url_write(bytes_of(random, sizeof(random)), code)] = '\0';
	return true;
}

static bool verified(const struct messenger *messenger, const struct messenger_operator *to,
		     struct messenger_row *row, const json_t *body)
{
	struct messenger_secret *secret = &row->secret;
	const json_t *text = json_object_get(body, "credential");
	uint8_t credential[SIMTIE_CREDENTIAL_MAX];
	char code[MESSENGER_CODE_SIZE];
	size_t len = 0;

	if (!json_is_string(text) ||
	    !base64url_read(json_string_value(text), json_string_length(text), credential,
			    sizeof(credential), &len) ||
	    !holds(messenger, to, row, bytes_of(credential, len))) {
		fprintf(stderr,
			"simtied: operator %s said yes with a credential that does not fit: is its "
			"issuer_certificate the present one?\n",
			to->name);
		messenger_row_settle(row, MESSENGER_REFUSED, MESSENGER_REASON_CREDENTIAL_REFUSED);
		return true;
	}
	if (!draw_code(code))
		return again(row);
	messenger_row_forget(row);
	memcpy(secret->credential, credential, len);
	secret->credential_len = len;
	memcpy(secret->code, code, sizeof(code));
	row->step = STEP_REPORT;
	row->attempts = 0;
	row->due_at = clock_wall_ms();
	return true;
}

/* The id under which the operator keeps the verification; it becomes part of a path. */
static bool take_id(struct messenger_row *row, const json_t *body)
{
	const char *id = json_string_value(json_object_get(body, "verificationId"));
	const size_t len = id ? strlen(id) : 0;

	if (len == 0 || len > SIMTIE_NOTICE_ID_MAX ||
	    strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != len ||
	    (row->verification[0] && strcmp(row->verification, id) != 0))
		return false;
	memcpy(row->verification, id, len + 1);
	return true;
}

static bool pending(struct messenger_row *row)
{
	row->step = STEP_WAIT;
	row->attempts = 0;
	row->due_at = clock_wall_ms() + PAUSE_PENDING;
	return true;
}

/* To a question, or to its long poll. */
static bool decided(const struct messenger *messenger, const struct messenger_operator *to,
		    struct messenger_row *row, const json_t *body)
{
	const char *status = json_string_value(json_object_get(body, "status"));

	if (!status || !take_id(row, body))
		return again(row);
	if (strcmp(status, "VERIFIED") == 0)
		return verified(messenger, to, row, body);
	if (strcmp(status, "PENDING") == 0)
		return pending(row);
	if (strcmp(status, "EXPIRED") == 0)
		messenger_row_settle(row, MESSENGER_EXPIRED, MESSENGER_REASON_NO_ANSWER);
	else if (strcmp(status, "NOT_VERIFIED") == 0)
		messenger_row_settle(
			row, MESSENGER_REFUSED,
			messenger_reason_read(json_string_value(json_object_get(body, "reason"))));
	else
		return again(row);
	return true;
}

/* What no second try will change. 401, 403 and 404 are between the two services: certificates,
 * addresses; somebody will mend them. */
static bool is_final(int status)
{
	switch (status) {
	case 400:
	case 409:
	case 413:
	case 415:
	case 422:
		return true;
	}
	return false;
}

bool messenger_answer(const struct messenger *messenger, const struct messenger_operator *to,
		      struct messenger_row *row, int status, struct bytes body)
{
	const bool good = status >= 200 && status < 300;
	json_t *json;
	bool done;

	if (row->step == STEP_WITHDRAW) {
		if (!good && status != 404 && !is_final(status))
			return again(row);
		messenger_row_settle(row, row->state, row->reason);
		return true;
	}
	if (is_final(status)) {
		messenger_row_settle(row, MESSENGER_REFUSED,
				     row->step == STEP_REPORT ? MESSENGER_REASON_CHANGED
							      : MESSENGER_REASON_REQUEST_REFUSED);
		return true;
	}
	if (!good)
		return again(row);
	if (row->step == STEP_REPORT) {
		messenger_row_settle(row, MESSENGER_REGISTERED, MESSENGER_REASON_NONE);
		return true;
	}
	json = json_loadb((const char *)body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
	done = decided(messenger, to, row, json);
	json_decref(json);
	return done;
}
