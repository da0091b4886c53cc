/*
 * Power cut at every program, erase and sync of every command that writes, whole and torn in every
 * way, then power on. What must hold then, whatever was cut: the card opens; each command took
 * place wholly or not at all; a PIN guess that could have been compared is charged; no counter that
 * may have signed comes again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core_card.h"
#include "log.h"

#define WRONG_PIN        "39393939FFFFFFFF"
#define NEW_PIN          "35363738FFFFFFFF"
#define CERTIFICATE_SIZE 700

/* What the memory says of a card, to be compared before and after. */
struct view {
	uint8_t value[JOURNAL_IDS][JOURNAL_VALUE_MAX];
	size_t len[JOURNAL_IDS];
};

static void look(struct core_card *card, struct view *view)
{
	memset(view, 0, sizeof *view);
	for (uint8_t id = 0; id < JOURNAL_IDS; id++)
		journal_read(&card->applet.journal, id, view->value[id], JOURNAL_VALUE_MAX,
			     &view->len[id]);
}

/* A command under test. */
struct scenario {
	const char *name;
	bool personalised;  /* else a factory card in a session */
	const char *before; /* an APDU sent first, with power on; or NULL */
	const char *apdu;
	uint16_t sw;
};

static char store_certificate[64 + 2 * CERTIFICATE_SIZE];

static const struct scenario scenarios[] = {
	{"generate", false, NULL, "00 46 00 00 00", SW_OK},
	{"store", false, NULL,
	 "80 E2 90 00 20 84 08 31323334FFFFFFFF 85 08 3837363534333231 5A 0A 98881122334455667788",
	 SW_OK},
	{"store certificate", false, NULL, store_certificate, SW_OK},
	{"terminate", false, "00 46 00 00 00", "80 F0 40 0F", SW_OK},
	{"verify", true, NULL, "00 20 00 01 08 " CORE_CARD_PIN, SW_OK},
	{"verify wrong", true, NULL, "00 20 00 01 08 " WRONG_PIN, SW_TRIES_LEFT | 2},
	{"change", true, NULL, "00 24 00 01 10 " CORE_CARD_PIN NEW_PIN, SW_OK},
	{"change wrong", true, NULL, "00 24 00 01 10 " WRONG_PIN NEW_PIN, SW_TRIES_LEFT | 2},
	{"unblock", true, NULL, "00 2C 00 01 10 " CORE_CARD_PUK NEW_PIN, SW_OK},
	{"unblock wrong", true, NULL, "00 2C 00 01 10 3131313131313131" NEW_PIN, SW_TRIES_LEFT | 9},
	{"attest", true, NULL, CORE_CARD_ATTEST_PIN(CORE_CARD_PIN), SW_OK},
	{"attest wrong", true, NULL, CORE_CARD_ATTEST_PIN(WRONG_PIN), SW_TRIES_LEFT | 2},
	{"attest after verify", true, "00 20 00 01 08 " CORE_CARD_PIN, CORE_CARD_ATTEST, SW_OK},
};

static void prepare(struct core_card *card, const struct scenario *scenario)
{
	core_card_init(card);
	if (scenario->personalised)
		core_card_personalise_any(card);
	else
		core_card_secure(card, SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC);
	/* Most of a page is used up, so that the command has to take a new one as well; by a
	 * record that nothing uses. */
	for (int i = 0; i < 40; i++) {
		uint8_t junk[90];

		memset(junk, i, sizeof junk);

		const struct journal_write write = {RECORD_LOG - 1, {junk, sizeof junk}};

		assert_int_equal(journal_commit(&card->applet.journal, &write, 1), JOURNAL_OK);
	}
	if (scenario->before)
		assert_int_equal(core_card_send(card, "%s", scenario->before), SW_OK);
}

