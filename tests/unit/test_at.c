/* The transport "at:" against the simulated modem: both ways, both kinds of exit, and modems that
 * misbehave. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

#include "core_card.h"
#include "modem_sim.h"
#include "simtie.h"

/* A modem with a personalised card in it, and a session with that. */
struct place {
	struct core_card card;
	struct modem modem;
	struct simtie_session *session;
	char reader[SIMTIE_READER_NAME_MAX];
	char detail[SIMTIE_DETAIL_MAX];
};

static struct place place;

static const uint8_t tries[] = {0x00, 0x20, 0x00, 0x01}; /* VERIFY without a PIN */

static void begin(const struct modem_options *options)
{
	core_card_init(&place.card);
	core_card_personalise_any(&place.card);
	applet_reset(&place.card.applet, APPLET_T0);
	assert_true(modem_open(&place.modem, options, &place.card.applet));
	assert_true(modem_start(&place.modem));
	snprintf(place.reader, sizeof place.reader, "at:%s", place.modem.path);
	place.session = NULL;
}

static int open_session_within(unsigned timeout_ms)
{
	const struct simtie_options options = {
		.reader = place.reader, .timeout_ms = timeout_ms, .detail = place.detail};

	return simtie_open(&options, &place.session);
}

static int open_session(void)
{
	return open_session_within(0);
}

/* Ends session and modem, which nobody may have left a channel open on, nor trespassed. */
static void end(void)
{
	simtie_close(&place.session);
	modem_stop(&place.modem);
	if (place.modem.master >= 0)
		assert_int_equal(modem_guests(&place.modem), 0);
	assert_int_equal(place.modem.trespasses, 0);
	modem_close(&place.modem);
	core_card_free(&place.card);
}

static uint16_t send(const uint8_t *command, size_t len, int expected)
{
	uint8_t out[SIMTIE_RESPONSE_DATA];
	size_t out_len;

	assert_int_equal(simtie_transmit(place.session, command, len, out, sizeof out, &out_len),
			 expected);
	return simtie_status_word(place.session);
}

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
	assert_int_equal(send(tries, sizeof tries, 0), SW_OK);
	assert_int_equal(simtie_reset(place.session), 0);
	assert_int_equal(simtie_select(place.session, &info), 0);
	assert_int_equal(send(tries, sizeof tries, 0), 0x63C3);
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
		begin(&kinds[i]);
		assert_int_equal(open_session(), 0);
		use();
		assert_int_equal(place.modem.refused, 0);
		end();
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
		begin(&both);
		strcat(place.reader, rows[i].words);
		assert_int_equal(open_session(), 0);
		assert_int_equal(place.modem.sessions[0] != 0, rows[i].by_session);
		use();
		end();
	}
}

/* A SIM without the applet refuses +CCHO with its name; +CSIM shows what it is. */
static void a_refused_session_falls_back_to_csim(void **state)
{
	struct modem_options options = {
		.csim = true, .cgla = true, .fault = MODEM_REFUSES, .cme = 22};

	(void)state;
	begin(&options);
	snprintf(place.reader, sizeof place.reader, "at:%s,cgla", place.modem.path);
	assert_int_equal(open_session(), SIMTIE_ERR_NO_APPLET);
	assert_non_null(strstr(place.detail, "does not carry simtie"));
	end();
	options.after = 0;
	begin(&options);
	assert_int_equal(open_session(), SIMTIE_ERR_NO_APPLET);
	assert_int_equal(place.modem.accesses, 2); /* one by either way */
	end();
}

/* ---- Channels ---- */

