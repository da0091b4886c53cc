/* The transport "at:" against the simulated modem: both ways, channels, and every kind of exit. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "at_place.h"

static struct at_place place;

static const uint8_t tries[] = {0x00, 0x20, 0x00, 0x01}; /* VERIFY without a PIN */

/* All that a session is for: selecting, a PIN, an attestation, the log, a reset. */
static void use(void)
{
	static const uint8_t nonce[32] = {1, 2, 3};
	const struct simtie_challenge challenge = {
		.audience = "chat.example", .nonce = nonce, .nonce_len = sizeof nonce};
	uint8_t token[SIMTIE_TOKEN_MAX];
	struct simtie_info info;
	unsigned left;
	size_t len;

	assert_int_equal(simtie_select(place.session, &info), 0);
	assert_int_equal(info.lifecycle, SIMTIE_LIFECYCLE_PERSONALISED);
	assert_int_equal(simtie_attest(place.session, &challenge, "1234", true, token, &len, &left),
			 0);
	assert_int_equal(simtie_pin_verify(place.session, "1234", &left), 0);
	assert_int_equal(at_place_send(&place, tries, sizeof tries, 0), SW_OK);
	assert_int_equal(simtie_reset(place.session), 0);
	assert_int_equal(simtie_select(place.session, &info), 0);
	assert_int_equal(at_place_send(&place, tries, sizeof tries, 0), 0x63C3);
	simtie_session_atr(place.session, &len);
	assert_int_equal(len, 0);
	assert_int_equal(simtie_session_protocol(place.session), SIMTIE_PROTOCOL_T0);
	assert_string_equal(simtie_session_reader(place.session), place.reader);
}

/* ---- Kinds of modems ---- */

