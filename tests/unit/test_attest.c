/* The card's attestations against the worked examples, byte for byte, and its derivation alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../applet/crypto/derive.h"
#include "../../applet/crypto/scalar.h"
#include "attest.h"
#include "core_card.h"
#include "log.h"

#define VECTORS "tests/vectors/attestation.json"

struct vector {
	uint8_t device_key[32], chain_code[32], tweak[32], service_key[32];
	uint8_t service_point[65], salt[4], compact[LIMIT_COMPACT_SIZE];
	uint8_t nonce[LIMIT_NONCE_MAX], thumbprint[LIMIT_THUMBPRINT_SIZE], token[1024];
	size_t nonce_len, thumbprint_len, token_len;
	const char *audience;
	uint32_t counter;
	unsigned purpose, consent, debug_status;
};

static size_t bytes_member(json_t *object, const char *name, uint8_t *out, size_t size)
{
	return core_card_hex(json_string_value(json_object_get(object, name)), out, size);
}

static unsigned uint_member(json_t *object, const char *name)
{
	return (unsigned)json_integer_value(json_object_get(object, name));
}

static void load(json_t *object, struct vector *v)
{
	bytes_member(object, "device_private_key", v->device_key, 32);
	bytes_member(object, "chain_code", v->chain_code, 32);
	bytes_member(object, "service_private_key", v->service_key, 32);
	bytes_member(object, "service_public_key", v->service_point, 65);
	bytes_member(object, "salt", v->salt, 4);
	bytes_member(object, "compact", v->compact, sizeof v->compact);
	v->nonce_len = bytes_member(object, "nonce", v->nonce, sizeof v->nonce);
	v->thumbprint_len = bytes_member(object, "confirmation_key_thumbprint", v->thumbprint,
					 sizeof v->thumbprint);
	v->token_len = bytes_member(object, "token", v->token, sizeof v->token);
	v->audience = json_string_value(json_object_get(object, "audience"));
	v->counter = uint_member(object, "counter");
	v->purpose = uint_member(object, "purpose");
	v->consent = uint_member(object, "consent");
	v->debug_status = uint_member(object, "debug_status");
}

static struct bytes text(const char *string)
{
	return bytes_of((const uint8_t *)string, strlen(string));
}

static void check_token(const struct vector *v)
{
	struct attestation attestation = {
		.audience = text(v->audience),
		.nonce = bytes_of(v->nonce, v->nonce_len),
		.thumbprint = bytes_of(v->thumbprint, v->thumbprint_len),
		.purpose = (uint8_t)v->purpose,
		.consent = (uint8_t)v->consent,
		.debug_status = (uint8_t)v->debug_status,
	};
	uint8_t space[LIMIT_RESPONSE_DATA];
	struct writer out = {.out = space, .size = sizeof space};
	struct writer scratch = out;

	assert_true(attest_seal(&attestation, v->chain_code, v->counter,
				bytes_of(v->salt, sizeof v->salt)));
	assert_true(attest_sign(&attestation, v->device_key, v->chain_code, &scratch));
	attest_put_full(&out, &attestation);
	assert_false(out.overflowed);
	assert_int_equal(out.used, v->token_len);
	assert_memory_equal(space, v->token, v->token_len);
	out.used = 0;
	attest_put_compact(&out, &attestation);
	assert_int_equal(out.used, sizeof v->compact);
	assert_memory_equal(space, v->compact, sizeof v->compact);
}

static void check_keys(const struct vector *v)
{
	uint8_t key[32], point[65];

	assert_true(derive_service_key(v->device_key, v->chain_code, text(v->audience), key));
	assert_memory_equal(key, v->service_key, sizeof key);
	assert_true(crypto_p256_public(key, point));
	assert_memory_equal(point, v->service_point, sizeof point);
}

static void for_each_vector(void (*check)(const struct vector *v))
{
	json_t *all = json_load_file(VECTORS, 0, NULL);
	json_t *object;
	size_t i;

	assert_true(json_array_size(all) >= 24);
	json_array_foreach(all, i, object)
	{
		struct vector v;

		load(object, &v);
		check(&v);
	}
	json_decref(all);
}

static void tokens_are_those_of_the_worked_examples(void **state)
{
	(void)state;
	assert_true(crypto_init());
	for_each_vector(check_token);
}

static void service_keys_are_those_of_the_worked_examples(void **state)
{
	(void)state;
	for_each_vector(check_keys);
}

/* The salt that a vector wants, then zeros. */
static const uint8_t *wanted_salt;

