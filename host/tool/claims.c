#include "claims.h"

#include "output.h"
#include "words.h"

#include <errno.h>
#include <string.h>

/* The base64url of a token of the greatest size, with some white space. */
#define TEXT_MAX (2 * SIMTIE_TOKEN_MAX)

json_t *claims_json(const struct simtie_claims *claims)
{
	char nonce[OUTPUT_HEX_SIZE(SIMTIE_NONCE_MAX)];
	char thumbprint[OUTPUT_HEX_SIZE(SIMTIE_THUMBPRINT_SIZE)];
	char counter[OUTPUT_HEX_SIZE(SIMTIE_SEALED_COUNTER_SIZE)];
	char audience[SIMTIE_AUDIENCE_MAX + 1];

	output_safe(claims->audience, audience, sizeof(audience));
	output_hex_lower(claims->nonce, claims->nonce_len, nonce);
	output_hex_lower(claims->thumbprint, sizeof(claims->thumbprint), thumbprint);
	output_hex_lower(claims->sealed_counter, sizeof(claims->sealed_counter), counter);
	return json_pack("{s:s,s:s,s:s?,s:i,s:s,s:i,s:s,s:i}", "audience", audience, "nonce", nonce,
			 "thumbprint", claims->has_thumbprint ? thumbprint : NULL, "debugStatus",
			 claims->debug_status, "profile", SIMTIE_PROFILE, "purpose",
			 claims->purpose, "sealedCounter", counter, "consent", claims->consent);
}

void claims_print(const struct simtie_claims *claims)
{
	char hex[OUTPUT_HEX_SIZE(SIMTIE_NONCE_MAX)], audience[SIMTIE_AUDIENCE_MAX + 1];

	output_line("audience", "%s", output_safe(claims->audience, audience, sizeof(audience)));
	output_line("nonce", "%s", output_hex_lower(claims->nonce, claims->nonce_len, hex));
	if (claims->has_thumbprint)
		output_line("client key", "%s",
			    output_hex_lower(claims->thumbprint, sizeof(claims->thumbprint), hex));
	output_line("purpose", "%u, %s", claims->purpose, words_purpose(claims->purpose));
	output_line("consent", "%u, %s", claims->consent, words_consent(claims->consent));
	output_line("debug status", "%u, %s", claims->debug_status,
		    words_debug_status(claims->debug_status));
	output_line("sealed counter", "%s",
		    output_hex_lower(claims->sealed_counter, sizeof(claims->sealed_counter), hex));
}

int claims_read_token(const char *path, uint8_t token[SIMTIE_TOKEN_MAX + 1], size_t *len)
{
	uint8_t input[TEXT_MAX];
	size_t input_len;
	long text_len;

	if (input_file(path, input, sizeof(input), &input_len)) {
		output_error("cannot read the token: %s; give the file that holds it, or -",
			     strerror(errno));
		return TOOL_IO;
	}
	if (input_len > sizeof(input))
		input_len = sizeof(input);
	/* A token's first byte, its tag, is no digit of base64url. */
	text_len = input_base64url((const char *)input, input_len, token, SIMTIE_TOKEN_MAX + 1);
	if (text_len > 0) {
		*len = (size_t)text_len;
	} else {
		*len = input_len;
		memcpy(token, input,
		       input_len > SIMTIE_TOKEN_MAX ? SIMTIE_TOKEN_MAX + 1 : input_len);
	}
	if (*len > SIMTIE_TOKEN_MAX + 1)
		*len = SIMTIE_TOKEN_MAX + 1;
	return TOOL_DONE;
}
