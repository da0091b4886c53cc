/*
 * What the tools say about APDUs, and what they must not say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "decode.h"
#include "exact_bytes.h"

#define TEXT 4096

static void assert_command(const char *hex, const char *shown)
{
	struct bytes apdu = exact_bytes(hex);
	char text[TEXT];

	assert_string_equal(decode_show_command(apdu, false, false, text, sizeof text), shown);
	exact_bytes_free(apdu);
}

static void assert_response(const char *command_hex, const char *data_hex, bool part,
			    const char *shown)
{
	struct bytes apdu = exact_bytes(command_hex), data = exact_bytes(data_hex);
	struct decode_command command;
	char text[TEXT];

	decode_command(apdu, &command);
	assert_string_equal(decode_show_response(&command, data, part, false, text, sizeof text),
			    shown);
	exact_bytes_free(apdu);
	exact_bytes_free(data);
}

static enum command_id id_of(const char *hex)
{
	struct bytes apdu = exact_bytes(hex);
	struct decode_command command;

	decode_command(apdu, &command);
	exact_bytes_free(apdu);
	return command.command;
}

static void every_command_is_known(void **state)
{
	(void)state;
	struct decode_command command;

#define ROW(id, name_, handler, cla, ins, p1, p1_count, p2, p2_count, least, most, step, flags,    \
	    secret_, secret_response_)                                                             \
	decode_command_of(                                                                         \
		(flags)&COMMAND_ATTESTATION ? APPLICATION_ATTESTATION : APPLICATION_DOMAIN,        \
		bytes_of((const uint8_t[]){cla, ins, 0, (uint8_t)(p2)[0]}, 4), &command);          \
	assert_int_equal(command.command, COMMAND_##id);                                           \
	assert_string_equal(command.name, name_);                                                  \
	assert_int_equal(command.secret, secret_);                                                 \
	assert_int_equal(command.secret_response, secret_response_);                               \
	assert_false(command.malformed);
	COMMANDS(ROW)
#undef ROW
}

/* By what is selected; another's instruction still by its name, and its secrets with it. */
static void instructions_that_two_know(void **state)
{
	(void)state;
	struct decode_command command;
	struct bytes store = exact_bytes("80 E2 90 00"), generate = exact_bytes("00 46 00 00 00");

	decode_command(store, &command);
	assert_int_equal(command.command, COMMAND_STORE_DATA);
	decode_command_of(APPLICATION_DOMAIN, store, &command);
	assert_int_equal(command.command, COMMAND_DOMAIN_STORE_DATA);
	decode_command_of(APPLICATION_DOMAIN, generate, &command);
	assert_int_equal(command.command, COMMAND_GENERATE_KEY_PAIR);
	assert_int_equal(command.secret_response, SECRET_TAGS);
	exact_bytes_free(store);
	exact_bytes_free(generate);
}

static void class_is_taken_apart(void **state)
{
	(void)state;
	struct bytes apdu = exact_bytes("92 E2 90 00 02 84 08");
	struct decode_command command;

	decode_command(apdu, &command);
	assert_int_equal(command.command, COMMAND_STORE_DATA);
	assert_int_equal(command.class.channel, 2);
	assert_true(command.class.chained);
	assert_int_equal(command.apdu.data.len, 2);
	exact_bytes_free(apdu);
	assert_int_equal(id_of("00 FE 00 00"), COMMAND_NONE);
	assert_int_equal(id_of("80 20 00 01"), COMMAND_NONE);
	assert_int_equal(id_of("FF A4 04 00"), COMMAND_NONE);
	assert_int_equal(id_of("00"), COMMAND_NONE);
	assert_int_equal(id_of(""), COMMAND_NONE);
	assert_int_equal(id_of("00 A4"), COMMAND_SELECT);
}

static void malformed_is_said(void **state)
{
	(void)state;
	const char *const cases[] = {"", "00", "00 A4 04", "00 84 00 00 08 01 02",
				     "00 A4 04 00 00 00 09 F0"};
	struct decode_command command;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes apdu = exact_bytes(cases[i]);

		decode_command(apdu, &command);
		assert_true(command.malformed);
		assert_int_equal(command.apdu.data.len, apdu.len > 4 ? apdu.len - 4 : 0);
		exact_bytes_free(apdu);
	}
}

static void parameters_have_texts(void **state)
{
	(void)state;
	struct bytes apdu = exact_bytes("80 F0 40 0F");
	struct decode_command command;

	decode_command(apdu, &command);
	assert_string_equal(decode_parameter(&command, 1), "applications");
	assert_string_equal(decode_parameter(&command, 2), "ended for good, keys wiped");
	exact_bytes_free(apdu);
	apdu = exact_bytes("80 F0 41 03");
	decode_command(apdu, &command);
	assert_null(decode_parameter(&command, 1));
	assert_null(decode_parameter(&command, 2));
	exact_bytes_free(apdu);
}

/* ---- Secrets ---- */