static void every_kind_of_modem_works(void **state)
{
	static const struct modem_options kinds[] = {
		{.csim = true},
		{.cgla = true},
		{.csim = true, .cgla = true},
		{.csim = true, .stuck_echo = true, .chatty = true},
		{.cgla = true, .stuck_echo = true, .chatty = true},
		{.csim = true, .fetches = true},
		{.cgla = true, .fetches = true},
		{.cgla = true, .hex_sessions = true},
		{.cgla = true, .bare_sessions = true},
		{.cgla = true, .silent_tests = true},
		{.csim = true, .silent_tests = true},
		{.csim = true, .plain_errors = true},
		{.csim = true, .chunk = 1, .stuck_echo = true, .chatty = true},
		{.csim = true, .phone = 2},
		{.cgla = true, .phone = 2},
		{.csim = true, .sleepy = 1},
		{.cgla = true, .sleepy = 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		at_place_begin(&place, &kinds[i]);
		assert_int_equal(at_place_open(&place), 0);
		use();
		assert_int_equal(place.modem.refused, 0);
		at_place_end(&place);
		assert_int_equal(place.modem.opened, 2);
		assert_int_equal(place.modem.closed, 2);
	}
}

static void the_better_way_is_taken_unless_told_otherwise(void **state)
{
	static const struct modem_options both = {.csim = true, .cgla = true};
	static const struct {
		const char *words;
		enum modem_fault fault;
		bool by_session;
	} rows[] = {{"", MODEM_WELL, true},
		    {",csim", MODEM_WELL, false},
		    {",115200,cgla", MODEM_WELL, true}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		at_place_begin(&place, &both);
		strcat(place.reader, rows[i].words);
		assert_int_equal(at_place_open(&place), 0);
		assert_int_equal(place.modem.sessions[0] != 0, rows[i].by_session);
		use();
		at_place_end(&place);
	}
}

/* A SIM without the applet refuses +CCHO with its name; +CSIM shows what it is. */
static void a_refused_session_falls_back_to_csim(void **state)
{
	struct modem_options options = {
		.csim = true, .cgla = true, .fault = MODEM_REFUSES, .cme = 22};

	(void)state;
	at_place_begin(&place, &options);
	snprintf(place.reader, sizeof place.reader, "at:%s,cgla", place.modem.path);
	assert_int_equal(at_place_open(&place), SIMTIE_ERR_NO_APPLET);
	assert_non_null(strstr(place.detail, "does not carry simtie"));
	at_place_end(&place);
	options.after = 0;
	at_place_begin(&place, &options);
	assert_int_equal(at_place_open(&place), SIMTIE_ERR_NO_APPLET);
	assert_int_equal(place.modem.accesses, 2); /* one by either way */
	at_place_end(&place);
}

/* ---- Channels ---- */

static void the_phones_channels_are_left_alone(void **state)
{
	static const uint8_t on_1[] = {0x01, 0x20, 0x00, 0x01}, on_4[] = {0x40, 0x20, 0x00, 0x01};
	static const uint8_t close_1[] = {0x00, 0x70, 0x80, 0x01};
	const struct modem_options options = {.csim = true, .phone = 1};
	unsigned accesses;

	(void)state;
	at_place_begin(&place, &options);
	assert_int_equal(at_place_open(&place), 0);
	accesses = place.modem.accesses;
	at_place_send(&place, on_1, sizeof on_1, SIMTIE_ERR_ARGUMENT);
	at_place_send(&place, on_4, sizeof on_4, SIMTIE_ERR_ARGUMENT);
	at_place_send(&place, close_1, sizeof close_1, SIMTIE_ERR_ARGUMENT);
	assert_int_equal(place.modem.accesses, accesses);
	use();
	at_place_end(&place);
}

/* Channels that the host opens on top are its own, and are closed with the first. */
static void further_channels_are_closed_too(void **state)
{
	const struct modem_options options = {.csim = true, .phone = 1};
	struct simtie_info info;
	uint8_t channel;

	(void)state;
	at_place_begin(&place, &options);
	assert_int_equal(at_place_open(&place), 0);
	assert_int_equal(simtie_channel_open(place.session, &channel), 0);
	assert_int_equal(channel, 3);
	assert_int_equal(simtie_use_channel(place.session, channel), 0);
	assert_int_equal(simtie_select(place.session, &info), 0);
	assert_int_equal(modem_guests(&place.modem), 2);
	assert_int_equal(simtie_channel_close(place.session, channel), 0);
	assert_int_equal(modem_guests(&place.modem), 1);
	assert_int_equal(simtie_channel_open(place.session, &channel), 0);
	assert_int_equal(modem_guests(&place.modem), 2);
	at_place_end(&place);
}

static void channels_of_a_session_are_the_modems(void **state)
{
	const struct modem_options options = {.cgla = true};
	uint8_t channel;

	(void)state;
	at_place_begin(&place, &options);
	assert_int_equal(at_place_open(&place), 0);
	assert_int_equal(simtie_channel_open(place.session, &channel), SIMTIE_ERR_ARGUMENT);
	assert_int_equal(place.modem.refused, 0);
	at_place_end(&place);
}

/* With no channel left the phone's own is not taken instead. */
static void without_a_channel_there_is_no_session(void **state)
{
	static const struct modem_options kinds[] = {{.csim = true, .phone = 3},
						     {.cgla = true, .phone = 3}};

	(void)state;
	at_place_begin(&place, &kinds[0]);
	assert_int_equal(at_place_open(&place), SIMTIE_ERR_BUSY);
	assert_non_null(strstr(place.detail, "no logical channel (6881)"));
	at_place_end(&place);
	at_place_begin(&place, &kinds[1]);
	assert_int_equal(at_place_open(&place), SIMTIE_ERR_TRANSPORT);
	at_place_end(&place);
}

/* ---- Every exit ---- */

static void an_abandoned_session_leaves_nothing_open(void **state)
{
	static const struct modem_options kinds[] = {{.csim = true, .phone = 1}, {.cgla = true}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		at_place_begin(&place, &kinds[i]);
		assert_int_equal(at_place_open(&place), 0);
		assert_int_equal(modem_guests(&place.modem), 1);
		simtie_abandon(place.session);
		assert_int_equal(modem_guests(&place.modem), 0);
		simtie_abandon(place.session);
		at_place_end(&place);
		assert_int_equal(place.modem.closed, 1);
	}
	simtie_abandon(NULL);
}

/* Commands that fail in the middle leave a session that still closes its channel. */
static void failed_commands_do_not_keep_the_channel_open(void **state)
{
	static const enum modem_fault faults[] = {MODEM_GARBLED, MODEM_ODD,   MODEM_NO_HEX,
						  MODEM_EMPTY,   MODEM_SHORT, MODEM_REFUSES};

	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		const struct modem_options options = {
			.cgla = true, .fault = faults[i], .after = 1, .cme = 13};

		at_place_begin(&place, &options);
		assert_int_equal(at_place_open(&place), 0);
		at_place_send(&place, tries, sizeof tries,
			      faults[i] == MODEM_REFUSES ? SIMTIE_ERR_MUTE : SIMTIE_ERR_PROTOCOL);
		at_place_end(&place);
	}
}

static void the_guard_holds_the_session_while_it_is_open(void **state)
{
	const struct modem_options options = {.csim = true};
	struct simtie_session *volatile guard = NULL;
	struct simtie_options wanted = {.guard = &guard};

	(void)state;
	at_place_begin(&place, &options);
	wanted.reader = place.reader;
	assert_int_equal(simtie_open(&wanted, &place.session), 0);
	assert_ptr_equal(guard, place.session);
	at_place_end(&place);
	assert_null(guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_modem_works),
		cmocka_unit_test(the_better_way_is_taken_unless_told_otherwise),
		cmocka_unit_test(a_refused_session_falls_back_to_csim),
		cmocka_unit_test(the_phones_channels_are_left_alone),
		cmocka_unit_test(further_channels_are_closed_too),
		cmocka_unit_test(channels_of_a_session_are_the_modems),
		cmocka_unit_test(without_a_channel_there_is_no_session),
		cmocka_unit_test(an_abandoned_session_leaves_nothing_open),
		cmocka_unit_test(failed_commands_do_not_keep_the_channel_open),
		cmocka_unit_test(the_guard_holds_the_session_while_it_is_open),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
