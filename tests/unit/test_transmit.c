/* One command, many exchanges: 61xx, 6Cxx and chains, with cards that break every rule. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "contract.h"
#include "scripted_transport.h"

/* 255 bytes of 00. */
#define X255                                                                                       \
	"00000000000000000000000000000000000000000000000000000000000000"                           \
	"0000000000000000000000000000000000000000000000000000000000000000"                         \
	"0000000000000000000000000000000000000000000000000000000000000000"                         \
	"0000000000000000000000000000000000000000000000000000000000000000"                         \
	"0000000000000000000000000000000000000000000000000000000000000000"                         \
	"0000000000000000000000000000000000000000000000000000000000000000"                         \
	"0000000000000000000000000000000000000000000000000000000000000000"                         \
	"0000000000000000000000000000000000000000000000000000000000000000"

/* ---- What goes over the line ---- */

static void each_case_at_t0(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("00010203 > 9000"), "00010203", 0, "", 0x9000);
	scripted_expect((struct scripted)SCRIPT("0001020302 > AABB9000"), "0001020302", 0, "AABB",
			0x9000);
	scripted_expect((struct scripted)SCRIPT("0001020301FF > 9000"), "0001020301FF", 0, "",
			0x9000);
	/* Case 4 goes without Le (ISO/IEC 7816-3 §12.2). */
	scripted_expect((struct scripted)SCRIPT("0001020301FF > 6102", "00C0000002 > AABB9000"),
			"0001020301FF00", 0, "AABB", 0x9000);
}

static void each_case_at_t1(void **state)
{
	struct scripted script = SCRIPT("0001020301FF00 > AABB9000");

	(void)state;
	script.protocol = SIMTIE_PROTOCOL_T1;
	scripted_expect(script, "0001020301FF00", 0, "AABB", 0x9000);
}

static void extended_length_goes_short(void **state)
{
	(void)state;
	/* Le 0000 asks for 65536 bytes: 256 at once, the rest by GET RESPONSE. */
	scripted_expect((struct scripted)SCRIPT("0001020300 > AA6101", "00C0000001 > BB9000"),
			"00010203000000", 0, "AABB", 0x9000);
	scripted_expect((struct scripted)SCRIPT("0001020302AABB > 9000"), "00010203000002AABB", 0,
			"", 0x9000);
}

static void malformed_command_is_not_sent(void **state)
{
	static const char *const commands[] = {"000102", "0001020302AA", "0001020301AABBCC",
					       "00010203000000AA"};

	(void)state;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		scripted_expect((struct scripted){0}, commands[i], SIMTIE_ERR_ARGUMENT, "", 0);
}

static void status_word_is_no_error(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("0001020302 > 6A82"), "0001020302", 0, "", 0x6A82);
}

/* ---- 61xx ---- */

static void response_in_pieces(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("0001020300 > AA6102", "00C0000002 > BB6101",
						"00C0000001 > CC6285"),
			"0001020300", 0, "AABBCC", 0x6285);
}

/* At T=0 a card cannot see whether Le was there: what it offers is fetched. */
static void response_that_nobody_asked_for(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("0001020301FF > 6101", "00C0000001 > AA9000"),
			"0001020301FF", 0, "AA", 0x9000);
}

static void get_response_names_the_channel(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("8201020300 > 6101", "02C0000001 > AA9000"),
			"8201020300", 0, "AA", 0x9000);
	scripted_expect((struct scripted)SCRIPT("4501020300 > 6101", "45C0000001 > AA9000"),
			"4501020300", 0, "AA", 0x9000);
	scripted_expect((struct scripted)SCRIPT("C501020300 > 6101", "45C0000001 > AA9000"),
			"C501020300", 0, "AA", 0x9000);
}

static void sixty_one_zero_means_256(void **state)
{
	struct scripted script = SCRIPT("0001020301FF > 6100", "00C0000000 > 00" X255 "9000");
	struct simtie_session *session = scripted_session(&script, NULL);
	char out[SCRIPTED_OUT];

	(void)state;
	assert_int_equal(scripted_send(session, "0001020301FF00", out), 0);
	assert_int_equal(strlen(out), 2 * 256);
	assert_int_equal(simtie_status_word(session), 0x9000);
	simtie_close(&session);
}

