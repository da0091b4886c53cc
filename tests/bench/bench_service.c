/*
 * What sealing a row and issuing a credential cost, against the bare operations in them. One
 * thread, all kinds by turns in one run; each line gives a rate and a ratio to the one named.
 *
 *   bench_service ISSUER.pem ISSUER.key    any P-256 certificate and its key
 */
#include "service_internal.h"
#include "vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define ROUNDS    20
#define PER_ROUND 200
#define FAST      20 /* times as many of what takes a microsecond or two */
#define PLAIN     256
#define AUDIENCE  "chat.example"

struct bench {
	struct vault *vault;
	struct simtie_service_key *issuer;
	struct simtie_credential credential;
	EVP_PKEY_CTX *sign;
	EVP_PKEY *service;
	EVP_CIPHER *gcm;
	EVP_CIPHER_CTX *ctx;
	uint8_t plain[PLAIN], sealed[PLAIN + VAULT_OVERHEAD], nonce[32];
	size_t sealed_len;
	uint32_t key_id;
	uint8_t number[SIMTIE_SEALED_NUMBER_MAX];
	size_t number_len;
	uint8_t der[SIMTIE_CREDENTIAL_MAX];
	size_t der_len;
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_service: %s\n", what);
	exit(EXIT_FAILURE);
}

static const struct vault_place place = {"verifications",
					 {(const uint8_t *)"0123456789abcdef", 16}};

/* A fresh nonce and GCM with one key that is set already: what no row's own key would cost. */
static void run_gcm(struct bench *bench)
{
	uint8_t nonce[12], tag[16];
	int len;

	need(RAND_bytes(nonce, sizeof(nonce)) == 1 &&
		     EVP_EncryptInit_ex2(bench->ctx, NULL, NULL, nonce, NULL) == 1 &&
		     EVP_EncryptUpdate(bench->ctx, NULL, &len, nonce, sizeof(nonce)) == 1 &&
		     EVP_EncryptUpdate(bench->ctx, bench->sealed, &len, bench->plain, PLAIN) == 1 &&
		     EVP_EncryptFinal_ex(bench->ctx, bench->sealed + len, &len) == 1 &&
		     EVP_CIPHER_CTX_ctrl(bench->ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1,
	     "OpenSSL cannot seal");
}

static void run_seal(struct bench *bench)
{
	need(vault_seal(bench->vault, &place, bytes_of(bench->plain, PLAIN), bench->sealed,
			sizeof(bench->sealed), &bench->sealed_len, &bench->key_id) == VAULT_OK,
	     "the vault does not seal");
}

static void run_unseal(struct bench *bench)
{
	uint8_t out[PLAIN];
	size_t len;

	need(vault_unseal(bench->vault, &place, bench->key_id,
			  bytes_of(bench->sealed, bench->sealed_len), out, sizeof(out),
			  &len) == VAULT_OK,
	     "the vault does not open");
}

static void run_sign(struct bench *bench)
{
	uint8_t der[SERVICE_SIGNATURE_DER_MAX];
	size_t len = sizeof(der);

	need(EVP_PKEY_sign(bench->sign, der, &len, bench->nonce, 32) == 1, "OpenSSL cannot sign");
}

static void run_issue(struct bench *bench)
{
	need(simtie_credential_issue(bench->issuer, &bench->credential, bench->der,
				     &bench->der_len) == SIMTIE_SERVICE_OK,
	     "no credential");
}

static void add(X509 *certificate, int nid, void *value, int critical)
{
	need(value && X509_add1_ext_i2d(certificate, nid, value, critical, 0) == 1, "no extension");
}

/* The same certificate by OpenSSL's own means, for comparison. */
static void run_x509(struct bench *bench)
{
	X509 *made = X509_new();
	BIGNUM *serial = BN_new();
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *uri = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
	ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
	EVP_PKEY *key = service_key_public(bench->credential.service_public);
	uint8_t *der = NULL;

	BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
	BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(made));
	X509_set_version(made, X509_VERSION_3);
	X509_set_issuer_name(made, X509_get_subject_name(bench->issuer->certificate));
	ASN1_TIME_set(X509_getm_notBefore(made), bench->credential.not_before);
	ASN1_TIME_set(X509_getm_notAfter(made), bench->credential.not_after);
	X509_NAME_add_entry_by_NID(X509_get_subject_name(made), NID_commonName, MBSTRING_UTF8,
				   (const unsigned char *)AUDIENCE, -1, -1, 0);
	X509_set_pubkey(made, key);
	ASN1_BIT_STRING_set_bit(usage, 0, 1);
	add(made, NID_key_usage, usage, 1);
	ASN1_OCTET_STRING_set(id, bench->issuer->key_id, SERVICE_KEY_ID_SIZE);
	add(made, NID_subject_key_identifier, id, 0);
	ASN1_STRING_set(text, bench->credential.status_uri, -1);
	GENERAL_NAME_set0_value(uri, GEN_URI, text);
	sk_GENERAL_NAME_push(names, uri);
	add(made, NID_subject_alt_name, names, 0);
	need(X509_sign(made, bench->issuer->private_key, EVP_sha256()) > 0 &&
		     i2d_X509(made, &der) > 0,
	     "OpenSSL issues no certificate");
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	ASN1_BIT_STRING_free(usage);
	ASN1_OCTET_STRING_free(id);
	GENERAL_NAMES_free(names);
	BN_free(serial);
	X509_free(made);
}

