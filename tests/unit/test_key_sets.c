/*
 * PUT KEY and what becomes of key sets: added, replaced, refused, with power cut at every step.
 * After a cut either the old set opens a session or the new one, never none, never both; and where
 * the new one does, no trace of the old is left in the memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../applet/port/posix/test_issuer.h"
#include "core_card.h"
#include "key_set.h"

static struct scp03_keys keys_of(uint8_t version, size_t len)
{
	struct scp03_keys keys = {.version = version, .len = len};

	for (size_t i = 0; i < len; i++) {
		keys.enc[i] = (uint8_t)(version * 3 + 5 * i);
		keys.mac[i] = (uint8_t)(version * 5 + 7 * i);
		keys.dek[i] = (uint8_t)(version * 7 + 11 * i);
	}
	return keys;
}

static void select_domain(struct core_card *card)
{
	scp03_end(&card->scp);
	assert_int_equal(core_card_send(card, "00 A4 04 00 00"), SW_OK);
}

static enum scp03_result log_in(struct core_card *card, const struct scp03_keys *keys)
{
	select_domain(card);
	return core_card_open(card, keys, 0, 0x33);
}

/* PUT KEY in the session that is open; the card's check values are compared too. */
static uint16_t put(struct core_card *card, const struct scp03_keys *current,
		    const struct scp03_keys *fresh, uint8_t replaced)
{
	uint8_t command[SCP03_PUT_KEY_MAX];
	size_t len;

	assert_int_equal(scp03_put_key(0, current, fresh, replaced, command, &len), SCP03_OK);
	core_card_exchange(card, bytes_of(command, len));
	if (card->answer.sw == SW_OK)
		assert_int_equal(scp03_put_key_answered(fresh, card->answer.data), SCP03_OK);
	return card->answer.sw;
}

static void begin(struct core_card *card, struct scp03_keys *own)
{
	core_card_init(card);
	*own = core_card_keys(card->sim.port.issuer);
	assert_int_equal(log_in(card, own), SCP03_OK);
}

static bool holds_trace(struct core_card *card, const struct scp03_keys *keys)
{
	return flash_sim_contains(&card->sim, keys->enc, keys->len) ||
	       flash_sim_contains(&card->sim, keys->mac, keys->len) ||
	       flash_sim_contains(&card->sim, keys->dek, keys->len);
}

static void sets_of_each_length_are_added_and_used(void **state)
{
	static const uint8_t lens[] = {16, 24, 32};

	(void)state;
	for (size_t i = 0; i < sizeof lens; i++) {
		struct scp03_keys maker = keys_of(0x20, lens[i]);
		const struct port_issuer issuer = {.key_version = 0x20,
						   .key_len = lens[i],
						   .scp_options = 0x70,
						   .enc = maker.enc,
						   .mac = maker.mac,
						   .dek = maker.dek};

		for (size_t k = 0; k < sizeof lens; k++) {
			const struct scp03_keys fresh = keys_of(0x31, lens[k]);
			struct core_card card;

			core_card_init_issued(&card, &issuer);
			assert_int_equal(log_in(&card, &maker), SCP03_OK);
			assert_int_equal(put(&card, &maker, &fresh, 0), SW_OK);
			assert_int_equal(core_card_send(&card, "80 CA 00 E0 00"), SW_OK);
			assert_int_equal(card.answer.data.len, 2 + 6 * 6);
			core_card_reopen(&card);
			assert_int_equal(log_in(&card, &fresh), SCP03_OK);
			assert_int_equal(log_in(&card, &maker), SCP03_OK);
			core_card_free(&card);
		}
	}
}

/* The session's own set, replaced: the session goes on, and the next PUT KEY in it comes under the
 * new key encryption key. */
static void the_session_s_own_set_is_replaced(void **state)
{
	const struct scp03_keys fresh = keys_of(0x31, 32), next = keys_of(0x32, 16);
	struct core_card card;
	struct scp03_keys own;

	(void)state;
	begin(&card, &own);
	assert_true(holds_trace(&card, &own));
	assert_int_equal(put(&card, &own, &fresh, own.version), SW_OK);
	assert_false(holds_trace(&card, &own));
	assert_int_equal(core_card_send(&card, "80 CA 00 E0 00"), SW_OK);
	assert_int_equal(card.answer.data.len, 2 + 3 * 6);
	assert_int_equal(put(&card, &own, &next, 0), SW_WRONG_DATA);
	assert_int_equal(put(&card, &fresh, &next, 0), SW_OK);
	assert_int_equal(log_in(&card, &own), SCP03_REFUSED);
	own.version = 0x31;
	assert_int_equal(log_in(&card, &own), SCP03_CRYPTOGRAM);
	assert_int_equal(log_in(&card, &fresh), SCP03_OK);
	assert_int_equal(log_in(&card, &next), SCP03_OK);
	core_card_free(&card);
}

