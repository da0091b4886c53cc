/* Building, parsing and verifying one good token, and what becomes of it when a bit changes. */
#include "token_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct token_fixture good(void)
{
	struct token_recipe recipe = token_fixture_good();
	struct token_fixture token;

	token_fixture_cook(&recipe, &token);
	return token;
}

/* A policy that refuses for nothing but audience, nonce and signature. */
static struct simtie_policy lenient(void)
{
	struct simtie_policy policy = token_fixture_policy();

	policy.thumbprint = NULL;
	policy.allow_no_consent = true;
	policy.allow_virtual = true;
	policy.min_counter = 0;
	return policy;
}

static void test_claims(void **state)
{
	struct token_fixture token = good();
	struct simtie_policy policy = token_fixture_policy();
	struct simtie_claims claims;

	(void)state;
	assert_int_equal(token_fixture_parse(token.bytes, token.len, &claims), SIMTIE_ACCEPTED);
	assert_string_equal(claims.audience, FIXTURE_AUDIENCE);
	assert_int_equal(claims.nonce_len, policy.nonce_len);
	assert_memory_equal(claims.nonce, policy.nonce, policy.nonce_len);
	assert_true(claims.has_thumbprint);
	assert_memory_equal(claims.thumbprint, policy.thumbprint, SIMTIE_THUMBPRINT_SIZE);
	assert_int_equal(claims.debug_status, SIMTIE_DEBUG_STATUS_DISABLED_PERMANENTLY);
	assert_int_equal(claims.purpose, SIMTIE_PURPOSE_REGISTRATION);
	assert_int_equal(claims.consent, SIMTIE_CONSENT_PIN);
	assert_memory_equal(claims.signature, token.bytes + token.len - 64, 64);
}

static void test_verify(void **state)
{
	const struct simtie_crypto *const adapters[] = {simtie_crypto_openssl(),
							simtie_crypto_mbedtls()};
	const struct simtie_verify_key keys[] = {
		{token_fixture_card(), NULL},
		{token_fixture_card(), token_fixture_service_public()},
	};
	const struct simtie_verify_key no_card = {NULL, token_fixture_service_public()};
	struct token_fixture token = good();
	struct simtie_claims claims;
	uint32_t counter;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct simtie_policy policy = token_fixture_policy();

		for (int k = 0; k < 2; k++) {
			counter = 0;
			assert_int_equal(simtie_token_verify(adapters[i], &keys[k], &policy,
							     token.bytes, token.len, &claims,
							     &counter),
					 SIMTIE_ACCEPTED);
			assert_int_equal(counter, FIXTURE_COUNTER);
			assert_string_equal(claims.audience, FIXTURE_AUDIENCE);
		}
		policy.min_counter = 0;
		counter = 5;
		assert_int_equal(simtie_token_verify(adapters[i], &no_card, &policy, token.bytes,
						     token.len, NULL, &counter),
				 SIMTIE_ACCEPTED);
		assert_int_equal(counter, 0);
		policy.min_counter = FIXTURE_COUNTER + 1;
		assert_int_equal(simtie_token_verify(adapters[i], &keys[0], &policy, token.bytes,
						     token.len, NULL, &counter),
				 SIMTIE_OLD_COUNTER);
		assert_int_equal(counter, FIXTURE_COUNTER);
	}
}

/* Another card's record, or one that is none. */
static void test_wrong_key(void **state)
{
	struct simtie_card_key card = *token_fixture_card();
	struct simtie_verify_key key = {&card, NULL};
	struct simtie_policy policy = token_fixture_policy();
	struct token_fixture token = good();
	uint32_t counter = 9;

	(void)state;
	card.chain_code[31] ^= 1;
	assert_int_equal(simtie_token_verify(simtie_crypto_openssl(), &key, &policy, token.bytes,
					     token.len, NULL, &counter),
			 SIMTIE_BAD_SIGNATURE);
	assert_int_equal(counter, 0);
	card = *token_fixture_card();
	card.device_public[64] ^= 1;
	assert_int_equal(simtie_token_verify(simtie_crypto_openssl(), &key, &policy, token.bytes,
					     token.len, NULL, NULL),
			 SIMTIE_BAD_SIGNATURE);
	assert_int_equal(simtie_token_verify(simtie_crypto_mbedtls(), &key, &policy, token.bytes,
					     token.len, NULL, NULL),
			 SIMTIE_BAD_SIGNATURE);
}

static void test_relaxed_policy(void **state)
{
	static const struct {
		struct token_change changes[2];
		enum simtie_refusal strict;
	} rows[] = {
		{{{SLOT_CONSENT, "3A00011171 00"}}, SIMTIE_NO_CONSENT},
		{{{SLOT_DEBUG_STATUS, "190107 00"}}, SIMTIE_DEBUGGABLE},
		{{{SLOT_CONFIRMATION, ""}}, SIMTIE_WRONG_THUMBPRINT},
	};
	struct simtie_policy strict = token_fixture_policy(), relaxed = lenient();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct token_recipe recipe = token_fixture_good();
		struct token_fixture token;

		token_fixture_change(&recipe, rows[i].changes);
		token_fixture_cook(&recipe, &token);
		assert_int_equal(token_fixture_verify(&strict, token.bytes, token.len),
				 rows[i].strict);
		assert_int_equal(token_fixture_verify(&relaxed, token.bytes, token.len),
				 SIMTIE_ACCEPTED);
	}
}

