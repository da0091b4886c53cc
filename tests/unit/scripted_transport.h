/*
 * A card that says what the test wrote down, for tests of the session and of what stands on it.
 *
 * Owns nothing but the place in the script. A command other than the one in the script fails the
 * test.
 */
#ifndef SIMTIE_TEST_SCRIPTED_TRANSPORT_H
#define SIMTIE_TEST_SCRIPTED_TRANSPORT_H

#include "session.h"

/*
 * An exchange is written "command > answer", in hexadecimal, the answer with its status word. "*"
 * for the command takes whatever comes. In place of the answer: "gone", "timeout", "transport" fail
 * with that error. "late" before the answer lets the deadline pass first.
 */
struct scripted {
	const char *const *steps; /* ended by NULL */
	bool forever;             /* the last step stands for all that follow */
	enum simtie_protocol protocol;

	size_t at; /* next step */
	unsigned resets, closes;
};

/* Whether every step was taken. */
bool scripted_done(const struct scripted *script);

#define SCRIPT(...)                                                                                \
	{                                                                                          \
		.steps = (const char *const[])                                                     \
		{                                                                                  \
			__VA_ARGS__, NULL                                                          \
		}                                                                                  \
	}

/* A session with it; `options` may be NULL. Fails the test if there is none. */
struct simtie_session *scripted_session(struct scripted *script,
					const struct simtie_options *options);

/* The link alone, and the line that it claims to be. */
struct link scripted_link(struct scripted *script);
struct card_line scripted_line(const struct scripted *script);

/* Sends a command given in hexadecimal; `out` gets the response in hexadecimal. */
#define SCRIPTED_OUT 4096
int scripted_send(struct simtie_session *session, const char *command, char out[SCRIPTED_OUT]);

/* Sends one command over the script and checks error, response, status word (0: not checked) and
 * that every step was taken. */
void scripted_expect(struct scripted script, const char *command, int error, const char *response,
		     uint16_t sw);

/* Hexadecimal to bytes; returns how many. */
size_t scripted_bytes(const char *hex, uint8_t *bytes, size_t size);

#endif
