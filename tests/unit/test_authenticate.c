/*
 * The way into a session: what a failed authentication costs, when it is charged, and that neither
 * a recorded nor a changed one opens anything, power cuts or not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../applet/port/posix/test_issuer.h"
#include "core_card.h"
#include "key_set.h"
#include "scp03_aes.h"

#define BEGIN "80 50 00 00 08 0102030405060708 00"
#define WRONG "84 82 33 00 10 000102030405060708090A0B0C0D0E0F"

static unsigned failures(const struct core_card *card, unsigned slot)
{
	uint8_t count = 0;
	size_t len;

	journal_read(&card->applet.journal, (uint8_t)(RECORD_FAILURES + slot), &count, 1, &len);
	return count;
}

static uint32_t sequence(const struct core_card *card, unsigned slot)
{
	uint8_t count[4] = {0};
	size_t len;

	journal_read(&card->applet.journal, (uint8_t)(RECORD_SEQUENCE + slot), count, 4, &len);
	return get_be32(count);
}

static uint16_t fail_once(struct core_card *card)
{
	assert_int_equal(core_card_send(card, BEGIN), SW_OK);
	return core_card_send(card, WRONG);
}

static void ten_failures_in_a_row_block_the_key_set(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	for (unsigned i = 1; i <= 9; i++) {
		assert_int_equal(fail_once(&card), SW_AUTHENTICATION_FAILED);
		assert_int_equal(failures(&card, 0), i);
	}
	core_card_reopen(&card);
	core_card_secure(&card, 0x33);
	assert_int_equal(failures(&card, 0), 0);
	core_card_select(&card);
	for (unsigned i = 1; i <= 10; i++)
		assert_int_equal(fail_once(&card), SW_AUTHENTICATION_FAILED);
	flash_sim_reset_counts(&card.sim);
	assert_int_equal(core_card_send(&card, BEGIN), SW_BLOCKED);
	core_card_reopen(&card);
	assert_int_equal(core_card_send(&card, BEGIN), SW_BLOCKED);
	assert_int_equal(card.sim.counts.operations, 0);
	core_card_free(&card);
}

/* The right keys, with power cut at each operation: only where it is never cut before the
 * comparison may the count be 0, and it rises wherever the host could have learnt something. */
static void a_failure_is_charged_before_anything_is_compared(void **state)
{
	static const struct {
		bool right;
		uint16_t sw;
	} cases[] = {{true, SW_OK}, {false, SW_AUTHENTICATION_FAILED}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (int torn = 0; torn < FLASH_SIM_TORN_COUNT; torn++) {
			bool off = true, seen = false;

			for (unsigned long n = 1; off; n++) {
				struct core_card card;
				uint8_t command[SCP03_AUTHENTICATE_MAX], challenge[8] = {0};
				struct scp03_keys keys;
				size_t len;

				core_card_init(&card);
				keys = core_card_keys(card.sim.port.issuer);
				scp03_begin(&card.scp, 0, 0, bytes_of(challenge, 8), command, &len);
				core_card_raw(&card, bytes_of(command, len));
				scp03_answered(&card.scp, card.answer.data, card.answer.sw);
				scp03_authenticate(&card.scp, &keys, bytes_of(NULL, 0), 0x33,
						   command, &len);
				command[5] ^= !cases[i].right;
				flash_sim_cut(&card.sim, n, (enum flash_sim_torn)torn);
				core_card_raw(&card, bytes_of(command, len));
				off = flash_sim_is_off(&card.sim);
				if (!off)
					assert_int_equal(card.answer.sw, cases[i].sw);
				else if (card.answer.sw != SW_MEMORY_FAILURE)
					fail_msg("cut at %lu: %04X", n, card.answer.sw);
				assert_int_equal(card.applet.secure.state, card.answer.sw == SW_OK
										   ? SECURE_OPEN
										   : SECURE_NONE);
				core_card_reopen(&card);
				seen |= off && failures(&card, 0) == 1;
				if (!off)
					assert_int_equal(failures(&card, 0), !cases[i].right);
				core_card_free(&card);
			}
			assert_true(seen);
		}
	}
}

/* The memory fails while the count is written: nothing is compared, right or wrong. */
static void what_cannot_be_charged_is_not_compared(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	assert_int_equal(core_card_send(&card, BEGIN), SW_OK);
	flash_sim_fail(&card.sim, FLASH_SIM_PROGRAM | FLASH_SIM_ERASE | FLASH_SIM_SYNC, 1, 1000,
		       FLASH_SIM_UNDONE);
	assert_int_equal(core_card_send(&card, WRONG), SW_MEMORY_FAILURE);
	assert_int_equal(card.applet.secure.state, SECURE_NONE);
	core_card_free(&card);
}

