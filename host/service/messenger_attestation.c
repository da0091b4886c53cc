/*
 * POST /v1/registrations/{id}/attestation: what the SIM signed, and the sealed number where the
 * messenger was not told it. Both are bound to the challenge, so that they cannot come earlier.
 *
 * What is not for this challenge is refused at once and uses nothing up. What is taken uses the
 * nonce up: the same again is answered with the state, anything else is a conflict.
 */
#include "messenger_registration.h"

#include "token.h"

#include <string.h>

static bool digest_of(const struct vault *vault, struct bytes token, struct bytes sealed,
		      uint8_t digest[static MESSENGER_DIGEST_SIZE])
{
	uint8_t both[2 + SIMTIE_TOKEN_MAX + SIMTIE_SEALED_NUMBER_MAX];

	put_be16(both, (uint16_t)token.len);
	memcpy(both + 2, token.ptr, token.len);
	if (sealed.len > 0)
		memcpy(both + 2 + token.len, sealed.ptr, sealed.len);
	return vault_mac(vault, "attestation", bytes_of(both, 2 + token.len + sealed.len), digest);
}

/* Whether it answers this challenge, as far as one can tell without the SIM's key. */
static bool fits(const struct messenger *messenger, const struct messenger_row *row,
		 struct bytes token, struct reply *reply)
{
	const struct messenger_secret *secret = &row->secret;
	const struct simtie_policy policy = {
		.audience = messenger->audience,
		.nonce = secret->nonce,
		.nonce_len = secret->nonce_len,
		.thumbprint = secret->thumbprint_len ? secret->thumbprint : NULL,
		.allow_virtual = messenger->allow_virtual,
	};
	struct simtie_claims claims;
	const enum simtie_refusal refusal = simtie_token_check(&policy, token, &claims);

	if (refusal == SIMTIE_ACCEPTED)
		return true;
	reply_error(reply, 400, "INVALID_ARGUMENT", "attestation: %s (%s)",
		    simtie_refusal_text(refusal), simtie_refusal_code(refusal));
	return false;
}

/* Whether the sealed number is there exactly when it must be. */
static bool number_fits(const struct messenger_row *row, struct bytes sealed, struct reply *reply)
{
	const bool known = row->secret.number[0] != '\0';

	if (known && sealed.len)
		reply_error(reply, 422, "UNNECESSARY_IDENTIFIER",
			    "phoneNumber came with the registration: leave sealedNumber out");
	else if (!known && !sealed.len)
		reply_error(reply, 422, "MISSING_IDENTIFIER",
			    "sealedNumber is missing: the registration has no phoneNumber");
	return known == (sealed.len == 0);
}

static int keep(struct work *work, const struct request *request, struct messenger_row *row,
		struct bytes token, struct bytes sealed, struct reply *reply)
{
	const struct messenger_at before = messenger_row_at(row);
	bool changed;
	int result;

	memcpy(row->secret.token, token.ptr, token.len);
	row->secret.token_len = token.len;
	if (sealed.len > 0)
		memcpy(row->secret.sealed, sealed.ptr, sealed.len);
	row->secret.sealed_len = sealed.len;
	row->has_digest = true;
	row->step = STEP_ASK;
	row->from = clock_now();
	row->due_at = row->from.wall_ms;
	result = messenger_row_update(work, row, before, &changed);
	if (result == DB_OK && !changed) /* another attestation was quicker: look at it */
		result = DB_ERR_BUSY;
	if (result == DB_OK)
		result = messenger_registration_answer(request, row, 202, reply);
	if (result == DB_OK)
		reply->wake[0] = "ask";
	return result;
}

static int attest(struct work *work, const struct request *request, struct bytes token,
		  struct bytes sealed, struct reply *reply)
{
	struct messenger_row row;
	uint8_t digest[MESSENGER_DIGEST_SIZE];
	bool found;
	int result = messenger_registration_find(work, request, &row, reply, &found);

	if (result != DB_OK || !found)
		return result;
	if (!digest_of(work->service->vault, token, sealed, digest)) {
		result = DB_ERR_MEMORY;
	} else if (row.has_digest) {
		if (bytes_equal_secret(row.digest, digest, sizeof(digest)))
			messenger_registration_answer(request, &row, 202, reply);
		else
			reply_error(reply, 409, "CONFLICT",
				    "this challenge was answered already: take a fresh one");
	} else if (row.step != STEP_ATTEST) {
		reply_error(reply, 409, "CONFLICT", "this challenge has expired: take a fresh one");
	} else if (number_fits(&row, sealed, reply) &&
		   fits(messenger_of(work), &row, token, reply)) {
		memcpy(row.digest, digest, sizeof(row.digest));
		result = keep(work, request, &row, token, sealed, reply);
	}
	bytes_wipe(&row, sizeof(row));
	return result;
}

int messenger_attestation_post(struct work *work, const struct request *request,
			       struct reply *reply)
{
	struct field_bytes token = {.len = 0}, sealed = {.len = 0};
	const struct field fields[] = {
		{"attestation", FIELD_BASE64, &token, true, 1, SIMTIE_TOKEN_MAX},
		{"sealedNumber", FIELD_BASE64, &sealed, false, 1, SIMTIE_SEALED_NUMBER_MAX},
	};
	json_t *root = NULL;
	int result = DB_OK;

	if (request_fields(request, fields, sizeof(fields) / sizeof(fields[0]), &root, reply))
		result = attest(work, request, bytes_of(token.bytes, token.len),
				bytes_of(sealed.bytes, sealed.len), reply);
	json_decref(root);
	return result;
}
