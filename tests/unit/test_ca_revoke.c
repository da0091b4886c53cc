/* Revocation, in the index and on the list, and what holds the two together. */
#include "ca_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static size_t revoke_iccid(struct ca *ca, const char *iccid, enum ca_reason reason)
{
	const struct ca_selector selector = {.iccid = iccid};
	size_t count = 99;

	assert_int_equal(ca_revoke(ca, &selector, reason, &count), CA_OK);
	return count;
}

static size_t revoke_serial(struct ca *ca, const struct ca_issued *issued)
{
	const struct ca_selector selector = {.serial = issued->entry.serial};
	size_t count = 99;

	assert_int_equal(ca_revoke(ca, &selector, CA_UNSPECIFIED, &count), CA_OK);
	return count;
}

/* What index and list say of a certificate, which must be the same. */
static bool revoked(const struct ca_place *place, const struct ca_issued *issued)
{
	struct ca_contents contents = ca_place_contents(place);
	const struct ca_entry *entry = ca_contents_find(&contents, issued->entry.fingerprint);
	bool found;

	assert_non_null(entry);
	found = entry->revoked;
	assert_int_equal(found, ca_place_on_crl(place, issued->entry.serial));
	assert_int_equal(contents.crl_number, ca_place_crl_number(place));
	assert_false(contents.crl_behind);
	ca_contents_free(&contents);
	return found;
}

static void test_by_serial_number(void **state)
{
	struct ca *ca = ca_place_open(*state);
	struct ca_issued first = ca_place_issue(ca, CA_PLACE_ICCID);
	struct ca_issued second = ca_place_issue(ca, CA_PLACE_ICCID);

	assert_false(revoked(*state, &first));
	assert_int_equal(revoke_serial(ca, &first), 1);
	assert_true(revoked(*state, &first));
	assert_false(revoked(*state, &second));
	assert_int_equal(ca_place_crl_number(*state), 2);
	ca_close(&ca);
}

static void test_by_iccid(void **state)
{
	struct ca *ca = ca_place_open(*state);
	struct ca_issued issued[9], other = ca_place_issue(ca, CA_PLACE_OTHER);

	for (size_t i = 0; i < 9; i++)
		issued[i] = ca_place_issue(ca, CA_PLACE_ICCID);
	assert_int_equal(revoke_serial(ca, &issued[4]), 1);
	assert_int_equal(revoke_iccid(ca, CA_PLACE_ICCID, CA_SUPERSEDED), 8);
	for (size_t i = 0; i < 9; i++)
		assert_true(revoked(*state, &issued[i]));
	assert_false(revoked(*state, &other));
	ca_close(&ca);
}

static void test_again_changes_nothing(void **state)
{
	struct ca *ca = ca_place_open(*state);
	struct ca_issued issued = ca_place_issue(ca, CA_PLACE_ICCID);
	char before[CA_PLACE_FILE_MAX], after[CA_PLACE_FILE_MAX];
	size_t len;

	assert_int_equal(revoke_iccid(ca, CA_PLACE_ICCID, CA_KEY_COMPROMISE), 1);
	len = ca_place_read(*state, "crl.pem", before);
	assert_int_equal(revoke_iccid(ca, CA_PLACE_ICCID, CA_SUPERSEDED), 0);
	assert_int_equal(revoke_serial(ca, &issued), 0);
	assert_int_equal(ca_place_read(*state, "crl.pem", after), len);
	assert_memory_equal(before, after, len);
	ca_close(&ca);
}

static void test_what_was_never_issued(void **state)
{
	static const uint8_t serial[CA_SERIAL_SIZE] = {1};
	const struct ca_selector wrong[] = {{.serial = serial}, {.iccid = CA_PLACE_OTHER}};
	const struct ca_selector none = {NULL, NULL}, both = {serial, CA_PLACE_ICCID};
	struct ca *ca = ca_place_open(*state);
	size_t count;

	ca_place_issue(ca, CA_PLACE_ICCID);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(ca_revoke(ca, &wrong[i], CA_UNSPECIFIED, &count),
				 CA_ERR_NOT_ISSUED);
	assert_int_equal(ca_revoke(ca, &none, CA_UNSPECIFIED, &count), CA_ERR_ARGUMENT);
	assert_int_equal(ca_revoke(ca, &both, CA_UNSPECIFIED, &count), CA_ERR_ARGUMENT);
	assert_int_equal(ca_place_crl_number(*state), 1);
	ca_close(&ca);
}

static void expect_reason(X509_CRL *crl, const struct ca_issued *issued, int reason)
{
	BIGNUM *number = BN_bin2bn(issued->entry.serial, CA_SERIAL_SIZE, NULL);
	ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(number, NULL);
	ASN1_ENUMERATED *said;
	X509_REVOKED *entry;

	assert_int_equal(X509_CRL_get0_by_serial(crl, &entry, serial), 1);
	said = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
	assert_int_equal(said != NULL, reason != 0);
	if (said)
		assert_int_equal(ASN1_ENUMERATED_get(said), reason);
	ASN1_ENUMERATED_free(said);
	ASN1_INTEGER_free(serial);
	BN_free(number);
}