static void run_verify(struct bench *bench)
{
	struct simtie_credential read;

	need(simtie_credential_verify(bench->issuer, AUDIENCE, bench->credential.not_before,
				      bench->der, bench->der_len, &read) == SIMTIE_SERVICE_OK,
	     "the credential is refused");
}

static void run_number(struct bench *bench)
{
	char number[SIMTIE_NUMBER_SIZE];

	need(simtie_number_unseal(bench->issuer, AUDIENCE, bench->nonce, sizeof(bench->nonce),
				  bench->number, bench->number_len, number) == SIMTIE_SERVICE_OK,
	     "the number does not open");
}

static void bench_open(struct bench *bench, char **argv)
{
	char path[] = "/tmp/simtie-bench-XXXXXX", file[64];
	uint8_t key[32];
	size_t len;

	need(simtie_service_key_read(argv[1], argv[2], &bench->issuer) == 0, "no issuer's key");
	need(mkdtemp(path) != NULL, "no folder");
	snprintf(file, sizeof(file), "%s/keys", path);
	need(vault_create(file) == VAULT_OK && vault_open(file, &bench->vault, NULL) == VAULT_OK,
	     "no vault");
	unlink(file);
	rmdir(path);
	need(RAND_bytes(key, sizeof(key)) == 1, "no key");
	bench->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	bench->ctx = EVP_CIPHER_CTX_new();
	need(EVP_EncryptInit_ex2(bench->ctx, bench->gcm, key, bench->plain, NULL) == 1, "no GCM");
	bench->service = EVP_EC_gen("P-256");
	EVP_PKEY_get_octet_string_param(bench->service, OSSL_PKEY_PARAM_PUB_KEY,
					bench->credential.service_public, SIMTIE_POINT_SIZE, &len);
	bench->sign = EVP_PKEY_CTX_new(bench->service, NULL);
	need(EVP_PKEY_sign_init(bench->sign) == 1, "no signing");
	strcpy(bench->credential.audience, AUDIENCE);
	strcpy(bench->credential.status_uri, "https://mno.example/v1/status/7");
	bench->credential.status_index = 123456;
	bench->credential.not_before = (int64_t)time(NULL);
	bench->credential.not_after = bench->credential.not_before + 365L * 86400;
	need(simtie_number_seal(bench->issuer, AUDIENCE, bench->nonce, sizeof(bench->nonce),
				"+4930123456789", bench->number, &bench->number_len) == 0,
	     "no sealed number");
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	struct {
		const char *name;
		void (*run)(struct bench *bench);
		int count;
		size_t to; /* whose rate it is compared with */
		double seconds;
	} kinds[] = {
		{"nonce, AES-256-GCM of 256 bytes", run_gcm, PER_ROUND * FAST, 0, 0},
		{"row sealed", run_seal, PER_ROUND * FAST, 0, 0},
		{"row opened", run_unseal, PER_ROUND * FAST, 0, 0},
		{"bare EVP_PKEY_sign", run_sign, PER_ROUND, 3, 0},
		{"credential issued", run_issue, PER_ROUND, 3, 0},
		{"the same by OpenSSL's X509", run_x509, PER_ROUND, 3, 0},
		{"credential verified", run_verify, PER_ROUND, 3, 0},
		{"sealed number opened", run_number, PER_ROUND, 3, 0},
	};
	const size_t count = sizeof(kinds) / sizeof(kinds[0]);

	need(argc == 3, "usage: bench_service ISSUER.pem ISSUER.key");
	bench_open(&bench, argv);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t k = 0; k < count; k++) {
			double start = now();

			for (int i = 0; i < kinds[k].count; i++)
				kinds[k].run(&bench);
			kinds[k].seconds += now() - start;
		}
	for (size_t k = 0; k < count; k++) {
		double rate = kinds[k].count / kinds[k].seconds;
		double ratio = rate / (kinds[kinds[k].to].count / kinds[kinds[k].to].seconds);

		printf("%-32s %9.0f/s  %6.2f x %s\n", kinds[k].name, ROUNDS * rate, ratio,
		       kinds[kinds[k].to].name);
	}
	EVP_PKEY_CTX_free(bench.sign);
	EVP_PKEY_free(bench.service);
	EVP_CIPHER_CTX_free(bench.ctx);
	EVP_CIPHER_free(bench.gcm);
	vault_close(&bench.vault);
	simtie_service_key_free(&bench.issuer);
	return EXIT_SUCCESS;
}
