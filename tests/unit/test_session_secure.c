/* The secure channel of a session, against the virtual card: what goes through it, what ends it,
 * and what a line that lies can do. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract.h"
#include "known_keys.h"
#include "liar.h"
#include "trace_place.h"

#define PIN "73194628"
#define PUK "61850937"

#define LEVEL_FULL SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC

static const uint8_t levels[] = {
	SECURITY_LEVEL_C_MAC,
	SECURITY_LEVEL_C_MAC_ENC,
	SECURITY_LEVEL_C_MAC_R_MAC,
	SECURITY_LEVEL_C_MAC_ENC_R_MAC,
	LEVEL_FULL,
};

static void assert_in_clear(struct simtie_session *session, const struct liar *liar)
{
	uint32_t counter;

	assert_false(simtie_secure_is_open(session));
	assert_int_equal(simtie_get_counter(session, &counter), 0);
	assert_int_equal(liar->ins == INS_GET_RESPONSE ? 0 : liar->cla, CLA_GET_DATA);
}

/* ---- What goes through ---- */

/* Every level, both protocols: commands of cases 2 to 4, data both ways, a chain of many links. */
static void every_level_carries_commands(void **state)
{
	static uint8_t certificate[SIMTIE_CERTIFICATE_MAX], read[SIMTIE_CERTIFICATE_MAX];
	const struct simtie_objects objects = {
		.certificate = certificate, .certificate_len = sizeof certificate, .pin = PIN};

	(void)state;
	for (size_t i = 0; i < sizeof certificate; i++)
		certificate[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < 2 * sizeof levels; i++) {
		const uint8_t level = levels[i / 2];
		struct liar liar;
		struct simtie_session *session = liar_open_card(
			&liar, i % 2 ? SIMTIE_PROTOCOL_T1 : SIMTIE_PROTOCOL_T0, NULL);
		struct simtie_pin_state pin;
		uint32_t counter = 1;
		size_t len = 0;
		int error;

		liar_secure(session, level);
		assert_int_equal(simtie_get_counter(session, &counter), 0);
		assert_int_equal(counter, 0);
		assert_int_equal(simtie_pin_status(session, &pin), 0);
		error = simtie_store(session, &objects);
		assert_int_equal(error, level & 2 ? 0 : SIMTIE_ERR_CARD);
		if (error) {
			assert_int_equal(simtie_status_word(session), SW_NOT_SATISFIED);
		} else {
			assert_int_equal(simtie_get_certificate(session, read, sizeof read, &len),
					 0);
			assert_int_equal(len, sizeof certificate);
			assert_memory_equal(read, certificate, len);
		}
		assert_true(simtie_secure_is_open(session));
		simtie_close(&session);
	}
}

/* A command that has to go again is wrapped anew, since the MAC has moved on. */
static void a_wrong_le_is_put_right(void **state)
{
	const uint8_t command[] = {CLA_GET_DATA, INS_GET_DATA, TAG_PIN_STATE >> 8,
				   TAG_PIN_STATE & 0xFF, 1};
	struct liar liar;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof levels; i++) {
		struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_T1, NULL);
		uint8_t answer[64];
		uint32_t counter;
		size_t len;

		liar_secure(session, levels[i / 2]);
		liar.wrong_le = i % 2;
		liar.at = liar.exchanges + 1;
		assert_int_equal(simtie_transmit(session, command, sizeof command, answer,
						 sizeof answer, &len),
				 0);
		assert_int_equal(simtie_status_word(session), SW_OK);
		assert_int_equal(len, 18);
		assert_int_equal(simtie_get_counter(session, &counter), 0);
		simtie_close(&session);
	}
}

static void too_little_room_does_not_break_it(void **state)
{
	const uint8_t command[] = {CLA_GET_DATA, INS_GET_DATA, TAG_PIN_STATE >> 8,
				   TAG_PIN_STATE & 0xFF, 0};
	struct liar liar;
	struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_ANY, NULL);
	uint8_t answer[17];
	uint32_t counter;
	size_t len;

	(void)state;
	liar_secure(session, LEVEL_FULL);
	assert_int_equal(
		simtie_transmit(session, command, sizeof command, answer, sizeof answer, &len),
		SIMTIE_ERR_MEMORY);
	assert_int_equal(len, 0);
	assert_int_equal(simtie_get_counter(session, &counter), 0);
	simtie_close(&session);
}

