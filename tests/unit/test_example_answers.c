/*
 * What the examples' language sends: what differs from what it expects, and that no secret is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "example_bench.h"

#define TEXT 512

/* ---- Sending and comparing ---- */

static void assert_answer(struct example_bench *bench, const char *line, const char *answer,
			  enum example_result result, const char *text)
{
	bench->card.count = 0;
	bench->card.answers[0] = answer;
	assert_int_equal(example_bench_read(bench, line), EXAMPLE_HELD);
	assert_int_equal(example_send(&bench->run, false), result);
	assert_string_equal(bench->run.text, text);
}

static void answers_are_compared(void **state)
{
	struct example_bench *bench = *state;

	assert_answer(bench, "00 > 9000", "9000", EXAMPLE_HELD, "");
	assert_answer(bench, "00", "6A82", EXAMPLE_HELD, "");
	assert_int_equal(bench->run.sw, 0x6A82);
	assert_answer(bench, "00 > 63C?", "63C1", EXAMPLE_HELD, "");
	assert_answer(bench, "00 > ????", "1234", EXAMPLE_HELD, "");
	assert_answer(bench, "00 > 63C?", "9000", EXAMPLE_DIFFERED,
		      "expected status 63C?, got 9000");
	assert_answer(bench, "00 > 01 02 9000", "01029000", EXAMPLE_HELD, "");
	assert_answer(bench, "00 > 01 02 9000", "01039000", EXAMPLE_DIFFERED,
		      "byte 2 of the data differs");
	assert_answer(bench, "00 > 01 02 9000", "019000", EXAMPLE_DIFFERED,
		      "expected 2 bytes of data, got 1");
	assert_answer(bench, "00 > 9000", "019000", EXAMPLE_DIFFERED,
		      "expected 0 bytes of data, got 1");
	assert_answer(bench, "00 > 4? ?1 ? 9000", "4FF1009000", EXAMPLE_HELD, "");
	assert_answer(bench, "00 > 4? ?1 ? 9000", "5FF1009000", EXAMPLE_DIFFERED,
		      "byte 1 of the data differs");
	assert_answer(bench, "00 > 4? ?1 ? 9000", "4FF2009000", EXAMPLE_DIFFERED,
		      "byte 2 of the data differs");
}

static void any_bytes_may_follow(void **state)
{
	struct example_bench *bench = *state;

	assert_answer(bench, "00 > ** 9000", "9000", EXAMPLE_HELD, "");
	assert_answer(bench, "00 > ** 9000", "0102039000", EXAMPLE_HELD, "");
	assert_answer(bench, "00>BF23**9000", "BF23009000", EXAMPLE_HELD, "");
	assert_answer(bench, "00>BF23**9000", "BF239000", EXAMPLE_HELD, "");
	assert_answer(bench, "00>BF23**9000", "BF9000", EXAMPLE_DIFFERED,
		      "expected at least 2 bytes of data, got 1");
	assert_answer(bench, "00>BF23**9000", "BF24009000", EXAMPLE_DIFFERED,
		      "byte 2 of the data differs");
	assert_answer(bench, "00>BF23**9000", "BF23009001", EXAMPLE_DIFFERED,
		      "expected status 9000, got 9001");
}

static void captures_are_used_again(void **state)
{
	struct example_bench *bench = *state;

	assert_answer(bench, "00 > [ 80 [ {x:2} ] {y:1} ] 9000", "05800211220A9000", EXAMPLE_HELD,
		      "");
	example_bench_reads(bench, "01 {y} {x}", "010A1122");
	assert_answer(bench, "00 > {x} 9000", "11229000", EXAMPLE_HELD, "");
	assert_answer(bench, "00 > {x} 9000", "11239000", EXAMPLE_DIFFERED,
		      "byte 2 of the data differs");
	/* Within one answer, and then anew. */
	assert_answer(bench, "00 > {x:1} [ {x} ] 9000", "3301339000", EXAMPLE_HELD, "");
	assert_answer(bench, "00 > [ {x:1} ] [ {x} ] 9000", "014401459000", EXAMPLE_DIFFERED,
		      "the data from byte 4 on is not {x} again");
	example_bench_reads(bench, "{x}", "33");
}