static void the_phones_channels_are_left_alone(void **state)
{
	static const uint8_t on_1[] = {0x01, 0x20, 0x00, 0x01}, on_4[] = {0x40, 0x20, 0x00, 0x01};
	static const uint8_t close_1[] = {0x00, 0x70, 0x80, 0x01};
	const struct modem_options options = {.csim = true, .phone = 1};
	unsigned accesses;

	(void)state;
	begin(&options);
	assert_int_equal(open_session(), 0);
	accesses = place.modem.accesses;
	send(on_1, sizeof on_1, SIMTIE_ERR_ARGUMENT);
	send(on_4, sizeof on_4, SIMTIE_ERR_ARGUMENT);
	send(close_1, sizeof close_1, SIMTIE_ERR_ARGUMENT);
	assert_int_equal(place.modem.accesses, accesses);
	use();
	end();
}

/* Channels that the host opens on top are its own, and are closed with the first. */
static void further_channels_are_closed_too(void **state)
{
	const struct modem_options options = {.csim = true, .phone = 1};
	struct simtie_info info;
	uint8_t channel;

	(void)state;
	begin(&options);
	assert_int_equal(open_session(), 0);
	assert_int_equal(simtie_channel_open(place.session, &channel), 0);
	assert_int_equal(channel, 3);
	assert_int_equal(simtie_use_channel(place.session, channel), 0);
	assert_int_equal(simtie_select(place.session, &info), 0);
	assert_int_equal(modem_guests(&place.modem), 2);
	assert_int_equal(simtie_channel_close(place.session, channel), 0);
	assert_int_equal(modem_guests(&place.modem), 1);
	assert_int_equal(simtie_channel_open(place.session, &channel), 0);
	assert_int_equal(modem_guests(&place.modem), 2);
	end();
}

static void channels_of_a_session_are_the_modems(void **state)
{
	const struct modem_options options = {.cgla = true};
	uint8_t channel;

	(void)state;
	begin(&options);
	assert_int_equal(open_session(), 0);
	assert_int_equal(simtie_channel_open(place.session, &channel), SIMTIE_ERR_ARGUMENT);
	assert_int_equal(place.modem.refused, 0);
	end();
}

/* With no channel left the phone's own is not taken instead. */
static void without_a_channel_there_is_no_session(void **state)
{
	static const struct modem_options kinds[] = {{.csim = true, .phone = 3},
						     {.cgla = true, .phone = 3}};

	(void)state;
	begin(&kinds[0]);
	assert_int_equal(open_session(), SIMTIE_ERR_BUSY);
	assert_non_null(strstr(place.detail, "no logical channel (6881)"));
	end();
	begin(&kinds[1]);
	assert_int_equal(open_session(), SIMTIE_ERR_TRANSPORT);
	end();
}

/* ---- Every exit ---- */

static void an_abandoned_session_leaves_nothing_open(void **state)
{
	static const struct modem_options kinds[] = {{.csim = true, .phone = 1}, {.cgla = true}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(&kinds[i]);
		assert_int_equal(open_session(), 0);
		assert_int_equal(modem_guests(&place.modem), 1);
		simtie_abandon(place.session);
		assert_int_equal(modem_guests(&place.modem), 0);
		simtie_abandon(place.session);
		end();
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

		begin(&options);
		assert_int_equal(open_session(), 0);
		send(tries, sizeof tries,
		     faults[i] == MODEM_REFUSES ? SIMTIE_ERR_MUTE : SIMTIE_ERR_PROTOCOL);
		end();
	}
}

static void the_guard_holds_the_session_while_it_is_open(void **state)
{
	const struct modem_options options = {.csim = true};
	struct simtie_session *volatile guard = NULL;
	struct simtie_options wanted = {.guard = &guard};

	(void)state;
	begin(&options);
	wanted.reader = place.reader;
	assert_int_equal(simtie_open(&wanted, &place.session), 0);
	assert_ptr_equal(guard, place.session);
	end();
	assert_null(guard);
}

/* ---- Modems that fail ---- */

