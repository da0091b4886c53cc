/*
 * What an operator is sent, step by step. The same row is sent the same, however often: a question
 * whose answer was lost is asked again under the same Idempotency-Key.
 */
#include "messenger_ask.h"

#include "base64url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_S 20 /* of a long poll */

static json_t *base64url_json(const uint8_t *bytes, size_t len)
{
	char text[BASE64URL_LEN(SIMTIE_TOKEN_MAX)];
	json_t *json = json_stringn(text, base64url_write(bytes_of(bytes, len), text));

	bytes_wipe(text, sizeof(text));
	return json;
}

static json_t *verification_body(const struct messenger_secret *secret)
{
	const bool known = secret->number[0] != '\0';

	return json_pack("{s:o, s:o, s:o}", known ? "phoneNumber" : "sealedNumber",
			 known ? json_string(secret->number)
			       : base64url_json(secret->sealed, secret->sealed_len),
			 "nonce", base64url_json(secret->nonce, secret->nonce_len), "attestation",
			 base64url_json(secret->token, secret->token_len));
}

/* A key that says nothing: the operator cannot tell the registration's id from it. */
static bool idempotency_key(const struct vault *vault, const struct vault_index *key,
			    char text[static 65])
{
	uint8_t bytes[16], mac[32];

	vault_put_int(bytes, key->hi);
	vault_put_int(bytes + 8, key->lo);
	if (!vault_mac(vault, "idempotency key", bytes_of(bytes, sizeof(bytes)), mac))
		return false;
	text[base64url_write(bytes_of(mac, 24), text)] = '\0';
	return true;
}

static bool dump(json_t *json, char **text)
{
	*text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	return *text != NULL;
}

bool messenger_question_make(const struct vault *vault, const struct messenger_operator *to,
			     const struct messenger_row *row, struct messenger_question *question)
{
	const char *path = "/v1/registrations/", *id = row->verification;
	char *url = question->url;

	memset(question, 0, sizeof(*question));
	switch (row->step) {
	case STEP_NONE:
	case STEP_ATTEST:
		return false;
	case STEP_ASK:
		question->method = "POST";
		snprintf(url, sizeof(question->url), "%s/v1/verifications", to->url);
		return idempotency_key(vault, &row->key, question->idempotency) &&
		       dump(verification_body(&row->secret), &question->body);
	case STEP_WAIT:
		question->method = "GET";
		snprintf(url, sizeof(question->url), "%s/v1/verifications/%s?wait=%d", to->url, id,
			 WAIT_S);
		return true;
	case STEP_REPORT:
		question->method = "PUT";
		snprintf(url, sizeof(question->url), "%s%s%s", to->url, path, id);
		return dump(json_pack("{s:s}", "identificationCode", row->secret.code),
			    &question->body);
	case STEP_WITHDRAW:
		break;
	}
	question->method = "DELETE";
	snprintf(url, sizeof(question->url), "%s%s%s", to->url, path, id);
	return true;
}

void messenger_question_free(struct messenger_question *question)
{
	if (question->body)
		bytes_wipe(question->body, strlen(question->body));
	free(question->body);
	memset(question, 0, sizeof(*question));
}
