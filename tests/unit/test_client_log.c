/* The log as a card may tell it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "scripted_transport.h"

#define HASH "A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5"

/* The objects of one entry, each whole. */
#define COUNTER(byte) "8004000000" byte
#define PURPOSE(byte) "8101" byte
#define CONSENT(byte) "8201" byte
#define LOG_HASH      "8310" HASH
#define SEEDED(byte)  "8501" byte
#define GOOD          PURPOSE("02") CONSENT("01") LOG_HASH SEEDED("00")

#define A20 "6161616161616161616161616161616161616161" /* an audience's first 20 bytes */

static struct simtie_log_entry entries[SIMTIE_LOG_ENTRIES];
static size_t count;

/* Appends an object, tag and body in hexadecimal. */
static void put(char *out, size_t size, const char *tag, const char *body)
{
	size_t used = strlen(out), len = strlen(body) / 2;

	if (len < 0x80)
		snprintf(out + used, size - used, "%s%02zX%s", tag, len, body);
	else
		snprintf(out + used, size - used, "%s82%04zX%s", tag, len, body);
}

/* Reads a log whose entries (ended by NULL) hold these objects. */
static int read_log(const char *const *bodies)
{
	static char inside[8192], answer[8192], step[8300];
	struct scripted script = SCRIPT(step);
	struct simtie_session *session;
	int error;

	inside[0] = answer[0] = '\0';
	for (; *bodies; bodies++)
		put(inside, sizeof inside, "A0", *bodies);
	put(answer, sizeof answer, "BF23", inside);
	/* In one piece: a T=1 card may answer 256 bytes at once, more by GET RESPONSE. */
	assert_true(strlen(answer) <= 512);
	snprintf(step, sizeof step, "00CABF2300 > %s9000", answer);
	script.protocol = SIMTIE_PROTOCOL_T1;
	session = scripted_session(&script, NULL);
	count = 99;
	error = simtie_get_log(session, entries, &count);
	simtie_close(&session);
	if (error)
		assert_int_equal(count, 0);
	return error;
}

#define LOG(...) read_log((const char *const[]){__VA_ARGS__, NULL})

static void log_is_read(void **state)
{
	(void)state;
	assert_int_equal(read_log((const char *const[]){NULL}), 0);
	assert_int_equal(count, 0);
	assert_int_equal(
		LOG(COUNTER("02") PURPOSE("01") CONSENT("00") LOG_HASH "840461626364" SEEDED("00"),
		    COUNTER("01") PURPOSE("02") CONSENT("01") LOG_HASH "840161" SEEDED("01")),
		0);
	assert_int_equal(count, 2);
	assert_int_equal(entries[0].counter, 2);
	assert_int_equal(entries[0].purpose, SIMTIE_PURPOSE_GENERIC);
	assert_int_equal(entries[0].consent, SIMTIE_CONSENT_NONE);
	assert_int_equal(entries[0].audience_hash[15], 0xA5);
	assert_string_equal(entries[0].audience, "abcd");
	assert_false(entries[0].seeded);
	assert_int_equal(entries[1].purpose, SIMTIE_PURPOSE_REGISTRATION);
	assert_int_equal(entries[1].consent, SIMTIE_CONSENT_PIN);
	assert_string_equal(entries[1].audience, "a");
	assert_true(entries[1].seeded);
}