static void another_set_is_replaced(void **state)
{
	const struct scp03_keys first = keys_of(0x31, 16), second = keys_of(0x32, 24);
	struct scp03_keys same = keys_of(0x33, 24);
	struct core_card card;
	struct scp03_keys own;

	(void)state;
	begin(&card, &own);
	assert_int_equal(put(&card, &own, &first, 0), SW_OK);
	assert_int_equal(put(&card, &own, &second, 0x31), SW_OK);
	assert_false(holds_trace(&card, &first));
	same.version = 0x32; /* over the set of the same version */
	assert_int_equal(put(&card, &own, &same, 0x32), SW_OK);
	assert_false(holds_trace(&card, &second));
	assert_int_equal(put(&card, &own, &same, 0x30), SW_DATA_NOT_FOUND); /* two of a version */
	assert_int_equal(put(&card, &own, &same, 0x7E), SW_DATA_NOT_FOUND);
	assert_int_equal(log_in(&card, &first), SCP03_REFUSED);
	assert_int_equal(log_in(&card, &same), SCP03_OK);
	assert_int_equal(log_in(&card, &own), SCP03_OK);
	core_card_free(&card);
}

/* Each byte of the data changed, each length of it: refused, nothing written, and the set that was
 * to be put opens nothing. A version of 0 or over 7F too. */
static void malformed_keys_are_refused(void **state)
{
	const struct scp03_keys fresh = keys_of(0x31, 16);
	struct core_card card;
	struct scp03_keys own;
	uint8_t command[SCP03_PUT_KEY_MAX], changed[SCP03_PUT_KEY_MAX + 1];
	size_t len;

	(void)state;
	begin(&card, &own);
	assert_int_equal(scp03_put_key(0, &own, &fresh, 0, command, &len), SCP03_OK);
	for (size_t at = 5; at < len - 1; at++) {
		memcpy(changed, command, len);
		changed[at] ^= 0x80;
		flash_sim_reset_counts(&card.sim);
		core_card_exchange(&card, bytes_of(changed, len));
		assert_int_equal(card.answer.sw, SW_WRONG_DATA);
		memcpy(changed, command, at);
		changed[4] = (uint8_t)(at - 5);
		if (at > 5) {
			core_card_exchange(&card, bytes_of(changed, at));
			assert_int_equal(card.answer.sw, SW_WRONG_DATA);
		}
		assert_int_equal(card.sim.counts.operations, 0);
	}
	memcpy(changed, command, len);
	changed[5] = 0;
	core_card_exchange(&card, bytes_of(changed, len));
	assert_int_equal(card.answer.sw, SW_WRONG_DATA);
	memcpy(changed, command, len - 1);
	changed[len - 1] = 0x88; /* a byte too many */
	changed[4]++;
	core_card_exchange(&card, bytes_of(changed, len));
	assert_int_equal(card.answer.sw, SW_WRONG_DATA);
	assert_int_equal(log_in(&card, &fresh), SCP03_REFUSED);
	core_card_free(&card);
}

/* Keys of one set are all of one length, even where 24 bytes and 32 look alike once encrypted. */
static void keys_of_unlike_lengths_are_refused(void **state)
{
	const struct scp03_keys fresh = keys_of(0x31, 24);
	const size_t first_len = 5 + 1 + 2;
	struct core_card card;
	struct scp03_keys own;
	uint8_t command[SCP03_PUT_KEY_MAX];
	size_t len;

	(void)state;
	begin(&card, &own);
	assert_int_equal(scp03_put_key(0, &own, &fresh, 0, command, &len), SCP03_OK);
	assert_int_equal(command[first_len], 24);
	command[first_len] = 32;
	core_card_exchange(&card, bytes_of(command, len));
	assert_int_equal(card.answer.sw, SW_WRONG_DATA);
	command[first_len] = 24;
	core_card_exchange(&card, bytes_of(command, len));
	assert_int_equal(card.answer.sw, SW_OK);
	core_card_free(&card);
}

