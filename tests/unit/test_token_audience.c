/* The rule for audiences, against the core's own, which is written another way. */
#include "audience.h"
#include "token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void expect_same(const uint8_t *text, size_t len)
{
	struct bytes audience = bytes_of(text, len);

	if (simtie_audience_valid(audience) != audience_valid(audience))
		fail_msg("%zu bytes, %02X %02X %02X %02X: the two rules differ", len, text[0],
			 text[1], text[2], text[3]);
}

/* Every string of up to three bytes. What follows it would complete it, were it read too. */
static void test_short_strings(void **state)
{
	uint8_t text[4] = {0, 0, 0, 0x80};

	(void)state;
	for (uint32_t value = 0; value < 1u << 24; value++) {
		text[0] = (uint8_t)(value >> 16);
		text[1] = (uint8_t)(value >> 8);
		text[2] = (uint8_t)value;
		expect_same(text, 3);
		if (text[2] == 0x80)
			expect_same(text, 2);
		if (text[2] == 0x80 && text[1] == 0x80)
			expect_same(text, 1);
	}
}

/* Every first and second byte of a sequence of four, the others at their edges. */
static void test_four_bytes(void **state)
{
	static const uint8_t edges[] = {0x00, 0x7F, 0x80, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
	uint8_t text[4];

	(void)state;
	for (unsigned i = 0; i < 1u << 22; i++) {
		text[0] = (uint8_t)(i >> 14);
		text[1] = (uint8_t)(i >> 6);
		text[2] = edges[i >> 3 & 7];
		text[3] = edges[i & 7];
		expect_same(text, 4);
	}
}

static void test_lengths(void **state)
{
	uint8_t text[SIMTIE_AUDIENCE_MAX + 1];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t len = 0; len <= sizeof(text); len++) {
		bool valid = len >= SIMTIE_AUDIENCE_MIN && len <= SIMTIE_AUDIENCE_MAX;

		assert_int_equal(simtie_audience_valid(bytes_of(text, len)), valid);
		expect_same(text, len);
	}
}

/* A few for which the answer itself is known. */
static void test_known(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{"chat.example", true},
		{"мессенджер.example", true},
		{"\xF0\x9F\x98\x80", true},
		{"a\tb", false},
		{"a\x7F", false},
		{"\xC2\x85", false},
		{"\xC3", false},
		{"\xED\xA0\x80", false},
		{"\xC0\x80", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *text = (const uint8_t *)rows[i].text;

		assert_int_equal(simtie_audience_valid(bytes_of(text, strlen(rows[i].text))),
				 rows[i].valid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_strings),
		cmocka_unit_test(test_four_bytes),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_known),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("token audience", tests, NULL, NULL);
}
