/*
 * The end of the applet's life and of the card's: what is wiped, what stays, with power cut at
 * every step. Once the state has moved and the card has power again, no secret is left in the
 * memory, as seen by who desolders it; and no power cut makes a new card of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../applet/port/posix/test_issuer.h"
#include "core_card.h"

#define SELECT_DOMAIN "00 A4 04 00 00"
#define END_APPLET    "80 F0 40 0F"
#define END_CARD      "80 F0 80 FF"
#define ICCID         "98881122334455667788"

struct secrets {
	uint8_t key[KEY_SIZE], channel_key[32];
	uint8_t pin[LIMIT_PIN_SIZE], puk[LIMIT_PIN_SIZE], iccid[LIMIT_ICCID_SIZE];
};

/* Personalised, with a log; in a session in which `command` can be sent. */
static void begin(struct core_card *card, struct secrets *secrets, bool domain)
{
	size_t len;

	core_card_init(card);
	core_card_secure(card, 0x33);
	assert_int_equal(core_card_send(card, "00 46 00 00 00"), SW_OK);
	assert_int_equal(core_card_send(card, "00 46 00 13 00"), SW_OK);
	assert_int_equal(core_card_send(card, "80 E2 90 00 20 84 08 " CORE_CARD_PIN
					      "85 08 " CORE_CARD_PUK "5A 0A " ICCID),
			 SW_OK);
	assert_int_equal(core_card_send(card, "80 F0 40 07"), SW_OK);
	core_card_select(card);
	assert_int_equal(core_card_send(card, CORE_CARD_ATTEST_PIN(CORE_CARD_PIN)), SW_OK);
	if (domain)
		assert_int_equal(core_card_send(card, SELECT_DOMAIN), SW_OK);
	core_card_secure(card, 0x33);
	assert_int_equal(journal_read(&card->applet.journal, RECORD_KEY, secrets->key,
				      sizeof secrets->key, &len),
			 JOURNAL_OK);
	assert_int_equal(journal_read(&card->applet.journal, RECORD_CHANNEL_KEY,
				      secrets->channel_key, sizeof secrets->channel_key, &len),
			 JOURNAL_OK);
	core_card_hex(CORE_CARD_PIN, secrets->pin, sizeof secrets->pin);
	core_card_hex(CORE_CARD_PUK, secrets->puk, sizeof secrets->puk);
	core_card_hex(ICCID, secrets->iccid, sizeof secrets->iccid);
}

static unsigned traces(const struct core_card *card, const struct secrets *secrets)
{
	const struct flash_sim *sim = &card->sim;

	return flash_sim_contains(sim, secrets->key + KEY_DEVICE, 32) +
	       flash_sim_contains(sim, secrets->key + KEY_CHAIN_CODE, 32) +
	       flash_sim_contains(sim, secrets->channel_key, sizeof secrets->channel_key) +
	       flash_sim_contains(sim, secrets->pin, sizeof secrets->pin) +
	       flash_sim_contains(sim, secrets->puk, sizeof secrets->puk) +
	       flash_sim_contains(sim, secrets->iccid, sizeof secrets->iccid) +
	       flash_sim_contains(sim, (const uint8_t *)"chat.example", 12);
}

static bool keys_traced(const struct core_card *card)
{
	return flash_sim_contains(&card->sim, test_issuer.enc, test_issuer.key_len);
}

static void the_applet_s_end_wipes_all_but_the_domain(void **state)
{
	struct core_card card;
	struct secrets secrets;

	(void)state;
	begin(&card, &secrets, false);
	assert_int_equal(traces(&card, &secrets), 7);
	assert_int_equal(core_card_send(&card, END_APPLET), SW_OK);
	assert_int_equal(traces(&card, &secrets), 0);
	assert_int_equal(core_card_send(&card, END_APPLET), SW_OK); /* the session goes on */
	for (uint8_t id = 0; id < JOURNAL_IDS; id++) {
		bool stays = id == RECORD_LIFECYCLE || id == RECORD_DIVERSIFICATION ||
			     id == RECORD_KEY_SET || id == RECORD_FAILURES || id == RECORD_SEQUENCE;

		assert_int_equal(journal_has(&card.applet.journal, id), stays);
	}
	core_card_reopen(&card);
	core_card_secure(&card, 0x33);
	assert_int_equal(core_card_send(&card, "00 46 00 00 00"), SW_NOT_SATISFIED);
	assert_int_equal(core_card_send(&card, "80 F0 40 07"), SW_NOT_SATISFIED);
	core_card_free(&card);
}

/* Each level without encryption of commands; then one with. */
static void the_applet_s_end_needs_encryption(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	core_card_secure(&card, 0x01);
	assert_int_equal(core_card_send(&card, END_APPLET), SW_NOT_SATISFIED);
	core_card_select(&card);
	core_card_secure(&card, 0x11);
	assert_int_equal(core_card_send(&card, END_APPLET), SW_NOT_SATISFIED);
	core_card_select(&card);
	core_card_secure(&card, 0x03);
	assert_int_equal(core_card_send(&card, END_APPLET), SW_OK);
	core_card_free(&card);
}