/* Out of turn it is refused, whatever it says, before it is charged; and so on another channel. */
static void authentication_out_of_turn_costs_nothing(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	assert_int_equal(core_card_send(&card, "00 70 00 01"), SW_OK);
	assert_int_equal(core_card_send(&card, "84 82 01 00 10 %032X", 0), SW_CONDITIONS);
	assert_int_equal(core_card_send(&card, BEGIN), SW_OK);
	assert_int_equal(core_card_send(&card, "85 82 01 00 10 %032X", 0), SW_CONDITIONS);
	assert_int_equal(card.applet.secure.state, SECURE_NONE);
	core_card_secure(&card, 0x33);
	scp03_end(&card.scp);
	assert_int_equal(core_card_send(&card, "84 82 01 00 10 %032X", 0), SW_CONDITIONS);
	assert_int_equal(card.applet.secure.state, SECURE_NONE);
	assert_int_equal(failures(&card, 0), 0);
	core_card_free(&card);
}

static void an_unreadable_count_is_the_most(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	assert_int_equal(fail_once(&card), SW_AUTHENTICATION_FAILED);
	assert_int_equal(key_set_failures(&card.applet, 0), 1);
	flash_sim_fail(&card.sim, FLASH_SIM_READ, 1, 1000, FLASH_SIM_UNDONE);
	assert_int_equal(key_set_failures(&card.applet, 0), LIMIT_AUTHENTICATIONS);
	core_card_free(&card);
}

/* No counter value is answered twice, whatever is cut, nor does a card answer one it has lost. */
static void the_sequence_counter_never_repeats(void **state)
{
	struct core_card card;
	uint32_t last = 0;
	unsigned answered = 0;

	(void)state;
	core_card_init(&card);
	for (int i = 0; i < 500; i++) {
		flash_sim_cut(
			&card.sim, flash_sim_chance(&card.sim, 6),
			(enum flash_sim_torn)flash_sim_chance(&card.sim, FLASH_SIM_TORN_COUNT));
		if (core_card_send(&card, BEGIN) == SW_OK) {
			const uint8_t *answer = card.answer.data.ptr + 10 + 3 + 16;
			uint32_t now = (uint32_t)answer[0] << 16 | (uint32_t)get_be16(answer + 1);

			assert_true(now > last);
			last = now;
			answered++;
		}
		core_card_reopen(&card);
		assert_true(sequence(&card, 0) >= last);
	}
	assert_in_range(answered, 50, 450);
	core_card_free(&card);
}

static void a_spent_sequence_counter_refuses(void **state)
{
	static const uint8_t almost[] = {0x00, 0xFF, 0xFF, 0xFE};
	const struct journal_write write = {RECORD_SEQUENCE, {almost, sizeof almost}};
	struct core_card card;

	(void)state;
	core_card_init(&card);
	assert_int_equal(journal_commit(&card.applet.journal, &write, 1), JOURNAL_OK);
	assert_int_equal(core_card_send(&card, BEGIN), SW_OK);
	assert_int_equal(core_card_send(&card, BEGIN), SW_MEMORY_FAILURE);
	assert_int_equal(core_card_send(&card, BEGIN), SW_MEMORY_FAILURE);
	core_card_free(&card);
}

/* A random challenge is a new one each time, and costs the memory nothing. */
static void a_random_challenge_is_new_each_time(void **state)
{
	struct port_issuer maker = test_issuer;
	struct core_card card;
	uint8_t seen[50][8];

	(void)state;
	maker.scp_options = 0x60;
	core_card_init_issued(&card, &maker);
	flash_sim_reset_counts(&card.sim);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(core_card_send(&card, BEGIN), SW_OK);
		assert_int_equal(card.answer.data.len, 10 + 3 + 16);
		memcpy(seen[i], card.answer.data.ptr + 13, 8);
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(seen[i], seen[k], 8);
	}
	assert_int_equal(card.sim.counts.operations, 0);
	card.sim.random = FLASH_SIM_RANDOM_STUCK;
	assert_int_equal(core_card_send(&card, BEGIN), SW_CARD_SHUT);
	core_card_free(&card);
}

/* Host challenge and cryptogram of a recorded session open no other: the card's challenge moved
 * on, even where the power was cut between. */