/* A record is as it was, or as the whole command leaves it; `charged` is one try less. */
static bool charged(uint8_t id, const struct view *now, const struct view *before)
{
	return (id == RECORD_PIN_TRIES || id == RECORD_PUK_TRIES) && now->len[id] == 1 &&
	       now->value[id][0] + 1 == before->value[id][0];
}

static bool record_is(uint8_t id, const struct view *now, const struct view *then)
{
	return now->len[id] == then->len[id] &&
	       memcmp(now->value[id], then->value[id], now->len[id]) == 0;
}

/* Whether every record is as `then`, but for a try that may be charged. */
static bool all_are(const struct view *now, const struct view *then, const struct view *before)
{
	for (uint8_t id = 0; id < JOURNAL_IDS; id++)
		if (!record_is(id, now, then) && !charged(id, now, before))
			return false;
	return true;
}

/* A card before the command, to be put back as often as needed, session and all. */
struct bench {
	struct core_card card;
	struct flash_sim_image *image;
	struct applet applet;
	struct scp03 scp;
	struct view before, whole, now;
};

static struct bench *bench_of(const struct scenario *scenario)
{
	struct bench *bench = malloc(sizeof *bench);

	assert_non_null(bench);
	prepare(&bench->card, scenario);
	bench->image = flash_sim_snapshot(&bench->card.sim);
	bench->applet = bench->card.applet;
	bench->scp = bench->card.scp;
	look(&bench->card, &bench->before);
	flash_sim_seed(&bench->card.sim, 7);
	assert_int_equal(core_card_send(&bench->card, "%s", scenario->apdu), scenario->sw);
	look(&bench->card, &bench->whole);
	return bench;
}

static void bench_free(struct bench *bench)
{
	flash_sim_image_free(bench->image);
	core_card_free(&bench->card);
	free(bench);
}

/* Runs the command with power cut at operation n. False: the command ended before that. */
static bool cut_at(struct bench *bench, const struct scenario *scenario, unsigned long n,
		   enum flash_sim_torn torn, bool *seen_charged)
{
	struct core_card *card = &bench->card;
	bool off;

	flash_sim_restore(&card->sim, bench->image);
	card->applet = bench->applet;
	card->scp = bench->scp;
	flash_sim_seed(&card->sim, 7);
	flash_sim_cut(&card->sim, n, torn);
	core_card_send(card, "%s", scenario->apdu);
	off = flash_sim_is_off(&card->sim);
	core_card_reopen(card);
	look(card, &bench->now);
	if (off && !all_are(&bench->now, &bench->before, &bench->before) &&
	    !all_are(&bench->now, &bench->whole, &bench->before))
		fail_msg("%s: cut at operation %lu (torn %d) left a mixture", scenario->name, n,
			 torn);
	for (uint8_t id = RECORD_PIN_TRIES; id <= RECORD_PUK_TRIES; id++)
		*seen_charged |= charged(id, &bench->now, &bench->before);
	return off;
}

static void every_command_takes_place_wholly_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		struct bench *bench = bench_of(&scenarios[i]);
		bool seen = false;

		for (int torn = 0; torn < FLASH_SIM_TORN_COUNT; torn++) {
			unsigned long n = 1;

			while (cut_at(bench, &scenarios[i], n, (enum flash_sim_torn)torn, &seen))
				n++;
			assert_true(n > 1);
		}
		bench_free(bench);
	}
}

/* A card that compared first and charged then would, with the right PIN, never be seen charged. */
static void a_guess_is_charged_before_it_is_compared(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		struct bench *bench;
		bool seen = false;
		unsigned long n = 1;

		if (scenarios[i].sw != SW_OK ||
		    !strstr("verify change unblock attest", scenarios[i].name))
			continue;
		bench = bench_of(&scenarios[i]);
		while (cut_at(bench, &scenarios[i], n, FLASH_SIM_UNDONE, &seen))
			n++;
		bench_free(bench);
		if (!seen)
			fail_msg("%s: no cut leaves a try charged", scenarios[i].name);
	}
}

