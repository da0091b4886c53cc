/*
 * What the messenger asked for, as `attest` and `verify` both take it from the command line.
 *
 * Owns the options and their bounds. Refuses an audience that no token can carry.
 */
#ifndef SIMTIE_TOOL_CHALLENGE_H
#define SIMTIE_TOOL_CHALLENGE_H

#include "options.h"
#include "simtie.h"

struct challenge {
	const char *audience;
	struct option_bytes nonce;
	struct option_bytes thumbprint;
	struct option_number purpose;
};

/* Entries of an option table, into a struct challenge. */
#define CHALLENGE_OPTIONS(challenge, thumbprint_help)                                              \
	{.name = "audience",                                                                       \
	 .letter = 'a',                                                                            \
	 .kind = OPTION_TEXT,                                                                      \
	 .target = &(challenge).audience,                                                          \
	 .value = "A",                                                                             \
	 .required = true,                                                                         \
	 .min = SIMTIE_AUDIENCE_MIN,                                                               \
	 .max = SIMTIE_AUDIENCE_MAX,                                                               \
	 .help = "the messenger's identifier"},                                                    \
		{.name = "nonce",                                                                  \
		 .letter = 'n',                                                                    \
		 .kind = OPTION_HEX,                                                               \
		 .target = &(challenge).nonce,                                                     \
		 .value = "HEX",                                                                   \
		 .required = true,                                                                 \
		 .min = SIMTIE_NONCE_MIN,                                                          \
		 .max = SIMTIE_NONCE_MAX,                                                          \
		 .help = "the messenger's challenge, 16 to 64 bytes"},                             \
		{.name = "thumbprint",                                                             \
		 .kind = OPTION_HEX,                                                               \
		 .target = &(challenge).thumbprint,                                                \
		 .value = "HEX",                                                                   \
		 .min = SIMTIE_THUMBPRINT_SIZE,                                                    \
		 .max = SIMTIE_THUMBPRINT_SIZE,                                                    \
		 .help = thumbprint_help},                                                         \
	{                                                                                          \
		.name = "purpose", .kind = OPTION_NUMBER, .target = &(challenge).purpose,          \
		.value = "N", .min = SIMTIE_PURPOSE_GENERIC, .max = SIMTIE_PURPOSE_PROVISIONING,   \
		.help = "1 generic, 2 registration (default), 3 provisioning"                      \
	}

/* OPTIONS_GO, or TOOL_USAGE for an audience that is not UTF-8 or has control characters in it. */
int challenge_check(const struct command *command, const struct challenge *challenge);

#endif
