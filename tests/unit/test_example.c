/*
 * The examples' language: what a line means, and that the contract's own can be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "example_bench.h"

/* ---- Reading ---- */

static void both_forms_are_read(void **state)
{
	struct example_bench *bench = *state;

	example_bench_define(&bench->run);
	example_bench_reads(bench, "00200001>63C3", "00200001");
	example_bench_reads(bench, "0020000108{pin}>9000", "002000010831323334FFFFFFFF");
	example_bench_reads(bench, " 00 20 00 01\t08 {pin} > 9000 # the PIN\r",
			    "002000010831323334FFFFFFFF");
	example_bench_reads(bench, "00ca9f2100", "00CA9F2100");
	example_bench_reads(bench, "00 CA 9F 21 00 # > 9000", "00CA9F2100");
	assert_false(bench->run.expects);
}

static void lines_without_a_step_are_empty(void **state)
{
	struct example_bench *bench = *state;

	assert_int_equal(example_bench_read(bench, ""), EXAMPLE_EMPTY);
	assert_int_equal(example_bench_read(bench, " \t\r"), EXAMPLE_EMPTY);
	assert_int_equal(example_bench_read(bench, "# 00 20 00 01"), EXAMPLE_EMPTY);
	assert_int_equal(bench->run.step, 0);
}

static void lengths_are_put_in(void **state)
{
	struct example_bench *bench = *state;

	example_bench_reads(bench, "( )", "00");
	example_bench_reads(bench, "(01 02 03)", "03010203");
	example_bench_reads(bench, "80E29000(84[31 32]5A[])", "80E2900006840231325A00");
	example_bench_reads(bench, "( 61*2 [ 62*3 ] )", "06616103626262");
}

static void long_lengths_are_put_in(void **state)
{
	struct example_bench *bench = *state;
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
		assert_int_equal(example_bench_read(bench, cases[i].line), EXAMPLE_HELD);
		example_show_command(&bench->run, true, text, sizeof text);
		assert_memory_equal(text, cases[i].head, strlen(cases[i].head));
		assert_int_equal(bench->run.command.len, cases[i].len);
	}
}

static void bytes_are_repeated(void **state)
{
	struct example_bench *bench = *state;

	example_bench_reads(bench, "00 A5*3 01", "00A5A5A501");
	example_bench_reads(bench, "(A5*2)", "02A5A5");
	example_bench_reads(bench, "00 A5*0 01", "0001");
	example_bench_reads(bench, "A5*1", "A5");
	example_bench_refuses(bench, "00A5*3",
			      "column 5: * repeats one byte, which must stand right before it");
	example_bench_refuses(bench, "00 *3",
			      "column 4: * repeats one byte, which must stand right before it");
	example_bench_refuses(bench, "*3",
			      "column 1: * repeats one byte, which must stand right before it");
	example_bench_refuses(bench, "A5*", "column 4: a number is missing");
	example_bench_refuses(bench, "00 A5*65544", "column 12: longer than any APDU");
	example_bench_refuses(bench, "A5*99999999999999999999",
			      "column 8: the number is too large");
}

