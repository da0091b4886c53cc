/* The session: its bounds, its end, and what it counts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "contract.h"
#include "scripted_transport.h"

/* ---- Raw ---- */

static void raw_is_one_exchange(void **state)
{
	struct scripted script = SCRIPT("00010203 > AA6105", "0001 > 6C02", "0001 > 90", "0001 > ");
	struct simtie_session *session = scripted_session(&script, NULL);
	uint8_t out[4];
	size_t len;

	(void)state;
	assert_int_equal(simtie_transmit_raw(session, (const uint8_t[]){0, 1, 2, 3}, 4, out,
					     sizeof out, &len),
			 0);
	assert_int_equal(len, 1);
	assert_int_equal(simtie_status_word(session), 0x6105);
	assert_int_equal(
		simtie_transmit_raw(session, (const uint8_t[]){0, 1}, 2, out, sizeof out, &len), 0);
	assert_int_equal(simtie_status_word(session), 0x6C02);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(simtie_transmit_raw(session, (const uint8_t[]){0, 1}, 2, out,
						     sizeof out, &len),
				 SIMTIE_ERR_PROTOCOL);
	simtie_close(&session);
}

/* The largest response APDU there is, and a transport that claims one byte more. */
static int long_transmit(void *state, struct deadline deadline, struct bytes command,
			 uint8_t *answer, size_t size, size_t *answer_len)
{
	(void)deadline;
	(void)command;
	assert_int_equal(size, TRANSPORT_ANSWER_MAX);
	memset(answer, 0x90, size);
	*answer_len = size + *(size_t *)state;
	return 0;
}

static void long_close(void *state)
{
	(void)state;
}

static void answer_over_65538_bytes(void **state)
{
	static const struct transport transport = {.transmit = long_transmit, .close = long_close};
	static uint8_t out[TRANSPORT_ANSWER_MAX];
	static const uint8_t command[] = {0, 1, 2, 3, 0, 0, 0};
	struct card_line line = {.protocol = SIMTIE_PROTOCOL_T1};
	size_t excess = 0, len;
	struct simtie_session *session;

	(void)state;
	assert_int_equal(session_on((struct link){&transport, &excess}, &line, NULL, &session), 0);
	assert_int_equal(
		simtie_transmit_raw(session, command, sizeof command, out, sizeof out, &len), 0);
	assert_int_equal(len, 65536);
	assert_int_equal(simtie_transmit_raw(session, command, sizeof command, out, 65535, &len),
			 SIMTIE_ERR_MEMORY);
	assert_int_equal(len, 0);
	excess = 1;
	assert_int_equal(
		simtie_transmit_raw(session, command, sizeof command, out, sizeof out, &len),
		SIMTIE_ERR_PROTOCOL);
	simtie_close(&session);
}

/* ---- The session's life ---- */

static void lost_card_ends_the_session(void **state)
{
	static const int errors[] = {SIMTIE_ERR_GONE, SIMTIE_ERR_TIMEOUT};
	static const char *const names[] = {"* > gone", "* > timeout"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct scripted script = SCRIPT(names[i], "* > 9000");
		struct simtie_session *session = scripted_session(&script, NULL);
		char out[SCRIPTED_OUT];

		assert_int_equal(scripted_send(session, "00010203", out), errors[i]);
		assert_int_equal(scripted_send(session, "00010203", out), errors[i]);
		assert_int_equal(simtie_reset(session), errors[i]);
		assert_int_equal(script.at, 1);
		assert_int_equal(script.resets, 0);
		simtie_close(&session);
	}
}

static void bad_line_does_not_end_it(void **state)
{
	struct scripted script = SCRIPT("* > transport", "* > 9000");
	struct simtie_session *session = scripted_session(&script, NULL);
	char out[SCRIPTED_OUT];

	(void)state;
	assert_int_equal(scripted_send(session, "00010203", out), SIMTIE_ERR_TRANSPORT);
	assert_int_equal(simtie_reset(session), 0);
	assert_int_equal(script.resets, 1);
	assert_int_equal(scripted_send(session, "00010203", out), 0);
	simtie_close(&session);
}

/* A card that feeds one byte at a time, each in time, is cut off when the whole takes too long. */
static void slow_answer_is_bounded_as_a_whole(void **state)
{
	struct scripted script = SCRIPT("* > late AA6101", "* > AA6101");
	const struct simtie_options options = {.timeout_ms = 20};
	struct simtie_session *session = scripted_session(&script, &options);
	char out[SCRIPTED_OUT];

	(void)state;
	assert_int_equal(scripted_send(session, "0001020300", out), SIMTIE_ERR_TIMEOUT);
	assert_int_equal(script.at, 1);
	assert_int_equal(scripted_send(session, "0001020300", out), SIMTIE_ERR_TIMEOUT);
	simtie_close(&session);
}

static void response_leaves_nothing_behind(void **state)
{
	struct scripted script = SCRIPT("* > AABBCC9000");
	struct simtie_session *session = scripted_session(&script, NULL);
	static const uint8_t nothing[8];
	char out[SCRIPTED_OUT];

	(void)state;
	assert_int_equal(scripted_send(session, "0001020300", out), 0);
	assert_memory_equal(session->answer, nothing, sizeof nothing);
	simtie_close(&session);
}

static void close_takes_anything(void **state)
{
	struct simtie_session *none = NULL;

	(void)state;
	simtie_close(NULL);
	simtie_close(&none);
}

/* ---- Counting ---- */

static struct simtie_line count(struct scripted script, const char *command)
{
	struct simtie_session *session = scripted_session(&script, NULL);
	char out[SCRIPTED_OUT];
	struct simtie_line line;

	assert_int_equal(scripted_send(session, command, out), 0);
	line = simtie_session_line(session);
	simtie_close(&session);
	return line;
}

static void line_bytes_are_those_of_t0(void **state)
{
	struct scripted t1 = SCRIPT("* > AABB9000");
	struct simtie_line line;

	(void)state;
	/* Header 5, status word 2. */
	line = count((struct scripted)SCRIPT("* > 9000"), "00010203");
	assert_int_equal(line.bytes, 7);
	/* And procedure byte 1, data 2. */
	line = count((struct scripted)SCRIPT("* > AABB9000"), "0001020302");
	assert_int_equal(line.bytes, 10);
	line = count((struct scripted)SCRIPT("* > 9000"), "0001020302AABB");
	assert_int_equal(line.bytes, 10);
	/* Case 4: the command 9, GET RESPONSE 10. */
	line = count((struct scripted)SCRIPT("* > 6102", "* > AABB9000"), "0001020301FF00");
	assert_int_equal(line.bytes, 19);
	assert_int_equal(line.exchanges, 2);
	/* At T=1 it is one exchange, and the count is what T=0 would have taken. */
	t1.protocol = SIMTIE_PROTOCOL_T1;
	line = count(t1, "0001020301FF00");
	assert_int_equal(line.bytes, 19);
	assert_int_equal(line.exchanges, 1);
	/* 6Cxx costs a header and a status word. */
	line = count((struct scripted)SCRIPT("* > 6C02", "* > AABB9000"), "0001020300");
	assert_int_equal(line.bytes, 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answer_over_65538_bytes),
		cmocka_unit_test(raw_is_one_exchange),
		cmocka_unit_test(lost_card_ends_the_session),
		cmocka_unit_test(bad_line_does_not_end_it),
		cmocka_unit_test(slow_answer_is_bounded_as_a_whole),
		cmocka_unit_test(response_leaves_nothing_behind),
		cmocka_unit_test(close_takes_anything),
		cmocka_unit_test(line_bytes_are_those_of_t0),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
