/*
 * The examples' language: what a line means, what differs, and that no secret is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "example.h"

#define TEXT 512

/* A card that gives the answers it was handed and remembers what it was sent. */
struct fake_card {
	const char *answers[8]; /* hexadecimal, status word included */
	unsigned count;
	enum example_way way;
	int error;
	size_t command_len;
	uint8_t command[EXAMPLE_COMMAND_MAX];
};

static size_t from_hex(const char *hex, uint8_t *bytes)
{
	size_t len = 0;
	unsigned byte;

	for (; hex[2 * len]; len++) {
		assert_int_equal(sscanf(hex + 2 * len, "%2x", &byte), 1);
		bytes[len] = (uint8_t)byte;
	}
	return len;
}

static int fake_transmit(void *context, enum example_way way, struct bytes command, uint8_t *answer,
			 size_t size, size_t *len, uint16_t *sw)
{
	struct fake_card *card = context;

	card->way = way;
	card->command_len = command.len;
	memcpy(card->command, command.ptr, command.len);
	if (card->error)
		return card->error;
	assert_true(card->count < sizeof card->answers / sizeof card->answers[0]);
	const char *hex = card->answers[card->count++];
	assert_non_null(hex);
	assert_true(strlen(hex) / 2 <= size);
	*len = from_hex(hex, answer) - 2;
	*sw = get_be16(answer + *len);
	return 0;
}

struct bench {
	struct example run;
	struct fake_card card;
};

static int setup(void **state)
{
	struct bench *bench = malloc(sizeof *bench);

	if (!bench)
		return -1;
	/* A run begins in memory that holds anything. */
	memset(bench, 0xA5, sizeof *bench);
	memset(&bench->card, 0, sizeof bench->card);
	example_start(&bench->run, fake_transmit, &bench->card);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void define_values(struct example *run)
{
	struct example_values values;

	assert_true(example_values("1234", "12345678", &values));
	assert_true(example_define_values(run, &values));
}

static enum example_result read_line(struct bench *bench, const char *line)
{
	/* In memory of exactly its size: no read past the end goes unseen. */
	size_t len = strlen(line);
	char *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, line, len);
	enum example_result result = example_read(&bench->run, copy, len);
	free(copy);
	return result;
}

static void assert_reads(struct bench *bench, const char *line, const char *command)
{
	char text[8192];

	assert_int_equal(read_line(bench, line), EXAMPLE_HELD);
	assert_string_equal(example_show_command(&bench->run, true, text, sizeof text), command);
}

static void assert_refused(struct bench *bench, const char *line, const char *why)
{
	assert_int_equal(read_line(bench, line), EXAMPLE_MALFORMED);
	assert_string_equal(bench->run.text, why);
}

/* ---- Reading ---- */

static void both_forms_are_read(void **state)
{
	struct bench *bench = *state;

	define_values(&bench->run);
	assert_reads(bench, "00200001>63C3", "00200001");
	assert_reads(bench, "0020000108{pin}>9000", "002000010831323334FFFFFFFF");
	assert_reads(bench, " 00 20 00 01\t08 {pin} > 9000 # the PIN\r",
		     "002000010831323334FFFFFFFF");
	assert_reads(bench, "00ca9f2100", "00CA9F2100");
	assert_reads(bench, "00 CA 9F 21 00 # > 9000", "00CA9F2100");
	assert_false(bench->run.expects);
}

static void lines_without_a_step_are_empty(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(read_line(bench, ""), EXAMPLE_EMPTY);
	assert_int_equal(read_line(bench, " \t\r"), EXAMPLE_EMPTY);
	assert_int_equal(read_line(bench, "# 00 20 00 01"), EXAMPLE_EMPTY);
	assert_int_equal(bench->run.step, 0);
}

static void lengths_are_put_in(void **state)
{
	struct bench *bench = *state;

	assert_reads(bench, "( )", "00");
	assert_reads(bench, "(01 02 03)", "03010203");
	assert_reads(bench, "80E29000(84[31 32]5A[])", "80E2900006840231325A00");
	assert_reads(bench, "( 61*2 [ 62*3 ] )", "06616103626262");
}

static void long_lengths_are_put_in(void **state)
{
	struct bench *bench = *state;
	const struct {
		const char *line;
		const char *head;
		size_t len;
	} cases[] = {
		{"[ 00*127 ]", "7F", 128},         {"[ 00*128 ]", "8180", 130},
		{"[ 00*255 ]", "81FF", 257},       {"[ 00*256 ]", "820100", 259},
		{"( 00*255 )", "FF", 256},         {"( 00*256 )", "000100", 259},
		{"[ 00*65535 ]", "82FFFF", 65538}, {"( C3*512 )", "000200", 515},
		{"([00*126])", "7F7E", 128},       {"([00*254])", "00010081FE", 259},
	};
	char text[16];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(read_line(bench, cases[i].line), EXAMPLE_HELD);
		example_show_command(&bench->run, true, text, sizeof text);
		assert_memory_equal(text, cases[i].head, strlen(cases[i].head));
		assert_int_equal(bench->run.command.len, cases[i].len);
	}
}

