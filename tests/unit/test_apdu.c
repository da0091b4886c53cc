/* APDUs and class bytes taken apart; BER-TLV read and written; audiences judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "apdu.h"
#include "audience.h"
#include "cbor.h"
#include "core_card.h"

static bool parse(const char *hex, struct apdu *apdu)
{
	static uint8_t bytes[70000];
	size_t len = core_card_hex(hex, bytes, sizeof bytes);

	return apdu_parse(bytes_of(bytes, len), apdu);
}

static void the_seven_cases(void **state)
{
	static const struct {
		const char *hex;
		size_t lc;
		uint32_t ne;
	} cases[] = {
		{"00A40400", 0, 0},                   /* 1 */
		{"00A4040010", 0, 16},                /* 2 short */
		{"00A4040000", 0, 256},               /* 2 short, all */
		{"00A40400000010", 0, 16},            /* 2 extended */
		{"00A40400000000", 0, 65536},         /* 2 extended, all */
		{"00A40400020102", 2, 0},             /* 3 short */
		{"00A404000000020102", 2, 0},         /* 3 extended */
		{"00A4040002010200", 2, 256},         /* 4 short */
		{"00A4040000000201020100", 2, 256},   /* 4 extended */
		{"00A4040000000201020000", 2, 65536}, /* 4 extended, all */
	};
	struct apdu apdu;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_true(parse(cases[i].hex, &apdu));
		assert_int_equal(apdu.data.len, cases[i].lc);
		assert_int_equal(apdu.ne, cases[i].ne);
		if (cases[i].lc)
			assert_memory_equal(apdu.data.ptr, "\x01\x02", 2);
	}
}

static void none_of_the_cases(void **state)
{
	static const char *const cases[] = {
		"",
		"00",
		"00A404",
		"00A404000201",
		"00A40400020102030405",
		"00A404000000",
		"00A4040000000000",
		"00A4040000000201",
		"00A40400000002010203",
		"00A4040000000201020304050607",
	};
	struct apdu apdu;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_false(parse(cases[i], &apdu));
}

static void classes(void **state)
{
	(void)state;
	assert_int_equal(apdu_class(0x00).channel, 0);
	assert_int_equal(apdu_class(0x83).channel, 3);
	assert_int_equal(apdu_class(0x83).base, 0x80);
	assert_true(apdu_class(0x10).chained);
	assert_true(apdu_class(0x04).secure);
	assert_true(apdu_class(0x0C).secure);
	assert_true(apdu_class(0x20).reserved);
	assert_true(apdu_class(0xFF).reserved);
	assert_int_equal(apdu_class(0x40).channel, 4);
	assert_int_equal(apdu_class(0xCF).channel, 19);
	assert_true(apdu_class(0x60).secure);
}

static void ber_reads_what_lies_whole(void **state)
{
	static const char *const broken[] = {"",     "80",     "8001", "80820001",     "7F",
					     "7F21", "7F8100", "8080", "8083000001AA", "80FF"};
	uint8_t bytes[600];
	struct ber object;
	struct bytes in;

	(void)state;
	in = bytes_of(bytes, core_card_hex("7F21 81 02 AABB 80 00", bytes, sizeof bytes));
	assert_true(ber_next(&in, &object));
	assert_int_equal(object.tag, 0x7F21);
	assert_int_equal(object.value.len, 2);
	assert_true(ber_next(&in, &object));
	assert_int_equal(object.value.len, 0);
	assert_int_equal(in.len, 0);
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		in = bytes_of(bytes, core_card_hex(broken[i], bytes, sizeof bytes));
		assert_false(ber_next(&in, &object));
	}
}

static void ber_writes_what_it_reads(void **state)
{
	static uint8_t space[2000], value[1200];
	static const size_t sizes[] = {0, 1, 127, 128, 255, 256, 1200};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct writer out = {.out = space, .size = sizeof space};
		size_t outer = ber_open(&out, 0xBF20);
		struct ber object;
		struct bytes in;

		ber_put(&out, 0x80, bytes_of(value, sizes[i]));
		ber_close(&out, outer);
		assert_false(out.overflowed);
		in = bytes_of(space, out.used);
		assert_true(ber_next(&in, &object));
		assert_int_equal(in.len, 0);
		in = object.value;
		assert_true(ber_next(&in, &object));
		assert_int_equal(object.value.len, sizes[i]);
	}
}

static void writer_overflows_without_writing(void **state)
{
	uint8_t space[8] = {0};
	struct writer out = {.out = space, .size = 4};
	size_t mark = ber_open(&out, 0x80);

	(void)state;
	writer_put(&out, bytes_of((const uint8_t *)"abc", 3));
	ber_close(&out, mark);
	assert_true(out.overflowed);
	for (size_t i = 4; i < sizeof space; i++)
		assert_int_equal(space[i], 0);
}

static void cbor_heads_are_the_shortest(void **state)
{
	static const struct {
		int32_t value;
		const char *hex;
	} cases[] = {{0, "00"},
		     {23, "17"},
		     {24, "1818"},
		     {255, "18FF"},
		     {256, "190100"},
		     {65535, "19FFFF"},
		     {65536, "1A00010000"},
		     {-1, "20"},
		     {-25, "3818"},
		     {-70001, "3A00011170"}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t space[8], want[8];
		struct writer out = {.out = space, .size = sizeof space};
		size_t len = core_card_hex(cases[i].hex, want, sizeof want);

		cbor_put_int(&out, cases[i].value);
		assert_int_equal(out.used, len);
		assert_memory_equal(space, want, len);
	}
}

static void audiences(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
		{"chat.example", true},
		{"мессенджер.example", true},
		{"\xF0\x9F\x98\x80", true},
		{"a b", true},
		{"", false},
		{"a\n", false},
		{"\x7F", false},
		{"\xC2\x85", false}, /* C1 */
		{"\xC2\xA0", true},
		{"\xC0\xAF", false},         /* overlong */
		{"\xE0\x80\xAF", false},     /* overlong */
		{"\xED\xA0\x80", false},     /* surrogate */
		{"\xF4\x90\x80\x80", false}, /* past U+10FFFF */
		{"\xF8\x88\x80\x80", false},
		{"\xE2\x82", false}, /* cut */
		{"\xE2\x28\xA1", false},
		{"\x80", false},
	};
	char longest[66];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(audience_valid(bytes_of((const uint8_t *)cases[i].text,
							 strlen(cases[i].text))),
				 cases[i].valid);
	memset(longest, 'a', sizeof longest);
	assert_true(audience_valid(bytes_of((uint8_t *)longest, 64)));
	assert_false(audience_valid(bytes_of((uint8_t *)longest, 65)));
	assert_false(audience_valid(bytes_of((const uint8_t *)"a\0b", 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_seven_cases),
		cmocka_unit_test(none_of_the_cases),
		cmocka_unit_test(classes),
		cmocka_unit_test(ber_reads_what_lies_whole),
		cmocka_unit_test(ber_writes_what_it_reads),
		cmocka_unit_test(writer_overflows_without_writing),
		cmocka_unit_test(cbor_heads_are_the_shortest),
		cmocka_unit_test(audiences),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
