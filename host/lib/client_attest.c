#include <string.h>

#include "client.h"
#include "token.h"

#define DATA_MAX 255 /* all objects together are far shorter */

static bool is_challenge(const struct simtie_challenge *challenge)
{
	const char *audience = challenge->audience;

	return audience && challenge->nonce &&
	       simtie_audience_valid(bytes_of((const uint8_t *)audience, strlen(audience))) &&
	       challenge->nonce_len >= LIMIT_NONCE_MIN && challenge->nonce_len <= LIMIT_NONCE_MAX &&
	       challenge->purpose <= PURPOSE_PROVISIONING;
}

/* The objects of the command; registration is what the card takes without being told. */
static bool put_challenge(struct writer *writer, const struct simtie_challenge *challenge,
			  const char *pin)
{
	uint8_t padded[LIMIT_PIN_SIZE];

	ber_put(writer, TAG_AUDIENCE,
		bytes_of((const uint8_t *)challenge->audience, strlen(challenge->audience)));
	ber_put(writer, TAG_NONCE, bytes_of(challenge->nonce, challenge->nonce_len));
	if (challenge->thumbprint)
		ber_put(writer, TAG_THUMBPRINT,
			bytes_of(challenge->thumbprint, LIMIT_THUMBPRINT_SIZE));
	if (challenge->purpose != 0 && challenge->purpose != PURPOSE_REGISTRATION)
		ber_put_u8(writer, TAG_PURPOSE, challenge->purpose);
	if (!pin)
		return true;
	if (!client_pad(pin, LIMIT_PIN_DIGITS_MIN, padded))
		return false;
	ber_put(writer, TAG_PIN, bytes_of(padded, sizeof padded));
	bytes_wipe(padded, sizeof padded);
	return true;
}

/* Whether the claims of a full token are those that were asked for. */
static bool answers(const struct simtie_claims *claims, const struct simtie_challenge *challenge)
{
	uint8_t purpose = challenge->purpose ? challenge->purpose : PURPOSE_REGISTRATION;

	if (strcmp(claims->audience, challenge->audience) != 0 || claims->purpose != purpose ||
	    !bytes_equal(bytes_of(claims->nonce, claims->nonce_len),
			 bytes_of(challenge->nonce, challenge->nonce_len)))
		return false;
	if (!challenge->thumbprint)
		return !claims->has_thumbprint;
	return claims->has_thumbprint &&
	       memcmp(claims->thumbprint, challenge->thumbprint, LIMIT_THUMBPRINT_SIZE) == 0;
}

/* Turns the card's answer into the token. Whether card and signature are genuine only the holder of
 * the card's record can tell; what is checked is that the answer fits the question. */
static bool make_token(struct bytes answer, const struct simtie_challenge *challenge, bool pin,
		       bool full, uint8_t token[static SIMTIE_TOKEN_MAX], size_t *token_len)
{
	struct simtie_claims claims;

	if (full) {
		if (simtie_token_parse(answer.ptr, answer.len, &claims) != SIMTIE_ACCEPTED ||
		    !answers(&claims, challenge))
			return false;
		memcpy(token, answer.ptr, answer.len);
		*token_len = answer.len;
	} else {
		if (answer.len != LIMIT_COMPACT_SIZE ||
		    !simtie_token_from_compact(challenge, answer.ptr, &claims) ||
		    !simtie_token_build(&claims, token, token_len))
			return false;
	}
	return !pin || claims.consent != CONSENT_NONE;
}

int simtie_attest(struct simtie_session *session, const struct simtie_challenge *challenge,
		  const char *pin, bool full, uint8_t token[SIMTIE_TOKEN_MAX], size_t *token_len,
		  unsigned *tries)
{
	uint8_t data[DATA_MAX], answer[SIMTIE_TOKEN_MAX];
	struct writer writer = {.out = data, .size = sizeof data};
	struct client_command command = {
		.cla = CLA_INTERNAL_AUTHENTICATE,
		.ins = INS_INTERNAL_AUTHENTICATE,
		.p1 = full ? ANSWER_FORM_FULL : ANSWER_FORM_COMPACT,
		.ne = APDU_NE_SHORT,
	};
	size_t len;
	int error = SIMTIE_ERR_ARGUMENT;

	*token_len = 0;
	if (!is_challenge(challenge) || !put_challenge(&writer, challenge, pin))
		goto out;
	command.data = bytes_of(data, writer.used);
	error = client_send(session, &command, answer, sizeof answer, &len);
	if (error == SIMTIE_ERR_CARD)
		client_tries(session, tries);
	if (!error &&
	    !make_token(bytes_of(answer, len), challenge, pin != NULL, full, token, token_len))
		error = SIMTIE_ERR_PROTOCOL;
	if (error)
		*token_len = 0;
out:
	bytes_wipe(data, sizeof data);
	return error;
}