static void bytes_are_repeated(void **state)
{
	struct bench *bench = *state;

	assert_reads(bench, "00 A5*3 01", "00A5A5A501");
	assert_reads(bench, "(A5*2)", "02A5A5");
	assert_reads(bench, "00 A5*0 01", "0001");
	assert_reads(bench, "A5*1", "A5");
	assert_refused(bench, "00A5*3",
		       "column 5: * repeats one byte, which must stand right before it");
	assert_refused(bench, "00 *3",
		       "column 4: * repeats one byte, which must stand right before it");
	assert_refused(bench, "*3",
		       "column 1: * repeats one byte, which must stand right before it");
	assert_refused(bench, "A5*", "column 4: a number is missing");
	assert_refused(bench, "00 A5*65544", "column 12: longer than any APDU");
	assert_refused(bench, "A5*99999999999999999999", "column 8: the number is too large");
}

static void nonsense_is_refused(void **state)
{
	struct bench *bench = *state;
	char deep[64];

	assert_refused(bench, "0", "column 1: half a byte");
	assert_refused(bench, "00 2", "column 4: half a byte");
	assert_refused(bench, "00 g0",
		       "column 4: neither a hexadecimal digit nor a sign of the language");
	assert_refused(bench, "00 ?",
		       "column 4: neither a hexadecimal digit nor a sign of the language");
	assert_refused(bench, "( 00", "column 5: a bracket is not closed");
	assert_refused(bench, "00 )", "column 4: this bracket closes none");
	assert_refused(bench, "( 00 ]", "column 6: this bracket closes none");
	assert_refused(bench, "> 9000", "column 1: no command stands before the >");
	assert_refused(bench, "00 > 90", "column 8: the status word is missing");
	assert_refused(bench, "00 >", "column 5: the status word is missing");
	assert_refused(bench, "00 > 9000 > 9000",
		       "column 11: neither a hexadecimal digit nor a sign of the language");
	assert_refused(bench, "00 > ** 01 9000",
		       "column 16: behind ** only the status word can stand");
	assert_refused(bench, "00 > [ ** ] 9000",
		       "column 8: ** can stand once, before the status word");
	assert_refused(bench, "00 > ** ** 9000",
		       "column 9: ** can stand once, before the status word");
	assert_refused(bench, "00 ** 9000", "column 4: ** can stand once, before the status word");
	memset(deep, '(', sizeof deep);
	deep[sizeof deep - 1] = '\0';
	assert_refused(bench, deep, "column 9: too many brackets within each other");
}

static void names_are_refused(void **state)
{
	struct bench *bench = *state;
	static const char name[] =
		"a name is a-z, 0-9 and _, begins with none of the digits and has "
		"up to 31 characters";
	char why[EXAMPLE_TEXT_MAX];

	define_values(&bench->run);
	assert_refused(bench, "{nobody}", "column 8: no value is called {nobody}");
	snprintf(why, sizeof why, "column 2: %s", name);
	/* What could be a PIN is not repeated. */
	assert_refused(bench, "{1234}", why);
	assert_refused(bench, "{}", why);
	snprintf(why, sizeof why, "column 34: %s", name);
	assert_refused(bench, "{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", why);
	assert_refused(bench, "{pin", "column 5: } is missing");
	assert_refused(bench, "{x:4}", "column 3: only an answer can be captured");
	assert_refused(bench, "00 > {pin:8} 9000",
		       "column 10: that name stands for something else");
	assert_refused(bench, "00 > {x:0} 9000", "column 10: a capture has 1 to 1280 bytes");
	assert_refused(bench, "00 > {x:1281} 9000", "column 13: a capture has 1 to 1280 bytes");
	assert_refused(bench, "00 > {x:} 9000", "column 9: a number is missing");
	assert_refused(bench, "00 > {x} 9000", "column 8: no value is called {x}");
}

