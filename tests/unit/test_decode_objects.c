/*
 * What the tools say about the objects in APDUs: where they are known, how their values are shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "decode.h"
#include "exact_bytes.h"

#define TEXT 4096

static void expect_object(struct decode_walk *walk, unsigned depth, uint16_t tag, const char *name,
			  const char *shown)
{
	struct decode_object object;
	char text[TEXT];

	assert_int_equal(decode_next(walk, &object), DECODE_OBJECT);
	assert_int_equal(object.depth, depth);
	assert_int_equal(object.tag, tag);
	if (name)
		assert_string_equal(object.name, name);
	else
		assert_null(object.name);
	if (shown)
		assert_string_equal(decode_show_value(&object, false, text, sizeof text), shown);
}

static void fci_is_walked(void **state)
{
	(void)state;
	struct bytes data = exact_bytes("6F 1A 84 08 F053494D54494501 8A 01 07"
					"A5 0B 80 03 010203 81 01 03 82 01 0A");
	struct decode_object object;
	struct decode_walk walk;

	decode_walk(&walk, COMMAND_SELECT, true, data);
	expect_object(&walk, 0, 0x6F, "FCI", NULL);
	expect_object(&walk, 1, 0x84, "FCI_AID", "F053494D54494501");
	expect_object(&walk, 1, 0x8A, "FCI_LIFECYCLE", "7 (in its holder's hands)");
	expect_object(&walk, 1, 0xA5, "FCI_PROPRIETARY", NULL);
	expect_object(&walk, 2, 0x80, "FCI_VERSION", "1.2.3");
	expect_object(&walk, 2, 0x81, "FCI_PIN_TRIES", "3");
	expect_object(&walk, 2, 0x82, "FCI_PUK_TRIES", "10");
	assert_int_equal(decode_next(&walk, &object), DECODE_END);
	assert_int_equal(decode_next(&walk, &object), DECODE_END);
	exact_bytes_free(data);
}

static void attestation_request_is_walked(void **state)
{
	(void)state;
	struct bytes data =
		exact_bytes("80 03 61C3A4 81 02 0102 83 01 02 84 08 31323334FFFFFFFF 9F01 00");
	struct decode_object object;
	struct decode_walk walk;

	decode_walk(&walk, COMMAND_INTERNAL_AUTHENTICATE, false, data);
	expect_object(&walk, 0, 0x80, "AUDIENCE", "\"aä\"");
	expect_object(&walk, 0, 0x81, "NONCE", "0102");
	expect_object(&walk, 0, 0x83, "PURPOSE", "2 (registration, the default)");
	expect_object(&walk, 0, 0x84, "PIN", "8 bytes, blanked");
	expect_object(&walk, 0, 0x9F01, NULL, "0 bytes, blanked");
	assert_int_equal(decode_next(&walk, &object), DECODE_END);
	exact_bytes_free(data);
}

static void broken_objects_end_their_template(void **state)
{
	(void)state;
	struct bytes data = exact_bytes("BF22 05 80 01 03 81 05 9F21 01 07");
	struct decode_object object;
	struct decode_walk walk;

	decode_walk(&walk, COMMAND_GET_DATA, true, data);
	expect_object(&walk, 0, 0xBF22, "PIN_STATE", NULL);
	expect_object(&walk, 1, 0x80, "STATE_PIN_TRIES", "3");
	assert_int_equal(decode_next(&walk, &object), DECODE_BROKEN);
	assert_int_equal(object.value.len, 2);
	expect_object(&walk, 0, 0x9F21, "COUNTER", "7");
	assert_int_equal(decode_next(&walk, &object), DECODE_END);
	exact_bytes_free(data);
}

/* Objects are known by their place: the same tags elsewhere say nothing. */
static void objects_are_known_in_their_place_alone(void **state)
{
	(void)state;
	struct bytes data = exact_bytes("84 01 31");
	struct decode_walk walk;

	decode_walk(&walk, COMMAND_STORE_DATA, false, data);
	expect_object(&walk, 0, 0x84, "PIN", "1 bytes, blanked");
	decode_walk(&walk, COMMAND_GET_CHALLENGE, true, data);
	expect_object(&walk, 0, 0x84, NULL, "31");
	decode_walk(&walk, COMMAND_NONE, true, data);
	expect_object(&walk, 0, 0x84, NULL, "31");
	exact_bytes_free(data);
	assert_true(decode_has_objects(COMMAND_GET_DATA, true));
	assert_false(decode_has_objects(COMMAND_GET_DATA, false));
	assert_false(decode_has_objects(COMMAND_GET_CHALLENGE, true));
}

