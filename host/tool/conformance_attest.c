/*
 * Whether a card's attestations verify: compact and full, with both crypto libraries.
 */
#include "conformance.h"

#include <stdio.h>
#include <sys/random.h>

#define AUDIENCE   "conformance.example"
#define NONCE_SIZE 32

struct attestation {
	struct conformance *conf;
	const char *form; /* "compact" */
	uint8_t nonce[NONCE_SIZE];
	uint8_t token[SIMTIE_TOKEN_MAX];
	size_t len;
	uint32_t counter; /* of the one before, then of this one */
	char *text;
};

/* What both libraries must say of the token: yes, and no to another nonce. */
static bool check(struct attestation *made, const struct simtie_crypto *crypto, const char *name)
{
	const struct simtie_verify_key key = {.card = &made->conf->key};
	struct simtie_policy policy = {
		.audience = AUDIENCE,
		.nonce = made->nonce,
		.nonce_len = sizeof made->nonce,
		.allow_virtual = true,
		.min_counter = made->counter + 1,
	};
	uint32_t counter;
	enum simtie_refusal refusal =
		simtie_token_verify(crypto, &key, &policy, made->token, made->len, NULL, &counter);

	if (refusal != SIMTIE_ACCEPTED) {
		snprintf(made->text, CONFORMANCE_TEXT_MAX, "the %s form, with %s: %s%s", made->form,
			 name, simtie_refusal_text(refusal),
			 refusal == SIMTIE_BAD_SIGNATURE && made->conf->record_path
				 ? "; is the record this card's?"
				 : "");
		return false;
	}
	made->nonce[0] ^= 1;
	refusal = simtie_token_verify(crypto, &key, &policy, made->token, made->len, NULL, NULL);
	made->nonce[0] ^= 1;
	if (refusal != SIMTIE_WRONG_NONCE) {
		snprintf(made->text, CONFORMANCE_TEXT_MAX,
			 "the %s form, with %s: another nonce is not refused", made->form, name);
		return false;
	}
	return true;
}

static bool attest(struct attestation *made, bool full)
{
	const struct simtie_challenge challenge = {
		.audience = AUDIENCE,
		.nonce = made->nonce,
		.nonce_len = sizeof made->nonce,
	};
	int error;

	made->form = full ? "full" : "compact";
	if (getrandom(made->nonce, sizeof made->nonce, 0) != sizeof made->nonce)
		error = SIMTIE_ERR_FILE;
	else
		error = simtie_attest(made->conf->session, &challenge, made->conf->pin, full,
				      made->token, &made->len, NULL);
	if (error == SIMTIE_ERR_CARD)
		snprintf(made->text, CONFORMANCE_TEXT_MAX, "the card refused: %s",
			 simtie_sw_text(simtie_status_word(made->conf->session)));
	else if (error)
		snprintf(made->text, CONFORMANCE_TEXT_MAX, "%s", simtie_strerror(error));
	return error == 0 && check(made, simtie_crypto_mbedtls(), "mbedTLS") &&
	       check(made, simtie_crypto_openssl(), "OpenSSL");
}

enum conformance_outcome conformance_attest(struct conformance *conf, char *text)
{
	struct attestation made = {.conf = conf, .text = text};
	uint32_t before;

	if (simtie_get_counter(conf->session, &before)) {
		snprintf(text, CONFORMANCE_TEXT_MAX, "the counter cannot be read");
		return CONFORMANCE_FAILED;
	}
	made.counter = before;
	if (!attest(&made, false))
		return CONFORMANCE_FAILED;
	made.counter = before + 1;
	return attest(&made, true) ? CONFORMANCE_PASSED : CONFORMANCE_FAILED;
}
