/*
 * The card manager: what can be selected, what GET STATUS says and to whom, STORE DATA in blocks,
 * and what is left of a card whose life was ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core_card.h"

#define DOMAIN_AID     "A000000151000000"
#define SELECT_DOMAIN  "00 A4 04 00 08 " DOMAIN_AID
#define ENTRY_DOMAIN   "E3 13 4F 08 " DOMAIN_AID " 9F70 01 01 C5 03 9EFE80"
#define INSTALL_APPLET "80 E6 20 00 0E 00 00 08 " CORE_CARD_AID " 00 00 00"

static void begin(struct core_card *card, uint8_t level)
{
	core_card_init(card);
	assert_int_equal(core_card_send(card, SELECT_DOMAIN " 00"), SW_OK);
	core_card_secure(card, level);
}

static void assert_answer(const struct core_card *card, const char *hex)
{
	uint8_t wanted[256];
	size_t len = core_card_hex(hex, wanted, sizeof wanted);

	assert_int_equal(card->answer.data.len, len);
	if (len)
		assert_memory_equal(card->answer.data.ptr, wanted, len);
}

/* Partial AIDs, the next occurrence, from each selection. */
static void applications_are_selected_by_name(void **state)
{
	static const struct {
		const char *from, *apdu;
		uint16_t sw;
		enum application selected;
	} cases[] = {
		{SELECT_DOMAIN, "00 A4 04 00 00", SW_OK, APPLICATION_DOMAIN},
		{"00 A4 04 00 01 F0", "00 A4 04 00 00", SW_OK, APPLICATION_DOMAIN},
		{SELECT_DOMAIN, "00 A4 04 00 01 F0", SW_OK, APPLICATION_ATTESTATION},
		{SELECT_DOMAIN, "00 A4 04 00 05 A000000151", SW_OK, APPLICATION_DOMAIN},
		{SELECT_DOMAIN, "00 A4 04 02 00", SW_OK, APPLICATION_ATTESTATION},
		{SELECT_DOMAIN, "00 A4 04 02 01 A0", SW_NOT_FOUND, APPLICATION_DOMAIN},
		{SELECT_DOMAIN, "00 A4 04 02 01 F0", SW_OK, APPLICATION_ATTESTATION},
		{"00 A4 04 00 01 F0", "00 A4 04 02 00", SW_NOT_FOUND, APPLICATION_ATTESTATION},
		{"00 A4 04 00 01 F0", "00 A4 04 02 01 F0", SW_NOT_FOUND, APPLICATION_ATTESTATION},
		{"00 A4 04 00 01 F0", "00 A4 04 00 09 " DOMAIN_AID "00", SW_NOT_FOUND,
		 APPLICATION_ATTESTATION},
		{"00 A4 04 00 01 F0", "00 A4 04 00 08 A000000151000001", SW_NOT_FOUND,
		 APPLICATION_ATTESTATION},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct core_card card;

		core_card_init(&card);
		assert_int_equal(core_card_send(&card, "%s", cases[i].from), SW_OK);
		if (core_card_send(&card, "%s", cases[i].apdu) != cases[i].sw)
			fail_msg("%s: %04X", cases[i].apdu, card.answer.sw);
		assert_int_equal(card.applet.channels[0].selected, cases[i].selected);
		core_card_free(&card);
	}
}

/* Each channel has its own selection, and a new one begins with the domain. */
static void channels_select_apart(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	assert_int_equal(core_card_send(&card, "00 70 00 00 01"), SW_OK);
	assert_int_equal(card.applet.channels[1].selected, APPLICATION_DOMAIN);
	assert_int_equal(card.applet.channels[0].selected, APPLICATION_ATTESTATION);
	assert_int_equal(core_card_send(&card, "01 CA 9F 21 00"), SW_DATA_NOT_FOUND);
	assert_int_equal(core_card_send(&card, "00 CA 9F 21 00"), SW_OK);
	assert_int_equal(core_card_send(&card, "01 A4 04 02 00"), SW_OK);
	assert_int_equal(core_card_send(&card, "01 CA 9F 21 00"), SW_OK);
	assert_int_equal(core_card_send(&card, "00 70 80 01"), SW_OK);
	assert_int_equal(core_card_send(&card, "00 70 00 00 01"), SW_OK);
	assert_int_equal(card.applet.channels[1].selected, APPLICATION_DOMAIN);
	core_card_free(&card);
}