static void nothing_brought_is_a_fault(void **state)
{
	struct scripted script = SCRIPT("0001020301FF > 6100", "00C0000000 > 6100");

	(void)state;
	script.forever = true;
	scripted_expect(script, "0001020301FF00", SIMTIE_ERR_PROTOCOL, "", 0x6100);
}

static void endless_response_is_bounded(void **state)
{
	struct scripted script = SCRIPT("* > AA6101");
	struct simtie_session *session = scripted_session(&script, NULL);
	char out[SCRIPTED_OUT];

	(void)state;
	script.forever = true;
	assert_int_equal(scripted_send(session, "0001020300", out), SIMTIE_ERR_ENDLESS);
	assert_string_equal(out, "");
	assert_int_equal(simtie_session_line(session).exchanges, SIMTIE_EXCHANGES_MAX);
	/* The session lives, and the next command has bounds of its own. */
	assert_int_equal(scripted_send(session, "0001020300", out), SIMTIE_ERR_ENDLESS);
	assert_int_equal(simtie_session_line(session).exchanges, 2 * SIMTIE_EXCHANGES_MAX);
	simtie_close(&session);
}

/* ---- 6Cxx ---- */

static void wrong_le_is_corrected(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("0001020300 > 6C02", "0001020302 > AABB9000"),
			"0001020300", 0, "AABB", 0x9000);
}

static void wrong_le_twice_is_a_fault(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("0001020300 > 6C02", "0001020302 > 6C02"),
			"0001020300", SIMTIE_ERR_PROTOCOL, "", 0x6C02);
	scripted_expect((struct scripted)SCRIPT("0001020300 > 6C02", "0001020302 > 6C03"),
			"0001020300", SIMTIE_ERR_PROTOCOL, "", 0x6C03);
}

static void wrong_le_that_was_right_is_a_fault(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("0001020302 > 6C02"), "0001020302",
			SIMTIE_ERR_PROTOCOL, "", 0x6C02);
	scripted_expect((struct scripted)SCRIPT("0001020300 > 6C00"), "0001020300",
			SIMTIE_ERR_PROTOCOL, "", 0x6C00);
}

static void wrong_le_with_data_is_a_fault(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("0001020300 > AA6C02"), "0001020300",
			SIMTIE_ERR_PROTOCOL, "", 0);
}

static void wrong_le_at_get_response(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("0001020301FF > 6103", "00C0000003 > 6C02",
						"00C0000002 > AABB9000"),
			"0001020301FF00", 0, "AABB", 0x9000);
	scripted_expect((struct scripted)SCRIPT("0001020301FF > 6103", "00C0000003 > 6C02",
						"00C0000002 > 6C03"),
			"0001020301FF00", SIMTIE_ERR_PROTOCOL, "", 0);
}

static void wrong_le_without_le_is_the_answer(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("00010203 > 6C02"), "00010203", 0, "", 0x6C02);
	scripted_expect((struct scripted)SCRIPT("0001020301FF > 6C02"), "0001020301FF00", 0, "",
			0x6C02);
}

/* ---- Answers that are none ---- */

static void answer_without_status_word(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("0001020300 > "), "0001020300", SIMTIE_ERR_PROTOCOL,
			"", 0);
	scripted_expect((struct scripted)SCRIPT("0001020300 > 90"), "0001020300",
			SIMTIE_ERR_PROTOCOL, "", 0);
}

static void answer_longer_than_asked(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("0001020302 > AABBCC9000"), "0001020302",
			SIMTIE_ERR_PROTOCOL, "", 0);
	scripted_expect((struct scripted)SCRIPT("00010203 > AA9000"), "00010203",
			SIMTIE_ERR_PROTOCOL, "", 0);
	scripted_expect((struct scripted)SCRIPT("0001020301FF > AA9000"), "0001020301FF00",
			SIMTIE_ERR_PROTOCOL, "", 0);
	scripted_expect((struct scripted)SCRIPT("0001020301FF > 6101", "00C0000001 > AABB9000"),
			"0001020301FF00", SIMTIE_ERR_PROTOCOL, "", 0);
}