static void entries_that_do_not_fit(void **state)
{
	(void)state;
	/* Objects missing, doubled, unknown, out of range. */
	assert_int_equal(LOG(COUNTER("01") GOOD), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(GOOD "840161"), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(COUNTER("01") COUNTER("01") GOOD "840161"), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(COUNTER("01") GOOD "840161860101"), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(
		LOG(COUNTER("01") PURPOSE("00") CONSENT("01") LOG_HASH "840161" SEEDED("00")),
		SIMTIE_ERR_PROTOCOL);
	assert_int_equal(
		LOG(COUNTER("01") PURPOSE("04") CONSENT("01") LOG_HASH "840161" SEEDED("00")),
		SIMTIE_ERR_PROTOCOL);
	assert_int_equal(
		LOG(COUNTER("01") PURPOSE("01") CONSENT("03") LOG_HASH "840161" SEEDED("00")),
		SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(COUNTER("01") PURPOSE("01") CONSENT("01") LOG_HASH "840161"),
			 SIMTIE_ERR_PROTOCOL);
	assert_int_equal(
		LOG(COUNTER("01") PURPOSE("01") CONSENT("01") LOG_HASH "840161" SEEDED("02")),
		SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG("800300000181010282010183" HASH), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG("80050000000001" GOOD "840161"), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(COUNTER("01") GOOD "8419" A20 "6161616161"), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(""), SIMTIE_ERR_PROTOCOL);
}

static void counters_fall(void **state)
{
	(void)state;
	assert_int_equal(LOG(COUNTER("02") GOOD "840161", COUNTER("02") GOOD "840161"),
			 SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(COUNTER("01") GOOD "840161", COUNTER("02") GOOD "840161"),
			 SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(COUNTER("09") GOOD "840161", COUNTER("02") GOOD "840161"), 0);
}

/* An audience is cut at 24 bytes, maybe within a character. */
static void audience_that_was_cut(void **state)
{
	(void)state;
	assert_int_equal(LOG(COUNTER("01") GOOD "8418" A20 "61616161"), 0);
	assert_int_equal(strlen(entries[0].audience), 24);
	assert_int_equal(LOG(COUNTER("01") GOOD "8418" A20 "616161C3"), 0);
	assert_int_equal(strlen(entries[0].audience), 23);
	assert_int_equal(LOG(COUNTER("01") GOOD "8418" A20 "F09F9882"), 0);
	assert_int_equal(strlen(entries[0].audience), 24);
	assert_int_equal(LOG(COUNTER("01") GOOD "8418" A20 "61F09F98"), 0);
	assert_int_equal(strlen(entries[0].audience), 21);
	/* A shorter one was not cut, and four bytes are more than a character can lack. */
	assert_int_equal(LOG(COUNTER("01") GOOD "84026180"), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(COUNTER("01") GOOD "840261C3"), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(COUNTER("01") GOOD "8418" A20 "C3C3C3C3"), SIMTIE_ERR_PROTOCOL);
	/* What would reach a terminal. */
	assert_int_equal(LOG(COUNTER("01") GOOD "8403611B63"), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(COUNTER("01") GOOD "840361C29B"), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(LOG(COUNTER("01") GOOD "8400"), SIMTIE_ERR_PROTOCOL);
}

static int call_log(const char *const *steps)
{
	struct scripted script = {.steps = steps, .protocol = SIMTIE_PROTOCOL_T1};
	struct simtie_session *session = scripted_session(&script, NULL);
	int error = simtie_get_log(session, entries, &count);

	simtie_close(&session);
	return error;
}

static void log_that_is_none(void **state)
{
	(void)state;
	assert_int_equal(call_log((const char *const[]){"* > 6982", NULL}), SIMTIE_ERR_CARD);
	assert_int_equal(call_log((const char *const[]){"* > BF2302A0039000", NULL}),
			 SIMTIE_ERR_PROTOCOL);
	assert_int_equal(call_log((const char *const[]){"* > BF2302A1009000", NULL}),
			 SIMTIE_ERR_PROTOCOL);
	assert_int_equal(call_log((const char *const[]){"* > BF220"
							"09000",
							NULL}),
			 SIMTIE_ERR_PROTOCOL);
}

/* 33 entries of 38 bytes, in pieces of 256. */
static void log_that_is_too_long(void **state)
{
	static char steps[5][2 * 256 + 32];
	const char *const pointers[] = {steps[0], steps[1], steps[2], steps[3], steps[4], NULL};
	static char inside[4096], answer[4096], body[128];
	size_t len;

	(void)state;
	for (unsigned i = 0; i < SIMTIE_LOG_ENTRIES + 1; i++) {
		snprintf(body, sizeof body, "80040000%04X" GOOD "840161", 1000 - i);
		put(inside, sizeof inside, "A0", body);
	}
	put(answer, sizeof answer, "BF23", inside);
	len = strlen(answer);
	for (size_t i = 0; i < 5; i++) {
		size_t piece = len > 512 ? 512 : len;

		snprintf(steps[i], sizeof steps[i], "* > %.*s%s", (int)piece,
			 answer + strlen(answer) - len, len > 512 ? "6100" : "9000");
		len -= piece;
	}
	assert_int_equal(len, 0);
	assert_int_equal(call_log(pointers), SIMTIE_ERR_PROTOCOL);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_is_read),      cmocka_unit_test(entries_that_do_not_fit),
		cmocka_unit_test(counters_fall),    cmocka_unit_test(audience_that_was_cut),
		cmocka_unit_test(log_that_is_none), cmocka_unit_test(log_that_is_too_long),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