static void status_is_given_entry_by_entry(void **state)
{
	static const struct {
		const char *apdu, *answer;
		uint16_t sw;
	} cases[] = {
		{"80 F2 80 02 02 4F00 00", ENTRY_DOMAIN, SW_OK},
		{"80 F2 80 03 02 4F00 00", "", SW_DATA_NOT_FOUND},
		{"80 F2 80 00 02 4F00 00", "08 " DOMAIN_AID " 01 9E", SW_OK},
		{"80 F2 80 02 03 4F01F0 00", "", SW_DATA_NOT_FOUND},
		{"80 F2 40 00 02 4F00 00", "08 " CORE_CARD_AID " 03 00", SW_OK},
		{"80 F2 40 02 07 4F01F0 5C024F C5 00", "E3 0F 4F 08 " CORE_CARD_AID " C5 03 000000",
		 SW_OK},
		{"80 F2 40 02 05 4F00 5C01CC 00", "E3 0A CC 08 " DOMAIN_AID, SW_OK},
		{"80 F2 40 02 06 4F00 5C029F70 00", "E3 04 9F70 01 03", SW_OK},
		{"80 F2 40 02 03 4F01A0 00", "", SW_DATA_NOT_FOUND},
		{"80 F2 20 00 02 4F00 00", "07 A0000001515350 01 00", SW_MORE_DATA},
		{"80 F2 20 01 02 4F00 00", "07 F053494D544945 01 00", SW_OK},
		{"80 F2 20 01 02 4F00 00", "", SW_DATA_NOT_FOUND},
		{"80 F2 20 00 03 4F01F0 00", "07 F053494D544945 01 00", SW_OK},
		{"80 F2 10 02 05 4F00 5C0184 00", "E3 0A 84 08 " DOMAIN_AID, SW_MORE_DATA},
		{"80 F2 10 03 05 4F00 5C0184 00", "E3 0A 84 08 " CORE_CARD_AID, SW_OK},
		{"80 F2 40 02 02 4F01 00", "", SW_WRONG_DATA},
		{"80 F2 40 02 02 5C00 00", "", SW_WRONG_DATA},
		{"80 F2 40 02 04 4F00 5C01 00", "", SW_WRONG_DATA},
		{"80 F2 60 02 02 4F00 00", "", SW_WRONG_P1P2},
	};
	struct core_card card;

	(void)state;
	begin(&card, 0x01);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (core_card_send(&card, "%s", cases[i].apdu) != cases[i].sw)
			fail_msg("%s: %04X", cases[i].apdu, card.answer.sw);
		assert_answer(&card, cases[i].answer);
	}
	core_card_free(&card);
}

/* The domain's commands for the issuer alone, in clear: refused, and nothing is written. */
static void the_issuer_s_commands_need_a_session(void **state)
{
	static const char *const commands[] = {
		"80 F2 80 02 02 4F00 00",    "80 F0 80 0F",  "80 F0 80 FF", "80 D8 00 81 01 31 00",
		"80 E2 90 00 04 42 02 1234", INSTALL_APPLET,
	};
	struct core_card card;

	(void)state;
	core_card_init(&card);
	assert_int_equal(core_card_send(&card, SELECT_DOMAIN), SW_OK);
	flash_sim_reset_counts(&card.sim);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		assert_int_equal(core_card_send(&card, "%s", commands[i]), SW_NOT_SATISFIED);
	assert_int_equal(card.sim.counts.operations, 0);
	core_card_free(&card);
}

