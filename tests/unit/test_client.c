/* The client calls against what a card may say, and the commands that they make: everything but
 * attestation and stored data. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "scripted_transport.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Makes a call on a session over the script (T=1, so that each command is one exchange) and checks
 * its result. */
typedef int client_call(struct simtie_session *session);

static void expect(client_call *call, struct scripted script, int error)
{
	struct simtie_session *session;

	script.protocol = SIMTIE_PROTOCOL_T1;
	session = scripted_session(&script, NULL);
	assert_int_equal(call(session), error);
	assert_true(scripted_done(&script));
	simtie_close(&session);
}

/* ---- SELECT ---- */

#define SELECT_FCI "00A4040008F053494D5449450100 > "
#define INFO       "00CABF2000 > "
#define FCI        "6F1A8408F053494D544945018A0107A50B80030102038101028201099000"

static struct simtie_info info;

static int call_select(struct simtie_session *session)
{
	memset(&info, 0xEE, sizeof info);
	return simtie_select(session, &info);
}

static int call_select_only(struct simtie_session *session)
{
	return simtie_select(session, NULL);
}

static void select_reads_everything(void **state)
{
	(void)state;
	expect(call_select,
	       (struct scripted)SCRIPT(SELECT_FCI FCI,
				       INFO "BF2022800301020381010782010383010784020500850208005A0A"
					    "988811223344556677F89000"),
	       0);
	assert_memory_equal(info.version, "\x01\x02\x03", 3);
	assert_int_equal(info.lifecycle, SIMTIE_LIFECYCLE_PERSONALISED);
	assert_int_equal(info.pin_tries, 2);
	assert_int_equal(info.puk_tries, 9);
	assert_int_equal(info.debug_status, 3);
	assert_true(info.has_key && info.has_certificate && info.has_iccid && !info.seeded);
	assert_memory_equal(info.iccid, "\x98\x88\x11\x22\x33\x44\x55\x66\x77\xF8", 10);
}

static void select_of_a_terminated_card(void **state)
{
	(void)state;
	expect(call_select,
	       (struct scripted)SCRIPT(
		       SELECT_FCI "6F1A8408F053494D544945018A010FA50B80030100008101008201006285",
		       INFO "BF2016800301000081010F82010083010884020500850208009000"),
	       0);
	assert_int_equal(info.lifecycle, SIMTIE_LIFECYCLE_TERMINATED);
	assert_true(info.seeded && !info.has_key && !info.has_iccid);
	expect(call_select_only, (struct scripted)SCRIPT("00A4040C08F053494D54494501 > 6285"), 0);
}

static void select_that_reads_nothing(void **state)
{
	(void)state;
	expect(call_select_only, (struct scripted)SCRIPT("00A4040C08F053494D54494501 > 9000"), 0);
	expect(call_select_only, (struct scripted)SCRIPT("00A4040C08F053494D54494501 > AA9000"),
	       SIMTIE_ERR_PROTOCOL);
}

static void cards_without_the_applet(void **state)
{
	static const char *const answers[] = {"* > 6A82", "* > 6A86", "* > 6D00", "* > 6E00"};

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		expect(call_select, (struct scripted)SCRIPT(answers[i]), SIMTIE_ERR_NO_APPLET);
		expect(call_select_only, (struct scripted)SCRIPT(answers[i]), SIMTIE_ERR_NO_APPLET);
	}
	expect(call_select, (struct scripted)SCRIPT("* > 6F00"), SIMTIE_ERR_CARD);
	expect(call_select, (struct scripted)SCRIPT("* > 6881"), SIMTIE_ERR_CARD);
}

static void malformed_fci(void **state)
{
	static const char *const answers[] = {
		"* > 9000",
		"* > 6F009000",
		/* Cut, continued, of another tag, of another AID. */
		"* > 6F1A8408F053494D544945018A0107A50B800301020381010282019000",
		"* > 6F1A8408F053494D544945018A0107A50B800301020381010282010900009000",
		"* > 701A8408F053494D544945018A0107A50B80030102038101028201099000",
		"* > 6F1A8408F053494D544945028A0107A50B80030102038101028201099000",
		/* An object missing, twice, unknown, of the wrong length; an unknown lifecycle. */
		"* > 6F178408F053494D544945018A0107A50880030102038101029000",
		"* > 6F1D8408F053494D544945018A0107A50E80030102038101028201098201099000",
		"* > 6F1D8408F053494D544945018A0107A50E80030102038101028201098301099000",
		"* > 6F198408F053494D544945018A0107A50A800201028101028201099000",
		"* > 6F1A8408F053494D544945018A0108A50B80030102038101028201099000",
		"* > 6F0D8408F053494D544945018A01079000",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++)
		expect(call_select, (struct scripted)SCRIPT(answers[i]), SIMTIE_ERR_PROTOCOL);
}

