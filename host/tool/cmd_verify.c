/*
 * simtie verify: whether a token is valid for a card, an audience and a challenge. Needs no card.
 */
#include "card.h"
#include "challenge.h"
#include "claims.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

enum library { LIBRARY_MBEDTLS, LIBRARY_OPENSSL };

struct verify {
	struct common_options common;
	struct challenge challenge;
	const char *record;
	bool allow_virtual;
	bool allow_no_consent;
	struct option_number min_counter;
	unsigned library;
};

static int print_json(enum simtie_refusal refusal, const struct simtie_claims *claims,
		      uint32_t counter)
{
	bool valid = refusal == SIMTIE_ACCEPTED;
	/* Up to the profile the claims could not be read, and without a signature that holds the
	 * counter means nothing. */
	bool read = valid || refusal > SIMTIE_WRONG_PROFILE;
	bool counted = valid || refusal == SIMTIE_OLD_COUNTER;

	return output_json(json_pack("{s:b,s:s?,s:s?,s:o,s:o}", "valid", valid, "refusal",
				     valid ? NULL : simtie_refusal_code(refusal), "reason",
				     valid ? NULL : simtie_refusal_text(refusal), "claims",
				     read ? claims_json(claims) : json_null(), "counter",
				     counted ? json_integer(counter) : json_null()));
}

static int print_text(enum simtie_refusal refusal, const struct simtie_claims *claims,
		      uint32_t counter)
{
	if (refusal != SIMTIE_ACCEPTED) {
		output_error("refused: %s (%s); %s", simtie_refusal_text(refusal),
			     simtie_refusal_code(refusal),
			     refusal == SIMTIE_DEBUGGABLE
				     ? "--allow-virtual accepts it, for tests"
				     : "do not register, send a fresh challenge");
		return TOOL_DONE;
	}
	puts("valid");
	claims_print(claims);
	output_line("counter", "%lu", (unsigned long)counter);
	return output_end(TOOL_DONE);
}

static enum simtie_refusal check(const struct verify *verify, const struct simtie_record *record,
				 const uint8_t *token, size_t len, struct simtie_claims *claims,
				 uint32_t *counter)
{
	const struct simtie_policy policy = {
		.audience = verify->challenge.audience,
		.nonce = verify->challenge.nonce.bytes,
		.nonce_len = verify->challenge.nonce.len,
		.thumbprint = verify->challenge.thumbprint.len ? verify->challenge.thumbprint.bytes
							       : NULL,
		.purpose = (uint8_t)verify->challenge.purpose.value,
		.allow_no_consent = verify->allow_no_consent,
		.allow_virtual = verify->allow_virtual,
		.min_counter = verify->min_counter.value,
	};
	const struct simtie_verify_key key = {.card = &record->key};
	const struct simtie_crypto *crypto = verify->library == LIBRARY_OPENSSL
						     ? simtie_crypto_openssl()
						     : simtie_crypto_mbedtls();

	return simtie_token_verify(crypto, &key, &policy, token, len, claims, counter);
}

static int run(const struct verify *verify, const char *path)
{
	struct simtie_record record;
	struct simtie_claims claims;
	uint8_t token[SIMTIE_TOKEN_MAX + 1];
	enum simtie_refusal refusal;
	uint32_t counter = 0;
	size_t len;
	int result, error;

	memset(&claims, 0, sizeof(claims));
	error = simtie_record_read(verify->record, &record);
	if (error)
		return card_failed(&verify->common, NULL, "cannot read the card's record", error);
	result = claims_read_token(path, token, &len);
	if (result == TOOL_DONE) {
		refusal = check(verify, &record, token, len, &claims, &counter);
		result = verify->common.json ? print_json(refusal, &claims, counter)
					     : print_text(refusal, &claims, counter);
		if (result == TOOL_DONE && refusal == SIMTIE_INTERNAL_ERROR)
			result = TOOL_IO;
		else if (result == TOOL_DONE && refusal != SIMTIE_ACCEPTED)
			result = TOOL_REFUSED;
	}
	/* It links the card across messengers. */
	explicit_bzero(&record, sizeof(record));
	return result;
}

int verify_main(int argc, char **argv)
{
	static const char *const libraries[] = {"mbedtls", "openssl", NULL};
	struct verify verify = {.library = LIBRARY_MBEDTLS};
	const struct option_entry options[] = {
		{.name = "record",
		 .kind = OPTION_TEXT,
		 .target = &verify.record,
		 .value = "F",
		 .required = true,
		 .min = 1,
		 .help = "the card's record, as personalise wrote it"},
		CHALLENGE_OPTIONS(verify.challenge,
				  "insist that it vouches for this client key (RFC 9679)"),
		{.name = "allow-virtual",
		 .target = &verify.allow_virtual,
		 .help = "accept a virtual or debuggable card"},
		{.name = "allow-no-consent",
		 .target = &verify.allow_no_consent,
		 .help = "accept an attestation without the holder's PIN"},
		{.name = "min-counter",
		 .kind = OPTION_NUMBER,
		 .target = &verify.min_counter,
		 .value = "N",
		 .max = UINT32_MAX,
		 .help = "refuse a counter below N: one more than the last one seen"},
		{.name = "crypto",
		 .kind = OPTION_CHOICE,
		 .target = &verify.library,
		 .value = "mbedtls|openssl",
		 .choices = libraries,
		 .help = "the library to compute with; both say the same"},
	};
	const struct command command = {
		.name = "verify",
		.arguments = "FILE|-",
		.text = "Verifies an attestation with the card's record. Exits 0 only for a valid "
			"token, 1 for\nany other, with the reason. FILE holds its bytes or their "
			"base64url; - is standard input.\nWithout options it is the strictest: "
			"hardware only, PIN consent, purpose registration.",
		.groups = OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
		.min_arguments = 1,
		.max_arguments = 1,
	};
	char **arguments;
	int result = options_parse(&command, &verify.common, argc, argv, &arguments);

	if (result == OPTIONS_GO)
		result = challenge_check(&command, &verify.challenge);
	if (result != OPTIONS_GO)
		return result;
	return run(&verify, arguments[0]);
}