/* Templates that nest without end are followed so far and no further. */
static void nesting_is_bounded(void **state)
{
	(void)state;
	uint8_t nested[2 * 60];
	struct decode_object object;
	struct decode_walk walk;
	unsigned count = 0;

	for (size_t i = 0; i < 60; i++) {
		nested[2 * i] = i ? 0xA0 : 0x6F;
		nested[2 * i + 1] = (uint8_t)(2 * (59 - i));
	}
	decode_walk(&walk, COMMAND_SELECT, true, bytes_of(nested, sizeof nested));
	while (decode_next(&walk, &object) != DECODE_END) {
		assert_true(object.depth <= DECODE_DEPTH_MAX);
		assert_true(++count <= 60);
	}
	assert_true(count > 0);
}

static void assert_value(enum tag_format format, const char *hex, const char *shown)
{
	struct bytes value = exact_bytes(hex);
	struct decode_object object = {.format = format, .value = value};
	char text[TEXT];

	assert_string_equal(decode_show_value(&object, false, text, sizeof text), shown);
	exact_bytes_free(value);
}

static void values_are_shown_by_format(void **state)
{
	(void)state;
	assert_value(FORMAT_HEX, "0A1B", "0A1B");
	assert_value(FORMAT_HEX, "", "");
	assert_value(FORMAT_UINT, "FFFFFFFF", "4294967295");
	assert_value(FORMAT_UINT, "0100000000", "0100000000");
	assert_value(FORMAT_UINT, "", "");
	assert_value(FORMAT_VERSION, "010002", "1.0.2");
	assert_value(FORMAT_VERSION, "0100", "0100");
	assert_value(FORMAT_ICCID, "988811223344556677F8", "8988112233445566778");
	assert_value(FORMAT_ICCID, "98881122334455667788", "89881122334455667788");
	assert_value(FORMAT_ICCID, "9888", "9888");
	assert_value(FORMAT_ICCID, "9A8811223344556677F8", "9A8811223344556677F8");
	assert_value(FORMAT_ICCID, "9F8811223344556677F8", "9F8811223344556677F8");
	assert_value(FORMAT_LIFECYCLE, "03", "3 (not yet personalised)");
	assert_value(FORMAT_LIFECYCLE, "99", "99");
	assert_value(FORMAT_CONSENT, "01", "1 (the PIN was entered)");
}

/* Text of the card's reaches a terminal only when it can do no harm there. */
static void texts_are_harmless(void **state)
{
	(void)state;
	assert_value(FORMAT_TEXT, "636861742E6578616D706C65", "\"chat.example\"");
	assert_value(FORMAT_TEXT, "611B5B324A", "611B5B324A");
	assert_value(FORMAT_TEXT, "61C29B", "61C29B");
	assert_value(FORMAT_TEXT, "61FF62", "61FF62");
	assert_value(FORMAT_TEXT, "61620A", "61620A");
	/* The log keeps the first bytes alone, whatever character they end in. */
	assert_value(FORMAT_TEXT, "6162C3", "\"ab\"...");
	assert_value(FORMAT_TEXT, "6162F09F98", "\"ab\"...");
}

static void long_texts_are_cut(void **state)
{
	(void)state;
	struct bytes apdu = exact_bytes("00 A4 04 00 08 F053494D54494501");
	char text[16];

	assert_string_equal(decode_show_command(apdu, false, false, text, sizeof text),
			    "00A4040008F0...");
	assert_string_equal(decode_show_command(apdu, false, false, text, 4), "...");
	assert_string_equal(decode_show_command(apdu, false, false, text, 1), "");
	exact_bytes_free(apdu);

	struct bytes umlauts = exact_bytes("C3A4C3A4C3A4C3A4C3A4C3A4C3A4C3A4");
	struct decode_object object = {.format = FORMAT_TEXT, .value = umlauts};
	assert_string_equal(decode_show_value(&object, false, text, sizeof text), "\"äääää...");
	exact_bytes_free(umlauts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fci_is_walked),
		cmocka_unit_test(attestation_request_is_walked),
		cmocka_unit_test(broken_objects_end_their_template),
		cmocka_unit_test(objects_are_known_in_their_place_alone),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(values_are_shown_by_format),
		cmocka_unit_test(texts_are_harmless),
		cmocka_unit_test(long_texts_are_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
