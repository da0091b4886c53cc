/* The client calls that carry keys, attestations and data, against what a card may say. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "scripted_transport.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

#define X16 "A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5"
#define X32 X16 X16
#define X64 X32 X32

/* ---- Personalisation ---- */

static struct simtie_card_key key;

static int call_generate(struct simtie_session *session)
{
	memset(&key, 0xEE, sizeof key);
	return simtie_generate(session, &key);
}

static void key_is_read(void **state)
{
	static const char *const answers[] = {
		"* > 9000",
		"* > 7F49659000",
		"* > 7F4965864102" X64 "C020" X32 "9000", /* not uncompressed */
		"* > 7F4964864004" X32 X16 "A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5C020" X32 "9000",
		"* > 7F4964864104" X64 "C01FA5A5A5A5A5A5A5A5A5A5A5A5A5A5A5" X16 "9000",
		"* > 7F4943864104" X64 "9000",
		"* > 7F4965864104" X64 "C120" X32 "9000",
		"* > 7F4968864104" X64 "C020" X32 "C101A59000",
		"* > 7F4965864104" X64 "C020" X32 "A59000",
	};

	(void)state;
	expect(call_generate,
	       (struct scripted)SCRIPT("0046000000 > 7F4965864104" X64 "C020" X32 "9000"), 0);
	assert_int_equal(key.device_public[0], 0x04);
	assert_int_equal(key.device_public[64], 0xA5);
	assert_int_equal(key.chain_code[31], 0xA5);
	for (size_t i = 0; i < COUNT(answers); i++)
		expect(call_generate, (struct scripted)SCRIPT(answers[i]), SIMTIE_ERR_PROTOCOL);
	expect(call_generate, (struct scripted)SCRIPT("* > 6982"), SIMTIE_ERR_CARD);
}

static struct simtie_objects objects;

static int call_store(struct simtie_session *session)
{
	return simtie_store(session, &objects);
}

