/*
 * SCP03 on the card, spoken to by the library's own side of it: every mode, key length and level,
 * what failures cost, what a session survives and what ends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core_card.h"

#define GET_COUNTER   "00 CA 9F 21 00"
#define STORE_ICCID   "80 E2 90 00 0C 5A 0A 98881122334455667788"
#define SELECT_DOMAIN "00 A4 04 00 00"

static const uint8_t levels[] = {0x01, 0x03, 0x11, 0x13, 0x33};
static const uint8_t options[] = {0x00, 0x10, 0x20, 0x30, 0x60, 0x70,
				  0x01, 0x11, 0x21, 0x31, 0x61, 0x71};
static const uint8_t key_lens[] = {16, 24, 32};

static uint8_t maker_keys[3][32];

static struct port_issuer maker_of(uint8_t key_len, uint8_t i)
{
	for (int k = 0; k < 3; k++)
		for (int at = 0; at < 32; at++)
			maker_keys[k][at] = (uint8_t)(64 * k + at + key_len);
	return (struct port_issuer){
		.key_version = 0x21,
		.key_len = key_len,
		.scp_options = i,
		.enc = maker_keys[0],
		.mac = maker_keys[1],
		.dek = maker_keys[2],
		.diversification = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
	};
}

static bool offered(uint8_t level, uint8_t i)
{
	return (!(level & SCP03_LEVEL_R_MAC) || i & SCP03_OPTION_R_MAC) &&
	       (!(level & SCP03_LEVEL_R_ENC) || i & SCP03_OPTION_R_ENC);
}

/* Commands with data and without, answers with and without, refusals, a chain of two. */
static void use(struct core_card *card, uint8_t level)
{
	for (int k = 0; k < 3; k++) {
		assert_int_equal(core_card_send(card, GET_COUNTER), SW_OK);
		assert_int_equal(card->answer.data.len, 7);
		assert_int_equal(core_card_send(card, "00 CA 00 99 00"), SW_DATA_NOT_FOUND);
		assert_int_equal(core_card_send(card, STORE_ICCID),
				 level & SCP03_LEVEL_C_ENC ? SW_OK : SW_NOT_SATISFIED);
		assert_int_equal(core_card_send(card, "90 E2 90 00 03 5A 0A 98"), SW_OK);
		assert_int_equal(core_card_send(card, "80 E2 90 00 09 881122334455667788"),
				 level & SCP03_LEVEL_C_ENC ? SW_OK : SW_NOT_SATISFIED);
	}
}

static void every_mode_key_length_and_level_works(void **state)
{
	(void)state;
	for (size_t l = 0; l < sizeof key_lens; l++) {
		for (size_t o = 0; o < sizeof options; o++) {
			const struct port_issuer maker = maker_of(key_lens[l], options[o]);
			const struct scp03_keys keys = core_card_keys(&maker);
			struct core_card card;

			core_card_init_issued(&card, &maker);
			for (size_t i = 0; i < sizeof levels; i++) {
				core_card_select(&card);
				if (!offered(levels[i], options[o])) {
					assert_int_equal(core_card_open(&card, &keys, 0, levels[i]),
							 SCP03_LEVEL);
					continue;
				}
				assert_int_equal(core_card_open(&card, &keys, 0, levels[i]),
						 SCP03_OK);
				assert_int_equal(card.scp.card.i, options[o]);
				assert_memory_equal(card.scp.card.diversification,
						    maker.diversification, 10);
				use(&card, levels[i]);
			}
			core_card_free(&card);
		}
	}
}

/* A host that claims a level which i lacks, with all else right. */
static void a_level_that_is_not_offered_is_refused(void **state)
{
	(void)state;
	for (size_t o = 0; o < sizeof options; o++) {
		const struct port_issuer maker = maker_of(16, options[o]);
		const struct scp03_keys keys = core_card_keys(&maker);
		uint8_t challenge[16] = {0}, command[SCP03_AUTHENTICATE_MAX];
		struct core_card card;

		core_card_init_issued(&card, &maker);
		for (size_t i = 0; i < sizeof levels; i++) {
			struct scp03 *scp = &card.scp;
			size_t len, size = options[o] & SCP03_OPTION_S16 ? 16 : 8;

			scp03_begin(scp, 0, 0, bytes_of(challenge, size), command, &len);
			core_card_raw(&card, bytes_of(command, len));
			scp03_answered(scp, card.answer.data, card.answer.sw);
			scp->card.i |= 0x60;
			assert_int_equal(scp03_authenticate(scp, &keys, bytes_of(NULL, 0),
							    levels[i], command, &len),
					 SCP03_OK);
			core_card_raw(&card, bytes_of(command, len));
			assert_int_equal(card.answer.sw,
					 offered(levels[i], options[o]) ? SW_OK : SW_CONDITIONS);
			assert_int_equal(card.applet.secure.state == SECURE_OPEN,
					 offered(levels[i], options[o]));
		}
		core_card_free(&card);
	}
}