static void scripts_can_be_rehearsed(void **state)
{
	struct example_bench *bench = *state;

	assert_int_equal(example_bench_read(bench, "00 > 11 {x:2} ** 9000"), EXAMPLE_HELD);
	example_rehearse(&bench->run);
	example_bench_reads(bench, "01 {x}", "010000");
	example_rehearse(&bench->run);
	example_bench_refuses(bench, "01 {y}", "column 6: no value is called {y}");
	assert_int_equal(bench->card.count, 0);
}

static void lines_say_which_way_they_go(void **state)
{
	struct example_bench *bench = *state;

	bench->card.answers[0] = "9000";
	bench->card.answers[1] = "9000";
	bench->card.answers[2] = "9000";
	assert_int_equal(example_run(&bench->run, "00840000 > 9000", false), EXAMPLE_HELD);
	assert_int_equal(bench->card.way, EXAMPLE_WAY_SESSION);
	assert_int_equal(example_run(&bench->run, " ! 00840000 > 9000", false), EXAMPLE_HELD);
	assert_int_equal(bench->card.way, EXAMPLE_WAY_BARE);
	assert_int_equal(example_run(&bench->run, "!00840000 > 9000", true), EXAMPLE_HELD);
	assert_int_equal(bench->card.way, EXAMPLE_WAY_RAW);
	assert_int_equal(bench->card.command_len, 4);
	example_bench_refuses(bench, "00 ! 840000",
			      "column 4: neither a hexadecimal digit nor a sign of the language");
}

/* What is selected decides what a command is called. */
static void commands_are_those_of_the_application(void **state)
{
	struct example_bench *bench = *state;

	bench->card.answers[0] = "9000";
	bench->card.answers[1] = "9000";
	assert_int_equal(example_run(&bench->run, "80F0400F", false), EXAMPLE_HELD);
	assert_int_equal(bench->run.decoded.command, COMMAND_SET_STATUS);
	bench->run.application = APPLICATION_DOMAIN;
	assert_int_equal(example_run(&bench->run, "80F0400F", false), EXAMPLE_HELD);
	assert_int_equal(bench->run.decoded.command, COMMAND_DOMAIN_SET_STATUS);
}

static void failures_are_told_apart(void **state)
{
	struct example_bench *bench = *state;

	bench->card.error = SIMTIE_ERR_GONE;
	assert_int_equal(example_bench_read(bench, "00 > 9000"), EXAMPLE_HELD);
	assert_int_equal(example_send(&bench->run, true), EXAMPLE_FAILED);
	assert_int_equal(bench->run.error, SIMTIE_ERR_GONE);
	assert_string_equal(bench->run.text, simtie_strerror(SIMTIE_ERR_GONE));
	assert_int_equal(bench->card.way, EXAMPLE_WAY_RAW);
}

static void runs_stop_at_the_first_difference(void **state)
{
	struct example_bench *bench = *state;

	bench->card.answers[0] = "9000";
	bench->card.answers[1] = "6A80";
	assert_int_equal(example_run(&bench->run, "01>9000\n\n# none\n02>9000\n03>9000\n", false),
			 EXAMPLE_DIFFERED);
	assert_int_equal(bench->run.step, 2);
	assert_int_equal(bench->card.count, 2);
	bench->card.count = 0;
	assert_int_equal(example_run(&bench->run, "01>9000\n0", false), EXAMPLE_MALFORMED);
	assert_int_equal(example_run(&bench->run, "", false), EXAMPLE_HELD);
}

/* ---- Secrets ---- */