static void nonsense_is_refused(void **state)
{
	struct example_bench *bench = *state;
	char deep[64];

	example_bench_refuses(bench, "0", "column 1: half a byte");
	example_bench_refuses(bench, "00 2", "column 4: half a byte");
	example_bench_refuses(bench, "00 g0",
			      "column 4: neither a hexadecimal digit nor a sign of the language");
	example_bench_refuses(bench, "00 ?",
			      "column 4: neither a hexadecimal digit nor a sign of the language");
	example_bench_refuses(bench, "( 00", "column 5: a bracket is not closed");
	example_bench_refuses(bench, "00 )", "column 4: this bracket closes none");
	example_bench_refuses(bench, "( 00 ]", "column 6: this bracket closes none");
	example_bench_refuses(bench, "> 9000", "column 1: no command stands before the >");
	example_bench_refuses(bench, "00 > 90", "column 8: the status word is missing");
	example_bench_refuses(bench, "00 >", "column 5: the status word is missing");
	example_bench_refuses(bench, "00 > 9000 > 9000",
			      "column 11: neither a hexadecimal digit nor a sign of the language");
	example_bench_refuses(bench, "00 > ** 01 9000",
			      "column 16: behind ** only the status word can stand");
	example_bench_refuses(bench, "00 > [ ** ] 9000",
			      "column 8: ** can stand once, before the status word");
	example_bench_refuses(bench, "00 > ** ** 9000",
			      "column 9: ** can stand once, before the status word");
	example_bench_refuses(bench, "00 ** 9000",
			      "column 4: ** can stand once, before the status word");
	memset(deep, '(', sizeof deep);
	deep[sizeof deep - 1] = '\0';
	example_bench_refuses(bench, deep, "column 9: too many brackets within each other");
}

static void names_are_refused(void **state)
{
	struct example_bench *bench = *state;
	static const char name[] =
		"a name is a-z, 0-9 and _, begins with none of the digits and has "
		"up to 31 characters";
	char why[EXAMPLE_TEXT_MAX];

	example_bench_define(&bench->run);
	example_bench_refuses(bench, "{nobody}", "column 8: no value is called {nobody}");
	snprintf(why, sizeof why, "column 2: %s", name);
	/* What could be a PIN is not repeated. */
	example_bench_refuses(bench, "{1234}", why);
	example_bench_refuses(bench, "{}", why);
	snprintf(why, sizeof why, "column 34: %s", name);
	example_bench_refuses(bench, "{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", why);
	example_bench_refuses(bench, "{pin", "column 5: } is missing");
	example_bench_refuses(bench, "{x:4}", "column 3: only an answer can be captured");
	example_bench_refuses(bench, "00 > {pin:8} 9000",
			      "column 10: that name stands for something else");
	example_bench_refuses(bench, "00 > {x:0} 9000", "column 10: a capture has 1 to 1280 bytes");
	example_bench_refuses(bench, "00 > {x:1281} 9000",
			      "column 13: a capture has 1 to 1280 bytes");
	example_bench_refuses(bench, "00 > {x:} 9000", "column 9: a number is missing");
	example_bench_refuses(bench, "00 > {x} 9000", "column 8: no value is called {x}");
}

static void values_are_defined_once(void **state)
{
	struct example_bench *bench = *state;
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
	example_bench_refuses(bench, "00 > {more:1} 9000",
			      "column 11: too many captures in this run");
}

static void fixtures_are_the_contracts(void **state)
{
	struct example_bench *bench = *state;

	assert_true(example_define_fixtures(&bench->run));
	example_bench_reads(bench, "00 A4 04 00 ( {aid} )", "00A4040008F053494D54494501");
	example_bench_reads(bench, "{audience}", "636861742E6578616D706C65");
	assert_int_equal(example_bench_read(bench, "80 E2 90 00 ( 7F21 [ {certificate} ] )"),
			 EXAMPLE_HELD);
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

/* ---- The contract's own ---- */

static void every_example_can_be_read(void **state)
{
	struct example_bench *bench = *state;
	size_t count, steps = 0;
	const struct example_case *cases = example_cases(&count);
	const struct scp03_keys keys = {.len = 16};

	assert_true(count > 50);
	for (size_t i = 0; i < count; i++) {
		example_bench_start(bench);
		example_bench_define(&bench->run);
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
#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, example_bench_set_up, example_bench_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(both_forms_are_read),        TEST(lines_without_a_step_are_empty),
		TEST(lengths_are_put_in),         TEST(long_lengths_are_put_in),
		TEST(bytes_are_repeated),         TEST(nonsense_is_refused),
		TEST(names_are_refused),          TEST(values_are_defined_once),
		TEST(fixtures_are_the_contracts), TEST(values_differ_where_they_must),
		TEST(every_example_can_be_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