static void objects_are_stored(void **state)
{
	static const uint8_t certificate[1025] = {0};

	(void)state;
	objects = (struct simtie_objects){
		.pin = "1234",
		.puk = "12345678",
		.iccid = (const uint8_t *)"\x98\x88\x11\x22\x33\x44\x55\x66\x77\xF8",
		.certificate = certificate,
		.certificate_len = 2,
	};
	expect(call_store,
	       (struct scripted)SCRIPT("80E2900025"
				       "840831323334FFFFFFFF"
				       "85083132333435363738"
				       "5A0A988811223344556677F8"
				       "7F21020000 > 9000"),
	       0);
	expect(call_store, (struct scripted)SCRIPT("* > 6A80"), SIMTIE_ERR_CARD);
	objects = (struct simtie_objects){.puk = "12345678"};
	expect(call_store, (struct scripted)SCRIPT("80E290000A85083132333435363738 > 9000"), 0);

	/* Nothing, a wrong PIN, a wrong PUK, a certificate that is none or too long. */
	objects = (struct simtie_objects){0};
	expect(call_store, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	objects = (struct simtie_objects){.pin = "123", .puk = "12345678"};
	expect(call_store, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	objects = (struct simtie_objects){.pin = "1234", .puk = "1234567"};
	expect(call_store, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	objects = (struct simtie_objects){.certificate = certificate, .certificate_len = 0};
	expect(call_store, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	objects.certificate_len = SIMTIE_CERTIFICATE_MAX + 1;
	expect(call_store, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	/* The longest: 1029 bytes in five links. */
	objects.certificate_len = SIMTIE_CERTIFICATE_MAX;
	expect(call_store,
	       (struct scripted)SCRIPT("* > 9000", "* > 9000", "* > 9000", "* > 9000", "* > 9000"),
	       0);
}

static enum simtie_lifecycle lifecycle;

static int call_lifecycle(struct simtie_session *session)
{
	return simtie_set_lifecycle(session, lifecycle);
}

static void lifecycle_moves_on(void **state)
{
	(void)state;
	lifecycle = SIMTIE_LIFECYCLE_PERSONALISED;
	expect(call_lifecycle, (struct scripted)SCRIPT("80F04007 > 9000"), 0);
	expect(call_lifecycle, (struct scripted)SCRIPT("80F04007 > 6985"), SIMTIE_ERR_CARD);
	lifecycle = SIMTIE_LIFECYCLE_TERMINATED;
	expect(call_lifecycle, (struct scripted)SCRIPT("80F0400F > 9000"), 0);
	lifecycle = SIMTIE_LIFECYCLE_FACTORY;
	expect(call_lifecycle, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	lifecycle = (enum simtie_lifecycle)1;
	expect(call_lifecycle, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
}

/* ---- Attestation ---- */

static struct simtie_challenge challenge;
static const char *pin;
static bool full;
static uint8_t token[SIMTIE_TOKEN_MAX];
static size_t token_len;
static unsigned tries;

static int call_attest(struct simtie_session *session)
{
	tries = 99;
	return simtie_attest(session, &challenge, pin, full, token, &token_len, &tries);
}

static const uint8_t a5[64] = {
	0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5,
	0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5,
	0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5,
	0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5,
	0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0xA5,
};

static int set_up(void **state)
{
	(void)state;
	challenge =
		(struct simtie_challenge){.audience = "chat.example", .nonce = a5, .nonce_len = 16};
	pin = "1234";
	full = false;
	return 0;
}

#define AUDIENCE "800C636861742E6578616D706C65"
#define NONCE    "8110" X16
#define PIN      "840831323334FFFFFFFF"

static void challenge_as_it_goes_out(void **state)
{
	(void)state;
	expect(call_attest, (struct scripted)SCRIPT("808800002A" AUDIENCE NONCE PIN "00 > 6982"),
	       SIMTIE_ERR_CARD);
	assert_int_equal(tries, 99);
	pin = NULL;
	challenge.purpose = SIMTIE_PURPOSE_REGISTRATION; /* the default is not said */
	expect(call_attest, (struct scripted)SCRIPT("8088000020" AUDIENCE NONCE "00 > 6982"),
	       SIMTIE_ERR_CARD);
	pin = "1234";
	full = true;
	challenge.thumbprint = a5;
	challenge.purpose = SIMTIE_PURPOSE_GENERIC;
	expect(call_attest,
	       (struct scripted)SCRIPT("808801004F" AUDIENCE NONCE "8220" X32 "830101" PIN
				       "00 > 63C1"),
	       SIMTIE_ERR_CARD);
	assert_int_equal(tries, 1);
}

static void challenges_that_are_none(void **state)
{
	static const char *const audiences[] = {
		NULL,    "",
		"a\nb",  "\xC3",
		"a\x7F", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

	(void)state;
	for (size_t i = 0; i < COUNT(audiences); i++) {
		challenge.audience = audiences[i];
		expect(call_attest, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	}
	set_up(NULL);
	challenge.nonce_len = 15;
	expect(call_attest, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	challenge.nonce_len = 65;
	expect(call_attest, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	set_up(NULL);
	challenge.nonce = NULL;
	expect(call_attest, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	set_up(NULL);
	challenge.purpose = 4;
	expect(call_attest, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	set_up(NULL);
	pin = "123";
	expect(call_attest, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	assert_int_equal(token_len, 0);
}

/* The token of the contract's example attest_full, and the compact answer that it stands for. */
#define SEALED "0102030405060708"
#define TOKEN_OF(purpose, nonce)                                                                   \
	"D28447A2012610190107A0584FA7036C636861742E6578616D706C650A50" nonce                       \
	"190107001901096E75726E3A782D73696D7469653A31190113" purpose "3A0001117048" SEALED         \
	"3A00011171015840" X64
#define TOKEN TOKEN_OF("02", X16)

static void compact_answer_becomes_the_token(void **state)
{
	static uint8_t wanted[SIMTIE_TOKEN_MAX];
	size_t len = scripted_bytes(TOKEN, wanted, sizeof wanted);

	(void)state;
	expect(call_attest, (struct scripted)SCRIPT("* > " SEALED "01" X64 "9000"), 0);
	assert_int_equal(token_len, len);
	assert_memory_equal(token, wanted, len);
	full = true;
	expect(call_attest, (struct scripted)SCRIPT("* > " TOKEN "9000"), 0);
	assert_int_equal(token_len, len);
	assert_memory_equal(token, wanted, len);
}

static void compact_answers_that_do_not_fit(void **state)
{
	static const char *const answers[] = {
		"* > 9000",
		"* > " SEALED "01" X64 "A59000",
		"* > " SEALED "01" X32 X16 "A5A5A5A5A5A5A5A5A5A5A5A5A5A5A59000",
		"* > " SEALED "51" X64 "9000", /* debug status 5 */
		"* > " SEALED "03" X64 "9000", /* consent 3 */
		"* > " SEALED "00" X64 "9000", /* no consent, though the PIN went along */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		expect(call_attest, (struct scripted)SCRIPT(answers[i]), SIMTIE_ERR_PROTOCOL);
		assert_int_equal(token_len, 0);
	}
	pin = NULL;
	expect(call_attest, (struct scripted)SCRIPT("* > " SEALED "00" X64 "9000"), 0);
}

static void tokens_that_answer_something_else(void **state)
{
	static const char *const answers[] = {
		"* > 9000",
		"* > A09000",
		"* > " TOKEN "A59000",
		"* > " TOKEN_OF("03", X16) "9000",
		"* > " TOKEN_OF("02", "00"
				      "A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5") "9000",
	};

	(void)state;
	full = true;
	for (size_t i = 0; i < COUNT(answers); i++) {
		expect(call_attest, (struct scripted)SCRIPT(answers[i]), SIMTIE_ERR_PROTOCOL);
		assert_int_equal(token_len, 0);
	}
	challenge.thumbprint = a5; /* asked for, and not in it */
	expect(call_attest, (struct scripted)SCRIPT("* > " TOKEN "9000"), SIMTIE_ERR_PROTOCOL);
	set_up(NULL);
	full = true;
	challenge.audience = "chat.exampla";
	expect(call_attest, (struct scripted)SCRIPT("* > " TOKEN "9000"), SIMTIE_ERR_PROTOCOL);
}

/* ---- Data ---- */

static uint8_t random_bytes[256];
static size_t random_len;

static int call_challenge(struct simtie_session *session)
{
	return simtie_get_challenge(session, random_bytes, random_len);
}

static void random_bytes_from_the_card(void **state)
{
	(void)state;
	random_len = 4;
	expect(call_challenge, (struct scripted)SCRIPT("0084000004 > 010203049000"), 0);
	assert_memory_equal(random_bytes, "\x01\x02\x03\x04", 4);
	expect(call_challenge, (struct scripted)SCRIPT("* > 0102039000"), SIMTIE_ERR_PROTOCOL);
	expect(call_challenge, (struct scripted)SCRIPT("* > 01020304059000"), SIMTIE_ERR_PROTOCOL);
	random_len = 0;
	expect(call_challenge, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
	random_len = 256;
	expect(call_challenge, (struct scripted){0}, SIMTIE_ERR_ARGUMENT);
}

static uint32_t counter;

static int call_counter(struct simtie_session *session)
{
	return simtie_get_counter(session, &counter);
}

static void counter_is_read(void **state)
{
	(void)state;
	expect(call_counter, (struct scripted)SCRIPT("00CA9F2100 > 9F2104010203049000"), 0);
	assert_int_equal(counter, 0x01020304);
	expect(call_counter, (struct scripted)SCRIPT("* > 9F21030102039000"), SIMTIE_ERR_PROTOCOL);
	expect(call_counter, (struct scripted)SCRIPT("* > 9F210401020304009000"),
	       SIMTIE_ERR_PROTOCOL);
	expect(call_counter, (struct scripted)SCRIPT("* > 9F2204010203049000"),
	       SIMTIE_ERR_PROTOCOL);
}

static uint8_t certificate[4];
static size_t certificate_len;

static int call_certificate(struct simtie_session *session)
{
	return simtie_get_certificate(session, certificate, sizeof certificate, &certificate_len);
}

static void certificate_is_read(void **state)
{
	(void)state;
	expect(call_certificate, (struct scripted)SCRIPT("00CA7F2100 > 7F2104010203049000"), 0);
	assert_int_equal(certificate_len, 4);
	assert_memory_equal(certificate, "\x01\x02\x03\x04", 4);
	expect(call_certificate, (struct scripted)SCRIPT("* > 7F210501020304059000"),
	       SIMTIE_ERR_MEMORY);
	assert_int_equal(certificate_len, 0);
	expect(call_certificate, (struct scripted)SCRIPT("* > 7F21009000"), SIMTIE_ERR_PROTOCOL);
	expect(call_certificate, (struct scripted)SCRIPT("* > 7F21050102039000"),
	       SIMTIE_ERR_PROTOCOL);
	expect(call_certificate, (struct scripted)SCRIPT("* > 6A88"), SIMTIE_ERR_CARD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_is_read),
		cmocka_unit_test(objects_are_stored),
		cmocka_unit_test(lifecycle_moves_on),
		cmocka_unit_test_setup(challenge_as_it_goes_out, set_up),
		cmocka_unit_test_setup(challenges_that_are_none, set_up),
		cmocka_unit_test_setup(compact_answer_becomes_the_token, set_up),
		cmocka_unit_test_setup(compact_answers_that_do_not_fit, set_up),
		cmocka_unit_test_setup(tokens_that_answer_something_else, set_up),
		cmocka_unit_test(random_bytes_from_the_card),
		cmocka_unit_test(counter_is_read),
		cmocka_unit_test(certificate_is_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
