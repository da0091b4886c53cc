/*
 * What the card spends on a command of a session: a wrong MAC and wrong padding cost the same calls
 * over the same bytes and answer the same, and a wrong MAC is never followed by the decryption of
 * what came. The linker sends the core's calls of AES through the __wrap functions here.
 *
 * Run under callgrind with an argument (mac, padding, right), it does that one case alone, so that
 * instructions can be counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../applet/crypto/crypto.h"
#include "core_card.h"

#define CALLS_MAX 16
#define DATA_SIZE 48 /* bytes of encrypted data in a command */

static const uint8_t zeros[DATA_SIZE];

struct call {
	char what;    /* M: MAC, E: encrypt, D: decrypt */
	size_t len;   /* bytes of input */
	bool of_zero; /* all of them 0 */
};

static struct call calls[CALLS_MAX];
static size_t calls_count;
static unsigned fails_in; /* the call, from 1, that fails; 0: none */

static bool note(char what, const uint8_t *data, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len && what == 'D'; i++) /* in a time that is always the same */
		any |= data[i];
	if (calls_count < CALLS_MAX)
		calls[calls_count++] = (struct call){what, len, any == 0};
	return fails_in == 0 || --fails_in > 0;
}

bool __real_crypto_cmac(struct bytes key, const struct bytes *parts, size_t count,
			uint8_t mac[static AES_BLOCK]);
bool __real_crypto_cbc_encrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data,
			       size_t len);
bool __real_crypto_cbc_decrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data,
			       size_t len);
bool __wrap_crypto_cmac(struct bytes key, const struct bytes *parts, size_t count,
			uint8_t mac[static AES_BLOCK]);
bool __wrap_crypto_cbc_encrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data,
			       size_t len);
bool __wrap_crypto_cbc_decrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data,
			       size_t len);

bool __wrap_crypto_cmac(struct bytes key, const struct bytes *parts, size_t count,
			uint8_t mac[static AES_BLOCK])
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	return note('M', parts[0].ptr, len) && __real_crypto_cmac(key, parts, count, mac);
}

bool __wrap_crypto_cbc_encrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data,
			       size_t len)
{
	return note('E', data, len) && __real_crypto_cbc_encrypt(key, iv, data, len);
}

bool __wrap_crypto_cbc_decrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data,
			       size_t len)
{
	return note('D', data, len) && __real_crypto_cbc_decrypt(key, iv, data, len);
}

/* A command of encrypted data under the session's MAC, with padding that is right or not: 80 and
 * `after` behind it. */
static size_t forge(const struct scp03 *scp, const uint8_t last[static AES_BLOCK], uint8_t *out)
{
	const struct bytes enc = {scp->enc, scp->key_len}, mac_key = {scp->mac, scp->key_len};
	uint8_t vector[AES_BLOCK] = {0}, mac[AES_BLOCK];
	const uint8_t header[] = {0x84, 0xE2, 0x90, 0x00, DATA_SIZE + 8};
	const struct bytes parts[] = {
		{scp->chain, sizeof scp->chain}, {header, sizeof header}, {out + 5, DATA_SIZE}};

	vector[AES_BLOCK - 1] = 1;
	assert_true(__real_crypto_cbc_encrypt(enc, zeros, vector, AES_BLOCK));
	memcpy(out, header, sizeof header);
	memset(out + 5, 0x5A, DATA_SIZE);
	memcpy(out + 5 + DATA_SIZE - AES_BLOCK, last, AES_BLOCK);
	assert_true(__real_crypto_cbc_encrypt(enc, vector, out + 5, DATA_SIZE));
	assert_true(__real_crypto_cmac(mac_key, parts, 3, mac));
	memcpy(out + 5 + DATA_SIZE, mac, 8);
	return 5 + DATA_SIZE + 8;
}

