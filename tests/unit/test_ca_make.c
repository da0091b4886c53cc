/* The authority: making it, opening it, and the certificates that it issues. */
#include "ca_place.h"

#include "ca_certificate.h"
#include "ca_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define DAY (time_t) CA_SECONDS_A_DAY

static unsigned mode_of(const struct ca_place *place, const char *name)
{
	char path[160];
	struct stat state;

	snprintf(path, sizeof(path), "%s/%s", place->path, name);
	assert_int_equal(stat(path, &state), 0);
	return state.st_mode & 07777;
}

/* ---- Making ---- */

static void test_files(void **state)
{
	char text[CA_PLACE_FILE_MAX];

	assert_int_equal(mode_of(*state, "."), 0700);
	assert_int_equal(mode_of(*state, "ca.key"), 0600);
	assert_int_equal(mode_of(*state, "index"), 0600);
	ca_place_read(*state, "ca.key", text);
	assert_int_equal(strncmp(text, "-----BEGIN ENCRYPTED PRIVATE KEY-----", 37), 0);
	assert_int_equal(ca_place_crl_number(*state), 1);
}

static void test_root(void **state)
{
	X509 *root = ca_place_root(*state);
	time_t now = time(NULL), from, until;

	assert_int_equal(X509_verify(root, X509_get0_pubkey(root)), 1);
	assert_int_equal(X509_check_ca(root), 1);
	assert_int_equal(X509_get_pathlen(root), 0);
	assert_int_equal(X509_get_key_usage(root), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_int_equal(ASN1_STRING_length(X509_get0_subject_key_id(root)), 20);
	assert_true(ca_certificate_validity(root, &from, &until));
	assert_true(from <= now - CA_BACKDATE && from > now - CA_BACKDATE - 600);
	assert_true(until - from == CA_DAYS_ROOT * DAY + CA_BACKDATE);
	X509_free(root);
}

static void test_never_over_anything(void **state)
{
	const struct ca_settings settings = {.name = "Another"};
	struct ca_place *place = *state;
	char before[CA_PLACE_FILE_MAX], after[CA_PLACE_FILE_MAX], path[160];
	size_t len = ca_place_read(place, "ca.key", before);

	assert_true(ca_create_taken(place->path));
	assert_int_equal(ca_create(place->path, &settings, ca_place_passphrase()), CA_ERR_EXISTS);
	assert_int_equal(ca_place_read(place, "ca.key", after), len);
	assert_memory_equal(before, after, len);
	assert_int_equal(ca_place_files(place), 1);
	snprintf(path, sizeof(path), "%s/ca.key", place->path);
	assert_true(ca_create_taken(path));
	assert_int_equal(ca_create(path, &settings, ca_place_passphrase()), CA_ERR_EXISTS);
	snprintf(path, sizeof(path), "%s/no/such", place->folder);
	assert_int_equal(ca_create(path, &settings, ca_place_passphrase()), CA_ERR_FILE);
	assert_int_equal(errno, ENOENT);
}

static void test_an_empty_directory_is_taken_over(void **state)
{
	const struct ca_settings settings = {.name = "Another", .days = 1};
	struct ca_place place = *(struct ca_place *)*state;
	char path[160];

	snprintf(path, sizeof(path), "%s/new/", place.folder);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_false(ca_create_taken(path));
	assert_int_equal(ca_create(path, &settings, ca_place_passphrase()), CA_OK);
	snprintf(place.path, sizeof(place.path), "%s/new", place.folder);
	assert_int_equal(mode_of(&place, "."), 0700);
	assert_int_equal(mode_of(&place, "ca.key"), 0600);
	assert_int_equal(ca_place_files(&place), 2);
}

static void test_settings_that_are_refused(void **state)
{
	static const char long_name[] = "0123456789012345678901234567890123456789012345678901234567"
					"8901234";
	static const struct ca_settings wrong[] = {
		{.name = ""},
		{.name = long_name},
		{.name = "two\nlines"},
		{.name = "\x7F"},
		{.name = "not UTF-8: \xE4"},
		{.name = "right", .organisation = ""},
		{.name = "right", .organisation = long_name},
		{.name = "right", .days = CA_DAYS_MAX + 1},
	};
	const struct ca_settings right = {.name = "right"};
	struct ca_place *place = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/new", place->folder);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(ca_create(path, &wrong[i], ca_place_passphrase()),
				 CA_ERR_ARGUMENT);
	assert_int_equal(ca_create(path, &right, bytes_of((const uint8_t *)"1234567", 7)),
			 CA_ERR_ARGUMENT);
	assert_int_equal(ca_create("", &right, ca_place_passphrase()), CA_ERR_ARGUMENT);
	assert_int_equal(ca_place_files(place), 1);
}

/* ---- Opening ---- */

static int open_with(const struct ca_place *place, const char *passphrase)
{
	struct ca *ca = (struct ca *)1;
	int error = ca_open(place->path, bytes_of((const uint8_t *)passphrase, strlen(passphrase)),
			    &ca);

	if (error)
		assert_null(ca);
	ca_close(&ca);
	assert_null(ca);
	return error;
}

static void test_passphrases(void **state)
{
	assert_int_equal(open_with(*state, CA_PLACE_PASSPHRASE), CA_OK);
	assert_int_equal(open_with(*state, CA_PLACE_PASSPHRASE " "), CA_ERR_PASSPHRASE);
	assert_int_equal(open_with(*state, "Correct horse battery staple"), CA_ERR_PASSPHRASE);
	assert_int_equal(open_with(*state, ""), CA_ERR_PASSPHRASE);
}