static void assert_literal(struct example_bench *bench, const char *line, bool literal)
{
	assert_int_equal(example_bench_read(bench, line), EXAMPLE_HELD);
	assert_int_equal(example_literal_secret(&bench->run), literal);
}

static void literal_secrets_are_found(void **state)
{
	struct example_bench *bench = *state;

	example_bench_define(&bench->run);
	assert_literal(bench, "00 20 00 01", false);
	assert_literal(bench, "00 20 00 01 08 {pin}", false);
	assert_literal(bench, "00 20 00 01 08 31323334FFFFFFFF", true);
	assert_literal(bench, "A0 20 00 01 08 31323334FFFFFFFF", true);
	assert_literal(bench, "00 24 00 01 10 {pin} 31323334FFFFFFFF", true);
	assert_literal(bench, "00 24 00 01 10 {pin} {new_pin}", false);
	assert_literal(bench, "80 88 00 00 ( 80 [ 61 ] 84 [ {pin} ] ) 00", false);
	assert_literal(bench, "80 88 00 00 ( 80 [ 61 ] 84 [ 31*8 ] ) 00", true);
	assert_literal(bench, "80 E2 90 00 ( 5A [ 98*10 ] )", false);
	assert_literal(bench, "90 E2 90 00 ( 5A [ 98*10 ] )", true);
	assert_literal(bench, "90 E2 90 00 ( {pin} )", false);
	assert_literal(bench, "00 A4 04 00 ( 31323334FFFFFFFF )", false);
}

static void assert_shown(struct example_bench *bench, const char *line, const char *answer,
			 const char *command, const char *expected, const char *got)
{
	char text[TEXT];

	bench->card.count = 0;
	bench->card.answers[0] = answer;
	assert_int_equal(example_bench_read(bench, line), EXAMPLE_HELD);
	assert_int_not_equal(example_send(&bench->run, true), EXAMPLE_FAILED);
	assert_string_equal(example_show_command(&bench->run, false, text, sizeof text), command);
	assert_string_equal(example_show_expected(&bench->run, false, text, sizeof text), expected);
	assert_string_equal(example_show_answer(&bench->run, false, text, sizeof text), got);
}

static void steps_are_shown_blanked(void **state)
{
	struct example_bench *bench = *state;

	example_bench_define(&bench->run);
	assert_shown(bench, "00 20 00 01 08 {pin} > 63C?", "9000", "0020000108****************",
		     "63C?", "9000");
	assert_shown(bench, "00 CA 9F 21 00 > 9F21 [ ?1 4? ] ** 9000", "9F2101119000", "00CA9F2100",
		     "9F2102?14? ** 9000", "9F210111 9000");
	assert_shown(bench, "00 CA 9F 21 00", "6A88", "00CA9F2100", "", "6A88");
	/* The chain code, at once and piece by piece. */
	assert_shown(bench, "00 46 00 00 00 > 7F49 [ 86 [ {x:1} ] C0 [ AABB ] ] 9000",
		     "7F4907860104C002AABC9000", "0046000000", "7F49078601??C002**** 9000",
		     "7F4907860104C002**** 9000");
	assert_shown(bench, "00 46 00 00 > 6109", "6109", "00460000", "6109", "6109");
	assert_shown(bench, "00 C0 00 00 05 > AABBCCDDEE 6104", "AABBCCDDEF6104", "00C0000005",
		     "********** 6104", "********** 6104");
	assert_shown(bench, "00 C0 00 00 04 > AABBCCDD 9000", "AABBCCDD9000", "00C0000004",
		     "******** 9000", "******** 9000");
	/* The next command is another matter. */
	assert_shown(bench, "00 CA 9F 21 > 6107", "6107", "00CA9F21", "6107", "6107");
	assert_shown(bench, "00 C0 00 00 02 > 9F21 6105", "9F216105", "00C0000002", "9F21 6105",
		     "9F21 6105");
}

