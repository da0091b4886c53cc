/*
 * A challenge that a service made, carried past the SIM: what `register` and `records` share.
 *
 * Owns the asking, what is shown of the challenge before anything is signed, and the wording of
 * what went wrong. Refuses to have the SIM sign for another audience than the one that was
 * expected, or for another purpose than the subcommand is for.
 */
#ifndef SIMTIE_TOOL_REMOTE_H
#define SIMTIE_TOOL_REMOTE_H

#include "card.h"
#include "https.h"
#include "secret.h"

struct remote {
	const struct command *command;
	struct common_options common;
	struct https_server server;
	const char *expected; /* audience, or NULL: the one that the server's name speaks for */
	struct secret_source pin;
	char audience[SIMTIE_AUDIENCE_MAX + 1];
	uint8_t nonce[SIMTIE_NONCE_MAX];
	size_t nonce_len;
};

/* Entries of an option table, into a struct remote. */
#define REMOTE_OPTIONS(remote)                                                                     \
	{.name = "audience",                                                                       \
	 .letter = 'a',                                                                            \
	 .kind = OPTION_TEXT,                                                                      \
	 .target = &(remote).expected,                                                             \
	 .value = "A",                                                                             \
	 .min = SIMTIE_AUDIENCE_MIN,                                                               \
	 .max = SIMTIE_AUDIENCE_MAX,                                                               \
	 .help = "sign for this audience and no other; that of URL's host"},                       \
		{.name = "ca",                                                                     \
		 .kind = OPTION_TEXT,                                                              \
		 .target = &(remote).server.ca,                                                    \
		 .value = "FILE",                                                                  \
		 .min = 1,                                                                         \
		 .help = "authorities that the server's certificate may come from; the system's"}, \
		SECRET_OPTIONS("pin", "the PIN", (remote).pin)

/* OPTIONS_GO, or TOOL_USAGE for an address that is none. */
int remote_check(struct remote *remote, const char *url);

/* What is going on, on standard error, for a person who waits. */
void remote_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Sends one request. TOOL_DONE: `answer` has status and body, its caller's to json_decref().
 * TOOL_IO: no answer, which has been printed unless `quiet`. */
int remote_call(const struct remote *remote, const char *method, const char *path,
		const json_t *body, unsigned wait_s, bool quiet, struct https_answer *answer);

/* Says what the service refused, from its {code, message}. TOOL_REFUSED for what is wrong with the
 * request or the SIM, TOOL_IO for a service that cannot answer now. */
int remote_refused(const struct remote *remote, const struct https_answer *answer,
		   const char *what);

/* Takes a challenge from an answer's body and shows what is about to be signed. TOOL_DONE;
 * TOOL_REFUSED when the audience is not the expected one, or without one not the host's own;
 * TOOL_IO when it is no challenge of `purpose` ("registration"). */
int remote_challenge(struct remote *remote, const json_t *body, const char *purpose);

/* Reads the PIN and has the SIM sign. An exit code; a failure has been printed. */
int remote_sign(const struct remote *remote, uint8_t purpose, const uint8_t *thumbprint,
		uint8_t token[SIMTIE_TOKEN_MAX], size_t *len);

/* A member of a body, made safe for a terminal; "" when it is not there. */
const char *remote_text(const json_t *body, const char *name, char *out, size_t size);

/* Bytes as base64url. */
json_t *remote_bytes(const uint8_t *bytes, size_t len);

#endif
