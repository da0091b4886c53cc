/*
 * simtie attest: has the card sign an attestation, with its holder's PIN.
 */
#include "challenge.h"
#include "claims.h"
#include "holder.h"
#include "output.h"
#include "secret.h"

#include <stdio.h>
#include <unistd.h>

struct attest {
	struct common_options common;
	struct challenge challenge;
	bool full;
	const char *output; /* or NULL */
	struct holder_way way;
};

static int print_json(const struct attest *attest, const char *text, const uint8_t *token,
		      size_t len, struct simtie_line line)
{
	struct simtie_claims claims;
	bool parsed = simtie_token_parse(token, len, &claims) == SIMTIE_ACCEPTED;

	return output_json(json_pack("{s:s,s:s,s:i,s:I,s:o}", "token", text, "form",
				     attest->full ? "full" : "compact", "exchanges",
				     (int)line.exchanges, "lineBytes", (json_int_t)line.bytes,
				     "claims", parsed ? claims_json(&claims) : json_null()));
}

/* Where the token goes: a file, a terminal as text, or a pipe as it is. */
static int deliver(const struct attest *attest, const uint8_t *token, size_t len,
		   struct simtie_line line)
{
	char text[(SIMTIE_TOKEN_MAX + 2) / 3 * 4 + 1];

	output_base64url(token, len, text);
	if (attest->output && output_file(attest->output, token, len))
		return card_failed(&attest->common, NULL, "signed, but the token is lost",
				   SIMTIE_ERR_FILE);
	if (attest->common.json)
		return print_json(attest, text, token, len, line);
	if (attest->output)
		return TOOL_DONE;
	if (isatty(STDOUT_FILENO))
		puts(text);
	else
		fwrite(token, 1, len, stdout);
	return output_end(TOOL_DONE);
}

static int run(const struct attest *attest, const char *pin)
{
	const struct simtie_challenge challenge = {
		.audience = attest->challenge.audience,
		.nonce = attest->challenge.nonce.bytes,
		.nonce_len = attest->challenge.nonce.len,
		.thumbprint = attest->challenge.thumbprint.len ? attest->challenge.thumbprint.bytes
							       : NULL,
		.purpose = (uint8_t)attest->challenge.purpose.value,
	};
	struct simtie_session *session;
	uint8_t token[SIMTIE_TOKEN_MAX];
	size_t len;
	int result = holder_open(&attest->common, &attest->way, &session);
	int error;

	if (result != TOOL_DONE)
		return result;
	error = simtie_attest(session, &challenge, pin, attest->full, token, &len, NULL);
	if (error)
		result = card_failed_secret(&attest->common, session, "nothing was signed", error,
					    "PIN");
	else
		result = deliver(attest, token, len, simtie_session_line(session));
	simtie_close(&session);
	return result;
}

int attest_main(int argc, char **argv)
{
	struct attest attest = {.full = false};
	struct secret_source source = SECRET_PIN;
	const struct option_entry options[] = {
		CHALLENGE_OPTIONS(attest.challenge,
				  "vouch for the client whose key has this thumbprint (RFC 9679)"),
		{.name = "full",
		 .target = &attest.full,
		 .help = "fetch the whole token from the card; it says the same"},
		SECRET_OPTIONS("pin", "the PIN", source),
		HOLDER_OPTIONS(attest.way),
		{.name = "output",
		 .letter = 'o',
		 .kind = OPTION_TEXT,
		 .target = &attest.output,
		 .value = "FILE",
		 .min = 1,
		 .help = "write the token to FILE"},
	};
	const struct command command = {
		.name = "attest",
		.text = "Has the card sign an attestation for a messenger and writes the token, a "
			"COSE_Sign1:\nits bytes, or base64url on a terminal. The PIN is the "
			"holder's consent. It comes from\n--pin-file, --pin-fd, SIMTIE_PIN or a "
			"prompt.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
	};
	char pin[SECRET_SIZE];
	int result = options_parse(&command, &attest.common, argc, argv, NULL);

	if (result == OPTIONS_GO)
		result = challenge_check(&command, &attest.challenge);
	if (result != OPTIONS_GO)
		return result;
	result = secret_read(&command, &source, false, pin);
	if (result != TOOL_DONE)
		return result;
	result = run(&attest, pin);
	secret_wipe(pin);
	return result;
}