static void values_are_defined_once(void **state)
{
	struct bench *bench = *state;
	uint8_t large[EXAMPLE_VALUE_MAX + 1] = {0};
	char name[16];

	assert_false(example_define(&bench->run, "", false, bytes_of(large, 1)));
	assert_false(example_define(&bench->run, "Aid", false, bytes_of(large, 1)));
	assert_false(example_define(&bench->run, "1a", false, bytes_of(large, 1)));
	assert_false(example_define(&bench->run, "large", false, bytes_of(large, sizeof large)));
	assert_true(example_define(&bench->run, "empty", false, bytes_of(NULL, 0)));
	assert_false(example_define(&bench->run, "empty", false, bytes_of(large, 1)));
	for (int i = 1; i < EXAMPLE_NAMES_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i);
		assert_true(example_define(&bench->run, name, false, bytes_of(large, 1)));
	}
	assert_false(example_define(&bench->run, "more", false, bytes_of(large, 1)));
	assert_refused(bench, "00 > {more:1} 9000", "column 11: too many captures in this run");
}

static void fixtures_are_the_contracts(void **state)
{
	struct bench *bench = *state;

	assert_true(example_define_fixtures(&bench->run));
	assert_reads(bench, "00 A4 04 00 ( {aid} )", "00A4040008F053494D54494501");
	assert_reads(bench, "{audience}", "636861742E6578616D706C65");
	assert_int_equal(read_line(bench, "80 E2 90 00 ( 7F21 [ {certificate} ] )"), EXAMPLE_HELD);
	assert_int_equal(bench->run.command.len, 4 + 3 + 2 + 3 + 516);
}

static void values_differ_where_they_must(void **state)
{
	(void)state;
	struct example_values values;

	for (char first = '0'; first <= '9'; first++) {
		char pin[] = {first, '2', '3', '4', '\0'};

		assert_true(example_values(pin, "92345678", &values));
		assert_memory_not_equal(values.pin, values.wrong_pin, 8);
		assert_memory_not_equal(values.pin, values.new_pin, 8);
		assert_memory_not_equal(values.new_pin, values.wrong_pin, 8);
		assert_memory_not_equal(values.puk, values.wrong_puk, 8);
		assert_true(values.wrong_pin[0] >= '0' && values.wrong_pin[0] <= '9');
	}
	assert_false(example_values("123", "12345678", &values));
	assert_false(example_values("123456789", "12345678", &values));
	assert_false(example_values("12a4", "12345678", &values));
	assert_false(example_values("1234", "1234567", &values));
}

/* ---- Sending and comparing ---- */

static void assert_answer(struct bench *bench, const char *line, const char *answer,
			  enum example_result result, const char *text)
{
	bench->card.count = 0;
	bench->card.answers[0] = answer;
	assert_int_equal(read_line(bench, line), EXAMPLE_HELD);
	assert_int_equal(example_send(&bench->run, false), result);
	assert_string_equal(bench->run.text, text);
}

static void answers_are_compared(void **state)
{
	struct bench *bench = *state;

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
	struct bench *bench = *state;

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
	struct bench *bench = *state;

	assert_answer(bench, "00 > [ 80 [ {x:2} ] {y:1} ] 9000", "05800211220A9000", EXAMPLE_HELD,
		      "");
	assert_reads(bench, "01 {y} {x}", "010A1122");
	assert_answer(bench, "00 > {x} 9000", "11229000", EXAMPLE_HELD, "");
	assert_answer(bench, "00 > {x} 9000", "11239000", EXAMPLE_DIFFERED,
		      "byte 2 of the data differs");
	/* Within one answer, and then anew. */
	assert_answer(bench, "00 > {x:1} [ {x} ] 9000", "3301339000", EXAMPLE_HELD, "");
	assert_answer(bench, "00 > [ {x:1} ] [ {x} ] 9000", "014401459000", EXAMPLE_DIFFERED,
		      "the data from byte 4 on is not {x} again");
	assert_reads(bench, "{x}", "33");
}

static void scripts_can_be_rehearsed(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(read_line(bench, "00 > 11 {x:2} ** 9000"), EXAMPLE_HELD);
	example_rehearse(&bench->run);
	assert_reads(bench, "01 {x}", "010000");
	example_rehearse(&bench->run);
	assert_refused(bench, "01 {y}", "column 6: no value is called {y}");
	assert_int_equal(bench->card.count, 0);
}

static void lines_say_which_way_they_go(void **state)
{
	struct bench *bench = *state;

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
	assert_refused(bench, "00 ! 840000",
		       "column 4: neither a hexadecimal digit nor a sign of the language");
}

/* What is selected decides what a command is called. */
static void commands_are_those_of_the_application(void **state)
{
	struct bench *bench = *state;

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
	struct bench *bench = *state;

	bench->card.error = SIMTIE_ERR_GONE;
	assert_int_equal(read_line(bench, "00 > 9000"), EXAMPLE_HELD);
	assert_int_equal(example_send(&bench->run, true), EXAMPLE_FAILED);
	assert_int_equal(bench->run.error, SIMTIE_ERR_GONE);
	assert_string_equal(bench->run.text, simtie_strerror(SIMTIE_ERR_GONE));
	assert_int_equal(bench->card.way, EXAMPLE_WAY_RAW);
}