static void chains_are_shown_blanked(void **state)
{
	struct example_bench *bench = *state;

	assert_shown(bench, "90 E2 90 00 02 84 08 > 9000", "9000", "90E2900002****", "9000",
		     "9000");
	assert_shown(bench, "80 E2 90 00 03 5A 01 31 > 9000", "9000", "80E2900003******", "9000",
		     "9000");
	assert_shown(bench, "80 E2 90 00 03 5A 01 31 > 9000", "9000", "80E29000035A0131", "9000",
		     "9000");
}

/* A card that sends a PIN back does not get it shown. */
static void known_secrets_are_blanked_everywhere(void **state)
{
	struct example_bench *bench = *state;
	char text[] = "A031323334FFFFFFFF00 31323334";

	example_bench_define(&bench->run);
	assert_shown(bench, "80 EE 00 00 08 {pin} > {pin} 9000", "31323334FFFFFFFF9000",
		     "80EE000008****************", "**************** 9000",
		     "**************** 9000");
	const struct decode_object audience = {
		.format = FORMAT_TEXT, .value = bytes_of((const uint8_t *)"is12345678it", 12)};
	char value[TEXT];
	assert_string_equal(example_show_value(&bench->run, &audience, false, value, sizeof value),
			    "12 bytes, blanked");
	assert_string_equal(example_show_value(&bench->run, &audience, true, value, sizeof value),
			    "\"is12345678it\"");
	example_blank(&bench->run, text);
	assert_string_equal(text, "A0****************00 31323334");
	for (size_t size = 32; size < 64; size++) {
		char cut[64];

		assert_int_equal(example_bench_read(bench, "80 EE 00 00 12 00*8 {pin} 00*2"),
				 EXAMPLE_HELD);
		example_show_command(&bench->run, false, cut, size);
		assert_true(strlen(cut) < size);
		assert_null(strstr(cut, "31"));
	}
}

/* What is cut fits, says so, and keeps the status word. */
static void long_answers_are_cut(void **state)
{
	struct example_bench *bench = *state;

	assert_answer(bench, "00 > 11*40 ** 9000",
		      "1111111111111111111111111111111111111111111111111111111111111111111111111111"
		      "11119000",
		      EXAMPLE_HELD, "");
	for (size_t size = 32; size < 110; size++) {
		char *text = malloc(size);

		assert_non_null(text);
		example_show_answer(&bench->run, false, text, size);
		assert_string_equal(text + strlen(text) - 5, " 9000");
		assert_int_equal(strstr(text, "...") != NULL, size < 80 + sizeof " 9000");
		example_show_expected(&bench->run, false, text, size);
		assert_string_equal(text + strlen(text) - 8, " ** 9000");
		assert_int_equal(strstr(text, "...") != NULL, size < 80 + sizeof "... ** 9000");
		free(text);
	}
}

static void wiping_leaves_nothing(void **state)
{
	struct example_bench *bench = *state;
	const uint8_t *bytes = (const uint8_t *)&bench->run;

	example_bench_define(&bench->run);
	example_bench_reads(bench, "0020000108{pin}", "002000010831323334FFFFFFFF");
	example_wipe(&bench->run);
	for (size_t i = 0; i < sizeof bench->run; i++)
		assert_int_equal(bytes[i], 0);
}

int main(void)
{
#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, example_bench_set_up, example_bench_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(answers_are_compared),        TEST(any_bytes_may_follow),
		TEST(captures_are_used_again),     TEST(scripts_can_be_rehearsed),
		TEST(lines_say_which_way_they_go), TEST(commands_are_those_of_the_application),
		TEST(failures_are_told_apart),     TEST(runs_stop_at_the_first_difference),
		TEST(literal_secrets_are_found),   TEST(steps_are_shown_blanked),
		TEST(chains_are_shown_blanked),    TEST(known_secrets_are_blanked_everywhere),
		TEST(long_answers_are_cut),        TEST(wiping_leaves_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
