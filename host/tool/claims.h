/*
 * A token's claims as people and programs read them, and tokens as files.
 *
 * Owns the names of claims in output. Says nothing about whether they are to be believed.
 */
#ifndef SIMTIE_TOOL_CLAIMS_H
#define SIMTIE_TOOL_CLAIMS_H

#include <jansson.h>

#include "simtie.h"

/* {"audience", "nonce", "thumbprint", "debugStatus", "profile", "purpose", "sealedCounter",
 * "consent"}: bytes in hexadecimal, numbers as in the token, "thumbprint" null when absent. */
json_t *claims_json(const struct simtie_claims *claims);

/* The same as aligned lines on standard output. */
void claims_print(const struct simtie_claims *claims);

/*
 * Reads a token from a file, "-" being standard input: its bytes, or their base64url. It may be one
 * byte over SIMTIE_TOKEN_MAX, for the verifier to refuse. Returns TOOL_DONE or TOOL_IO, already
 * printed.
 */
int claims_read_token(const char *path, uint8_t token[SIMTIE_TOKEN_MAX + 1], size_t *len);

#endif