static void runs_stop_at_the_first_difference(void **state)
{
	struct bench *bench = *state;

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

static void assert_literal(struct bench *bench, const char *line, bool literal)
{
	assert_int_equal(read_line(bench, line), EXAMPLE_HELD);
	assert_int_equal(example_literal_secret(&bench->run), literal);
}

static void literal_secrets_are_found(void **state)
{
	struct bench *bench = *state;

	define_values(&bench->run);
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

static void assert_shown(struct bench *bench, const char *line, const char *answer,
			 const char *command, const char *expected, const char *got)
{
	char text[TEXT];

	bench->card.count = 0;
	bench->card.answers[0] = answer;
	assert_int_equal(read_line(bench, line), EXAMPLE_HELD);
	assert_int_not_equal(example_send(&bench->run, true), EXAMPLE_FAILED);
	assert_string_equal(example_show_command(&bench->run, false, text, sizeof text), command);
	assert_string_equal(example_show_expected(&bench->run, false, text, sizeof text), expected);
	assert_string_equal(example_show_answer(&bench->run, false, text, sizeof text), got);
}

static void steps_are_shown_blanked(void **state)
{
	struct bench *bench = *state;

	define_values(&bench->run);
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
	struct bench *bench = *state;

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
	struct bench *bench = *state;
	char text[] = "A031323334FFFFFFFF00 31323334";

	define_values(&bench->run);
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

		assert_int_equal(read_line(bench, "80 EE 00 00 12 00*8 {pin} 00*2"), EXAMPLE_HELD);
		example_show_command(&bench->run, false, cut, size);
		assert_true(strlen(cut) < size);
		assert_null(strstr(cut, "31"));
	}
}

/* What is cut fits, says so, and keeps the status word. */
static void long_answers_are_cut(void **state)
{
	struct bench *bench = *state;

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
	struct bench *bench = *state;
	const uint8_t *bytes = (const uint8_t *)&bench->run;

	define_values(&bench->run);
	assert_reads(bench, "0020000108{pin}", "002000010831323334FFFFFFFF");
	example_wipe(&bench->run);
	for (size_t i = 0; i < sizeof bench->run; i++)
		assert_int_equal(bytes[i], 0);
}

/* ---- The contract's own ---- */

static void every_example_can_be_read(void **state)
{
	struct bench *bench = *state;
	size_t count, steps = 0;
	const struct example_case *cases = example_cases(&count);
	const struct scp03_keys keys = {.len = 16};

	assert_true(count > 50);
	for (size_t i = 0; i < count; i++) {
		example_start(&bench->run, fake_transmit, &bench->card);
		define_values(&bench->run);
		assert_true(example_define_keys(&bench->run, &keys));
		for (const char *line = cases[i].steps; *line; line += strcspn(line, "\n") + 1) {
			size_t len = strcspn(line, "\n");

			assert_int_equal(example_read(&bench->run, line, len), EXAMPLE_HELD);
			assert_true(bench->run.expects);
			steps++;
		}
	}
	assert_true(steps > count);
	assert_true(example_needs(example_preamble(EXAMPLE_PERSONALISED), "puk"));
	assert_false(example_needs(example_preamble(EXAMPLE_PERSONALISED), "wrong_puk"));
	assert_string_equal(example_preamble(EXAMPLE_FACTORY), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(both_forms_are_read),         TEST(lines_without_a_step_are_empty),
		TEST(lengths_are_put_in),          TEST(long_lengths_are_put_in),
		TEST(bytes_are_repeated),          TEST(nonsense_is_refused),
		TEST(names_are_refused),           TEST(values_are_defined_once),
		TEST(fixtures_are_the_contracts),  TEST(values_differ_where_they_must),
		TEST(answers_are_compared),        TEST(any_bytes_may_follow),
		TEST(captures_are_used_again),     TEST(scripts_can_be_rehearsed),
		TEST(lines_say_which_way_they_go), TEST(commands_are_those_of_the_application),
		TEST(failures_are_told_apart),     TEST(runs_stop_at_the_first_difference),
		TEST(literal_secrets_are_found),   TEST(steps_are_shown_blanked),
		TEST(chains_are_shown_blanked),    TEST(known_secrets_are_blanked_everywhere),
		TEST(long_answers_are_cut),        TEST(wiping_leaves_nothing),
		TEST(every_example_can_be_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