static void open_commands_are_shown(void **state)
{
	(void)state;
	assert_command("00 20 00 01", "00200001");
	assert_command("00 A4 04 00 08 F053494D54494501 00", "00A4040008F053494D5449450100");
	assert_command("00 FE 00 00 02 3132", "00FE0000023132");
	assert_command("", "");
}

static void pins_are_blanked(void **state)
{
	(void)state;
	assert_command("00 20 00 01 08 31323334FFFFFFFF", "0020000108****************");
	assert_command("02 20 00 01 08 31323334FFFFFFFF", "0220000108****************");
	assert_command("00 2C 00 01 04 31323334 00", "002C000104********00");
	assert_command("00 24 00 01 00 0004 31323334", "00240001000004********");
	assert_command("80 88 00 00 0D 80 01 61 84 08 31323334FFFFFFFF 00",
		       "808800000D8001618408****************00");
	assert_command("80 E2 90 00 16 84 08 31323334FFFFFFFF 5A 0A 98881122334455667788",
		       "80E29000168408****************5A0A98881122334455667788");
}

/* Plain data with a MAC behind it reads as objects by chance alone, and data enciphered too. */
static void secure_messaging_is_blanked(void **state)
{
	(void)state;
	assert_command("84 E2 90 00 12 84 08 31323334FFFFFFFF 5A06 010203040506",
		       "84E2900012************************************");
	assert_command("84 E2 90 00 12 84 08 31323334FFFFFFFF 0102030405060708 00",
		       "84E2900012************************************00");
	assert_command("C0 E2 90 00 02 5A 00", "C0E29000025A00");
	assert_command("E0 E2 90 00 02 5A 00", "E0E2900002****");
	assert_command("84 D8 00 81 04 31 88 11 10", "84D8008104********");
	assert_command("84 82 33 00 02 0102", "84823300020102");
	assert_command("04 CA 9F 21 08 0102030405060708 00", "04CA9F2108010203040506070800");
	assert_response("04 46 00 00 08 0102030405060708 00", "C0 02 3132 5A 02 0102", false,
			"****************");
	assert_response("04 CA 9F 21 08 0102030405060708 00", "9F21 04 00000000 01020304", false,
			"9F21040000000001020304");
}

static void what_cannot_be_read_is_blanked(void **state)
{
	(void)state;
	/* Lc and what follows do not agree. */
	assert_command("00 20 00 01 09 31323334FFFFFFFF", "00200001******************");
	assert_command("80 E2 90 00 0B 84 08 31323334FFFFFFFF", "80E29000**********************");
	assert_command("80 E2 90 00 5A 04 31323334", "80E29000************");
	/* No objects, an object cut short, an unknown one. */
	assert_command("80 E2 90 00 04 31323334", "80E2900004********");
	assert_command("80 E2 90 00 06 84 08 31323334", "80E2900006************");
	assert_command("80 E2 90 00 06 C9 04 31323334", "80E2900006C904********");
	/* What comes before the damage may be a part of the secret as well. */
	assert_command("80 E2 90 00 06 5A 02 3132 84 08", "80E2900006************");
	/* A link of a chain. */
	assert_command("90 E2 90 00 06 84 08 31323334", "90E2900006************");
	assert_command("90 E2 90 00 03 5A 01 31", "90E2900003******");
}

static void end_of_a_chain_is_blanked(void **state)
{
	(void)state;
	struct bytes apdu = exact_bytes("80 E2 90 00 03 5A 01 31");
	char text[TEXT];

	assert_string_equal(decode_show_command(apdu, true, false, text, sizeof text),
			    "80E2900003******");
	assert_string_equal(decode_show_command(apdu, false, false, text, sizeof text),
			    "80E29000035A0131");
	exact_bytes_free(apdu);
}

static void pins_of_other_cards_are_blanked(void **state)
{
	(void)state;
	assert_command("A0 20 00 01 08 31323334FFFFFFFF", "A020000108****************");
	assert_command("80 2C 00 01 08 31323334FFFFFFFF", "802C000108****************");
	assert_command("00 21 00 01 06 5A 04 31323334", "0021000106************");
	assert_command("00 2D 00 01 06 5A 04 31323334", "002D000106************");
	assert_command("00 2E 00 01 06 5A 04 31323334", "002E0001065A0431323334");
	assert_command("FF 24 00 01 02 3132", "FF24000102****");
}

static void secrets_are_shown_when_told(void **state)
{
	(void)state;
	struct bytes apdu = exact_bytes("00 20 00 01 08 31323334FFFFFFFF");
	struct decode_command command;
	char text[TEXT];

	assert_string_equal(decode_show_command(apdu, false, true, text, sizeof text),
			    "002000010831323334FFFFFFFF");
	exact_bytes_free(apdu);
	apdu = exact_bytes("00 46 00 00 00");
	decode_command(apdu, &command);
	struct bytes data = exact_bytes("7F49 04 C0 02 AABB");
	assert_string_equal(decode_show_response(&command, data, false, true, text, sizeof text),
			    "7F4904C002AABB");
	exact_bytes_free(data);
	exact_bytes_free(apdu);
}