static void a_recorded_authentication_opens_nothing(void **state)
{
	struct core_card card;
	uint8_t begin[SCP03_INITIALIZE_MAX], authenticate[SCP03_AUTHENTICATE_MAX];
	uint8_t challenge[8] = {9};
	size_t begin_len, len;
	struct scp03_keys keys;

	(void)state;
	core_card_init(&card);
	keys = core_card_keys(card.sim.port.issuer);
	scp03_begin(&card.scp, 0, 0, bytes_of(challenge, 8), begin, &begin_len);
	core_card_raw(&card, bytes_of(begin, begin_len));
	scp03_answered(&card.scp, card.answer.data, card.answer.sw);
	scp03_authenticate(&card.scp, &keys, bytes_of(NULL, 0), 0x33, authenticate, &len);
	core_card_raw(&card, bytes_of(authenticate, len));
	assert_int_equal(card.answer.sw, SW_OK);
	for (int i = 0; i < 2; i++) {
		core_card_raw(&card, bytes_of(begin, begin_len));
		assert_int_equal(card.answer.sw, SW_OK);
		core_card_raw(&card, bytes_of(authenticate, len));
		assert_int_equal(card.answer.sw, SW_AUTHENTICATION_FAILED);
		assert_int_equal(card.applet.secure.state, SECURE_NONE);
		core_card_reopen(&card);
	}
	core_card_free(&card);
}

/* Each bit of EXTERNAL AUTHENTICATE, and the cryptogram's length. */
static void a_changed_authentication_opens_nothing(void **state)
{
	uint8_t challenge[8] = {9};

	(void)state;
	for (size_t bit = 0; bit < 8 * 21; bit++) {
		struct core_card card;
		uint8_t command[SCP03_AUTHENTICATE_MAX];
		struct scp03_keys keys;
		size_t len;

		core_card_init(&card);
		keys = core_card_keys(card.sim.port.issuer);
		scp03_begin(&card.scp, 0, 0, bytes_of(challenge, 8), command, &len);
		core_card_raw(&card, bytes_of(command, len));
		scp03_answered(&card.scp, card.answer.data, card.answer.sw);
		scp03_authenticate(&card.scp, &keys, bytes_of(NULL, 0), 0x13, command, &len);
		assert_int_equal(len, 21);
		command[bit / 8] ^= (uint8_t)(1 << bit % 8);
		core_card_raw(&card, bytes_of(command, len));
		assert_int_not_equal(card.answer.sw, SW_OK);
		assert_int_not_equal(card.applet.secure.state, SECURE_OPEN);
		if (bit >= 8 * 5)
			assert_int_equal(card.answer.sw, SW_AUTHENTICATION_FAILED);
		core_card_free(&card);
	}
}

/* Cryptogram and MAC each wrong in turn, the other right: the MAC's key alone opens nothing. */
static void cryptogram_and_mac_are_both_compared(void **state)
{
	uint8_t challenge[8] = {9};

	(void)state;
	for (int wrong = 0; wrong <= 2; wrong++) {
		struct core_card card;
		uint8_t command[SCP03_AUTHENTICATE_MAX], mac[16];
		const uint8_t chain[16] = {0};
		struct scp03_keys keys;
		size_t len;

		core_card_init(&card);
		keys = core_card_keys(card.sim.port.issuer);
		scp03_begin(&card.scp, 0, 0, bytes_of(challenge, 8), command, &len);
		core_card_raw(&card, bytes_of(command, len));
		scp03_answered(&card.scp, card.answer.data, card.answer.sw);
		scp03_authenticate(&card.scp, &keys, bytes_of(NULL, 0), 0x13, command, &len);
		command[5] ^= wrong == 1;

		const struct bytes parts[] = {{chain, sizeof chain}, {command, 5 + 8}};

		assert_true(
			scp03_aes_cmac(bytes_of(card.scp.mac, card.scp.key_len), parts, 2, mac));
		memcpy(command + 13, mac, 8);
		command[13] ^= wrong == 2;
		core_card_raw(&card, bytes_of(command, len));
		assert_int_equal(card.answer.sw, wrong ? SW_AUTHENTICATION_FAILED : SW_OK);
		core_card_free(&card);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_failures_in_a_row_block_the_key_set),
		cmocka_unit_test(a_failure_is_charged_before_anything_is_compared),
		cmocka_unit_test(what_cannot_be_charged_is_not_compared),
		cmocka_unit_test(authentication_out_of_turn_costs_nothing),
		cmocka_unit_test(an_unreadable_count_is_the_most),
		cmocka_unit_test(the_sequence_counter_never_repeats),
		cmocka_unit_test(a_spent_sequence_counter_refuses),
		cmocka_unit_test(a_random_challenge_is_new_each_time),
		cmocka_unit_test(a_recorded_authentication_opens_nothing),
		cmocka_unit_test(cryptogram_and_mac_are_both_compared),
		cmocka_unit_test(a_changed_authentication_opens_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
