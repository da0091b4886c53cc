/* What the trace blanks, and what it shows. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "trace_place.h"

#define PIN  "31323334FFFFFFFF"
#define STAR "****************"

static void secret_commands(void **state)
{
	static const struct {
		const char *command, *shown;
	} rows[] = {
		{"0020000108" PIN, "0020000108" STAR},
		{"0024000110" PIN PIN, "0024000110" STAR STAR},
		{"002C000110" PIN PIN, "002C000110" STAR STAR},
		/* The same instructions in other classes, and those that other cards know. */
		{"A020000108" PIN, "A020000108" STAR},
		{"8021000108" PIN, "8021000108" STAR},
		{"0026000108" PIN, "0026000108" STAR},
		{"0028000108" PIN, "0028000108" STAR},
		/* On a channel, under secure messaging, in a chain. */
		{"0320000108" PIN, "0320000108" STAR},
		{"0C20000108" PIN, "0C20000108" STAR},
		{"1020000108" PIN, "1020000108" STAR},
		/* With a length that is wrong, all after the header is blanked. */
		{"0020000109" PIN, "00200001**" STAR},
		{"0020000131323334", "00200001********"},
		{"00200001000008" PIN, "00200001000008" STAR},
		/* The values of secret objects, and of unknown ones. */
		{"80E290000A8408" PIN, "80E290000A8408" STAR},
		{"80E290000A8508" PIN, "80E290000A8508" STAR},
		{"80E29000035A0198", "80E29000035A0198"},
		{"80E2900003C60198", "80E2900003C601**"},
		{"808800000D8001618408" PIN, "808800000D8001618408" STAR},
		{"80880000058001618100", "80880000058001618100"},
		/* Broken off within an object: nothing tells what it is. */
		{"808800000A80066184083132333435", "808800000A********************"},
		{"80880000058001618408", "8088000005**********"},
		/* Nothing secret. */
		{"00A4040008F053494D54494501", "00A4040008F053494D54494501"},
		{"00200001", "00200001"},
		{"00", "00"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct trace_place *place = *state;
		char line[160];

		unlink(place->path);
		trace_place_send(place, (struct scripted)SCRIPT("* > 9000"), SENT(rows[i].command),
				 false);
		snprintf(line, sizeof line, "us > %s   ", rows[i].shown);
		if (!trace_place_has(place, line))
			fail_msg("%s is shown as%s", rows[i].command, place->content);
	}
}

static void chain_is_secret_whole(void **state)
{
	struct trace_place *place = *state;

	/* The last link looks like an ICCID; it is the middle of a PIN's padding. */
	trace_place_send(
		place, (struct scripted)SCRIPT("* > 9000", "* > 9000", "* > 9000", "* > 9000"),
		SENT("90E29000035A0198", "80E29000035A0198", "80E29000035A0198", "90E2900001AA"),
		false);
	assert_true(trace_place_has(place, "> 90E2900003******"));
	assert_true(trace_place_has(place, "> 80E2900003******"));
	assert_true(trace_place_has(place, "> 80E29000035A0198")); /* the chain is over */
	assert_true(trace_place_has(place, "> 90E2900001**"));
}

#define POINT                                                                                      \
	"04000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"                       \
	"202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F"
#define CHAIN_CODE "C0DEC0DEC0DEC0DEC0DEC0DEC0DEC0DEC0DEC0DEC0DEC0DEC0DEC0DEC0DEC0DE"
#define KEY                                                                                        \
	"7F4965"                                                                                   \
	"8641" POINT "C020" CHAIN_CODE

#define HARMLESS "7F49058603414243" /* a public key in its template */

/* None of the digits of the chain code in a row; the point's are shown if `shown`. */
static void expect_no_chain_code(struct trace_place *place, bool shown)
{
	assert_false(trace_place_has(place, "C0DE"));
	assert_false(trace_place_has(place, "DEC0"));
	assert_int_equal(trace_place_has(place, POINT), shown);
}

static void secret_response_at_once(void **state)
{
	struct trace_place *place = *state;

	trace_place_send(place, (struct scripted)SCRIPT("* > " KEY "9000"), SENT("0046000000"),
			 false);
	expect_no_chain_code(place, true);
	assert_true(trace_place_has(place, "C020****"));
}

static void secret_response_after_6c(void **state)
{
	struct trace_place *place = *state;

	trace_place_send(place, (struct scripted)SCRIPT("* > 6C68", "* > " KEY "9000"),
			 SENT("0046000000", "0046000068"), false);
	expect_no_chain_code(place, true);
}

static void secret_response_by_get_response(void **state)
{
	struct trace_place *place = *state;

	trace_place_send(place, (struct scripted)SCRIPT("* > 6168", "* > " KEY "9000"),
			 SENT("00460000", "00C0000068"), false);
	expect_no_chain_code(place, true);
}

/* In pieces all of it is blanked, even where a piece happens to be made of harmless objects. */
static void secret_response_in_pieces(void **state)
{
	struct trace_place *place = *state;

	trace_place_send(place,
			 (struct scripted)SCRIPT("* > 7F49658641" POINT "6122",
						 "* > C020" CHAIN_CODE "9000"),
			 SENT("0046000043", "00C0000022"), false);
	expect_no_chain_code(place, false);
	unlink(place->path);
	trace_place_send(
		place,
		(struct scripted)SCRIPT("* > 6110", "* > " HARMLESS "6108", "* > " HARMLESS "9000"),
		SENT("00460000", "00C0000008", "00C0000008"), false);
	assert_false(trace_place_has(place, "414243"));
	/* Whole, it is shown. */
	unlink(place->path);
	trace_place_send(place, (struct scripted)SCRIPT("* > 6108", "* > " HARMLESS "9000"),
			 SENT("00460000", "00C0000008"), false);
	assert_true(trace_place_has(place, HARMLESS "9000"));
}

/* GET RESPONSE belongs to the last command on its channel, whatever went over others. */
static void secret_response_of_another_channel(void **state)
{
	struct trace_place *place = *state;

	trace_place_send(place,
			 (struct scripted)SCRIPT("* > 6168", "* > 6102",
						 "* > 4142"
						 "9000",
						 "* > " KEY "9000"),
			 SENT("01460000", "00CABF20", "00C0000002", "01C0000068"), false);
	expect_no_chain_code(place, true);
	assert_true(trace_place_has(place, "< 41429000"));
}

static void broken_secret_response(void **state)
{
	struct trace_place *place = *state;

	trace_place_send(place,
			 (struct scripted)SCRIPT("* > 7F49668641" POINT "C020" CHAIN_CODE "9000"),
			 SENT("0046000000"), false);
	expect_no_chain_code(place, false);
}

static void secrets_on_request(void **state)
{
	struct trace_place *place = *state;

	trace_place_send(place, (struct scripted)SCRIPT("* > 9000", "* > " KEY "9000"),
			 SENT("0020000108" PIN, "0046000000"), true);
	assert_true(trace_place_has(place, "> 0020000108" PIN));
	assert_true(trace_place_has(place, "C020" CHAIN_CODE "9000"));
	assert_true(trace_place_has(place, "# WARNING: PINs and keys stand below in clear."));
	assert_false(trace_place_has(place, "blanked"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(secret_commands, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(chain_is_secret_whole, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(secret_response_at_once, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(secret_response_after_6c, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(secret_response_by_get_response, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(secret_response_in_pieces, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(secret_response_of_another_channel,
						trace_place_make, trace_place_remove),
		cmocka_unit_test_setup_teardown(broken_secret_response, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(secrets_on_request, trace_place_make,
						trace_place_remove),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