static void malformed_information(void **state)
{
	static const char *const answers[] = {
		INFO "9000",
		INFO "9F2104000000009000",
		/* Another version or lifecycle than the FCI's. */
		INFO "BF2016800301020481010782010383010084020500850208009000",
		INFO "BF2016800301020381010382010383010084020500850208009000",
		/* Debug status or content out of range; ICCID announced or not, contrary. */
		INFO "BF2016800301020381010782010583010084020500850208009000",
		INFO "BF2016800301020381010782010383014084020500850208009000",
		INFO "BF2016800301020381010782010383010484020500850208009000",
		INFO
		"BF2022800301020381010782010383010084020500850208005A0A988811223344556677F89000",
		/* An object missing. */
		INFO "BF20128003010203810107820103830100840205009000",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++)
		expect(call_select, (struct scripted)SCRIPT(SELECT_FCI FCI, answers[i]),
		       SIMTIE_ERR_PROTOCOL);
	expect(call_select, (struct scripted)SCRIPT(SELECT_FCI FCI, INFO "6581"), SIMTIE_ERR_CARD);
}

/* ---- PIN ---- */

static const char *pin, *new_pin;
static unsigned tries;

static int call_verify(struct simtie_session *session)
{
	tries = 99;
	return simtie_pin_verify(session, pin, &tries);
}

static int call_change(struct simtie_session *session)
{
	tries = 99;
	return simtie_pin_change(session, pin, new_pin, &tries);
}

static int call_unblock(struct simtie_session *session)
{
	tries = 99;
	return simtie_pin_unblock(session, pin, new_pin, &tries);
}

static void pins_are_padded(void **state)
{
	(void)state;
	pin = "1234";
	new_pin = "87654321";
	expect(call_verify, (struct scripted)SCRIPT("002000010831323334FFFFFFFF > 9000"), 0);
	assert_int_equal(tries, 99);
	expect(call_change,
	       (struct scripted)SCRIPT("002400011031323334FFFFFFFF3837363534333231 > 9000"), 0);
	pin = "12345678";
	expect(call_unblock,
	       (struct scripted)SCRIPT("002C00011031323334353637383837363534333231 > 9000"), 0);
}