/* Power cut at each operation of PUT KEY, torn in each way. */
static void cut_everywhere(uint8_t replaced, size_t len)
{
	struct core_card card;
	struct scp03_keys own;
	const struct scp03_keys fresh = keys_of(0x31, len);
	struct flash_sim_image *image;
	struct applet applet;
	struct scp03 scp;
	bool seen_old = false, seen_new = false;

	begin(&card, &own);
	image = flash_sim_snapshot(&card.sim);
	applet = card.applet;
	scp = card.scp;
	for (int torn = 0; torn < FLASH_SIM_TORN_COUNT; torn++) {
		bool off = true;

		for (unsigned long n = 1; off; n++) {
			bool old_opens, new_opens;

			flash_sim_restore(&card.sim, image);
			card.applet = applet;
			card.scp = scp;
			flash_sim_cut(&card.sim, n, (enum flash_sim_torn)torn);
			put(&card, &own, &fresh, replaced);
			off = flash_sim_is_off(&card.sim);
			core_card_reopen(&card);
			old_opens = log_in(&card, &own) == SCP03_OK;
			new_opens = log_in(&card, &fresh) == SCP03_OK;
			if (replaced ? old_opens == new_opens : !old_opens)
				fail_msg("cut at %lu, torn %d: old %d, new %d", n, torn, old_opens,
					 new_opens);
			if (replaced && new_opens && holds_trace(&card, &own))
				fail_msg("cut at %lu, torn %d: a trace is left", n, torn);
			assert_true(off || new_opens);
			seen_old |= !new_opens;
			seen_new |= off && new_opens;
		}
	}
	assert_true(seen_old && seen_new);
	flash_sim_image_free(image);
	core_card_free(&card);
}

static void old_set_or_new_set_is_whole_after_a_cut(void **state)
{
	(void)state;
	cut_everywhere(0, 16);
	cut_everywhere(0x30, 16);
	cut_everywhere(0x30, 32);
}

/* Erasing fails, once: the keys are stored, the answer says so, and what is left to erase
 * is erased at the next power on. */
static void an_erasure_that_fails_is_made_up_for(void **state)
{
	const struct scp03_keys fresh = keys_of(0x31, 16);
	struct core_card card;
	struct scp03_keys own;

	(void)state;
	begin(&card, &own);
	flash_sim_fail(&card.sim, FLASH_SIM_ERASE, 1, 1, FLASH_SIM_UNDONE);
	assert_int_equal(put(&card, &own, &fresh, own.version), SW_OK);
	assert_true(holds_trace(&card, &own));
	assert_int_equal(log_in(&card, &fresh), SCP03_OK);
	core_card_reopen(&card);
	assert_false(holds_trace(&card, &own));
	assert_int_equal(log_in(&card, &fresh), SCP03_OK);
	core_card_free(&card);
}

static uint16_t fail_once(struct core_card *card, uint8_t version)
{
	scp03_end(&card->scp);
	core_card_send(card, "80 50 %02X 00 08 0102030405060708 00", version);
	return card->answer.sw == SW_OK
		       ? core_card_send(card, "84 82 33 00 10 000102030405060708090A0B0C0D0E0F")
		       : card->answer.sw;
}

/* Failures count for the set that was tried. The issuer unblocks a set by replacing it. */
static void each_set_counts_its_own_failures(void **state)
{
	const struct scp03_keys first = keys_of(0x31, 16), second = keys_of(0x32, 16);
	struct core_card card;
	struct scp03_keys own;

	(void)state;
	begin(&card, &own);
	assert_int_equal(put(&card, &own, &first, 0), SW_OK);
	for (unsigned i = 1; i <= LIMIT_AUTHENTICATIONS; i++) {
		assert_int_equal(fail_once(&card, 0x31), SW_AUTHENTICATION_FAILED);
		assert_int_equal(key_set_failures(&card.applet, 1), i);
		assert_int_equal(key_set_failures(&card.applet, 0), 0);
	}
	assert_int_equal(fail_once(&card, 0x31), SW_BLOCKED);
	assert_int_equal(log_in(&card, &own), SCP03_OK);
	assert_int_equal(fail_once(&card, 0x31), SW_BLOCKED); /* that success was another set's */
	assert_int_equal(log_in(&card, &own), SCP03_OK);
	assert_int_equal(put(&card, &own, &second, 0x31), SW_OK);
	assert_int_equal(log_in(&card, &second), SCP03_OK);
	core_card_free(&card);
}

/* The same keys, put again: the card's challenge does not come again, nor any session with it. */
static void the_sequence_counter_outlives_its_set(void **state)
{
	struct core_card card;
	struct scp03_keys own;
	uint8_t before[3];

	(void)state;
	begin(&card, &own);
	memcpy(before, card.scp.card.sequence, 3);
	assert_int_equal(put(&card, &own, &own, own.version), SW_OK);
	assert_int_equal(log_in(&card, &own), SCP03_OK);
	assert_true(memcmp(card.scp.card.sequence, before, 3) > 0);
	core_card_free(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_of_each_length_are_added_and_used),
		cmocka_unit_test(the_session_s_own_set_is_replaced),
		cmocka_unit_test(another_set_is_replaced),
		cmocka_unit_test(malformed_keys_are_refused),
		cmocka_unit_test(keys_of_unlike_lengths_are_refused),
		cmocka_unit_test(old_set_or_new_set_is_whole_after_a_cut),
		cmocka_unit_test(an_erasure_that_fails_is_made_up_for),
		cmocka_unit_test(each_set_counts_its_own_failures),
		cmocka_unit_test(the_sequence_counter_outlives_its_set),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