/* Other logical channels are none of its business. */
static void other_channels_stay_in_clear(void **state)
{
	struct liar liar;
	struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_ANY, NULL);
	uint32_t counter;
	uint8_t channel;

	(void)state;
	liar_secure(session, LEVEL_FULL);
	assert_int_equal(simtie_channel_open(session, &channel), 0);
	assert_int_equal(simtie_use_channel(session, channel), 0);
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_int_equal(simtie_get_counter(session, &counter), 0);
	assert_true(simtie_secure_is_open(session));
	assert_int_equal(simtie_use_channel(session, 0), 0);
	assert_int_equal(simtie_get_counter(session, &counter), 0);
	/* And the other way round: on channel 1, ended with it. */
	assert_int_equal(simtie_use_channel(session, channel), 0);
	liar_secure(session, LEVEL_FULL);
	assert_int_equal(simtie_get_counter(session, &counter), 0);
	assert_int_equal(simtie_channel_close(session, channel), 0);
	assert_false(simtie_secure_is_open(session));
	assert_int_equal(simtie_get_counter(session, &counter), 0);
	simtie_close(&session);
}

/* ---- What ends it ---- */

static void select_reset_and_close_end_it(void **state)
{
	struct liar liar;
	struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_T1, NULL);
	const uint8_t nobody[] = {CLA_SELECT, INS_SELECT, SELECT_BY_AID, SELECT_ANSWER_NOTHING,
				  2,          0xF1,       0xF2};
	uint32_t counter;
	uint8_t none;
	size_t len;

	(void)state;
	liar_secure(session, LEVEL_FULL);
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_in_clear(session, &liar);

	liar_secure(session, LEVEL_FULL);
	assert_int_equal(simtie_reset(session), 0);
	assert_false(simtie_secure_is_open(session));
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_in_clear(session, &liar);

	/* A SELECT that is refused ends it on neither side. */
	liar_secure(session, LEVEL_FULL);
	assert_int_equal(simtie_transmit(session, nobody, sizeof nobody, &none, 0, &len), 0);
	assert_int_equal(simtie_status_word(session), SW_NOT_FOUND);
	assert_true(simtie_secure_is_open(session));
	assert_int_equal(simtie_get_counter(session, &counter), 0);

	/* The card's side ends with the next command in clear. */
	simtie_secure_close(session);
	assert_int_equal(simtie_get_counter(session, &counter), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(session), SW_NOT_SATISFIED);
	assert_in_clear(session, &liar);
	simtie_close(&session);
}

/* simtie_transmit_raw() and simtie_transmit_clear() go past it. */
static void raw_and_clear_are_not_wrapped(void **state)
{
	const uint8_t command[] = {CLA_GET_DATA, INS_GET_DATA, TAG_COUNTER >> 8, TAG_COUNTER & 0xFF,
				   0};
	struct liar liar;
	struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_T1, NULL);
	uint8_t answer[64];
	size_t len;

	(void)state;
	for (int i = 0; i < 2; i++) {
		liar_secure(session, LEVEL_FULL);
		assert_int_equal((i ? simtie_transmit_raw
				    : simtie_transmit_clear)(session, command, sizeof command,
							     answer, sizeof answer, &len),
				 0);
		assert_int_equal(liar.cla, CLA_GET_DATA);
		assert_int_equal(simtie_status_word(session), SW_NOT_SATISFIED);
	}
	simtie_close(&session);
}

/* A class with secure messaging of its own would be wrapped twice. */
static void wrapped_commands_are_refused(void **state)
{
	const uint8_t command[] = {CLA_GET_DATA | 0x04, INS_GET_DATA, TAG_COUNTER >> 8,
				   TAG_COUNTER & 0xFF, 0};
	struct liar liar;
	struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_ANY, NULL);
	unsigned before;
	uint8_t answer[64];
	size_t len;

	(void)state;
	liar_secure(session, LEVEL_FULL);
	before = liar.exchanges;
	assert_int_equal(
		simtie_transmit(session, command, sizeof command, answer, sizeof answer, &len),
		SIMTIE_ERR_ARGUMENT);
	assert_int_equal(liar.exchanges, before);
	assert_true(simtie_secure_is_open(session));
	simtie_close(&session);
}

/* ---- What breaks it ---- */

/* Once broken, nothing goes in clear that was meant for it, until somebody takes note. */
static void assert_broken(struct simtie_session *session, const struct liar *liar)
{
	const struct simtie_objects objects = {.pin = PIN};
	const unsigned before = liar->exchanges;

	assert_false(simtie_secure_is_open(session));
	assert_int_equal(simtie_store(session, &objects), SIMTIE_ERR_SECURE);
	assert_int_equal(liar->exchanges, before);
	assert_int_equal(simtie_reset(session), 0);
	assert_int_equal(simtie_select(session, NULL), 0);
	assert_in_clear(session, liar);
}

