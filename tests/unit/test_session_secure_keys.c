/* The keys of a session's secure channel, against the virtual card: which open it, and how they are
 * put. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "contract.h"
#include "known_keys.h"
#include "liar.h"

#define LEVEL_FULL SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC

static struct simtie_keys make_keys(uint8_t version, size_t len, uint8_t seed)
{
	struct simtie_keys keys = {.version = version, .len = len};

	for (size_t i = 0; i < len; i++) {
		keys.enc[i] = (uint8_t)(seed + i * 3);
		keys.mac[i] = (uint8_t)(seed + i * 5 + 1);
		keys.dek[i] = (uint8_t)(seed + i * 7 + 2);
	}
	return keys;
}

/* The card proves itself first, so that wrong keys use up no try, however often. */
static void wrong_keys_cost_nothing(void **state)
{
	const struct simtie_keys wrong = make_keys(known_keys.version, 16, 1);
	struct simtie_keys none = known_keys;
	struct liar liar;
	struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_ANY, NULL);

	(void)state;
	for (int i = 0; i < SIMTIE_AUTHENTICATIONS + 2; i++) {
		assert_int_equal(simtie_secure_open(session, &wrong, LEVEL_FULL),
				 SIMTIE_ERR_SECURE);
		assert_int_not_equal(liar.ins, INS_EXTERNAL_AUTHENTICATE);
		assert_non_null(strstr(simtie_secure_text(session), "not the card's keys"));
	}
	assert_false(simtie_secure_is_open(session));
	none.version = 0x55;
	assert_int_equal(simtie_secure_open(session, &none, LEVEL_FULL), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(session), SW_DATA_NOT_FOUND);
	none.version = 0x80;
	assert_int_equal(simtie_secure_open(session, &none, LEVEL_FULL), SIMTIE_ERR_ARGUMENT);
	none = known_keys;
	none.len = 15;
	assert_int_equal(simtie_secure_open(session, &none, LEVEL_FULL), SIMTIE_ERR_ARGUMENT);
	assert_int_equal(simtie_secure_open(session, &known_keys, 0x31), SIMTIE_ERR_ARGUMENT);
	assert_int_equal(simtie_secure_open(session, &known_keys, 0), SIMTIE_ERR_ARGUMENT);
	liar_secure(session, LEVEL_FULL);
	simtie_close(&session);
}

static void two_steps_tell_the_card_apart(void **state)
{
	struct liar liar;
	struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_ANY, NULL);
	struct simtie_secure_card card;

	(void)state;
	assert_int_equal(simtie_secure_begin(session, 0, &card), 0);
	assert_int_equal(card.version, known_keys.version);
	assert_int_equal(card.options, 0x70);
	assert_false(simtie_secure_is_open(session));
	assert_int_equal(simtie_secure_finish(session, &known_keys, LEVEL_FULL), 0);
	assert_true(simtie_secure_is_open(session));
	/* Without the first step there is no second. */
	assert_int_equal(simtie_secure_finish(session, &known_keys, LEVEL_FULL), SIMTIE_ERR_SECURE);
	simtie_close(&session);
}

static void put(struct simtie_session *session, const struct simtie_keys *current,
		const struct simtie_keys *fresh, uint8_t replaced, int expected)
{
	assert_int_equal(simtie_select_domain(session), 0);
	assert_int_equal(simtie_secure_open(session, current, LEVEL_FULL), 0);
	assert_int_equal(simtie_put_keys(session, current, fresh, replaced), expected);
}

/* Without a MAC on answers, the card's check values are what says that the keys arrived. */
static void keys_that_the_card_does_not_confirm(void **state)
{
	const struct simtie_keys added = make_keys(0x31, 16, 9);
	struct liar liar;

	(void)state;
	for (size_t byte = 3; byte <= 2 + 10; byte++) {
		struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_T1, NULL);

		assert_int_equal(simtie_select_domain(session), 0);
		liar_secure(session, SECURITY_LEVEL_C_MAC_ENC);
		liar.at = liar.exchanges + 1;
		liar.byte = byte;
		assert_int_equal(simtie_put_keys(session, &known_keys, &added, 0),
				 SIMTIE_ERR_SECURE);
		simtie_close(&session);
	}
}

static void keys_are_added_and_replaced(void **state)
{
	const struct simtie_keys added = make_keys(0x31, 32, 9), other = make_keys(0x32, 24, 77);
	struct simtie_key_set sets[SIMTIE_KEY_SETS_MAX];
	struct simtie_keys wrong = known_keys;
	struct liar liar;
	struct simtie_session *session = liar_open_card(&liar, SIMTIE_PROTOCOL_ANY, NULL);
	size_t count;

	(void)state;
	assert_int_equal(simtie_put_keys(session, &known_keys, &added, 0), SIMTIE_ERR_SECURE);
	assert_int_not_equal(liar.ins, INS_PUT_KEY);
	put(session, &known_keys, &added, 0, 0);
	put(session, &added, &other, known_keys.version, 0);
	assert_int_equal(simtie_get_key_sets(session, sets, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(sets[0].version, 0x32);
	assert_int_equal(sets[0].len, 24);
	assert_int_equal(sets[1].version, 0x31);
	assert_int_equal(sets[1].len, 32);
	assert_int_equal(sets[0].type, 0x88);
	/* The replaced set is gone; both new ones open a channel. */
	assert_int_equal(simtie_secure_open(session, &known_keys, LEVEL_FULL), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_secure_open(session, &other, LEVEL_FULL), 0);
	assert_int_equal(simtie_secure_open(session, &added, LEVEL_FULL), 0);
	/* Under another DEK the check values do not fit; nothing is stored. */
	wrong = added;
	wrong.dek[0] ^= 1;
	put(session, &added, &known_keys, 0, 0);
	assert_int_equal(simtie_put_keys(session, &wrong, &other, 0x32), SIMTIE_ERR_CARD);
	assert_int_equal(simtie_status_word(session), SW_WRONG_DATA);
	wrong.version = 0;
	assert_int_equal(simtie_put_keys(session, &added, &wrong, 0), SIMTIE_ERR_ARGUMENT);
	simtie_close(&session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_keys_cost_nothing),
		cmocka_unit_test(two_steps_tell_the_card_apart),
		cmocka_unit_test(keys_that_the_card_does_not_confirm),
		cmocka_unit_test(keys_are_added_and_replaced),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
