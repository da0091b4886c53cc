/* The transport "at:" against modems that fail, and against ports that are none, are taken or are
 * silent. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

#include "at_place.h"

static struct at_place place;

static const uint8_t tries[] = {0x00, 0x20, 0x00, 0x01}; /* VERIFY without a PIN */

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

		at_place_begin(&place, &options);
		assert_int_equal(at_place_open(&place), rows[i].error);
		assert_non_null(strstr(place.detail, rows[i].text));
		assert_null(place.session);
		at_place_end(&place);
	}
}

/* A modem whose SIM is missing is not asked again another way. */
static void what_the_sim_lacks_is_not_tried_again(void **state)
{
	const struct modem_options options = {
		.csim = true, .cgla = true, .fault = MODEM_REFUSES, .cme = 10};

	(void)state;
	at_place_begin(&place, &options);
	assert_int_equal(at_place_open(&place), SIMTIE_ERR_NO_CARD);
	assert_int_equal(place.modem.accesses, 1);
	at_place_end(&place);
}

static void a_modem_without_sim_access_is_said(void **state)
{
	const struct modem_options options = {0};

	(void)state;
	at_place_begin(&place, &options);
	assert_int_equal(at_place_open(&place), SIMTIE_ERR_TRANSPORT);
	assert_non_null(strstr(place.detail, "neither AT+CSIM nor AT+CCHO"));
	at_place_end(&place);
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

		at_place_begin(&place, &options);
		assert_int_equal(at_place_open_within(&place, 300), 0);
		at_place_send(&place, tries, sizeof tries, rows[i].error);
		at_place_send(&place, tries, sizeof tries, rows[i].error);
		at_place_end(&place);
	}
}

/* An answer that never comes in the opening has a sentence as well. */
static void a_sim_that_is_mute_from_the_start_is_said(void **state)
{
	const struct modem_options options = {.csim = true, .fault = MODEM_MUTE};

	(void)state;
	at_place_begin(&place, &options);
	assert_int_equal(at_place_open_within(&place, 300), SIMTIE_ERR_TIMEOUT);
	assert_non_null(strstr(place.detail, "does not reach its SIM in time"));
	at_place_end(&place);
}

static void a_line_without_end_is_no_answer(void **state)
{
	const struct modem_options options = {.csim = true, .fault = MODEM_BABBLING, .after = 1};

	(void)state;
	at_place_begin(&place, &options);
	assert_int_equal(at_place_open(&place), 0);
	at_place_send(&place, tries, sizeof tries, SIMTIE_ERR_PROTOCOL);
	place.modem.options.fault = MODEM_WELL;
	at_place_end(&place);
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
	at_place_begin(&place, &options);
	assert_int_equal(at_place_open(&place), 0);
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
	assert_int_equal(at_place_open(&place), 0);
	at_place_end(&place);
}

/* The terminal is raw at the speed asked for, and as before afterwards. */
static void the_port_is_set_up_and_put_back(void **state)
{
	const struct modem_options options = {.csim = true};
	struct termios before, during, after;

	(void)state;
	at_place_begin(&place, &options);
	assert_int_equal(tcgetattr(place.modem.slave, &before), 0);
	before.c_lflag |= ICANON;
	assert_int_equal(tcsetattr(place.modem.slave, TCSANOW, &before), 0);
	strcat(place.reader, ",460800");
	assert_int_equal(at_place_open(&place), 0);
	assert_int_equal(tcgetattr(place.modem.slave, &during), 0);
	assert_int_equal(cfgetospeed(&during), B460800);
	assert_int_equal(cfgetispeed(&during), B460800);
	assert_int_equal(during.c_lflag & (ICANON | ECHO | ISIG), 0);
	assert_int_equal(during.c_cflag & (CRTSCTS | HUPCL), 0);
	simtie_close(&place.session);
	assert_int_equal(tcgetattr(place.modem.slave, &after), 0);
	assert_int_equal(after.c_lflag & ICANON, ICANON);
	assert_int_equal(cfgetospeed(&after), cfgetospeed(&before));
	at_place_end(&place);
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
	at_place_begin(&place, &options);
	assert_int_equal(at_place_open_within(&place, 400), SIMTIE_ERR_MUTE);
	assert_non_null(strstr(place.detail, "nothing answers AT commands"));
	at_place_end(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