static void the_chain_code_leaves_encrypted_or_not_at_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof levels; i++) {
		struct core_card card;

		core_card_init(&card);
		core_card_secure(&card, levels[i]);
		assert_int_equal(core_card_send(&card, "00 46 00 00 00"),
				 levels[i] == 0x33 ? SW_OK : SW_NOT_SATISFIED);
		core_card_free(&card);
	}
}

/* The longest answer there is, protected, and the longest command. */
static void the_longest_answer_and_command_fit(void **state)
{
	struct core_card card;
	char hex[2 * 1100];

	(void)state;
	core_card_init(&card);
	core_card_secure(&card, 0x33);
	for (size_t i = 0; i < 1024; i++)
		sprintf(hex + 2 * i, "%02X", (unsigned)(i & 0xFF));
	assert_int_equal(core_card_send(&card, "80 E2 90 00 00 0405 7F21 82 0400 %s", hex), SW_OK);
	assert_int_equal(core_card_send(&card, "00 CA 7F 21 00"), SW_OK);
	assert_int_equal(card.answer.data.len, 1024 + 5);
	core_card_personalise_any(&card);
	memset(hex, '6', 128);
	hex[128] = '\0';
	for (int i = 0; i < LIMIT_LOG_ENTRIES; i++)
		assert_int_equal(
			core_card_send(&card,
				       "80 88 00 00 5E 80 40 %s 81 10 "
				       "000102030405060708090A0B0C0D0E0F 84 08 " CORE_CARD_PIN
				       " 00",
				       hex),
			SW_OK);
	core_card_secure(&card, 0x33);
	assert_int_equal(core_card_send(&card, "00 20 00 01 08 " CORE_CARD_PIN), SW_OK);
	assert_int_equal(core_card_send(&card, "00 CA BF 23 00"), SW_OK);
	assert_true(card.answer.data.len > 1900);
	core_card_free(&card);
}

static void a_command_longer_than_the_card_takes_ends_the_session(void **state)
{
	struct core_card card;
	uint8_t command[7 + LIMIT_COMMAND_DATA + 1] = {0x84, 0xE2, 0x90, 0, 0};

	(void)state;
	put_be16(command + 5, LIMIT_COMMAND_DATA + 1);
	core_card_init(&card);
	core_card_secure(&card, 0x03);
	core_card_raw(&card, bytes_of(command, sizeof command));
	assert_int_equal(card.answer.sw, SW_WRONG_LENGTH);
	assert_int_equal(card.applet.secure.state, SECURE_NONE);
	core_card_free(&card);
}

/* One session on the card, bound to its channel; channels 0 to 3, each with its own class. */
static void a_session_runs_on_any_channel(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	for (uint8_t channel = 1; channel < LIMIT_CHANNELS; channel++)
		assert_int_equal(core_card_send(&card, "00 70 00 0%X", channel), SW_OK);
	for (uint8_t channel = 0; channel < LIMIT_CHANNELS; channel++) {
		const struct scp03_keys keys = core_card_keys(card.sim.port.issuer);

		scp03_end(&card.scp);
		core_card_send(&card, "0%X A4 04 0C 08 " CORE_CARD_AID, channel);
		assert_int_equal(core_card_open(&card, &keys, channel, 0x33), SCP03_OK);
		assert_int_equal(card.applet.secure.channel, channel);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(core_card_send(&card, "0%X CA 9F 21 00", channel), SW_OK);
			assert_int_equal(card.answer.data.len, 7);
			assert_int_equal(core_card_send(&card,
							"8%X E2 90 00 0C 5A 0A "
							"98881122334455667788",
							channel),
					 SW_OK);
		}
	}
	core_card_free(&card);
}