static void the_card_s_end_takes_the_key_sets_too(void **state)
{
	static const char *const refused[] = {
		"80 F2 80 02 02 4F00 00",
		"80 F0 80 0F",
		END_CARD,
		"80 D8 00 81 01 31 00",
		"80 E2 90 00 04 42 02 1234",
		"80 E6 20 00 0E 00 00 08 " CORE_CARD_AID " 00 00 00",
	};
	struct core_card card;
	struct secrets secrets;

	(void)state;
	begin(&card, &secrets, true);
	assert_true(keys_traced(&card));
	assert_int_equal(core_card_send(&card, END_CARD), SW_OK);
	assert_int_equal(traces(&card, &secrets), 0);
	assert_false(keys_traced(&card));
	flash_sim_reset_counts(&card.sim);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) /* in the old session */
		assert_int_equal(core_card_send(&card, "%s", refused[i]), SW_NOT_SATISFIED);
	for (int i = 0; i < 3; i++) {
		core_card_reopen(&card);
		assert_int_equal(card.applet.lifecycle, LIFECYCLE_TERMINATED);
		assert_int_equal(core_card_send(&card, SELECT_DOMAIN), SW_OK);
		assert_int_equal(core_card_send(&card, "80 50 00 00 08 0102030405060708 00"),
				 SW_DATA_NOT_FOUND);
		assert_int_equal(core_card_send(&card, "00 CA 00 CF 00"), SW_OK);
		assert_int_equal(core_card_send(&card, "00 CA 00 E0 00"), SW_OK);
		assert_int_equal(card.answer.data.len, 2);
		for (size_t k = 0; k < sizeof refused / sizeof *refused; k++)
			assert_int_equal(core_card_send(&card, "%s", refused[k]), SW_NOT_SATISFIED);
		assert_int_equal(card.sim.counts.operations, 0);
	}
	core_card_free(&card);
}

static void cut_everywhere(bool domain)
{
	struct core_card card;
	struct secrets secrets;
	struct flash_sim_image *image;
	struct applet applet;
	struct scp03 scp;
	bool seen_before = false, seen_after = false;

	begin(&card, &secrets, domain);
	image = flash_sim_snapshot(&card.sim);
	applet = card.applet;
	scp = card.scp;
	for (int torn = 0; torn < FLASH_SIM_TORN_COUNT; torn++) {
		bool off = true;

		for (unsigned long n = 1; off; n++) {
			bool ended;

			flash_sim_restore(&card.sim, image);
			card.applet = applet;
			card.scp = scp;
			flash_sim_cut(&card.sim, n, (enum flash_sim_torn)torn);
			core_card_send(&card, domain ? END_CARD : END_APPLET);
			off = flash_sim_is_off(&card.sim);
			core_card_reopen(&card);
			ended = card.applet.lifecycle == LIFECYCLE_TERMINATED;
			if (ended && (traces(&card, &secrets) || (domain && keys_traced(&card))))
				fail_msg("cut at %lu, torn %d: a trace is left", n, torn);
			if (!ended)
				assert_int_equal(card.applet.lifecycle, LIFECYCLE_PERSONALISED);
			assert_int_equal(journal_has(&card.applet.journal, RECORD_KEY), !ended);
			assert_int_equal(journal_has(&card.applet.journal, RECORD_KEY_SET),
					 !ended || !domain);
			assert_true(ended || off);
			seen_before |= !ended;
			seen_after |= ended && off;
		}
	}
	assert_true(seen_before && seen_after);
	flash_sim_image_free(image);
	core_card_free(&card);
}

static void nothing_is_left_after_a_cut(void **state)
{
	(void)state;
	cut_everywhere(false);
	cut_everywhere(true);
}

/* With power cut again while the erasure is made up for. */
static void a_second_cut_changes_nothing(void **state)
{
	struct core_card card;
	struct secrets secrets;
	struct flash_sim_image *image;
	bool off = true;

	(void)state;
	begin(&card, &secrets, true);
	flash_sim_cut(&card.sim, 6, FLASH_SIM_UNDONE);
	core_card_send(&card, END_CARD);
	assert_true(flash_sim_is_off(&card.sim));
	flash_sim_power_on(&card.sim);
	image = flash_sim_snapshot(&card.sim);
	for (unsigned long n = 1; off; n++) {
		struct applet applet;

		flash_sim_restore(&card.sim, image);
		flash_sim_cut(&card.sim, n, FLASH_SIM_TORN_BYTES);
		(void)applet_open(&applet, &card.sim.port);
		off = flash_sim_is_off(&card.sim);
		core_card_reopen(&card);
		assert_int_equal(card.applet.lifecycle, LIFECYCLE_TERMINATED);
		assert_int_equal(traces(&card, &secrets), 0);
		assert_false(keys_traced(&card));
	}
	flash_sim_image_free(image);
	core_card_free(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_applet_s_end_wipes_all_but_the_domain),
		cmocka_unit_test(the_applet_s_end_needs_encryption),
		cmocka_unit_test(the_card_s_end_takes_the_key_sets_too),
		cmocka_unit_test(nothing_is_left_after_a_cut),
		cmocka_unit_test(a_second_cut_changes_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