/* With power cut at random in every attestation, a counter that was answered never comes again. */
static void a_counter_never_comes_again(void **state)
{
	struct core_card card;
	uint32_t answered = 0;

	(void)state;
	core_card_init(&card);
	core_card_personalise_any(&card);
	for (int i = 0; i < 400; i++) {
		unsigned long n = flash_sim_chance(&card.sim, 8);
		int torn = (int)flash_sim_chance(&card.sim, FLASH_SIM_TORN_COUNT);
		uint32_t before = card.applet.counter;
		uint16_t sw;

		flash_sim_cut(&card.sim, n, (enum flash_sim_torn)torn);
		sw = core_card_send(&card, CORE_CARD_ATTEST_PIN(CORE_CARD_PIN));
		if (sw == SW_OK) {
			assert_int_equal(card.applet.counter, before + 1);
			assert_true(card.applet.counter > answered);
			answered = card.applet.counter;
		}
		core_card_reopen(&card);
		assert_true(card.applet.counter >= answered);
		assert_in_range(card.applet.counter, before, before + 1);
		if (core_card_tries(&card, RECORD_PIN_TRIES) < LIMIT_PIN_TRIES)
			assert_int_equal(
				core_card_send(&card,
					       "00 2C 00 01 10 " CORE_CARD_PUK CORE_CARD_PIN),
				SW_OK);
	}
	assert_true(answered > 100);
	core_card_free(&card);
}

/* The budget: two commits for an attestation with its PIN, one without; each ends in one sync. */
static void an_attestation_takes_two_commits_at_most(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	core_card_personalise_any(&card);
	flash_sim_reset_counts(&card.sim);
	assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST_PIN(CORE_CARD_PIN)), SW_OK);
	assert_int_equal(card.sim.counts.syncs, 2);
	assert_int_equal(core_card_send(&card, "00 20 00 01 08 " CORE_CARD_PIN), SW_OK);
	flash_sim_reset_counts(&card.sim);
	assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST), SW_OK);
	assert_int_equal(card.sim.counts.syncs, 1);
	core_card_free(&card);
}

static void terminated_card_holds_no_secret(void **state)
{
	struct core_card card;
	uint8_t key[KEY_SIZE], pin[LIMIT_PIN_SIZE];
	size_t len;

	(void)state;
	core_card_init(&card);
	core_card_secure(&card, SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC);
	assert_int_equal(core_card_send(&card, "00 46 00 00 00"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 90 00 0A 84 08 " CORE_CARD_PIN), SW_OK);
	assert_int_equal(journal_read(&card.applet.journal, RECORD_KEY, key, sizeof key, &len),
			 JOURNAL_OK);
	core_card_hex(CORE_CARD_PIN, pin, sizeof pin);
	assert_true(flash_sim_contains(&card.sim, key + KEY_DEVICE, 32));
	assert_int_equal(core_card_send(&card, "80 F0 40 0F"), SW_OK);
	assert_false(flash_sim_contains(&card.sim, key + KEY_DEVICE, 32));
	assert_false(flash_sim_contains(&card.sim, key + KEY_CHAIN_CODE, 32));
	assert_false(flash_sim_contains(&card.sim, pin, sizeof pin));
	core_card_free(&card);
}

static void make_store_certificate(void)
{
	int used = sprintf(store_certificate, "80 E2 90 00 00 %04X 7F21 82 %04X ",
			   CERTIFICATE_SIZE + 5, CERTIFICATE_SIZE);

	for (int i = 0; i < CERTIFICATE_SIZE; i++)
		used += sprintf(store_certificate + used, "%02X", i & 0xFF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_takes_place_wholly_or_not),
		cmocka_unit_test(a_guess_is_charged_before_it_is_compared),
		cmocka_unit_test(a_counter_never_comes_again),
		cmocka_unit_test(an_attestation_takes_two_commits_at_most),
		cmocka_unit_test(terminated_card_holds_no_secret),
	};

	make_store_certificate();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
