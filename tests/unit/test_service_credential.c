/* The service credential: what other tools read in it, for whom it verifies, every changed bit. */
#include "service_internal.h"
#include "service_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "token_fixture.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define AUDIENCE "chat.example"
#define STATUS   "https://mno.example/v1/status/7"
#define NOW      1795510000 /* 2026-11-24T08:46:40Z */
#define DAY      86400

static struct simtie_service_key *issuer, *certificate, *other;

static int keys_make(void **state)
{
	if (service_place_make(state))
		return -1;
	issuer = service_place_key("issuer");
	certificate = service_place_certificate("issuer");
	other = service_place_key("other");
	return 0;
}

static int keys_free(void **state)
{
	simtie_service_key_free(&issuer);
	simtie_service_key_free(&certificate);
	simtie_service_key_free(&other);
	return service_place_remove(state);
}

static struct simtie_credential good(void)
{
	struct simtie_credential credential = {.audience = AUDIENCE,
					       .not_before = NOW,
					       .not_after = NOW + 365L * DAY,
					       .status_uri = STATUS,
					       .status_index = 1048575};

	memcpy(credential.service_public, token_fixture_service_public(), SIMTIE_POINT_SIZE);
	return credential;
}

static size_t issue(const struct simtie_credential *credential,
		    uint8_t der[static SIMTIE_CREDENTIAL_MAX])
{
	size_t len;

	assert_int_equal(simtie_credential_issue(issuer, credential, der, &len), SIMTIE_SERVICE_OK);
	assert_true(len <= SIMTIE_CREDENTIAL_MAX);
	return len;
}

static int verify_at(int64_t now, const uint8_t *der, size_t len,
		     struct simtie_credential *credential)
{
	uint8_t *exact = malloc(len ? len : 1);
	int result;

	assert_non_null(exact);
	memcpy(exact, der, len);
	result = simtie_credential_verify(certificate, AUDIENCE, now, exact, len, credential);
	free(exact);
	return result;
}

static int verify(const uint8_t *der, size_t len)
{
	struct simtie_credential credential;

	return verify_at(NOW, der, len, &credential);
}

static void test_reads_back(void **state)
{
	struct simtie_credential credential = good(), read;
	uint8_t der[SIMTIE_CREDENTIAL_MAX];
	size_t len = issue(&credential, der);

	(void)state;
	assert_int_equal(verify_at(NOW, der, len, &read), SIMTIE_SERVICE_OK);
	assert_string_equal(read.audience, AUDIENCE);
	assert_memory_equal(read.service_public, credential.service_public, SIMTIE_POINT_SIZE);
	assert_string_equal(read.status_uri, STATUS);
	assert_int_equal(read.status_index, 1048575);
	assert_true(read.not_before == NOW - NOW % DAY);
	assert_true(read.not_after == NOW - NOW % DAY + 366L * DAY - 1);
}

/* The largest and the smallest that there is. */
static void test_extremes(void **state)
{
	static const uint32_t indexes[] = {0, 1, UINT32_MAX};
	struct simtie_credential credential = good(), read;
	uint8_t der[SIMTIE_CREDENTIAL_MAX];
	size_t len;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		credential.status_index = indexes[i];
		len = issue(&credential, der);
		assert_int_equal(verify_at(NOW, der, len, &read), SIMTIE_SERVICE_OK);
		assert_true(read.status_index == indexes[i]);
	}
	memset(credential.audience, 'a', SIMTIE_AUDIENCE_MAX);
	memset(credential.status_uri, 'u', SIMTIE_STATUS_URI_MAX);
	credential.not_after = 253402300799;
	len = issue(&credential, der);
	assert_int_equal(
		simtie_credential_verify(certificate, credential.audience, NOW, der, len, &read),
		SIMTIE_SERVICE_OK);
	assert_string_equal(read.status_uri, credential.status_uri);
	strcpy(credential.audience, "x");
	strcpy(credential.status_uri, "u");
	credential.not_before = 0;
	credential.not_after = 0;
	len = issue(&credential, der);
	assert_int_equal(simtie_credential_verify(certificate, "x", DAY - 1, der, len, &read),
			 SIMTIE_SERVICE_OK);
	assert_true(read.not_before == 0 && read.not_after == DAY - 1);
}