/* A token without cnf vouches for no client, not even for one whose thumbprint is all zeros. */
static void test_no_client(void **state)
{
	static const uint8_t zeros[SIMTIE_THUMBPRINT_SIZE];
	const struct token_change changes[] = {{SLOT_CONFIRMATION, ""}, {SLOT_COUNT, NULL}};
	struct simtie_policy policy = token_fixture_policy();
	struct token_recipe recipe = token_fixture_good();
	struct token_fixture token;

	(void)state;
	policy.thumbprint = zeros;
	token_fixture_change(&recipe, changes);
	token_fixture_cook(&recipe, &token);
	assert_int_equal(token_fixture_verify(&policy, token.bytes, token.len),
			 SIMTIE_WRONG_THUMBPRINT);
}

/* A policy's purpose is the one and only; 0 asks for registration. */
static void test_purpose(void **state)
{
	static const char *const claims[] = {"190113 01", "190113 02", "190113 03"};

	(void)state;
	for (uint8_t stated = 1; stated <= 3; stated++)
		for (uint8_t asked = 0; asked <= 3; asked++) {
			struct token_change changes[] = {{SLOT_PURPOSE, claims[stated - 1]},
							 {SLOT_COUNT, NULL}};
			struct token_recipe recipe = token_fixture_good();
			struct simtie_policy policy = token_fixture_policy();
			struct token_fixture token;

			policy.purpose = asked;
			token_fixture_change(&recipe, changes);
			token_fixture_cook(&recipe, &token);
			assert_int_equal(token_fixture_verify(&policy, token.bytes, token.len),
					 stated == (asked ? asked : 2) ? SIMTIE_ACCEPTED
								       : SIMTIE_WRONG_PURPOSE);
		}
}

static void test_every_bit_counts(void **state)
{
	struct token_fixture token = good();
	struct simtie_policy policy = lenient();
	bool reached[SIMTIE_INTERNAL_ERROR + 1] = {false};

	(void)state;
	for (size_t bit = 0; bit < 8 * token.len; bit++) {
		enum simtie_refusal refusal;

		token.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		refusal = token_fixture_verify(&policy, token.bytes, token.len);
		token.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (refusal == SIMTIE_ACCEPTED || refusal == SIMTIE_INTERNAL_ERROR)
			fail_msg("bit %zu: %s", bit, simtie_refusal_code(refusal));
		reached[refusal] = true;
	}
	assert_true(reached[SIMTIE_BAD_SIGNATURE] && reached[SIMTIE_WRONG_AUDIENCE]);
	assert_int_equal(token_fixture_verify(&policy, token.bytes, token.len), SIMTIE_ACCEPTED);
}

static void test_cut_and_extended(void **state)
{
	struct token_fixture token = good();
	struct simtie_policy policy = lenient();

	(void)state;
	for (size_t len = 0; len < token.len; len++)
		assert_int_equal(token_fixture_verify(&policy, token.bytes, len),
				 len ? SIMTIE_NOT_CBOR : SIMTIE_TOO_LARGE);
	for (size_t len = token.len + 1; len <= SIMTIE_TOKEN_MAX + 1; len++) {
		token.bytes[len - 1] = (uint8_t)len;
		assert_int_equal(token_fixture_verify(&policy, token.bytes, len),
				 len > SIMTIE_TOKEN_MAX ? SIMTIE_TOO_LARGE : SIMTIE_TRAILING_BYTES);
	}
}

/* The largest token there is, opened and all: no buffer is a byte short. */
static void test_largest(void **state)
{
	const struct token_change changes[] = {{SLOT_AUDIENCE, "03 7840 61*64"},
					       {SLOT_NONCE, "0A 5840 11*64"},
					       {SLOT_COUNT, NULL}};
	const struct simtie_verify_key key = {token_fixture_card(), token_fixture_service_public()};
	struct simtie_policy policy = lenient();
	struct token_recipe recipe = token_fixture_good();
	struct token_fixture token;
	char audience[65] = "";
	uint8_t nonce[64];
	uint32_t counter;

	(void)state;
	memset(audience, 'a', 64);
	memset(nonce, 0x11, sizeof(nonce));
	policy.audience = audience;
	policy.nonce = nonce;
	policy.nonce_len = sizeof(nonce);
	token_fixture_change(&recipe, changes);
	token_fixture_cook(&recipe, &token);
	assert_int_equal(simtie_token_verify(simtie_crypto_openssl(), &key, &policy, token.bytes,
					     token.len, NULL, &counter),
			 SIMTIE_ACCEPTED);
	assert_int_equal(token_fixture_verify(&policy, token.bytes, token.len),
			 SIMTIE_BAD_SIGNATURE); /* it was signed for FIXTURE_AUDIENCE */
}