static void pins_that_are_none(void **state)
{
	static const char *const pins[] = {NULL, "", "123", "123456789", "12 4", "123a", "-123"};

	(void)state;
	for (size_t i = 0; i < COUNT(pins); i++) {
		pin = pins[i];
		new_pin = "1234";
		expect(call_verify, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
		expect(call_change, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
		expect(call_unblock, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
		pin = "12345678";
		new_pin = pins[i];
		expect(call_change, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
		expect(call_unblock, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	}
	new_pin = "1234";
	pin = "1234567"; /* a PUK has 8 digits */
	expect(call_unblock, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	assert_int_equal(tries, 99);
}

static void tries_that_are_left(void **state)
{
	static const struct {
		const char *answer;
		unsigned tries;
	} rows[] = {{"* > 63C2", 2}, {"* > 63C0", 0}, {"* > 6983", 0}, {"* > 6985", 99}};

	(void)state;
	pin = "12345678";
	new_pin = "1234";
	for (size_t i = 0; i < COUNT(rows); i++) {
		client_call *const calls[] = {call_verify, call_change, call_unblock};

		for (size_t k = 0; k < COUNT(calls); k++) {
			expect(calls[k], (struct scripted)SCRIPT(rows[i].answer), SIMTIE_ERR_CARD);
			assert_int_equal(tries, rows[i].tries);
		}
	}
	expect(call_verify, (struct scripted)SCRIPT("* > AA9000"), SIMTIE_ERR_PROTOCOL);
	expect(call_verify, (struct scripted)SCRIPT("* > 6101", "* > AA9000"), SIMTIE_ERR_PROTOCOL);
}

static struct simtie_pin_state pin_state;

static int call_status(struct simtie_session *session)
{
	return simtie_pin_status(session, &pin_state);
}

static void state_of_the_pin(void **state)
{
	static const char *const answers[] = {
		"* > 9000",
		"* > BF230F80010281010382010983010A8401019000",
		"* > BF220C80010281010382010983010A9000",
		"* > BF221280010281010382010983010A8401018501009000",
		"* > BF22108002000281010382010983010A8401019000",
		/* More tries left than there can be; neither yes nor no. */
		"* > BF220F80010481010382010983010A8401019000",
		"* > BF220F80010281010382010B83010A8401019000",
		"* > BF220F80010281010382010983010A8401029000",
	};

	(void)state;
	expect(call_status,
	       (struct scripted)SCRIPT("00CABF2200 > BF220F80010281010382010983010A8401019000"), 0);
	assert_int_equal(pin_state.pin_tries, 2);
	assert_int_equal(pin_state.pin_tries_max, 3);
	assert_int_equal(pin_state.puk_tries, 9);
	assert_int_equal(pin_state.puk_tries_max, 10);
	assert_true(pin_state.verified);
	for (size_t i = 0; i < COUNT(answers); i++)
		expect(call_status, (struct scripted)SCRIPT(answers[i]), SIMTIE_ERR_PROTOCOL);
}

/* ---- Logical channels ---- */

static uint8_t channel;

static int call_open(struct simtie_session *session)
{
	channel = 99;
	return simtie_channel_open(session, &channel);
}

static void channel_opened(void **state)
{
	static const char *const answers[] = {"* > 9000", "* > 009000", "* > 049000",
					      "* > 01029000"};

	(void)state;
	expect(call_open, (struct scripted)SCRIPT("0070000001 > 039000"), 0);
	assert_int_equal(channel, 3);
	for (size_t i = 0; i < COUNT(answers); i++) {
		expect(call_open, (struct scripted)SCRIPT(answers[i]), SIMTIE_ERR_PROTOCOL);
		assert_int_equal(channel, 99);
	}
	expect(call_open, (struct scripted)SCRIPT("* > 6881"), SIMTIE_ERR_CARD);
}

static void channel_in_use(void **state)
{
	struct scripted script =
		SCRIPT("02A4040C08F053494D54494501 > 9000", "0070000001 > 039000",
		       "00708002 > 9000", "00A4040C08F053494D54494501 > 9000",
		       "01A4040C08F053494D54494501 > 9000", "00A4040C08F053494D54494501 > 9000");
	struct simtie_session *session = scripted_session(&script, NULL);

	(void)state;
	assert_int_equal(simtie_use_channel(session, 4), SIMTIE_ERR_ARGUMENT);
	assert_int_equal(simtie_use_channel(session, 2), 0);
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_int_equal(simtie_channel_open(session, &channel), 0); /* from the basic channel */
	assert_int_equal(simtie_channel_close(session, 0), SIMTIE_ERR_ARGUMENT);
	assert_int_equal(simtie_channel_close(session, 4), SIMTIE_ERR_ARGUMENT);
	assert_int_equal(simtie_channel_close(session, 2), 0);
	assert_int_equal(simtie_select(session, NULL), 0); /* back on the basic channel */
	assert_int_equal(simtie_use_channel(session, 1), 0);
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_int_equal(simtie_reset(session), 0);
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_true(scripted_done(&script));
	simtie_close(&session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(select_reads_everything),
		cmocka_unit_test(select_of_a_terminated_card),
		cmocka_unit_test(select_that_reads_nothing),
		cmocka_unit_test(cards_without_the_applet),
		cmocka_unit_test(malformed_fci),
		cmocka_unit_test(malformed_information),
		cmocka_unit_test(pins_are_padded),
		cmocka_unit_test(pins_that_are_none),
		cmocka_unit_test(tries_that_are_left),
		cmocka_unit_test(state_of_the_pin),
		cmocka_unit_test(channel_opened),
		cmocka_unit_test(channel_in_use),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