static void test_times(void **state)
{
	struct simtie_credential credential = good(), read;
	/* 2049-12-31, UTCTime's last day, and the next */
	static const int64_t ends[] = {NOW, 2524607999, 2524608000};
	uint8_t der[SIMTIE_CREDENTIAL_MAX];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int64_t first = NOW - NOW % DAY, last = ends[i] - ends[i] % DAY + DAY - 1;
		size_t len;

		credential.not_after = ends[i];
		len = issue(&credential, der);
		assert_int_equal(verify_at(first - 1, der, len, &read), SIMTIE_SERVICE_ERR_TIME);
		assert_int_equal(verify_at(first, der, len, &read), SIMTIE_SERVICE_OK);
		assert_int_equal(verify_at(last, der, len, &read), SIMTIE_SERVICE_OK);
		assert_true(read.not_after == last);
		assert_int_equal(verify_at(last + 1, der, len, &read), SIMTIE_SERVICE_ERR_TIME);
		assert_int_equal(read.audience[0], 0);
	}
}

static void test_out_of_bounds(void **state)
{
	struct simtie_credential credential;
	uint8_t der[SIMTIE_CREDENTIAL_MAX];
	size_t len;

	(void)state;
	for (int i = 0; i < 9; i++) {
		credential = good();
		switch (i) {
		case 0:
			credential.audience[0] = '\0';
			break;
		case 1:
			strcpy(credential.audience, "a\x01");
			break;
		case 2:
			memset(credential.audience, 'a', sizeof(credential.audience));
			break;
		case 3:
			credential.service_public[64] ^= 1;
			break;
		case 4:
			credential.not_after = credential.not_before - 1;
			break;
		case 5:
			credential.not_before = -1;
			break;
		case 6:
			credential.status_uri[0] = '\0';
			break;
		case 7:
			strcpy(credential.status_uri, "https://a#b");
			break;
		case 8:
			strcpy(credential.status_uri, "https://\xC3\xA4");
			break;
		}
		assert_int_equal(simtie_credential_issue(issuer, &credential, der, &len),
				 SIMTIE_SERVICE_ERR_ARGUMENT);
	}
	credential = good();
	assert_int_equal(simtie_credential_issue(certificate, &credential, der, &len),
			 SIMTIE_SERVICE_ERR_ARGUMENT);
}

