/* What the authority certifies and what it refuses to; what a certificate is read as. */
#include "ca_place.h"

#include "ca_certificate.h"
#include "ca_key.h"
#include "token_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DAY (time_t) CA_SECONDS_A_DAY

static X509 *parse(const struct ca_issued *issued)
{
	const uint8_t *at = issued->certificate;
	X509 *certificate = d2i_X509(NULL, &at, (long)issued->len);

	assert_non_null(certificate);
	assert_ptr_equal(at, issued->certificate + issued->len);
	return certificate;
}

static bool critical(const X509 *certificate, int nid)
{
	int place = X509_get_ext_by_NID(certificate, nid, -1);

	assert_true(place >= 0);
	assert_int_equal(X509_get_ext_by_NID(certificate, nid, place), -1);
	return X509_EXTENSION_get_critical(X509_get_ext(certificate, place)) == 1;
}

static void test_profile(void **state)
{
	struct ca *ca = ca_place_open(*state);
	struct ca_issued issued = ca_place_issue(ca, CA_PLACE_ICCID);
	X509 *card = parse(&issued), *root = ca_place_root(*state);
	const ASN1_BIT_STRING *point = X509_get0_pubkey_bitstr(card);
	char text[CA_ICCID_SIZE];

	assert_int_equal(X509_get_version(card), X509_VERSION_3);
	assert_int_equal(X509_verify(card, X509_get0_pubkey(root)), 1);
	assert_int_equal(X509_check_issued(root, card), X509_V_OK);
	assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(card)), 1);
	assert_int_equal(X509_NAME_get_text_by_NID(X509_get_subject_name(card), NID_serialNumber,
						   text, sizeof(text)),
			 19);
	assert_string_equal(text, CA_PLACE_ICCID);
	assert_int_equal(ASN1_STRING_length(point), LIMIT_POINT_SIZE);
	assert_memory_equal(ASN1_STRING_get0_data(point), token_fixture_card()->device_public,
			    LIMIT_POINT_SIZE);
	assert_true(critical(card, NID_basic_constraints));
	assert_true(critical(card, NID_key_usage));
	assert_false(critical(card, NID_subject_key_identifier));
	assert_false(critical(card, NID_authority_key_identifier));
	assert_int_equal(X509_check_ca(card), 0);
	assert_false(X509_get_extension_flags(card) & EXFLAG_CA);
	assert_int_equal(X509_get_key_usage(card), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_ext_count(card), 4);
	assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(card),
					       X509_get0_subject_key_id(root)),
			 0);
	assert_true(issued.len <= 512);
	X509_free(root);
	X509_free(card);
	ca_close(&ca);
}

static void test_serial_numbers(void **state)
{
	struct ca *ca = ca_place_open(*state);

	for (unsigned i = 0; i < 50; i++) {
		struct ca_issued issued = ca_place_issue(ca, CA_PLACE_ICCID);
		X509 *card = parse(&issued);
		const ASN1_INTEGER *serial = X509_get0_serialNumber(card);

		assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER); /* not negative */
		assert_int_equal(ASN1_STRING_length(serial), CA_SERIAL_SIZE);
		assert_memory_equal(ASN1_STRING_get0_data(serial), issued.entry.serial,
				    CA_SERIAL_SIZE);
		assert_int_not_equal(issued.entry.serial[0], 0);
		X509_free(card);
	}
	ca_close(&ca);
}

static void test_validity(void **state)
{
	struct ca *ca = ca_place_open(*state);
	struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	struct ca_issued issued;
	time_t now = time(NULL), from, until;
	X509 *card;

	request.days = 1;
	assert_int_equal(ca_issue(ca, &request, &issued), CA_OK);
	card = parse(&issued);
	assert_true(ca_certificate_validity(card, &from, &until));
	assert_true(from == issued.entry.not_before && until == issued.entry.not_after);
	assert_true(until >= now + DAY && until < now + DAY + 600);
	assert_true(from < now && from >= now - CA_BACKDATE);
	X509_free(card);
	request.days = CA_DAYS_ROOT + 1;
	assert_int_equal(ca_issue(ca, &request, &issued), CA_ERR_OUTLIVES);
	request.days = CA_DAYS_MAX + 1;
	assert_int_equal(ca_issue(ca, &request, &issued), CA_ERR_ARGUMENT);
	ca_close(&ca);
}

/* Signs the root anew with other names or times; the key stays. */
static void replace_root(const struct ca_place *place, const struct ca_settings *settings,
			 time_t from, time_t until)
{
	char text[CA_PLACE_FILE_MAX], *pem;
	size_t len = ca_place_read(place, "ca.key", text);
	BIO *in = BIO_new_mem_buf(text, (int)len), *out = BIO_new(BIO_s_mem());
	EVP_PKEY *key;
	X509 *root;

	assert_int_equal(ca_key_open(in, ca_place_passphrase(), &key), CA_OK);
	root = ca_certificate_root(key, settings, from, until);
	assert_non_null(root);
	assert_int_equal(PEM_write_bio_X509(out, root), 1);
	len = (size_t)BIO_get_mem_data(out, &pem);
	ca_place_write(place, "ca.crt", pem, len);
	X509_free(root);
	EVP_PKEY_free(key);
	BIO_free(in);
	BIO_free(out);
}

