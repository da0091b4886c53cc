/*
 * What is refused changes nothing: random and mutated commands against a model of what may change.
 * Also privacy and consent rules that no single command shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ber.h"
#include "core_card.h"
#include "log.h"

#define ROUNDS 60000

/* Good commands to start from: each byte of each gets changed. */
static const char *const seeds[] = {
	"00 A4 04 00 08 " CORE_CARD_AID " 00",
	"00 20 00 01",
	"00 20 00 01 08 " CORE_CARD_PIN,
	"00 24 00 01 10 " CORE_CARD_PIN CORE_CARD_PIN,
	"00 2C 00 01 10 " CORE_CARD_PUK CORE_CARD_PIN,
	"00 84 00 00 10",
	"00 46 00 00 00",
	"00 CA BF 20 00",
	"00 CA BF 23 00",
	"80 E2 90 00 0C 5A 0A 98881122334455667788",
	"90 E2 90 00 0C 5A 0A 98881122334455667788",
	"80 F0 40 07",
	"80 50 00 00 08 0102030405060708 00",
	"84 82 33 00 10 000102030405060708090A0B0C0D0E0F",
	"84 E2 90 00 18 000102030405060708090A0B0C0D0E0F1011121314151617",
	"80 F2 40 02 02 4F00 00",
	"80 D8 00 81 01 31 00",
	"80 E6 20 00 0E 00 00 08 " CORE_CARD_AID " 00 00 00",
	"80 CA 00 E0 00",
	"00 A4 04 00 00",
	"00 70 00 00 01",
	"00 70 80 01",
	"00 C0 00 00 10",
	CORE_CARD_ATTEST_PIN(CORE_CARD_PIN),
	CORE_CARD_ATTEST,
};

static size_t mutate(struct core_card *card, uint8_t *apdu, size_t size)
{
	size_t len = core_card_hex(
		seeds[flash_sim_chance(&card->sim, sizeof seeds / sizeof *seeds)], apdu, size);

	switch (flash_sim_chance(&card->sim, 5)) {
	case 0: /* as it is */
		break;
	case 1:
		len = flash_sim_chance(&card->sim, (uint32_t)len + 1);
		break;
	case 2:
		for (unsigned i = flash_sim_chance(&card->sim, 12); i > 0 && len < size; i--)
			apdu[len++] = (uint8_t)flash_sim_chance(&card->sim, 256);
		break;
	default:
		for (unsigned i = 1 + flash_sim_chance(&card->sim, 2); i > 0; i--)
			apdu[flash_sim_chance(&card->sim, (uint32_t)len)] =
				(uint8_t)flash_sim_chance(&card->sim, 256);
		break;
	}
	return len;
}

/* A failed authentication was charged; a warning of GET STATUS has written nothing. */
static bool may_write(uint16_t sw)
{
	return sw == SW_OK || sw == SW_AUTHENTICATION_FAILED || (sw & 0xFFF0) == SW_TRIES_LEFT ||
	       (sw & 0xFF00) == SW_BYTES_AVAILABLE || (sw & 0xFF00) == SW_WRONG_LE;
}

static bool known(uint16_t sw)
{
#define KNOWN(name, value, mask, ...) || (sw & (mask)) == (value)
	return false STATUS_WORDS(KNOWN);
#undef KNOWN
}