static void test_build_bounds(void **state)
{
	struct token_fixture token = good();
	struct simtie_claims claims, wrong;
	uint8_t built[SIMTIE_TOKEN_MAX];
	size_t len;

	(void)state;
	assert_int_equal(token_fixture_parse(token.bytes, token.len, &claims), SIMTIE_ACCEPTED);
	assert_true(simtie_token_build(&claims, built, &len));
	wrong = claims;
	wrong.audience[0] = '\0';
	assert_false(simtie_token_build(&wrong, built, &len));
	memset(wrong.audience, 'a', sizeof(wrong.audience)); /* not terminated */
	assert_false(simtie_token_build(&wrong, built, &len));
	wrong = claims;
	wrong.nonce_len = SIMTIE_NONCE_MIN - 1;
	assert_false(simtie_token_build(&wrong, built, &len));
	wrong.nonce_len = SIMTIE_NONCE_MAX + 1;
	assert_false(simtie_token_build(&wrong, built, &len));
	wrong = claims;
	wrong.debug_status = 5;
	assert_false(simtie_token_build(&wrong, built, &len));
	wrong = claims;
	wrong.purpose = 0;
	assert_false(simtie_token_build(&wrong, built, &len));
	wrong.purpose = 4;
	assert_false(simtie_token_build(&wrong, built, &len));
	wrong = claims;
	wrong.consent = 3;
	assert_false(simtie_token_build(&wrong, built, &len));
}

static void test_compact(void **state)
{
	struct token_fixture token = good();
	struct simtie_policy policy = token_fixture_policy();
	struct simtie_challenge challenge = {.audience = FIXTURE_AUDIENCE,
					     .nonce = policy.nonce,
					     .nonce_len = policy.nonce_len,
					     .thumbprint = policy.thumbprint};
	struct simtie_claims claims;
	uint8_t compact[SIMTIE_COMPACT_SIZE], built[SIMTIE_TOKEN_MAX];
	char long_audience[SIMTIE_AUDIENCE_MAX + 2] = "";
	size_t len;

	(void)state;
	assert_int_equal(token_fixture_parse(token.bytes, token.len, &claims), SIMTIE_ACCEPTED);
	memcpy(compact, claims.sealed_counter, 8);
	compact[8] = 0x31;
	memcpy(compact + 9, claims.signature, 64);
	assert_true(simtie_token_from_compact(&challenge, compact, &claims));
	assert_true(simtie_token_build(&claims, built, &len));
	assert_int_equal(len, token.len);
	assert_memory_equal(built, token.bytes, len);

	compact[8] = 0x51; /* debug status 5 */
	assert_false(simtie_token_from_compact(&challenge, compact, &claims));
	compact[8] = 0x33; /* consent 3 */
	assert_false(simtie_token_from_compact(&challenge, compact, &claims));
	compact[8] = 0x31;
	challenge.purpose = 4;
	assert_false(simtie_token_from_compact(&challenge, compact, &claims));
	challenge.purpose = 0;
	challenge.nonce_len = SIMTIE_NONCE_MAX + 1;
	assert_false(simtie_token_from_compact(&challenge, compact, &claims));
	challenge.nonce_len = 16;
	memset(long_audience, 'a', SIMTIE_AUDIENCE_MAX + 1);
	challenge.audience = long_audience;
	assert_false(simtie_token_from_compact(&challenge, compact, &claims));
	challenge.audience = "";
	assert_false(simtie_token_from_compact(&challenge, compact, &claims));
}

static void test_service_key(void **state)
{
	struct simtie_card_key card = *token_fixture_card();
	uint8_t point[SIMTIE_POINT_SIZE];

	(void)state;
	assert_true(simtie_service_key(simtie_crypto_openssl(), &card, FIXTURE_AUDIENCE, point));
	assert_memory_equal(point, token_fixture_service_public(), sizeof(point));
	assert_false(simtie_service_key(simtie_crypto_openssl(), &card, "", point));
	assert_false(simtie_service_key(simtie_crypto_openssl(), &card, "a\n", point));
	card.device_public[1] ^= 1;
	assert_false(simtie_service_key(simtie_crypto_openssl(), &card, FIXTURE_AUDIENCE, point));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),           cmocka_unit_test(test_verify),
		cmocka_unit_test(test_wrong_key),        cmocka_unit_test(test_relaxed_policy),
		cmocka_unit_test(test_no_client),        cmocka_unit_test(test_purpose),
		cmocka_unit_test(test_every_bit_counts), cmocka_unit_test(test_cut_and_extended),
		cmocka_unit_test(test_largest),          cmocka_unit_test(test_build_bounds),
		cmocka_unit_test(test_compact),          cmocka_unit_test(test_service_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
