/*
 * What verifying a token costs, against the bare signature check that is in it: OpenSSL's
 * EVP_PKEY_verify() with everything made ready beforehand. One thread, all kinds by turns in one
 * run, so that what slows the machine slows all of them; each line gives a rate and a ratio.
 */
#include "simtie-token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#define ROUNDS     40
#define PER_ROUND  100
#define SLOW_SHARE 10 /* mbedTLS gets one round's tenth: it is that much slower */

/* The worked example public-0 of tests/vectors/attestation.json. */
#define AUDIENCE "chat.example"
#define NONCE    "2e1310f784be4892174916366262a5d9"
#define DEVICE_PUBLIC                                                                              \
	"04d74d4bd9549f5f9bf059de84f4d12d4eebce5f6c4cc04df88c58b72de8ebe490"                       \
	"719a1a81398027b7ee930b83946f910aa5cdda92ab42689ea7529087b04a14c9"
#define CHAIN_CODE "7ade73b1392a58349a7d8a5c74d626e86b91743ea6820d9b9fbe7daa8dc3486f"
#define TOKEN                                                                                      \
	"d28447a2012610190107a0584fa7036c636861742e6578616d706c650a502e1310f784be4892174916366262" \
	"a5d9190107001901096e75726e3a782d73696d7469653a31190113023a0001117048e9c66645970ba26e3a00" \
	"011171015840c5c4ef842395377713ceba033a02bb2a1ce703ccd42ab9858db18009406ebb3760115b81512a" \
	"27d2fe7e662d4e0083cb07c03d7eaf58973dc9887a2f48fb9391"

struct bench {
	struct simtie_card_key card;
	uint8_t service_public[SIMTIE_POINT_SIZE];
	uint8_t nonce[16];
	uint8_t token[SIMTIE_TOKEN_MAX];
	size_t token_len;
	EVP_PKEY *key;
	EVP_PKEY_CTX *ctx;
	uint8_t digest[32];
	uint8_t der[80];
	size_t der_len;
};

static size_t hex(const char *text, uint8_t *out)
{
	size_t len = 0;
	unsigned byte;

	for (; sscanf(text, "%2x", &byte) == 1; text += 2)
		out[len++] = (uint8_t)byte;
	return len;
}

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_verify: %s\n", what);
	exit(EXIT_FAILURE);
}

static void bench_open(struct bench *bench)
{
	EVP_PKEY_CTX *sign;

	hex(DEVICE_PUBLIC, bench->card.device_public);
	hex(CHAIN_CODE, bench->card.chain_code);
	hex(NONCE, bench->nonce);
	bench->token_len = hex(TOKEN, bench->token);
	need(simtie_service_key(simtie_crypto_openssl(), &bench->card, AUDIENCE,
				bench->service_public),
	     "no service key");
	bench->key = EVP_EC_gen("P-256");
	sign = EVP_PKEY_CTX_new(bench->key, NULL);
	bench->ctx = EVP_PKEY_CTX_new(bench->key, NULL);
	bench->der_len = sizeof(bench->der);
	need(EVP_PKEY_sign_init(sign) == 1 &&
		     EVP_PKEY_sign(sign, bench->der, &bench->der_len, bench->digest,
				   sizeof(bench->digest)) == 1 &&
		     EVP_PKEY_verify_init(bench->ctx) == 1,
	     "OpenSSL cannot sign");
	EVP_PKEY_CTX_free(sign);
}

static void run_bare(struct bench *bench)
{
	need(EVP_PKEY_verify(bench->ctx, bench->der, bench->der_len, bench->digest,
			     sizeof(bench->digest)) == 1,
	     "OpenSSL refuses its own signature");
}

static void verify(struct bench *bench, const struct simtie_crypto *crypto, int given)
{
	const struct simtie_verify_key key = {&bench->card, given ? bench->service_public : NULL};
	const struct simtie_policy policy = {
		.audience = AUDIENCE,
		.nonce = bench->nonce,
		.nonce_len = sizeof(bench->nonce),
		.allow_virtual = true,
		.min_counter = 1,
	};
	uint32_t counter;

	need(simtie_token_verify(crypto, &key, &policy, bench->token, bench->token_len, NULL,
				 &counter) == SIMTIE_ACCEPTED &&
		     counter == 1,
	     "the token is refused");
}

static void run_given(struct bench *bench)
{
	verify(bench, simtie_crypto_openssl(), 1);
}

static void run_derived(struct bench *bench)
{
	verify(bench, simtie_crypto_openssl(), 0);
}

static void run_parse(struct bench *bench)
{
	struct simtie_claims claims;

	need(simtie_token_parse(bench->token, bench->token_len, &claims) == SIMTIE_ACCEPTED,
	     "the token does not parse");
}

static void run_mbedtls(struct bench *bench)
{
	verify(bench, simtie_crypto_mbedtls(), 0);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(void)
{
	static struct bench bench;
	struct {
		const char *name;
		void (*run)(struct bench *bench);
		int count;
		double least; /* ratio that it must reach; 0: none */
		double seconds;
	} kinds[] = {
		{"bare EVP_PKEY_verify", run_bare, PER_ROUND, 0, 0},
		{"token, service key given", run_given, PER_ROUND, 0.80, 0},
		{"token, service key derived", run_derived, PER_ROUND, 0.40, 0},
		{"token, parsed only", run_parse, PER_ROUND, 0, 0},
		{"token, derived, mbedTLS", run_mbedtls, PER_ROUND / SLOW_SHARE, 0, 0},
	};
	const size_t count = sizeof(kinds) / sizeof(kinds[0]);
	int missed = 0;

	bench_open(&bench);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t k = 0; k < count; k++) {
			double start = now();

			for (int i = 0; i < kinds[k].count; i++)
				kinds[k].run(&bench);
			kinds[k].seconds += now() - start;
		}
	for (size_t k = 0; k < count; k++) {
		double rate = ROUNDS * kinds[k].count / kinds[k].seconds;
		double ratio = rate / (ROUNDS * kinds[0].count / kinds[0].seconds);

		printf("%-28s %9.0f/s  %6.2f x bare", kinds[k].name, rate, ratio);
		if (kinds[k].least > 0) {
			missed += ratio < kinds[k].least;
			printf("  (at least %.2f%s)", kinds[k].least,
			       ratio < kinds[k].least ? ": MISSED" : "");
		}
		printf("\n");
	}
	EVP_PKEY_CTX_free(bench.ctx);
	EVP_PKEY_free(bench.key);
	return missed ? EXIT_FAILURE : EXIT_SUCCESS;
}