/* UTCTime ends with 2049 (RFC 5280 §4.1.2.5). */
static void test_times_from_2050_on(void **state)
{
	const struct ca_settings settings = {.name = "Test CA"};
	struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	time_t now = time(NULL), until;
	struct ca_issued issued;
	struct ca *ca;
	X509 *card;

	replace_root(*state, &settings, now - 60, now + CA_DAYS_MAX * DAY);
	ca = ca_place_open(*state);
	request.days = CA_DAYS_MAX - 1;
	assert_int_equal(ca_issue(ca, &request, &issued), CA_OK);
	card = parse(&issued);
	assert_int_equal(ASN1_STRING_type(X509_get0_notBefore(card)), V_ASN1_UTCTIME);
	assert_int_equal(ASN1_STRING_type(X509_get0_notAfter(card)), V_ASN1_GENERALIZEDTIME);
	assert_true(ca_certificate_time(X509_get0_notAfter(card), &until));
	assert_true(until == issued.entry.not_after);
	/* Not before the root, although the root is younger than what lies back. */
	assert_true(issued.entry.not_before >= now - 60);
	X509_free(card);
	ca_close(&ca);
}

static void test_within_the_roots_time(void **state)
{
	const struct ca_settings settings = {.name = "Test CA"};
	struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	time_t now = time(NULL);
	struct ca_issued issued;
	struct ca *ca;

	replace_root(*state, &settings, now - DAY, now + 2 * DAY);
	ca = ca_place_open(*state);
	issued = ca_place_issue(ca, CA_PLACE_ICCID);
	assert_true(issued.entry.not_after == now + 2 * DAY);
	ca_close(&ca);
	replace_root(*state, &settings, now - 2 * DAY, now - DAY);
	ca = ca_place_open(*state);
	assert_int_equal(ca_issue(ca, &request, &issued), CA_ERR_TIME);
	ca_close(&ca);
	replace_root(*state, &settings, now + DAY, now + 2 * DAY);
	ca = ca_place_open(*state);
	assert_int_equal(ca_issue(ca, &request, &issued), CA_ERR_TIME);
	ca_close(&ca);
}

static void expect_point(struct ca *ca, const uint8_t point[static LIMIT_POINT_SIZE], int error)
{
	struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	struct ca_issued issued;

	request.device_public = point;
	assert_int_equal(ca_issue(ca, &request, &issued), error);
	if (error)
		assert_int_equal(issued.len, 0);
}

static void test_points(void **state)
{
	struct ca *ca = ca_place_open(*state);
	struct ca_contents contents;
	uint8_t point[LIMIT_POINT_SIZE], zero[LIMIT_POINT_SIZE] = {0};

	memcpy(point, token_fixture_card()->device_public, sizeof(point));
	expect_point(ca, point, CA_OK);
	for (size_t i = 1; i < sizeof(point); i += 9) {
		point[i] ^= 0x10;
		expect_point(ca, point, CA_ERR_POINT);
		point[i] ^= 0x10;
	}
	for (unsigned form = 0; form < 256; form++) {
		point[0] = (uint8_t)form;
		if (form != 4)
			expect_point(ca, point, CA_ERR_POINT);
	}
	expect_point(ca, zero, CA_ERR_POINT);
	zero[0] = 4;
	expect_point(ca, zero, CA_ERR_POINT);
	ca_close(&ca);
	contents = ca_place_contents(*state);
	assert_int_equal(contents.count, 1);
	ca_contents_free(&contents);
}

static void test_requests_that_are_refused(void **state)
{
	static const char *const iccids[] = {"",
					     "89490000000000000",
					     "894900000000000001234",
					     "894900000000000001A",
					     "8949 00000000000001",
					     "-949000000000000017",
					     "8949000000000000017\n"};
	static const char *const urls[] = {
		"",           "ftp://crl.example/x",     "http://a b",
		"http://a\n", "http://\xC3\xA4.example", "javascript:alert(1)"};
	struct ca *ca = ca_place_open(*state);
	struct ca_request request;
	struct ca_issued issued;
	char url[CA_URL_MAX + 2] = "https://crl.example/";

	for (size_t i = 0; i < sizeof(iccids) / sizeof(iccids[0]); i++) {
		request = ca_place_request(iccids[i]);
		assert_int_equal(ca_issue(ca, &request, &issued), CA_ERR_ARGUMENT);
	}
	request = ca_place_request(CA_PLACE_ICCID);
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		request.crl_url = urls[i];
		assert_int_equal(ca_issue(ca, &request, &issued), CA_ERR_ARGUMENT);
	}
	memset(url + strlen(url), 'x', sizeof(url) - 1 - strlen(url));
	request.crl_url = url;
	assert_int_equal(ca_issue(ca, &request, &issued), CA_ERR_ARGUMENT);
	url[CA_URL_MAX] = '\0';
	assert_int_equal(ca_issue(ca, &request, &issued), CA_OK);
	ca_close(&ca);
}