static void test_reasons(void **state)
{
	static const enum ca_reason reasons[] = {CA_UNSPECIFIED, CA_KEY_COMPROMISE, CA_SUPERSEDED,
						 CA_CESSATION};
	struct ca *ca = ca_place_open(*state);
	struct ca_issued issued[4];
	struct ca_contents contents;
	X509_CRL *crl;

	for (size_t i = 0; i < 4; i++) {
		struct ca_selector selector;
		size_t count;

		issued[i] = ca_place_issue(ca, CA_PLACE_ICCID);
		selector = (struct ca_selector){.serial = issued[i].entry.serial};
		assert_int_equal(ca_revoke(ca, &selector, reasons[i], &count), CA_OK);
	}
	crl = ca_place_crl(*state);
	contents = ca_place_contents(*state);
	for (size_t i = 0; i < 4; i++) {
		expect_reason(crl, &issued[i], (int)reasons[i]);
		assert_int_equal(contents.entries[i].reason, reasons[i]);
	}
	ca_contents_free(&contents);
	X509_CRL_free(crl);
	ca_close(&ca);
}

static time_t next_update(const struct ca_place *place)
{
	X509_CRL *crl = ca_place_crl(place);
	struct tm tm;

	assert_int_equal(ASN1_TIME_to_tm(X509_CRL_get0_nextUpdate(crl), &tm), 1);
	X509_CRL_free(crl);
	return timegm(&tm);
}

static void test_a_list_signed_anew(void **state)
{
	struct ca *ca = ca_place_open(*state);
	struct ca_issued issued = ca_place_issue(ca, CA_PLACE_ICCID);
	const time_t now = time(NULL);

	revoke_serial(ca, &issued);
	assert_true(next_update(*state) >= now + CA_DAYS_CRL * CA_SECONDS_A_DAY);
	assert_int_equal(ca_renew_crl(ca, 3), CA_OK);
	assert_int_equal(ca_place_crl_number(*state), 3);
	assert_true(next_update(*state) < now + 4 * CA_SECONDS_A_DAY);
	assert_true(revoked(*state, &issued));
	assert_int_equal(ca_renew_crl(ca, CA_DAYS_MAX + 1), CA_ERR_ARGUMENT);
	ca_close(&ca);
}

/* A writer that died between index and list leaves the list of before, or none. */
static void test_a_list_behind_is_mended(void **state)
{
	struct ca_place *place = *state;
	struct ca *ca = ca_place_open(place);
	struct ca_issued issued = ca_place_issue(ca, CA_PLACE_ICCID);
	struct ca_contents contents;
	char before[CA_PLACE_FILE_MAX], path[160];
	size_t len = ca_place_read(place, "crl.pem", before);

	revoke_serial(ca, &issued);
	ca_place_write(place, "crl.pem", before, len);
	contents = ca_place_contents(place);
	assert_true(contents.crl_behind);
	assert_true(contents.entries[0].revoked);
	ca_contents_free(&contents);
	assert_int_equal(revoke_serial(ca, &issued), 0); /* by the next who revokes */
	assert_true(revoked(place, &issued));

	ca_place_write(place, "crl.pem", before, len);
	ca_close(&ca);
	ca = ca_place_open(place); /* or who opens */
	ca_close(&ca);
	assert_true(revoked(place, &issued));
	assert_int_equal(ca_place_crl_number(place), 4);

	snprintf(path, sizeof(path), "%s/crl.pem", place->path);
	assert_int_equal(unlink(path), 0);
	ca = ca_place_open(place);
	ca_close(&ca);
	assert_true(revoked(place, &issued));
}

/* The first of two processes must not sign a list from what it knew before the second revoked. */
static void test_two_who_revoke(void **state)
{
	struct ca *one = ca_place_open(*state), *two = ca_place_open(*state);
	struct ca_issued first = ca_place_issue(one, CA_PLACE_ICCID);
	struct ca_issued second = ca_place_issue(two, CA_PLACE_OTHER);

	assert_int_equal(revoke_serial(two, &first), 1);
	assert_int_equal(revoke_serial(one, &second), 1);
	assert_int_equal(revoke_serial(one, &first), 0);
	assert_true(revoked(*state, &first));
	assert_true(revoked(*state, &second));
	assert_int_equal(ca_place_crl_number(*state), 3);
	ca_close(&one);
	ca_close(&two);
}

#define RENEWALS 15

static void *renew(void *argument)
{
	for (unsigned i = 0; i < RENEWALS; i++) {
		if (ca_renew_crl(argument, 0) != CA_OK)
			return argument;
	}
	return NULL;
}

/* Two objects, as two processes have: no number is given twice, none is left out. */
static void test_two_who_sign_lists(void **state)
{
	struct ca *ca[] = {ca_place_open(*state), ca_place_open(*state)};
	pthread_t threads[2];

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, renew, ca[i]), 0);
	for (size_t i = 0; i < 2; i++) {
		void *failed = threads;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
		ca_close(&ca[i]);
	}
	assert_int_equal(ca_place_crl_number(*state), 1 + 2 * RENEWALS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ca_place_set_up, ca_place_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_by_serial_number),
		TEST(test_by_iccid),
		TEST(test_again_changes_nothing),
		TEST(test_what_was_never_issued),
		TEST(test_reasons),
		TEST(test_a_list_signed_anew),
		TEST(test_a_list_behind_is_mended),
		TEST(test_two_who_revoke),
		TEST(test_two_who_sign_lists),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ca revoke", tests, ca_place_begin, ca_place_end);
}
