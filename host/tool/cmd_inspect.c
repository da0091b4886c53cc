/*
 * simtie inspect: what a token says, whether it is true or not. Needs neither card nor record.
 */
#include "claims.h"
#include "diagnostic.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>

static int print_json(const uint8_t *token, size_t len, enum simtie_refusal refusal,
		      const struct simtie_claims *claims)
{
	bool accepted = refusal == SIMTIE_ACCEPTED;
	char *text = NULL;
	size_t text_len;
	FILE *stream = open_memstream(&text, &text_len);
	int result;

	if (!stream)
		return output_json(NULL);
	diagnostic_print(stream, token, len);
	fclose(stream);
	result = output_json(json_pack("{s:b,s:s?,s:s?,s:i,s:s,s:o}", "verified", 0, "refusal",
				       accepted ? NULL : simtie_refusal_code(refusal), "reason",
				       accepted ? NULL : simtie_refusal_text(refusal), "size",
				       (int)len, "diagnostic", text, "claims",
				       accepted ? claims_json(claims) : json_null()));
	free(text);
	return result;
}

static int print_text(const uint8_t *token, size_t len, enum simtie_refusal refusal)
{
	puts("/ not verified: this is what the token says of itself /");
	diagnostic_print(stdout, token, len);
	putchar('\n');
	if (refusal != SIMTIE_ACCEPTED)
		output_error("malformed: %s (%s); no verifier accepts it",
			     simtie_refusal_text(refusal), simtie_refusal_code(refusal));
	return output_end(TOOL_DONE);
}

int inspect_main(int argc, char **argv)
{
	const struct command command = {
		.name = "inspect",
		.arguments = "FILE|-",
		.text = "Decodes an attestation without believing it, in CBOR diagnostic notation, "
			"as far as it\ngoes. FILE holds its bytes or their base64url; - is "
			"standard input. Exits 1, with the reason,\nwhen no verifier would accept "
			"its form; only `simtie verify` tells whether it is true.",
		.groups = OPTIONS_JSON,
		.min_arguments = 1,
		.max_arguments = 1,
	};
	struct common_options common;
	struct simtie_claims claims;
	uint8_t token[SIMTIE_TOKEN_MAX + 1];
	enum simtie_refusal refusal;
	size_t len;
	char **arguments;
	int result = options_parse(&command, &common, argc, argv, &arguments);

	if (result != OPTIONS_GO)
		return result;
	result = claims_read_token(arguments[0], token, &len);
	if (result != TOOL_DONE)
		return result;
	refusal = simtie_token_parse(token, len, &claims);
	result = common.json ? print_json(token, len, refusal, &claims)
			     : print_text(token, len, refusal);
	return result == TOOL_DONE && refusal != SIMTIE_ACCEPTED ? TOOL_REFUSED : result;
}