/* Lc that the card believes must lie in the bytes given: each command is its own allocation. */
static void random_commands(bool personalised, enum applet_protocol protocol)
{
	struct core_card card;

	core_card_init(&card);
	if (personalised)
		core_card_personalise_any(&card);
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t space[128];
		size_t len = mutate(&card, space, sizeof space - 16);
		uint8_t *apdu = malloc(len ? len : 1);
		struct answer answer;

		memcpy(apdu, space, len);
		flash_sim_reset_counts(&card.sim);
		answer = applet_transmit(&card.applet, bytes_of(apdu, len));
		free(apdu);
		if (!known(answer.sw))
			fail_msg("%04X is not in the contract", answer.sw);
		if (!may_write(answer.sw) && card.sim.counts.operations > 0)
			fail_msg("%04X after %lu writes", answer.sw, card.sim.counts.operations);
		if (answer.data.len)
			assert_true(answer.sw == SW_OK || answer.sw == SW_TERMINATED ||
				    (answer.sw & 0xFF00) == SW_BYTES_AVAILABLE);
		if (i % 1000 == 999) { /* a fresh card now and then, before everything is blocked */
			core_card_free(&card);
			core_card_init(&card);
			flash_sim_seed(&card.sim, (uint64_t)i);
			if (personalised)
				core_card_personalise_any(&card);
			applet_reset(&card.applet, protocol);
			core_card_send(&card, "00 A4 04 0C 08 " CORE_CARD_AID);
		}
	}
	core_card_free(&card);
}

static void refused_commands_change_nothing(void **state)
{
	(void)state;
	random_commands(true, APPLET_T1);
	random_commands(true, APPLET_T0);
}

static void refused_commands_change_nothing_on_a_factory_card(void **state)
{
	(void)state;
	random_commands(false, APPLET_T1);
}

static void consent_dies_with_each_of_its_ends(void **state)
{
	static const char *const ends[] = {
		"00 A4 04 0C 08 " CORE_CARD_AID,
		"00 20 00 01 08 39393939FFFFFFFF",
		"00 24 00 01 10 39393939FFFFFFFF" CORE_CARD_PIN,
		"00 2C 00 01 10 " CORE_CARD_PUK CORE_CARD_PIN,
		CORE_CARD_ATTEST_PIN("39393939FFFFFFFF"),
		CORE_CARD_ATTEST_PIN(CORE_CARD_PIN),
		CORE_CARD_ATTEST,
		"00 CA BF 23 00",
	};

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct core_card card;

		core_card_init(&card);
		core_card_personalise_any(&card);
		assert_int_equal(core_card_send(&card, "00 20 00 01 08 " CORE_CARD_PIN), SW_OK);
		core_card_send(&card, "%s", ends[i]);
		assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST), SW_NOT_SATISFIED);
		core_card_free(&card);
	}
}

static void consent_survives_what_is_not_its_end(void **state)
{
	static const char *const others[] = {"00 CA BF 20 00",
					     "00 20 00 01",
					     "00 84 00 00 10",
					     "00 A4 04 0C 07 A0000000871002",
					     "00 FE 00 00",
					     "00 70 00 00 01",
					     "80 88 00 00 02 80 00 00"};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct core_card card;

		core_card_init(&card);
		core_card_personalise_any(&card);
		assert_int_equal(core_card_send(&card, "00 20 00 01 08 " CORE_CARD_PIN), SW_OK);
		core_card_send(&card, "%s", others[i]);
		assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST), SW_OK);
		core_card_free(&card);
	}
}

static void consent_dies_on_close_and_reset(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	core_card_personalise_any(&card);
	assert_int_equal(core_card_send(&card, "00 70 00 00 01"), SW_OK);
	assert_int_equal(core_card_send(&card, "01 A4 04 0C 08 " CORE_CARD_AID), SW_OK);
	assert_int_equal(core_card_send(&card, "01 20 00 01 08 " CORE_CARD_PIN), SW_OK);
	assert_int_equal(core_card_send(&card, "00 70 80 01"), SW_OK);
	assert_int_equal(core_card_send(&card, "00 70 00 00 01"), SW_OK);
	assert_int_equal(core_card_send(&card, "01 20 00 01"), SW_INS_NOT_SUPPORTED);
	assert_int_equal(core_card_send(&card, "01 A4 04 0C 08 " CORE_CARD_AID), SW_OK);
	assert_int_equal(core_card_send(&card, "01 20 00 01"), SW_TRIES_LEFT | 3);
	assert_int_equal(core_card_send(&card, "00 20 00 01 08 " CORE_CARD_PIN), SW_OK);
	applet_reset(&card.applet, APPLET_T1);
	assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST), SW_INS_NOT_SUPPORTED);
	core_card_select(&card);
	assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST), SW_NOT_SATISFIED);
	core_card_free(&card);
}