/* Each byte of an answer with its MAC, changed: data, MAC and status word. */
static void changed_answers_break_it(void **state)
{
	struct liar liar;

	(void)state;
	for (size_t byte = 1; byte <= 2 + 8 + 16; byte++) {
		struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_T1, NULL);
		uint32_t counter;
		int error;

		liar_secure(session, LEVEL_FULL);
		liar.at = liar.exchanges + 1;
		liar.byte = byte;
		error = simtie_get_counter(session, &counter);
		/* 9001 and 9100 are errors, which no MAC covers; they come without data. */
		assert_int_equal(error, SIMTIE_ERR_SECURE);
		assert_true(strlen(simtie_secure_text(session)) > 20);
		assert_broken(session, &liar);
		simtie_close(&session);
	}
}

/* The card ends it; so must the host, whichever byte it was. */
static void changed_commands_break_it(void **state)
{
	struct liar liar;

	(void)state;
	for (size_t byte = 1; byte <= 8; byte++) {
		struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_T0, NULL);
		uint32_t counter;

		liar_secure(session, LEVEL_FULL);
		liar.at = liar.exchanges + 1;
		liar.byte = byte;
		liar.in_command = true;
		assert_int_equal(simtie_get_counter(session, &counter), SIMTIE_ERR_CARD);
		assert_int_equal(simtie_status_word(session), SW_WRONG_MAC);
		assert_broken(session, &liar);
		simtie_close(&session);
	}
}

/* An exchange that fails leaves the two sides with different counts: in the middle of a chain, of
 * fetching, or at once. */
static void commands_without_an_answer_break_it(void **state)
{
	static uint8_t certificate[SIMTIE_CERTIFICATE_MAX];
	const struct simtie_objects objects = {.certificate = certificate,
					       .certificate_len = sizeof certificate};

	(void)state;
	for (unsigned exchange = 1; exchange <= 10; exchange++) {
		struct liar liar;
		struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_T0, NULL);

		liar_secure(session, LEVEL_FULL);
		liar.at = liar.exchanges + exchange;
		liar.lost = true;
		assert_int_equal(simtie_store(session, &objects), SIMTIE_ERR_TRANSPORT);
		assert_broken(session, &liar);
		simtie_close(&session);
	}
}

/* ---- The trace ---- */

/* What is on the line, by name, and no PIN: not even where the level leaves it in clear. */
static void the_trace_shows_the_line(void **state)
{
	struct trace_place *place = *state;
	const struct simtie_options options = {.trace = place->path};
	const struct simtie_objects objects = {.pin = PIN, .puk = PUK};
	struct liar liar;
	struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_T1, &options);
	struct simtie_card_key key;
	char chain_code[9];

	liar_secure(session, SECURITY_LEVEL_C_MAC);
	assert_int_equal(simtie_store(session, &objects), SIMTIE_ERR_CARD);
	liar_secure(session, LEVEL_FULL);
	assert_int_equal(simtie_generate(session, &key), 0);
	simtie_close(&session);
	trace_place_load(place);
	assert_true(trace_place_has(place, "> 84E29000"));
	assert_true(trace_place_has(place, "STORE DATA"));
	assert_true(trace_place_has(place, "> 04460000"));
	assert_false(trace_place_has(place, "3733313934363238"));
	assert_false(trace_place_has(place, "3631383530393337"));
	snprintf(chain_code, sizeof chain_code, "%02X%02X%02X%02X", key.chain_code[0],
		 key.chain_code[1], key.chain_code[2], key.chain_code[3]);
	assert_false(trace_place_has(place, chain_code));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_level_carries_commands),
		cmocka_unit_test(a_wrong_le_is_put_right),
		cmocka_unit_test(too_little_room_does_not_break_it),
		cmocka_unit_test(other_channels_stay_in_clear),
		cmocka_unit_test(select_reset_and_close_end_it),
		cmocka_unit_test(raw_and_clear_are_not_wrapped),
		cmocka_unit_test(wrapped_commands_are_refused),
		cmocka_unit_test(changed_answers_break_it),
		cmocka_unit_test(changed_commands_break_it),
		cmocka_unit_test(commands_without_an_answer_break_it),
		cmocka_unit_test_setup_teardown(the_trace_shows_the_line, trace_place_make,
						trace_place_remove),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
