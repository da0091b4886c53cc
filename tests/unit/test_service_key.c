/* Keys and certificates from PEM files: what is taken, what is refused, whom one trusts. */
#include "service_internal.h"
#include "service_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

static int read_pair(const char *certificate, const char *key, struct simtie_service_key **out)
{
	return simtie_service_key_read(service_place_path(certificate),
				       key ? service_place_path(key) : NULL, out);
}

static void test_pairs(void **state)
{
	struct simtie_service_key *key;

	(void)state;
	service_place_issue("a", -60, 3600);
	service_place_issue("b", -60, 3600);
	ERR_clear_error();
	assert_int_equal(read_pair("a.pem", "a.key", &key), SIMTIE_SERVICE_OK);
	simtie_service_key_free(&key);
	assert_null(key);
	simtie_service_key_free(&key);
	assert_int_equal(read_pair("a.pem", NULL, &key), SIMTIE_SERVICE_OK);
	assert_null(key->private_key);
	simtie_service_key_free(&key);
	assert_int_equal(read_pair("a.pem", "b.key", &key), SIMTIE_SERVICE_ERR_FORMAT);
	assert_null(key);
	assert_int_equal(read_pair("a.key", NULL, &key), SIMTIE_SERVICE_ERR_FORMAT);
	assert_int_equal(read_pair("a.pem", "a.pem", &key), SIMTIE_SERVICE_ERR_FORMAT);
	errno = 0;
	assert_int_equal(read_pair("none.pem", NULL, &key), SIMTIE_SERVICE_ERR_FILE);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(read_pair("a.pem", "none.key", &key), SIMTIE_SERVICE_ERR_FILE);
	assert_int_equal(errno, ENOENT);
	assert_null(key);
	assert_int_equal(ERR_peek_error(), 0);
}

/* The kid says which key, whatever certificate it is in. */
static void test_kid(void **state)
{
	struct simtie_service_key *key, *other;
	uint8_t digest[32];

	(void)state;
	key = service_place_key("a");
	other = service_place_key("b");
	assert_true(
		simtie_crypto_openssl()->sha256(bytes_of(key->point, sizeof(key->point)), digest));
	assert_memory_equal(key->kid, digest, SERVICE_KID_SIZE);
	assert_memory_not_equal(key->kid, other->kid, SERVICE_KID_SIZE);
	simtie_service_key_free(&key);
	simtie_service_key_free(&other);
}

static void key_write(const char *name, EVP_PKEY *key, const char *passphrase)
{
	FILE *file = fopen(service_place_path(name), "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_PKCS8PrivateKey(
				 file, key, passphrase ? EVP_aes_256_cbc() : NULL, passphrase,
				 passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
			 1);
	fclose(file);
}

static void test_other_keys(void **state)
{
	struct simtie_service_key *key = service_place_key("a"), *read;
	EVP_PKEY *larger = EVP_EC_gen("P-384");
	X509 *certificate = X509_dup(key->certificate);
	FILE *file = fopen(service_place_path("p384.pem"), "w");

	(void)state;
	key_write("sealed.key", key->private_key, "passphrase");
	assert_int_equal(read_pair("a.pem", "sealed.key", &read), SIMTIE_SERVICE_ERR_FORMAT);
	key_write("p384.key", larger, NULL);
	assert_int_equal(read_pair("a.pem", "p384.key", &read), SIMTIE_SERVICE_ERR_FORMAT);
	assert_int_equal(X509_set_pubkey(certificate, larger), 1);
	assert_true(X509_sign(certificate, larger, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	assert_int_equal(read_pair("p384.pem", NULL, &read), SIMTIE_SERVICE_ERR_FORMAT);
	X509_free(certificate);
	EVP_PKEY_free(larger);
	simtie_service_key_free(&key);
}

static void test_trust(void **state)
{
	struct simtie_service_key *key;

	(void)state;
	service_place_issue("now", -60, 3600);
	service_place_issue("old", -7200, -3600);
	service_place_issue("new", 3600, 7200);
	assert_int_equal(read_pair("now.pem", NULL, &key), SIMTIE_SERVICE_OK);
	assert_int_equal(simtie_service_key_trusted(key, service_place_path("root.pem")),
			 SIMTIE_SERVICE_OK);
	service_place_issue("b", -60, 3600);
	assert_int_equal(simtie_service_key_trusted(key, service_place_path("b.pem")),
			 SIMTIE_SERVICE_ERR_KEY);
	assert_int_equal(simtie_service_key_trusted(key, service_place_path("none.pem")),
			 SIMTIE_SERVICE_ERR_FILE);
	assert_int_equal(simtie_service_key_trusted(key, service_place_path("now.key")),
			 SIMTIE_SERVICE_ERR_FILE);
	simtie_service_key_free(&key);
	assert_int_equal(read_pair("old.pem", NULL, &key), SIMTIE_SERVICE_OK);
	assert_int_equal(simtie_service_key_trusted(key, service_place_path("root.pem")),
			 SIMTIE_SERVICE_ERR_TIME);
	simtie_service_key_free(&key);
	assert_int_equal(read_pair("new.pem", NULL, &key), SIMTIE_SERVICE_OK);
	assert_int_equal(simtie_service_key_trusted(key, service_place_path("root.pem")),
			 SIMTIE_SERVICE_ERR_TIME);
	simtie_service_key_free(&key);
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_texts(void **state)
{
	(void)state;
	for (int error = SIMTIE_SERVICE_ERR_TOKEN; error <= SIMTIE_SERVICE_OK; error++)
		assert_string_not_equal(simtie_service_strerror(error), simtie_service_strerror(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),      cmocka_unit_test(test_kid),
		cmocka_unit_test(test_other_keys), cmocka_unit_test(test_trust),
		cmocka_unit_test(test_texts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("service keys", tests, service_place_make,
					   service_place_remove);
}