static bool random_salt(void *context, uint8_t *out, size_t len)
{
	(void)context;
	memset(out, 0x5A, len);
	memcpy(out, wanted_salt, 4);
	return true;
}

/* The whole way, through APDUs: only those that a card can give today (consent by PIN). */
static void check_card(const struct vector *v)
{
	struct core_card card;
	struct writer data = {.size = 256};
	uint8_t space[256], apdu[300], previous[LOG_SIZE_MAX] = {0};

	if (v->consent != CONSENT_PIN)
		return;
	core_card_init(&card);
	put_be32(previous, v->counter - 1);

	const struct journal_write write = {
		(uint8_t)(RECORD_LOG + (v->counter - 1) % LIMIT_LOG_ENTRIES),
		{previous, sizeof previous}};

	assert_int_equal(journal_commit(&card.applet.journal, &write, 1), JOURNAL_OK);
	card.sim.port.seeded = false; /* a seeded card may not say more than 0 */
	card.sim.port.debug_status = (enum port_debug_status)v->debug_status;
	core_card_personalise(&card, v->device_key, v->chain_code);
	wanted_salt = v->salt;
	card.sim.port.random = random_salt;
	assert_int_equal(core_card_send(&card, "00 20 00 01 08 " CORE_CARD_PIN), SW_OK);

	data.out = space;
	ber_put(&data, TAG_AUDIENCE, text(v->audience));
	ber_put(&data, TAG_NONCE, bytes_of(v->nonce, v->nonce_len));
	if (v->thumbprint_len)
		ber_put(&data, TAG_THUMBPRINT, bytes_of(v->thumbprint, v->thumbprint_len));
	ber_put_u8(&data, TAG_PURPOSE, (uint8_t)v->purpose);
	memcpy(apdu, (const uint8_t[]){0x80, 0x88, 0x00, 0x00, (uint8_t)data.used}, 5);
	memcpy(apdu + 5, space, data.used);
	apdu[5 + data.used] = 0;
	card.answer = applet_transmit(&card.applet, bytes_of(apdu, 6 + data.used));
	assert_int_equal(card.answer.sw, SW_OK);
	assert_int_equal(card.answer.data.len, sizeof v->compact);
	assert_memory_equal(card.answer.data.ptr, v->compact, sizeof v->compact);
	core_card_free(&card);
}

static void a_card_with_the_same_keys_gives_the_same_bytes(void **state)
{
	(void)state;
	for_each_vector(check_card);
}

static void spent_counter_refuses(void **state)
{
	struct core_card card;
	uint8_t entry[LOG_SIZE_MAX] = {0};

	(void)state;
	core_card_init(&card);
	put_be32(entry, LOG_COUNTER_MAX - 1);

	const struct journal_write write = {
		(uint8_t)(RECORD_LOG + (LOG_COUNTER_MAX - 1) % LIMIT_LOG_ENTRIES),
		{entry, sizeof entry}};

	assert_int_equal(journal_commit(&card.applet.journal, &write, 1), JOURNAL_OK);
	core_card_personalise_any(&card);
	assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST_PIN(CORE_CARD_PIN)), SW_OK);
	assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST_PIN(CORE_CARD_PIN)), SW_CONDITIONS);
	assert_int_equal(card.applet.counter, LOG_COUNTER_MAX);
	core_card_free(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_are_those_of_the_worked_examples),
		cmocka_unit_test(service_keys_are_those_of_the_worked_examples),
		cmocka_unit_test(a_card_with_the_same_keys_gives_the_same_bytes),
		cmocka_unit_test(spent_counter_refuses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