static const uint8_t right[AES_BLOCK] = {0x5A, 0x80};
static const uint8_t paddings[][AES_BLOCK] = {
	{0},                                                     /* none */
	{0x5A, 0x80, 0, 0, 1},                                   /* not zeros behind */
	{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, /* another mark */
	{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01},  /* not at its end */
	{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x81},
};

static uint16_t transmit(struct core_card *card, const uint8_t *command, size_t len)
{
	calls_count = 0;
	card->answer = applet_transmit(&card->applet, bytes_of(command, len));
	return card->answer.sw;
}

/* Sends a command in a fresh session: SW; `change_mac` turns a bit of its MAC. */
static uint16_t one(const uint8_t last[static AES_BLOCK], bool change_mac)
{
	uint8_t command[5 + DATA_SIZE + 8];
	struct core_card card;
	uint16_t sw;
	size_t len;

	core_card_init(&card);
	core_card_secure(&card, 0x13);
	len = forge(&card.scp, last, command);
	command[len - 1] ^= change_mac;
	sw = transmit(&card, command, len);
	if (sw == SW_WRONG_MAC)
		assert_int_equal(card.applet.secure.state, SECURE_NONE);
	core_card_free(&card);
	return sw;
}

static void a_wrong_mac_and_wrong_padding_cost_the_same(void **state)
{
	struct call wanted[CALLS_MAX];
	size_t count;

	(void)state;
	assert_int_equal(one(right, false), SW_WRONG_DATA); /* fits: 5A5A... is no object */
	assert_int_equal(one(right, true), SW_WRONG_MAC);
	count = calls_count;
	memcpy(wanted, calls, sizeof wanted);
	assert_int_equal(count, 3);
	assert_int_equal(wanted[0].what, 'M');
	assert_int_equal(wanted[1].what, 'E'); /* the initial vector */
	assert_int_equal(wanted[2].what, 'D');
	for (size_t i = 0; i < sizeof paddings / sizeof *paddings; i++) {
		assert_int_equal(one(paddings[i], false), SW_WRONG_MAC);
		assert_int_equal(calls_count, count);
		for (size_t k = 0; k < count; k++) {
			assert_int_equal(calls[k].what, wanted[k].what);
			assert_int_equal(calls[k].len, wanted[k].len);
		}
	}
}

static void nothing_is_decrypted_under_a_wrong_mac(void **state)
{
	(void)state;
	assert_int_equal(one(right, true), SW_WRONG_MAC);
	for (size_t i = 0; i < calls_count; i++)
		assert_true(calls[i].what != 'D' || calls[i].of_zero);
	assert_int_equal(one(right, false), SW_WRONG_DATA);
	assert_int_equal(calls[0].what, 'M');
	assert_int_equal(calls[2].what, 'D');
	assert_false(calls[2].of_zero);
}

/* Each call of AES behind each step fails: the card shuts, whatever was under way. */
static void failing_aes_shuts_the_card(void **state)
{
	static const char *const steps[] = {
		"80 50 00 00 08 0102030405060708 00",
		"84 82 33 00 10 000102030405060708090A0B0C0D0E0F",
		"84 E2 90 00 18 000102030405060708090A0B0C0D0E0F 0001020304050607",
	};

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		uint16_t sw = SW_CARD_SHUT;
		unsigned n;

		for (n = 1; sw == SW_CARD_SHUT; n++) {
			struct core_card card;

			core_card_init(&card);
			if (i == 1)
				assert_int_equal(core_card_send(&card, "%s", steps[0]), SW_OK);
			if (i == 2)
				core_card_secure(&card, 0x33);
			scp03_end(&card.scp);
			fails_in = n;
			sw = core_card_send(&card, "%s", steps[i]);
			assert_int_equal(fails_in > 0, sw != SW_CARD_SHUT);
			fails_in = 0;
			assert_int_equal(card.applet.shut, sw == SW_CARD_SHUT);
			assert_true(card.applet.secure.state != SECURE_OPEN || i == 2);
			core_card_free(&card);
		}
		assert_true(n > 2);
	}
}

/* The same while an answer is protected and while keys are put. */
static void failing_aes_gives_no_answer(void **state)
{
	static const char *const commands[] = {"00 CA 9F 21 00", NULL};
	uint8_t put[SCP03_PUT_KEY_MAX];
	struct scp03_keys keys = {.version = 0x31, .len = 24};
	uint16_t sw;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		sw = SW_CARD_SHUT;
		for (unsigned n = 1; sw == SW_CARD_SHUT; n++) {
			uint8_t wrapped[256];
			struct core_card card;
			struct scp03_keys own;
			size_t len;

			core_card_init(&card);
			own = core_card_keys(card.sim.port.issuer);
			if (!commands[i])
				core_card_send(&card, "00 A4 04 00 00");
			core_card_secure(&card, 0x33);
			if (commands[i])
				len = core_card_hex(commands[i], put, sizeof put);
			else
				assert_int_equal(scp03_put_key(0, &own, &keys, 0, put, &len),
						 SCP03_OK);
			assert_int_equal(scp03_wrap(&card.scp, bytes_of(put, len), wrapped,
						    sizeof wrapped, &len),
					 SCP03_OK);
			fails_in = n;
			sw = transmit(&card, wrapped, len);
			fails_in = 0;
			if (sw == SW_CARD_SHUT) {
				assert_true(card.applet.shut);
				assert_int_equal(card.answer.data.len, 0);
			} else {
				assert_true(n > 4);
			}
			core_card_free(&card);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_mac_and_wrong_padding_cost_the_same),
		cmocka_unit_test(nothing_is_decrypted_under_a_wrong_mac),
		cmocka_unit_test(failing_aes_shuts_the_card),
		cmocka_unit_test(failing_aes_gives_no_answer),
	};

	if (argc > 1) {
		one(strcmp(argv[1], "padding") == 0 ? paddings[0] : right,
		    strcmp(argv[1], "mac") == 0);
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
