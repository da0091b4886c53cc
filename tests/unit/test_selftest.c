/*
 * Every primitive made to fail, or to answer wrongly, one by one: the card shuts, and stays shut
 * until a reset finds the crypto sound. The linker sends the core's calls through the __wrap
 * functions here; the core itself is the one that ships.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../applet/crypto/derive.h"
#include "core_card.h"
#include "../../applet/crypto/selftest.h"

enum fault { SOUND, FAILS, WRONG };

static enum fault init_fault, hash_fault, hmac_fault, public_fault, sign_fault, cmac_fault,
	encrypt_fault, decrypt_fault;

#define WRAPPED(name, fault, output, parameters, arguments)                                        \
	bool __real_##name parameters;                                                             \
	bool __wrap_##name parameters;                                                             \
	bool __wrap_##name parameters                                                              \
	{                                                                                          \
		bool done = __real_##name arguments;                                               \
                                                                                                   \
		if (fault == WRONG)                                                                \
			(output)[7] ^= 0x10;                                                       \
		return done && fault != FAILS;                                                     \
	}

static uint8_t nothing[8];

WRAPPED(crypto_init, init_fault, nothing, (void), ())
WRAPPED(crypto_sha256, hash_fault, digest,
	(const struct bytes *parts, size_t count, uint8_t digest[static SHA256_SIZE]),
	(parts, count, digest))
WRAPPED(crypto_hmac, hmac_fault, mac,
	(struct bytes key, const struct bytes *parts, size_t count,
	 uint8_t mac[static SHA256_SIZE]),
	(key, parts, count, mac))
WRAPPED(crypto_p256_public, public_fault, point,
	(const uint8_t d[static P256_SCALAR_SIZE], uint8_t point[static P256_POINT_SIZE]),
	(d, point))
WRAPPED(crypto_p256_sign, sign_fault, signature,
	(const uint8_t d[static P256_SCALAR_SIZE], const uint8_t digest[static SHA256_SIZE],
	 uint8_t signature[static ECDSA_SIZE]),
	(d, digest, signature))

WRAPPED(crypto_cmac, cmac_fault, mac,
	(struct bytes key, const struct bytes *parts, size_t count, uint8_t mac[static AES_BLOCK]),
	(key, parts, count, mac))
WRAPPED(crypto_cbc_encrypt, encrypt_fault, data,
	(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data, size_t len),
	(key, iv, data, len))
WRAPPED(crypto_cbc_decrypt, decrypt_fault, data,
	(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data, size_t len),
	(key, iv, data, len))

static enum fault *const faults[] = {&hash_fault, &hmac_fault,    &public_fault,  &sign_fault,
				     &cmac_fault, &encrypt_fault, &decrypt_fault, &init_fault};

static void sound_crypto_passes(void **state)
{
	(void)state;
	assert_true(selftest_passes());
}

static void each_fault_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		for (enum fault fault = FAILS; fault <= WRONG; fault++) {
			if (faults[i] == &init_fault && fault == WRONG)
				continue;
			*faults[i] = fault;
			assert_false(selftest_passes());
			*faults[i] = SOUND;
		}
	}
}

static void a_shut_card_does_nothing_until_reset(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	core_card_personalise_any(&card);
	hash_fault = WRONG;
	applet_reset(&card.applet, APPLET_T1);
	hash_fault = SOUND;
	flash_sim_reset_counts(&card.sim);
	assert_int_equal(core_card_send(&card, "00 A4 04 0C 08 " CORE_CARD_AID), SW_CARD_SHUT);
	assert_int_equal(core_card_send(&card, "00 CA BF 20 00"), SW_CARD_SHUT);
	assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST_PIN(CORE_CARD_PIN)), SW_CARD_SHUT);
	assert_int_equal(core_card_send(&card, "00"), SW_CARD_SHUT);
	assert_int_equal(card.sim.counts.operations, 0);
	applet_reset(&card.applet, APPLET_T1);
	core_card_select(&card);
	core_card_free(&card);
}

/* The signature fails after the counter is committed: no answer, a card shut, the counter spent. */
static void a_fault_while_attesting_shuts_the_card(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	core_card_personalise_any(&card);
	sign_fault = FAILS;
	assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST_PIN(CORE_CARD_PIN)), SW_CARD_SHUT);
	assert_int_equal(card.answer.data.len, 0);
	sign_fault = SOUND;
	assert_int_equal(core_card_send(&card, "00 CA 9F 21 00"), SW_CARD_SHUT);
	core_card_reopen(&card);
	assert_int_equal(card.applet.counter, 1);
	core_card_free(&card);
}

static void a_bad_random_source_shuts_the_card(void **state)
{
	static const enum flash_sim_random kinds[] = {FLASH_SIM_RANDOM_STUCK,
						      FLASH_SIM_RANDOM_FAILING};
	static const char *const commands[] = {"00 84 00 00 10",
					       CORE_CARD_ATTEST_PIN(CORE_CARD_PIN)};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 2; k++) {
			struct core_card card;

			core_card_init(&card);
			core_card_personalise_any(&card);
			card.sim.random = kinds[i];
			assert_int_equal(core_card_send(&card, "%s", commands[k]), SW_CARD_SHUT);
			assert_int_equal(card.answer.data.len, 0);
			card.sim.random = FLASH_SIM_RANDOM_GOOD;
			assert_int_equal(core_card_send(&card, "00 CA 9F 21 00"), SW_CARD_SHUT);
			core_card_reopen(&card);
			assert_int_equal(card.applet.counter, 0);
			core_card_free(&card);
		}
	}
}

/* A source that gives one good block for ever: not uniform, but the same. */
static bool random_repeating(void *context, uint8_t *out, size_t len)
{
	(void)context;
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(17 * i + 3);
	return true;
}

static void a_repeating_random_source_shuts_the_card(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	card.sim.port.random = random_repeating;
	assert_int_equal(core_card_send(&card, "00 84 00 00 20"), SW_CARD_SHUT);
	assert_int_equal(card.answer.data.len, 0);
	core_card_free(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_crypto_passes),
		cmocka_unit_test(each_fault_is_found),
		cmocka_unit_test(a_shut_card_does_nothing_until_reset),
		cmocka_unit_test(a_fault_while_attesting_shuts_the_card),
		cmocka_unit_test(a_bad_random_source_shuts_the_card),
		cmocka_unit_test(a_repeating_random_source_shuts_the_card),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
