#include "scripted_transport.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const uint8_t atr[] = {0x3B, 0x00};

static int digit(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

size_t scripted_bytes(const char *hex, uint8_t *bytes, size_t size)
{
	size_t len = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		assert_true(isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]));
		assert_true(len < size);
		bytes[len++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
		hex++;
	}
	return len;
}

static void wait_for(struct deadline deadline)
{
	struct timespec at = {.tv_sec = (time_t)(deadline.at_us / 1000000),
			      .tv_nsec = (long)(deadline.at_us % 1000000) * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		continue;
}

static const char *take_word(const char *text, const char *word, bool *taken)
{
	*taken = strncmp(text, word, strlen(word)) == 0;
	return *taken ? text + strlen(word) : text;
}

static int error_of(const char *answer)
{
	if (strcmp(answer, "gone") == 0)
		return SIMTIE_ERR_GONE;
	if (strcmp(answer, "timeout") == 0)
		return SIMTIE_ERR_TIMEOUT;
	if (strcmp(answer, "transport") == 0)
		return SIMTIE_ERR_TRANSPORT;
	return 0;
}

static void check_command(const char *step, size_t len, struct bytes command)
{
	static uint8_t expected[TRANSPORT_COMMAND_MAX];
	char hex[SCRIPTED_OUT];

	if (step[0] == '*')
		return;
	assert_true(len < sizeof hex);
	memcpy(hex, step, len);
	hex[len] = '\0';
	len = scripted_bytes(hex, expected, sizeof expected);
	assert_int_equal(command.len, len);
	assert_memory_equal(command.ptr, expected, len);
}

static int scripted_transmit(void *state, struct deadline deadline, struct bytes command,
			     uint8_t *answer, size_t size, size_t *answer_len)
{
	struct scripted *script = state;
	const char *step, *reply;
	bool late;

	if (script->forever && scripted_done(script))
		script->at--;
	assert_false(scripted_done(script));
	step = script->steps[script->at++];
	reply = strstr(step, " > ");
	assert_non_null(reply);
	check_command(step, (size_t)(reply - step), command);
	reply = take_word(reply + 3, "late ", &late);
	if (late)
		wait_for(deadline);
	if (error_of(reply))
		return error_of(reply);
	*answer_len = scripted_bytes(reply, answer, size);
	return 0;
}

bool scripted_done(const struct scripted *script)
{
	return !script->steps || !script->steps[script->at];
}

static int scripted_reset(void *state, struct deadline deadline, struct card_line *line)
{
	struct scripted *script = state;

	(void)deadline;
	(void)line;
	script->resets++;
	return 0;
}

static void scripted_close(void *state)
{
	struct scripted *script = state;

	script->closes++;
}

static const struct transport transport_scripted = {
	.prefix = "scripted:",
	.transmit = scripted_transmit,
	.reset = scripted_reset,
	.close = scripted_close,
};

struct link scripted_link(struct scripted *script)
{
	return (struct link){&transport_scripted, script};
}

struct card_line scripted_line(const struct scripted *script)
{
	struct card_line line = {
		.reader = "Scripted Reader",
		.protocol = script->protocol ? script->protocol : SIMTIE_PROTOCOL_T0,
		.atr_len = sizeof atr,
	};

	memcpy(line.atr, atr, sizeof atr);
	return line;
}

struct simtie_session *scripted_session(struct scripted *script,
					const struct simtie_options *options)
{
	struct card_line line = scripted_line(script);
	struct simtie_session *session;

	assert_int_equal(session_on(scripted_link(script), &line, options, &session), 0);
	assert_non_null(session);
	return session;
}

int scripted_send(struct simtie_session *session, const char *command, char out[SCRIPTED_OUT])
{
	uint8_t bytes[2048], answer[SCRIPTED_OUT / 2 - 1];
	size_t len = scripted_bytes(command, bytes, sizeof bytes), answer_len;
	int error = simtie_transmit(session, bytes, len, answer, sizeof answer, &answer_len);

	out[0] = '\0';
	for (size_t i = 0; i < answer_len; i++)
		sprintf(out + 2 * i, "%02X", answer[i]);
	return error;
}

void scripted_expect(struct scripted script, const char *command, int error, const char *response,
		     uint16_t sw)
{
	struct simtie_session *session = scripted_session(&script, NULL);
	char out[SCRIPTED_OUT];

	assert_int_equal(scripted_send(session, command, out), error);
	assert_string_equal(out, response);
	if (sw)
		assert_int_equal(simtie_status_word(session), sw);
	if (!script.forever)
		assert_true(scripted_done(&script));
	simtie_close(&session);
	assert_null(session);
	assert_int_equal(script.closes, 1);
}