static void test_crl_address(void **state)
{
	struct ca *ca = ca_place_open(*state);
	struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	struct ca_issued issued;
	CRL_DIST_POINTS *points;
	const GENERAL_NAME *name;
	X509 *card;

	request.crl_url = "http://crl.example/a,b?c=d";
	assert_int_equal(ca_issue(ca, &request, &issued), CA_OK);
	card = parse(&issued);
	points = X509_get_ext_d2i(card, NID_crl_distribution_points, NULL, NULL);
	assert_non_null(points);
	assert_int_equal(sk_DIST_POINT_num(points), 1);
	name = sk_GENERAL_NAME_value(sk_DIST_POINT_value(points, 0)->distpoint->name.fullname, 0);
	assert_int_equal(name->type, GEN_URI);
	assert_string_equal((const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
			    request.crl_url);
	CRL_DIST_POINTS_free(points);
	X509_free(card);
	ca_close(&ca);
}

/* Names of 64 characters of four bytes each: the longest that there may be. */
static void test_too_large_for_the_card(void **state)
{
	char name[4 * CA_NAME_MAX + 1] = "", url[CA_URL_MAX + 1] = "https://crl.example/";
	struct ca_settings settings = {.name = name, .organisation = name};
	struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	struct ca_contents contents;
	struct ca_issued issued;
	struct ca *ca;

	for (size_t i = 0; i < CA_NAME_MAX; i++)
		strcat(name, "\xF0\x9F\x93\xB6");
	memset(url + strlen(url), 'x', sizeof(url) - 1 - strlen(url));
	replace_root(*state, &settings, time(NULL) - DAY, time(NULL) + DAY);
	ca = ca_place_open(*state);
	assert_int_equal(ca_issue(ca, &request, &issued), CA_OK);
	assert_true(issued.len > 800);
	request.crl_url = url;
	assert_int_equal(ca_issue(ca, &request, &issued), CA_ERR_TOO_LARGE);
	ca_close(&ca);
	contents = ca_place_contents(*state);
	assert_int_equal(contents.count, 1);
	ca_contents_free(&contents);
}

/* ---- Reading ---- */

static void test_facts(void **state)
{
	struct ca *ca = ca_place_open(*state);
	struct ca_issued issued = ca_place_issue(ca, CA_PLACE_OTHER);
	struct ca_facts facts;
	char text[CA_PLACE_FILE_MAX];
	size_t len;

	assert_int_equal(ca_facts_read(bytes_of(issued.certificate, issued.len), &facts), CA_OK);
	assert_string_equal(facts.subject, "serialNumber=" CA_PLACE_OTHER);
	assert_string_equal(facts.issuer, "CN=Test CA,O=Example Mobil");
	assert_string_equal(facts.iccid, CA_PLACE_OTHER);
	assert_int_equal(facts.serial_len, CA_SERIAL_SIZE);
	assert_memory_equal(facts.serial, issued.entry.serial, CA_SERIAL_SIZE);
	assert_memory_equal(facts.fingerprint, issued.entry.fingerprint, CA_FINGERPRINT_SIZE);
	assert_true(facts.not_before == issued.entry.not_before);
	assert_true(facts.not_after == issued.entry.not_after);
	assert_false(facts.authority);
	len = ca_place_read(*state, "ca.crt", text);
	assert_int_equal(ca_facts_read(bytes_of((uint8_t *)text, len), &facts), CA_OK);
	assert_true(facts.authority);
	assert_string_equal(facts.iccid, "");
	ca_close(&ca);
}

static void test_what_is_no_certificate(void **state)
{
	struct ca *ca = ca_place_open(*state);
	struct ca_issued issued = ca_place_issue(ca, CA_PLACE_ICCID);
	struct ca_facts facts;

	for (size_t len = 0; len < issued.len; len++) {
		uint8_t *cut = malloc(len + 1); /* of the exact size, for the sanitizer */

		memcpy(cut, issued.certificate, len);
		assert_int_equal(ca_facts_read(bytes_of(cut, len), &facts), CA_ERR_FORMAT);
		free(cut);
	}
	issued.certificate[issued.len] = 0;
	assert_int_equal(ca_facts_read(bytes_of(issued.certificate, issued.len + 1), &facts),
			 CA_ERR_FORMAT);
	ca_close(&ca);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ca_place_set_up, ca_place_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_profile),
		TEST(test_serial_numbers),
		TEST(test_validity),
		TEST(test_times_from_2050_on),
		TEST(test_within_the_roots_time),
		TEST(test_points),
		TEST(test_requests_that_are_refused),
		TEST(test_crl_address),
		TEST(test_too_large_for_the_card),
		TEST(test_facts),
		TEST(test_what_is_no_certificate),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ca issue", tests, ca_place_begin, ca_place_end);
}