static void room_too_small(void **state)
{
	struct scripted script = SCRIPT("0001020300 > AABB6101", "00C0000001 > CC9000");
	struct simtie_session *session = scripted_session(&script, NULL);
	static const uint8_t command[] = {0, 1, 2, 3, 0};
	uint8_t out[4] = {1, 1, 1, 1};
	size_t len;

	(void)state;
	assert_int_equal(simtie_transmit(session, command, sizeof command, out, 2, &len),
			 SIMTIE_ERR_MEMORY);
	assert_int_equal(len, 0);
	assert_int_equal(out[0], 0); /* what was gathered is wiped */
	assert_int_equal(out[2], 1);
	assert_int_equal(script.at, 2); /* the card was heard out */
	simtie_close(&session);
}

/* ---- Chains ---- */

static void long_data_goes_as_a_chain(void **state)
{
	(void)state;
	scripted_expect((struct scripted)SCRIPT("90010203FF" X255 " > 9000",
						"90010203FF" X255 " > 9000", "8001020301AA > 6101",
						"00C0000001 > BB9000"),
			"80010203"
			"0001FF" X255 X255 "AA"
			"0000",
			0, "BB", 0x9000);
}

static void chain_of_full_links(void **state)
{
	(void)state;
	scripted_expect(
		(struct scripted)SCRIPT("90010203FF" X255 " > 9000", "80010203FF" X255 " > 9000"),
		"80010203"
		"0001FE" X255 X255,
		0, "", 0x9000);
}

static void chain_refused_in_the_middle(void **state)
{
	(void)state;
	scripted_expect(
		(struct scripted)SCRIPT("90010203FF" X255 " > 9000", "90010203FF" X255 " > 6883"),
		"80010203"
		"0001FF" X255 X255 "AA",
		0, "", 0x6883);
	/* A link asks for nothing: a card that has something to fetch did not take it as one. */
	scripted_expect((struct scripted)SCRIPT("90010203FF" X255 " > 6101"),
			"80010203"
			"0001FF" X255 X255 "AA",
			0, "", 0x6101);
}

static void chain_longer_than_the_bound(void **state)
{
	struct scripted script = {0};
	struct simtie_session *session = scripted_session(&script, NULL);
	static uint8_t command[7 + 255 * SIMTIE_EXCHANGES_MAX + 1] = {0x80, 1, 2, 3, 0};
	size_t len;

	(void)state;
	put_be16(command + 5, 255 * SIMTIE_EXCHANGES_MAX + 1);
	assert_int_equal(simtie_transmit(session, command, sizeof command, NULL, 0, &len),
			 SIMTIE_ERR_ARGUMENT);
	assert_int_equal(script.at, 0);
	simtie_close(&session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case_at_t0),
		cmocka_unit_test(each_case_at_t1),
		cmocka_unit_test(extended_length_goes_short),
		cmocka_unit_test(malformed_command_is_not_sent),
		cmocka_unit_test(status_word_is_no_error),
		cmocka_unit_test(response_in_pieces),
		cmocka_unit_test(response_that_nobody_asked_for),
		cmocka_unit_test(get_response_names_the_channel),
		cmocka_unit_test(sixty_one_zero_means_256),
		cmocka_unit_test(nothing_brought_is_a_fault),
		cmocka_unit_test(endless_response_is_bounded),
		cmocka_unit_test(wrong_le_is_corrected),
		cmocka_unit_test(wrong_le_twice_is_a_fault),
		cmocka_unit_test(wrong_le_that_was_right_is_a_fault),
		cmocka_unit_test(wrong_le_with_data_is_a_fault),
		cmocka_unit_test(wrong_le_at_get_response),
		cmocka_unit_test(wrong_le_without_le_is_the_answer),
		cmocka_unit_test(answer_without_status_word),
		cmocka_unit_test(answer_longer_than_asked),
		cmocka_unit_test(room_too_small),
		cmocka_unit_test(long_data_goes_as_a_chain),
		cmocka_unit_test(chain_of_full_links),
		cmocka_unit_test(chain_refused_in_the_middle),
		cmocka_unit_test(chain_longer_than_the_bound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
