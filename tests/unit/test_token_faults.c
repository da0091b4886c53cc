/* Verifying when the crypto library fails, when the caller forgets something, and in many threads.
 */
#include "token_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <cmocka.h>

static struct token_fixture good(void)
{
	struct token_recipe recipe = token_fixture_good();
	struct token_fixture token;

	token_fixture_cook(&recipe, &token);
	return token;
}

/* ---- A crypto library that fails ---- */

static bool no_digest(struct bytes data, uint8_t digest[static SIMTIE_DIGEST_SIZE])
{
	(void)data;
	(void)digest;
	return false;
}

static bool no_expand(struct bytes prk, struct bytes info, uint8_t *out, size_t len)
{
	(void)prk;
	(void)info;
	(void)out;
	(void)len;
	return false;
}

static enum simtie_verdict no_verify(const uint8_t point[static SIMTIE_POINT_SIZE],
				     const uint8_t digest[static SIMTIE_DIGEST_SIZE],
				     const uint8_t signature[static SIMTIE_SIGNATURE_SIZE])
{
	(void)point;
	(void)digest;
	(void)signature;
	return VERDICT_FAILED;
}

static enum simtie_verdict no_tweak(const uint8_t point[static SIMTIE_POINT_SIZE],
				    const uint8_t tweak[static DERIVE_TWEAK_SIZE],
				    uint8_t sum[static SIMTIE_POINT_SIZE])
{
	(void)point;
	(void)tweak;
	(void)sum;
	return VERDICT_FAILED;
}

static void test_internal_error(void **state)
{
	const struct simtie_verify_key derive = {token_fixture_card(), NULL};
	const struct simtie_verify_key given = {token_fixture_card(),
						token_fixture_service_public()};
	struct simtie_crypto broken[5];
	struct token_fixture token = good();
	struct simtie_policy policy = token_fixture_policy();
	uint32_t counter;

	(void)state;
	for (int i = 0; i < 5; i++)
		broken[i] = *simtie_crypto_openssl();
	broken[0].sha256 = no_digest;
	broken[1].hkdf_expand = no_expand;
	broken[2].p256_verify = no_verify;
	broken[3].p256_tweak = no_tweak;
	broken[4].hkdf_expand = no_expand; /* fails at the counter alone */
	for (int i = 0; i < 5; i++) {
		counter = 1;
		assert_int_equal(simtie_token_verify(&broken[i], i < 4 ? &derive : &given, &policy,
						     token.bytes, token.len, NULL, &counter),
				 SIMTIE_INTERNAL_ERROR);
		assert_int_equal(counter, 0);
	}
}

static void test_lacking_request(void **state)
{
	const struct simtie_verify_key none = {NULL, NULL}, card = {token_fixture_card(), NULL};
	const struct simtie_verify_key no_card = {NULL, token_fixture_service_public()};
	const struct simtie_crypto *crypto = simtie_crypto_openssl();
	struct token_fixture token = good();
	struct simtie_policy policy = token_fixture_policy();

	(void)state;
	assert_int_equal(
		simtie_token_verify(crypto, &none, &policy, token.bytes, token.len, NULL, NULL),
		SIMTIE_INTERNAL_ERROR);
	assert_int_equal(
		simtie_token_verify(crypto, &no_card, &policy, token.bytes, token.len, NULL, NULL),
		SIMTIE_INTERNAL_ERROR); /* it cannot open the counter */
	policy.audience = NULL;
	assert_int_equal(
		simtie_token_verify(crypto, &card, &policy, token.bytes, token.len, NULL, NULL),
		SIMTIE_INTERNAL_ERROR);
	policy = token_fixture_policy();
	policy.nonce = NULL;
	assert_int_equal(
		simtie_token_verify(crypto, &card, &policy, token.bytes, token.len, NULL, NULL),
		SIMTIE_INTERNAL_ERROR);
}

/* ---- Threads ---- */

struct job {
	const struct simtie_crypto *crypto;
	const struct simtie_card_key *card;
	const struct token_fixture *token;
	struct simtie_policy policy;
	int rounds;
	int wrong;
};

static void *job_run(void *argument)
{
	struct job *job = argument;
	const struct simtie_verify_key key = {job->card, NULL};
	struct token_fixture changed = *job->token;
	uint32_t counter;

	changed.bytes[changed.len - 1] ^= 1;
	for (int i = 0; i < job->rounds; i++) {
		job->wrong +=
			simtie_token_verify(job->crypto, &key, &job->policy, job->token->bytes,
					    job->token->len, NULL, &counter) != SIMTIE_ACCEPTED;
		job->wrong += counter != FIXTURE_COUNTER;
		job->wrong += simtie_token_verify(job->crypto, &key, &job->policy, changed.bytes,
						  changed.len, NULL, NULL) != SIMTIE_BAD_SIGNATURE;
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct token_fixture token = good();
	struct job jobs[8];
	pthread_t threads[8];

	(void)state;
	for (int i = 0; i < 8; i++) {
		jobs[i] = (struct job){
			.crypto = i % 4 ? simtie_crypto_openssl() : simtie_crypto_mbedtls(),
			.card = token_fixture_card(),
			.token = &token,
			.policy = token_fixture_policy(),
			.rounds = i % 4 ? 200 : 20,
		};
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, job_run, &jobs[i]), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(jobs[i].wrong, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: it must find the OpenSSL adapter unused */
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_internal_error),
		cmocka_unit_test(test_lacking_request),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("token faults", tests, NULL, NULL);
}
