/*
 * A challenge is good for few numbers: a sealed one cannot be found out by trying.
 */
#include "operator_guess.h"

#include "operator_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define CHAT   OPERATOR_PLACE_AUDIENCE
#define NUMBER "+4915112345678"

static void test_few_numbers(void **state)
{
	static const char *const wrong[] = {"+4915100000001", "+4915100000002", "+4915100000003"};
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	for (int round = 0; round < 2; round++) /* the same number again is no new guess */
		for (int i = 0; i < OPERATOR_GUESS_MAX; i++)
			assert_string_equal(
				operator_place_verify(place, CHAT, wrong[i], &token, NULL),
				"200 NOT_CONFIRMED");
	/* The right one is answered like any other now. */
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "429 TOO_MANY_REQUESTS");
	assert_string_equal(operator_place_verify(place, CHAT, "+4915100000004", &token, NULL),
			    "429 TOO_MANY_REQUESTS");
	/* Another signature over the same claims is no way out; a fresh challenge is. */
	operator_token_twist(&token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "429 TOO_MANY_REQUESTS");
	operator_sim_attest(&sim, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "200 VERIFIED");
	operator_sim_free(&sim);
}

/* After the yes the same bound holds: TOKEN_USED would tell it as well. */
static void test_after_the_yes(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "200 VERIFIED");
	for (int i = 1; i < OPERATOR_GUESS_MAX; i++)
		assert_string_equal(operator_place_verify(place, CHAT,
							  i == 1 ? "+491510001" : "+491510002",
							  &token, NULL),
				    "200 NOT_CONFIRMED");
	assert_string_equal(operator_place_verify(place, CHAT, "+491510003", &token, NULL),
			    "429 TOO_MANY_REQUESTS");
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "200 TOKEN_USED");
	operator_sim_free(&sim);
}

static void test_table(void **state)
{
	struct operator_guess *guess = operator_guess_new();
	struct vault_index challenge = {1, 1}, number = {0, 0};

	(void)state;
	assert_non_null(guess);
	for (int64_t i = 0; i < OPERATOR_GUESS_MAX; i++) {
		number.lo = i;
		assert_true(operator_guess_allowed(guess, &challenge, &number));
	}
	number.lo = 99;
	assert_false(operator_guess_allowed(guess, &challenge, &number));
	challenge.lo = 2; /* the same bucket, another challenge */
	assert_true(operator_guess_allowed(guess, &challenge, &number));
	/* Many more challenges than there is room for: it goes on, and forgets the oldest. */
	for (int64_t i = 0; i < 200000; i++) {
		challenge = (struct vault_index){i * 7919, i};
		assert_true(operator_guess_allowed(guess, &challenge, &number));
	}
	operator_guess_free(&guess);
	assert_null(guess);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_few_numbers),
		OPERATOR_PLACE_BOTH(test_after_the_yes),
		cmocka_unit_test(test_table),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