static void store_data_gathers_blocks_in_order(void **state)
{
	struct core_card card;

	(void)state;
	begin(&card, 0x03);
	assert_int_equal(core_card_send(&card, "80 E2 10 00 02 42 04"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 10 01 02 1234"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 90 02 02 5678"), SW_OK);
	assert_int_equal(core_card_send(&card, "00 CA 00 42 00"), SW_OK);
	assert_answer(&card, "42 04 12345678");
	/* A block left out, repeated, or with another command before it. */
	assert_int_equal(core_card_send(&card, "80 E2 10 00 02 42 04"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 90 02 02 1234"), SW_CONDITIONS);
	assert_int_equal(core_card_send(&card, "80 E2 10 00 02 42 04"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 90 00 02 1234"), SW_CONDITIONS);
	assert_int_equal(core_card_send(&card, "80 E2 10 00 02 42 01"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 CA 00 E0 00"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 90 01 01 99"), SW_CONDITIONS);
	assert_int_equal(core_card_send(&card, "80 E2 90 00 01 99"), SW_WRONG_DATA);
	assert_int_equal(core_card_send(&card, "00 CA 00 42 00"), SW_OK);
	assert_answer(&card, "42 04 12345678");
	core_card_free(&card);
}

/* Blocks, chained on top of that, and as many as there is room for. */
static void blocks_fill_the_buffer_and_no_more(void **state)
{
	struct core_card card;
	unsigned block = 0;
	uint16_t sw;

	(void)state;
	begin(&card, 0x03);
	do
		sw = core_card_send(&card, "80 E2 10 %02X 20 %064X", block++, 0);
	while (sw == SW_OK);
	assert_int_equal(sw, SW_WRONG_LENGTH);
	assert_in_range(block, (LIMIT_COMMAND_DATA - 56) / 32, LIMIT_COMMAND_DATA / 32 + 1);
	assert_int_equal(card.applet.secure.state, SECURE_NONE);
	scp03_end(&card.scp);
	core_card_secure(&card, 0x03);
	assert_int_equal(card.applet.store.used, 0);
	assert_int_equal(core_card_send(&card, "90 E2 90 00 02 42 02"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 90 00 02 4321"), SW_OK);
	assert_int_equal(core_card_send(&card, "00 CA 00 42 00"), SW_OK);
	assert_answer(&card, "42 02 4321");
	core_card_free(&card);
}

/* INSTALL [for personalisation] holds for the STORE DATA right after it, at a level that suffices,
 * on a factory card. */
static void personalisation_goes_through_the_domain(void **state)
{
	struct core_card card;

	(void)state;
	begin(&card, 0x01);
	assert_int_equal(core_card_send(&card, INSTALL_APPLET), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 90 00 0A 84 08 " CORE_CARD_PIN),
			 SW_NOT_SATISFIED);
	core_card_free(&card);
	begin(&card, 0x03);
	assert_int_equal(core_card_send(&card, "80 E2 90 00 0A 84 08 " CORE_CARD_PIN),
			 SW_WRONG_DATA);
	assert_int_equal(core_card_send(&card, INSTALL_APPLET), SW_OK);
	assert_int_equal(core_card_send(&card, "80 CA 00 E0 00"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 90 00 0A 84 08 " CORE_CARD_PIN),
			 SW_WRONG_DATA);
	assert_int_equal(core_card_send(&card, INSTALL_APPLET), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 10 00 02 84 08"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 90 01 08 " CORE_CARD_PIN), SW_OK);
	assert_true(journal_has(&card.applet.journal, RECORD_PIN));
	core_card_free(&card);
	core_card_init(&card);
	core_card_personalise_any(&card);
	assert_int_equal(core_card_send(&card, SELECT_DOMAIN), SW_OK);
	core_card_secure(&card, 0x33);
	assert_int_equal(core_card_send(&card, INSTALL_APPLET), SW_OK);
	assert_int_equal(core_card_send(&card, "80 E2 90 00 0A 84 08 " CORE_CARD_PIN),
			 SW_NOT_SATISFIED);
	core_card_free(&card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(applications_are_selected_by_name),
		cmocka_unit_test(channels_select_apart),
		cmocka_unit_test(status_is_given_entry_by_entry),
		cmocka_unit_test(the_issuer_s_commands_need_a_session),
		cmocka_unit_test(store_data_gathers_blocks_in_order),
		cmocka_unit_test(blocks_fill_the_buffer_and_no_more),
		cmocka_unit_test(personalisation_goes_through_the_domain),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