/* Puts another key in, sealed with the same passphrase. */
static void replace_key(const struct ca_place *place, const EVP_PKEY *key)
{
	BIO *pem = BIO_new(BIO_s_mem());
	char *text;
	long len;

	assert_true(ca_key_seal(key, ca_place_passphrase(), pem));
	len = BIO_get_mem_data(pem, &text);
	ca_place_write(place, "ca.key", text, (size_t)len);
	BIO_free(pem);
}

static void test_keys_of_others(void **state)
{
	EVP_PKEY *foreign = ca_key_make(), *curve = EVP_EC_gen("P-384");

	replace_key(*state, foreign);
	assert_int_equal(open_with(*state, CA_PLACE_PASSPHRASE), CA_ERR_DAMAGED);
	replace_key(*state, curve);
	assert_int_equal(open_with(*state, CA_PLACE_PASSPHRASE), CA_ERR_DAMAGED);
	EVP_PKEY_free(foreign);
	EVP_PKEY_free(curve);
}

static void test_files_that_are_missing(void **state)
{
	static const struct {
		const char *name;
		int error;
	} rows[] = {{"crl.pem", CA_OK},
		    {"ca.key", CA_ERR_DAMAGED},
		    {"index", CA_ERR_DAMAGED},
		    {"ca.crt", CA_ERR_NO_CA}};
	struct ca_place *place = *state;
	char path[160];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", place->path, rows[i].name);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(open_with(place, CA_PLACE_PASSPHRASE), rows[i].error);
	}
	snprintf(place->path, sizeof(place->path), "%s/nowhere", place->folder);
	assert_int_equal(open_with(place, CA_PLACE_PASSPHRASE), CA_ERR_NO_CA);
}

static void test_files_that_are_not_what_they_should_be(void **state)
{
	static const char *const names[] = {"ca.key", "index", "ca.crt"};
	struct ca_place *place = *state;
	char before[CA_PLACE_FILE_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = ca_place_read(place, names[i], before);

		ca_place_write(place, names[i], "something else\n", 15);
		assert_int_equal(open_with(place, CA_PLACE_PASSPHRASE), CA_ERR_DAMAGED);
		ca_place_write(place, names[i], "", 0);
		assert_int_equal(open_with(place, CA_PLACE_PASSPHRASE), CA_ERR_DAMAGED);
		ca_place_write(place, names[i], before, len);
	}
	assert_int_equal(open_with(place, CA_PLACE_PASSPHRASE), CA_OK);
}

/* ---- Derived secrets ---- */

static void test_derived_secrets(void **state)
{
	const struct ca_settings settings = {.name = "Another"};
	struct ca_place place = *(struct ca_place *)*state;
	struct ca *ca = ca_place_open(&place);
	uint8_t first[CA_DERIVED_SIZE], again[CA_DERIVED_SIZE], other[CA_DERIVED_SIZE];

	assert_true(ca_derive(ca, "one", first));
	assert_true(ca_derive(ca, "two", other));
	assert_memory_not_equal(first, other, sizeof(first));
	ca_close(&ca);
	ca = ca_place_open(&place);
	assert_true(ca_derive(ca, "one", again));
	assert_memory_equal(first, again, sizeof(first));
	ca_close(&ca);

	snprintf(place.path, sizeof(place.path), "%s/other", place.folder);
	assert_int_equal(ca_create(place.path, &settings, ca_place_passphrase()), CA_OK);
	ca = ca_place_open(&place);
	assert_true(ca_derive(ca, "one", other));
	assert_memory_not_equal(first, other, sizeof(first));
	ca_close(&ca);
}

/* ---- Several at once ---- */

#define WORKERS 4
#define EACH    25

static void *work(void *argument)
{
	const struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	struct ca_issued issued;

	for (unsigned i = 0; i < EACH; i++) {
		if (ca_issue(argument, &request, &issued) != CA_OK)
			return argument;
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const struct ca_entry *first = a, *second = b;

	return memcmp(first->serial, second->serial, CA_SERIAL_SIZE);
}

/* Two objects, as two processes have, with two threads on each. */
static void test_threads(void **state)
{
	struct ca *ca[] = {ca_place_open(*state), ca_place_open(*state)};
	struct ca_contents contents;
	pthread_t threads[WORKERS];

	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, ca[i % 2]), 0);
	for (size_t i = 0; i < WORKERS; i++) {
		void *failed = threads;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	ca_close(&ca[0]);
	ca_close(&ca[1]);
	contents = ca_place_contents(*state);
	assert_int_equal(contents.count, WORKERS * EACH);
	qsort(contents.entries, contents.count, sizeof(contents.entries[0]), compare);
	for (size_t i = 1; i < contents.count; i++)
		assert_int_not_equal(compare(&contents.entries[i - 1], &contents.entries[i]), 0);
	ca_contents_free(&contents);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ca_place_set_up, ca_place_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_files),
		TEST(test_root),
		TEST(test_never_over_anything),
		TEST(test_an_empty_directory_is_taken_over),
		TEST(test_settings_that_are_refused),
		TEST(test_passphrases),
		TEST(test_keys_of_others),
		TEST(test_files_that_are_missing),
		TEST(test_files_that_are_not_what_they_should_be),
		TEST(test_derived_secrets),
		TEST(test_threads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ca", tests, ca_place_begin, ca_place_end);
}