static void log_keeps_the_newest_thirty_two(void **state)
{
	struct core_card card;
	struct ber object, entry;
	struct bytes in, entries;
	uint32_t want = 40;

	(void)state;
	core_card_init(&card);
	core_card_personalise_any(&card);
	for (int i = 0; i < 40; i++)
		assert_int_equal(core_card_send(&card, CORE_CARD_ATTEST_PIN(CORE_CARD_PIN)), SW_OK);
	core_card_reopen(&card);
	assert_int_equal(core_card_send(&card, "00 20 00 01 08 " CORE_CARD_PIN), SW_OK);
	assert_int_equal(core_card_send(&card, "00 CA BF 23 00"), SW_OK);
	in = card.answer.data;
	assert_true(ber_next(&in, &object));
	assert_int_equal(in.len, 0);
	for (entries = object.value; entries.len > 0; want--) {
		assert_true(ber_next(&entries, &entry));
		assert_int_equal(entry.tag, TAG_LOG_ENTRY);
		assert_true(ber_next(&entry.value, &object));
		assert_int_equal(object.tag, TAG_LOG_COUNTER);
		assert_int_equal(get_be32(object.value.ptr), want);
	}
	assert_int_equal(want, 40 - LIMIT_LOG_ENTRIES);
	core_card_free(&card);
}

/* The audience of 64 bytes in each of 32 entries: the longest answer there is must fit. */
static void fullest_log_fits(void **state)
{
	struct core_card card;
	char audience[129];

	(void)state;
	memset(audience, '6', 128);
	audience[128] = '\0';
	core_card_init(&card);
	core_card_personalise_any(&card);
	card.sim.port.seeded = true;
	for (int i = 0; i < 32; i++)
		assert_int_equal(
			core_card_send(&card,
				       "80 88 00 00 5E 80 40 %s 81 10 "
				       "000102030405060708090A0B0C0D0E0F 84 08 " CORE_CARD_PIN
				       " 00",
				       audience),
			SW_OK);
	assert_int_equal(core_card_send(&card, "00 20 00 01 08 " CORE_CARD_PIN), SW_OK);
	assert_int_equal(core_card_send(&card, "00 CA BF 23 00"), SW_OK);
	assert_true(card.answer.data.len > 1900);
	core_card_free(&card);
}

static void seeded_keys_are_marked_for_life(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	card.sim.port.seeded = true;
	core_card_secure(&card, SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC);
	assert_int_equal(core_card_send(&card, "00 46 00 00 00"), SW_OK);
	card.sim.port.seeded = false;
	assert_int_equal(core_card_send(&card, "00 CA BF 20 00"), SW_OK);
	assert_int_equal(card.answer.data.ptr[14], TAG_INFO_CONTENT);
	assert_int_equal(card.answer.data.ptr[16] & CONTENT_SEEDED, CONTENT_SEEDED);
	core_card_free(&card);
}

static void a_port_that_lies_is_refused(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	card.sim.port.seeded = true;
	card.sim.port.debug_status = PORT_DEBUG_DISABLED_PERMANENTLY;
	assert_int_equal(applet_open(&card.applet, &card.sim.port), JOURNAL_UNUSABLE);
	core_card_free(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_commands_change_nothing),
		cmocka_unit_test(refused_commands_change_nothing_on_a_factory_card),
		cmocka_unit_test(consent_dies_with_each_of_its_ends),
		cmocka_unit_test(consent_survives_what_is_not_its_end),
		cmocka_unit_test(consent_dies_on_close_and_reset),
		cmocka_unit_test(log_keeps_the_newest_thirty_two),
		cmocka_unit_test(fullest_log_fits),
		cmocka_unit_test(seeded_keys_are_marked_for_life),
		cmocka_unit_test(a_port_that_lies_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