static void refusals_say_what_to_do(void **state)
{
	static const struct {
		int cme, error;
		const char *text;
	} rows[] = {
		{3, SIMTIE_ERR_TRANSPORT, "does not allow it"},
		{10, SIMTIE_ERR_NO_CARD, "no SIM"},
		{11, SIMTIE_ERR_ACCESS, "the SIM's own PIN"},
		{12, SIMTIE_ERR_ACCESS, "blocked"},
		{13, SIMTIE_ERR_MUTE, "cannot use its SIM"},
		{14, SIMTIE_ERR_BUSY, "try again"},
		{15, SIMTIE_ERR_MUTE, "wrong one"},
		{100, SIMTIE_ERR_TRANSPORT, "did not say why"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct modem_options options = {
			.csim = true, .fault = MODEM_REFUSES, .cme = rows[i].cme};

		begin(&options);
		assert_int_equal(open_session(), rows[i].error);
		assert_non_null(strstr(place.detail, rows[i].text));
		assert_null(place.session);
		end();
	}
}

/* A modem whose SIM is missing is not asked again another way. */
static void what_the_sim_lacks_is_not_tried_again(void **state)
{
	const struct modem_options options = {
		.csim = true, .cgla = true, .fault = MODEM_REFUSES, .cme = 10};

	(void)state;
	begin(&options);
	assert_int_equal(open_session(), SIMTIE_ERR_NO_CARD);
	assert_int_equal(place.modem.accesses, 1);
	end();
}

static void a_modem_without_sim_access_is_said(void **state)
{
	const struct modem_options options = {0};

	(void)state;
	begin(&options);
	assert_int_equal(open_session(), SIMTIE_ERR_TRANSPORT);
	assert_non_null(strstr(place.detail, "neither AT+CSIM nor AT+CCHO"));
	end();
}

static void mute_half_and_gone_end_in_time(void **state)
{
	static const struct {
		enum modem_fault fault;
		int error;
	} rows[] = {{MODEM_MUTE, SIMTIE_ERR_TIMEOUT},
		    {MODEM_HALF, SIMTIE_ERR_TIMEOUT},
		    {MODEM_GONE, SIMTIE_ERR_GONE}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct modem_options options = {
			.cgla = true, .fault = rows[i].fault, .after = 1};

		begin(&options);
		assert_int_equal(open_session_within(300), 0);
		send(tries, sizeof tries, rows[i].error);
		send(tries, sizeof tries, rows[i].error);
		end();
	}
}

/* An answer that never comes in the opening has a sentence as well. */
static void a_sim_that_is_mute_from_the_start_is_said(void **state)
{
	const struct modem_options options = {.csim = true, .fault = MODEM_MUTE};

	(void)state;
	begin(&options);
	assert_int_equal(open_session_within(300), SIMTIE_ERR_TIMEOUT);
	assert_non_null(strstr(place.detail, "does not reach its SIM in time"));
	end();
}

static void a_line_without_end_is_no_answer(void **state)
{
	const struct modem_options options = {.csim = true, .fault = MODEM_BABBLING, .after = 1};

	(void)state;
	begin(&options);
	assert_int_equal(open_session(), 0);
	send(tries, sizeof tries, SIMTIE_ERR_PROTOCOL);
	place.modem.options.fault = MODEM_WELL;
	end();
}

/* ---- The port ---- */

static void one_program_at_a_time(void **state)
{
	const struct modem_options options = {.csim = true};
	const struct simtie_options wanted = {
		.reader = place.reader, .timeout_ms = 100, .detail = place.detail};
	struct simtie_session *other;
	int fd;

	(void)state;
	begin(&options);
	assert_int_equal(open_session(), 0);
	assert_int_equal(simtie_open(&wanted, &other), SIMTIE_ERR_BUSY);
	assert_non_null(strstr(place.detail, "another program holds"));
	assert_non_null(strstr(place.detail, "ModemManager"));
	simtie_close(&place.session);
	/* What another program's lock keeps, and its end gives free. */
	fd = open(place.modem.path, O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(simtie_open(&wanted, &other), SIMTIE_ERR_BUSY);
	close(fd);
	assert_int_equal(open_session(), 0);
	end();
}

/* The terminal is raw at the speed asked for, and as before afterwards. */
static void the_port_is_set_up_and_put_back(void **state)
{
	const struct modem_options options = {.csim = true};
	struct termios before, during, after;

	(void)state;
	begin(&options);
	assert_int_equal(tcgetattr(place.modem.slave, &before), 0);
	before.c_lflag |= ICANON;
	assert_int_equal(tcsetattr(place.modem.slave, TCSANOW, &before), 0);
	strcat(place.reader, ",460800");
	assert_int_equal(open_session(), 0);
	assert_int_equal(tcgetattr(place.modem.slave, &during), 0);
	assert_int_equal(cfgetospeed(&during), B460800);
	assert_int_equal(cfgetispeed(&during), B460800);
	assert_int_equal(during.c_lflag & (ICANON | ECHO | ISIG), 0);
	assert_int_equal(during.c_cflag & (CRTSCTS | HUPCL), 0);
	simtie_close(&place.session);
	assert_int_equal(tcgetattr(place.modem.slave, &after), 0);
	assert_int_equal(after.c_lflag & ICANON, ICANON);
	assert_int_equal(cfgetospeed(&after), cfgetospeed(&before));
	end();
}

static void names_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *name;
		int error;
		const char *text;
	} rows[] = {
		{"at:", SIMTIE_ERR_NO_READER, "a modem is named at:PORT"},
		{"at:,9600", SIMTIE_ERR_NO_READER, "a modem is named at:PORT"},
		{"at:/dev/null,", SIMTIE_ERR_NO_READER, "a modem is named at:PORT"},
		{"at:/dev/null,96oo", SIMTIE_ERR_NO_READER, "a modem is named at:PORT"},
		{"at:/dev/null,99999999999999999999", SIMTIE_ERR_NO_READER, "a modem is named"},
		{"at:/dev/null,1234", SIMTIE_ERR_ARGUMENT, "no speed of a serial port"},
		{"at:/dev/null", SIMTIE_ERR_NO_READER, "no serial port"},
		{"at:/nonexistent/tty", SIMTIE_ERR_NO_READER, "there is no port"},
	};
	char detail[SIMTIE_DETAIL_MAX], name[300] = "at:/";
	struct simtie_options options = {.detail = detail};
	struct simtie_session *session;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		options.reader = rows[i].name;
		assert_int_equal(simtie_open(&options, &session), rows[i].error);
		assert_non_null(strstr(detail, rows[i].text));
	}
	memset(name + 4, 'x', sizeof name - 5);
	options.reader = name;
	assert_int_equal(simtie_open(&options, &session), SIMTIE_ERR_NO_READER);
	options.reader = "at:/dev/null";
	options.protocol = SIMTIE_PROTOCOL_T1;
	assert_int_equal(simtie_open(&options, &session), SIMTIE_ERR_MUTE);
}

/* A port that nobody answers at, as most of a modem's are. */
static void a_silent_port_is_said(void **state)
{
	const struct modem_options options = {.csim = true, .sleepy = 1000};

	(void)state;
	begin(&options);
	assert_int_equal(open_session_within(400), SIMTIE_ERR_MUTE);
	assert_non_null(strstr(place.detail, "nothing answers AT commands"));
	end();
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
		cmocka_unit_test(refusals_say_what_to_do),
		cmocka_unit_test(what_the_sim_lacks_is_not_tried_again),
		cmocka_unit_test(a_modem_without_sim_access_is_said),
		cmocka_unit_test(mute_half_and_gone_end_in_time),
		cmocka_unit_test(a_sim_that_is_mute_from_the_start_is_said),
		cmocka_unit_test(a_line_without_end_is_no_answer),
		cmocka_unit_test(one_program_at_a_time),
		cmocka_unit_test(the_port_is_set_up_and_put_back),
		cmocka_unit_test(names_that_are_none_are_refused),
		cmocka_unit_test(a_silent_port_is_said),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