static void chain_code_is_blanked(void **state)
{
	(void)state;
	assert_response("00 46 00 00 00", "7F49 08 86 02 0411 C0 02 AABB", false,
			"7F490886020411C002****");
	assert_response("00 46 00 00 00", "7F49 08 86 02 0411 C0 02 AABB", true,
			"**********************");
	assert_response("00 46 00 00 00", "7F49 08 86 02 0411 C0 04 AABB", false,
			"**********************");
	assert_response("00 46 00 00 00", "C0 02 AABB", false, "C002****");
	assert_response("00 CA 9F 21 00", "9F21 04 00000001", false, "9F210400000001");
	assert_response("00 CA 9F 21 00", "31323334", true, "31323334");
	assert_response("00 46 00 00 00", "", false, "");
}

/* However a STORE DATA is damaged around its PIN and PUK, neither is shown. Left out are damages
 * that make an open object of a secret one. */
static void damage_shows_no_pin(void **state)
{
	(void)state;
	static const uint8_t whole[] = {0x80, 0xE2, 0x90, 0x00, 0x16, 0x84, 0x08, '9',  '8',
					'7',  '6',  0xFF, 0xFF, 0xFF, 0xFF, 0x85, 0x08, '1',
					'2',  '3',  '4',  '5',  '6',  '7',  '8',  0x5A, 0x00};
	char text[TEXT];

	for (size_t at = 4; at < sizeof whole; at++) {
		for (unsigned value = 0; value < 256; value++) {
			uint8_t damaged[sizeof whole];
			bool tag = at == 5 || at == 15;

			if (tag && (value == TAG_ICCID || value == 0x7F ||
				    value == TAG_PIN_POLICY || value == TAG_KEY_AGREEMENT))
				continue;
			memcpy(damaged, whole, sizeof whole);
			damaged[at] = (uint8_t)value;
			decode_show_command(bytes_of(damaged, sizeof damaged), false, false, text,
					    sizeof text);
			assert_null(strstr(text, "3736FF"));
			assert_null(strstr(text, "3233343536"));
		}
	}
	for (size_t len = 0; len < sizeof whole; len++) {
		decode_show_command(bytes_of(whole, len), false, false, text, sizeof text);
		assert_null(strstr(text, "39"));
		assert_null(strstr(text, "31"));
	}
}

/* ---- Status words ---- */

static void assert_status(uint16_t sw, const char *name, const char *shown, const char *advice)
{
	char text[TEXT];

	assert_string_equal(decode_status_name(sw), name);
	assert_string_equal(decode_status_text(sw, text, sizeof text), shown);
	assert_string_equal(decode_status_advice(sw, text, sizeof text), advice);
}

static void status_words_carry_their_number(void **state)
{
	(void)state;
	assert_status(SW_OK, "OK", "done", "");
	assert_status(SW_TRIES_LEFT | 2, "TRIES_LEFT",
		      "wrong PIN or PUK, or not given; 2 tries left",
		      "Ask the holder again; at no tries left the PIN is blocked.");
	assert_status(SW_BYTES_AVAILABLE | 0x11, "BYTES_AVAILABLE",
		      "done; 17 more bytes wait for GET RESPONSE",
		      "The session layer fetches them; with raw APDUs send 00 C0 00 00 11.");
	assert_status(SW_BYTES_AVAILABLE, "BYTES_AVAILABLE",
		      "done; 256 more bytes wait for GET RESPONSE",
		      "The session layer fetches them; with raw APDUs send 00 C0 00 00 00.");
	assert_status(0x6FFF, "UNKNOWN", "not a status word of the contract", "");
	assert_status(0x63D2, "UNKNOWN", "not a status word of the contract", "");
}

static void every_status_word_has_a_text(void **state)
{
	(void)state;
	char text[TEXT];

#define ROW(name, value, mask, shown, advice)                                                      \
	assert_string_equal(decode_status_name(value), #name);                                     \
	assert_true(strlen(decode_status_text(value, text, sizeof text)) > 0);                     \
	assert_null(strchr(text, 'X'));
	STATUS_WORDS(ROW)
#undef ROW
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_known),
		cmocka_unit_test(instructions_that_two_know),
		cmocka_unit_test(class_is_taken_apart),
		cmocka_unit_test(malformed_is_said),
		cmocka_unit_test(parameters_have_texts),
		cmocka_unit_test(open_commands_are_shown),
		cmocka_unit_test(pins_are_blanked),
		cmocka_unit_test(secure_messaging_is_blanked),
		cmocka_unit_test(what_cannot_be_read_is_blanked),
		cmocka_unit_test(end_of_a_chain_is_blanked),
		cmocka_unit_test(pins_of_other_cards_are_blanked),
		cmocka_unit_test(secrets_are_shown_when_told),
		cmocka_unit_test(chain_code_is_blanked),
		cmocka_unit_test(damage_shows_no_pin),
		cmocka_unit_test(status_words_carry_their_number),
		cmocka_unit_test(every_status_word_has_a_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