static void test_bit_flips(void **state)
{
	struct simtie_credential credential = good(), read;
	const struct simtie_credential nothing = {0};
	uint8_t der[SIMTIE_CREDENTIAL_MAX];
	size_t len = issue(&credential, der);
	int signatures = 0;

	(void)state;
	ERR_clear_error();
	for (size_t bit = 0; bit < 8 * len; bit++) {
		int result;

		der[bit / 8] ^= (uint8_t)(1 << bit % 8);
		result = verify_at(NOW, der, len, &read);
		assert_true(result == SIMTIE_SERVICE_ERR_FORMAT ||
			    result == SIMTIE_SERVICE_ERR_KEY ||
			    result == SIMTIE_SERVICE_ERR_AUDIENCE ||
			    result == SIMTIE_SERVICE_ERR_TIME ||
			    result == SIMTIE_SERVICE_ERR_SIGNATURE);
		signatures += result == SIMTIE_SERVICE_ERR_SIGNATURE;
		assert_memory_equal(&read, &nothing, sizeof(read));
		der[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(signatures > 500); /* those of r, s, serial number and URI at least */
	assert_int_equal(ERR_peek_error(), 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(verify(der, cut), SIMTIE_SERVICE_ERR_FORMAT);
	der[len] = 0;
	assert_int_equal(verify(der, len + 1), SIMTIE_SERVICE_ERR_FORMAT);
	assert_int_equal(verify(der, len), SIMTIE_SERVICE_OK);
}

static void test_for_whom(void **state)
{
	struct simtie_credential credential = good(), read;
	uint8_t der[SIMTIE_CREDENTIAL_MAX];
	size_t len = issue(&credential, der);

	(void)state;
	assert_int_equal(simtie_credential_verify(other, AUDIENCE, NOW, der, len, &read),
			 SIMTIE_SERVICE_ERR_KEY);
	assert_int_equal(simtie_credential_verify(certificate, "chat.exampl", NOW, der, len, &read),
			 SIMTIE_SERVICE_ERR_AUDIENCE);
	assert_int_equal(
		simtie_credential_verify(certificate, "chat.example.evil", NOW, der, len, &read),
		SIMTIE_SERVICE_ERR_AUDIENCE);
}

/* A certificate that the issuer really signed, but that is none of these. */
static void test_other_certificates(void **state)
{
	uint8_t *der = NULL;
	int len = i2d_X509(issuer->certificate, &der);

	(void)state;
	assert_true(len > 0);
	assert_int_equal(verify(der, (size_t)len), SIMTIE_SERVICE_ERR_FORMAT);
	OPENSSL_free(der);
}

/* What OpenSSL, which has no part in writing it, reads. */
static void test_as_x509(void **state)
{
	struct simtie_credential credential = good();
	uint8_t der[SIMTIE_CREDENTIAL_MAX], *again = NULL;
	const uint8_t *at = der;
	size_t len = issue(&credential, der);
	X509 *read = d2i_X509(NULL, &at, (long)len);
	char name[80];
	GENERAL_NAMES *names;
	const ASN1_STRING *uri;

	(void)state;
	assert_non_null(read);
	assert_ptr_equal(at, der + len);
	assert_int_equal(i2d_X509(read, &again), len);
	assert_memory_equal(again, der, len);
	OPENSSL_free(again);
	assert_int_equal(X509_get_version(read), X509_VERSION_3);
	assert_int_equal(X509_verify(read, X509_get0_pubkey(issuer->certificate)), 1);
	assert_int_equal(X509_check_issued(issuer->certificate, read), X509_V_OK);
	assert_int_equal(X509_check_ca(read), 0);
	assert_int_equal(X509_get_key_usage(read), KU_DIGITAL_SIGNATURE);
	assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(read), NID_commonName, name,
					      sizeof(name)) > 0);
	assert_string_equal(name, AUDIENCE);
	assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(read)), 1);
	assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(read)), 16);
	assert_int_equal(X509_get_ext_count(read), 5);
	names = X509_get_ext_d2i(read, NID_subject_alt_name, NULL, NULL);
	assert_int_equal(sk_GENERAL_NAME_num(names), 1);
	uri = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, 0), NULL);
	assert_string_equal((const char *)ASN1_STRING_get0_data(uri), STATUS "#1048575");
	GENERAL_NAMES_free(names);
	X509_free(read);
}

static void test_serials_differ(void **state)
{
	struct simtie_credential credential = good();
	uint8_t first[SIMTIE_CREDENTIAL_MAX], second[SIMTIE_CREDENTIAL_MAX];
	size_t serial_at = 4 + 4 + 5 + 2; /* two SEQUENCEs, the version, the INTEGER's head */

	(void)state;
	issue(&credential, first);
	for (int i = 0; i < 100; i++) {
		issue(&credential, second);
		assert_int_equal(second[serial_at - 2], 2);
		assert_int_equal(second[serial_at - 1], 16);
		assert_int_equal(second[serial_at] & 0xC0, 0x40);
		assert_memory_not_equal(first + serial_at, second + serial_at, 8);
		assert_memory_not_equal(first + serial_at + 8, second + serial_at + 8, 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_back),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_out_of_bounds),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_for_whom),
		cmocka_unit_test(test_other_certificates),
		cmocka_unit_test(test_as_x509),
		cmocka_unit_test(test_serials_differ),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("service credential", tests, keys_make, keys_free);
}