/* What comes in clear on the session's channel, and whether the session outlives it. */
static void clear_commands_end_a_session_or_not(void **state)
{
	static const struct {
		const char *apdu;
		bool lives;
	} cases[] = {
		{"00 CA 9F 21 00", false},
		{"80 E2 90 00 0C 5A 0A 98881122334455667788", false},
		{"00 20 00 01", false},
		{"00 FE 00 00", false},
		{"84 82 33 00 10 000102030405060708090A0B0C0D0E0F", false},
		{"80 50 00 00 08 0102030405060708 00", false},
		{"80 50 7E 00 08 0102030405060708 00", false},
		{"00 A4 04 0C 08 " CORE_CARD_AID, false},
		{SELECT_DOMAIN, false},
		{"84 F2 40 02 08 0102030405060708 00", false},
		{"84 F2 40 02", false},
		{"00 A4 04 0C 07 A0000000871002", true}, /* nobody of that name */
		{"00 70 00 00 01", true},
		{"00 C0 00 00 01", true},
		{"08 CA 9F 21 00", true}, /* another kind of secure messaging */
		{"40 CA 9F 21 00", true},
		{"FF CA 9F 21 00", true},
		{"00 CA", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct core_card card;
		struct scp03 kept;

		core_card_init(&card);
		core_card_secure(&card, 0x33);
		kept = card.scp;
		scp03_end(&card.scp);
		core_card_send(&card, "%s", cases[i].apdu);
		if ((card.applet.secure.state == SECURE_OPEN) != cases[i].lives)
			fail_msg("%s", cases[i].apdu);
		card.scp = kept;
		if (cases[i].lives)
			assert_int_equal(core_card_send(&card, GET_COUNTER), SW_OK);
		core_card_free(&card);
	}
}

static void reset_and_close_end_a_session(void **state)
{
	struct core_card card;
	const struct secure none = {0};
	struct scp03_keys keys;

	(void)state;
	core_card_init(&card);
	keys = core_card_keys(card.sim.port.issuer);
	core_card_secure(&card, 0x33);
	applet_reset(&card.applet, APPLET_T1);
	assert_memory_equal(&card.applet.secure, &none, sizeof none);
	core_card_select(&card);
	assert_int_equal(core_card_send(&card, "00 70 00 01"), SW_OK);
	assert_int_equal(core_card_send(&card, "00 70 00 02"), SW_OK);
	assert_int_equal(core_card_send(&card, "01 A4 04 0C 08 " CORE_CARD_AID), SW_OK);
	assert_int_equal(core_card_open(&card, &keys, 1, 0x33), SCP03_OK);
	card.scp.state = SCP03_STATE_NONE; /* what follows goes in clear, on channel 0 */
	assert_int_equal(core_card_send(&card, "00 70 80 02"), SW_OK);
	assert_int_equal(card.applet.secure.state, SECURE_OPEN);
	assert_int_equal(core_card_send(&card, GET_COUNTER), SW_OK);
	assert_int_equal(core_card_send(&card, "00 A4 04 0C 08 " CORE_CARD_AID), SW_OK);
	assert_int_equal(card.applet.secure.state, SECURE_OPEN);
	assert_int_equal(core_card_send(&card, "00 70 80 01"), SW_OK);
	assert_memory_equal(&card.applet.secure, &none, sizeof none);
	core_card_free(&card);
}

/* Only EXTERNAL AUTHENTICATE, and the fetching of the answer, may follow INITIALIZE UPDATE. */
static void what_comes_between_ends_a_session_that_was_begun(void **state)
{
	static const struct {
		const char *apdu;
		bool lives;
	} cases[] = {
		{"00 CA 9F 21 00", false},
		{"00 FE 00 00", false},
		{"04 CA 9F 21 08 0102030405060708", false},
		{"00 70 00 00 01", false},
		{"00 C0 00 00 01", true},
		{"01 CA 9F 21 00", true}, /* on another channel */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct core_card card;

		core_card_init(&card);
		core_card_send(&card, "80 50 00 00 08 0102030405060708 00");
		assert_int_equal(card.answer.sw, SW_OK);
		core_card_send(&card, "%s", cases[i].apdu);
		if ((card.applet.secure.state == SECURE_STARTED) != cases[i].lives)
			fail_msg("%s", cases[i].apdu);
		core_card_free(&card);
	}
}

/* A chain begun in clear, or in a session before, is none of the session's. */
static void no_chain_reaches_into_a_session(void **state)
{
	struct core_card card;

	(void)state;
	core_card_init(&card);
	assert_int_equal(core_card_send(&card, "90 E2 90 00 03 5A 0A 98"), SW_OK);
	assert_int_equal(core_card_send(&card, "80 50 00 00 08 0102030405060708 00"),
			 SW_CHAIN_BROKEN);
	core_card_secure(&card, 0x33);
	assert_int_equal(core_card_send(&card, "80 E2 90 00 09 881122334455667788"), SW_WRONG_DATA);
	assert_int_equal(core_card_send(&card, "90 E2 90 00 03 5A 0A 98"), SW_OK);
	scp03_end(&card.scp);
	assert_int_equal(core_card_send(&card, "80 E2 90 00 09 881122334455667788"),
			 SW_NOT_SATISFIED);
	assert_int_equal(card.applet.secure.state, SECURE_NONE);
	assert_false(card.applet.chaining);
	core_card_free(&card);
}

/* At T=0 the answer to each link has to be fetched while the chain is under way. */
static void a_chain_with_answers_goes_on_at_t0(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof levels; i++) {
		struct core_card card;

		core_card_init(&card);
		applet_reset(&card.applet, APPLET_T0);
		core_card_select(&card);
		core_card_secure(&card, levels[i]);
		use(&card, levels[i]);
		core_card_free(&card);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mode_key_length_and_level_works),
		cmocka_unit_test(a_level_that_is_not_offered_is_refused),
		cmocka_unit_test(the_chain_code_leaves_encrypted_or_not_at_all),
		cmocka_unit_test(the_longest_answer_and_command_fit),
		cmocka_unit_test(a_command_longer_than_the_card_takes_ends_the_session),
		cmocka_unit_test(a_session_runs_on_any_channel),
		cmocka_unit_test(clear_commands_end_a_session_or_not),
		cmocka_unit_test(reset_and_close_end_a_session),
		cmocka_unit_test(what_comes_between_ends_a_session_that_was_begun),
		cmocka_unit_test(no_chain_reaches_into_a_session),
		cmocka_unit_test(a_chain_with_answers_goes_on_at_t0),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
