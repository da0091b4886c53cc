/* The list of PINs: what its recipient reads, and that no PIN lies about in clear. */
#include "pin_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define DAY PIN_PLACE_DAY

static void test_the_recipient_reads_it(void **state)
{
	struct pin_place *place = *state;
	mode_t mask = umask(0);
	struct pinmail *list = pin_place_open(place, false);

	for (unsigned i = 0; i < 3; i++)
		pin_place_append(list, i);
	assert_int_equal(pin_place_mode(place->journal), 0600);
	assert_false(pin_place_there(place->path));
	assert_int_equal(pin_place_finish(list, true), 3);
	umask(mask);
	assert_int_equal(pin_place_mode(place->path), 0600);
	assert_false(pin_place_there(place->journal));
	pinmail_close(&list);
	pin_place_expect(place, 3);
}

static void test_recipients_of_all_kinds(void **state)
{
	struct pin_place *place = *state;
	const struct {
		EVP_PKEY *key;
		const char *usage;
	} rows[] = {
		{EVP_RSA_gen(2048), NULL},
		{EVP_RSA_gen(3072), "critical,keyEncipherment"},
		{EVP_EC_gen("P-256"), "critical,digitalSignature,keyAgreement"},
		{EVP_EC_gen("P-384"), NULL},
		{EVP_EC_gen("P-521"), NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pinmail *list;

		pin_place_recipient(place, rows[i].key, rows[i].usage, -DAY, DAY);
		list = pin_place_open(place, false);
		pin_place_append(list, 0);
		pinmail_close(&list);
		list = pin_place_open(place, false);
		pin_place_append(list, 1);
		pin_place_finish(list, true);
		pinmail_close(&list);
		pin_place_expect(place, 2);
		unlink(place->path);
	}
}

static void test_recipients_that_are_refused(void **state)
{
	struct pin_place *place = *state;
	const struct {
		EVP_PKEY *key;
		const char *usage;
		long from, until;
		int error;
	} rows[] = {
		{EVP_RSA_gen(1024), NULL, -DAY, DAY, PINMAIL_ERR_KEY},
		{EVP_RSA_gen(2048), "digitalSignature", -DAY, DAY, PINMAIL_ERR_KEY},
		{EVP_EC_gen("P-256"), "digitalSignature", -DAY, DAY, PINMAIL_ERR_KEY},
		{EVP_EC_gen("P-256"), "keyEncipherment", -DAY, DAY, PINMAIL_ERR_KEY},
		{EVP_EC_gen("secp224r1"), NULL, -DAY, DAY, PINMAIL_ERR_KEY},
		{EVP_EC_gen("P-256"), NULL, -DAY, -60, PINMAIL_ERR_EXPIRED},
		{EVP_EC_gen("P-256"), NULL, DAY, 2 * DAY, PINMAIL_ERR_EXPIRED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pin_place_recipient(place, rows[i].key, rows[i].usage, rows[i].from, rows[i].until);
		assert_int_equal(pin_place_error(place, false), rows[i].error);
	}
	pin_place_write(place->certificate, "no certificate\n", 15);
	assert_int_equal(pin_place_error(place, false), PINMAIL_ERR_CERTIFICATE);
	unlink(place->certificate);
	assert_int_equal(pin_place_error(place, false), PINMAIL_ERR_FILE);
	assert_int_equal(errno, ENOENT);
	assert_false(pin_place_there(place->journal));
}

/* Neither file holds a digit of a PIN in clear, nor the pin_place_secret, at any time. */
static void expect_closed(const char *path)
{
	static char text[PIN_PLACE_TEXT];
	size_t len = pin_place_read(path, text);

	for (unsigned i = 0; i < 20; i++) {
		struct pinmail_row row = pin_place_row(i);

		assert_null(memmem(text, len, row.pin, strlen(row.pin)));
		assert_null(memmem(text, len, row.puk, strlen(row.puk)));
		assert_null(memmem(text, len, row.iccid, strlen(row.iccid)));
	}
	assert_null(memmem(text, len, pin_place_secret, sizeof(pin_place_secret)));
}

static void test_nothing_in_clear(void **state)
{
	struct pin_place *place = *state;
	struct pinmail *list = pin_place_open(place, false);
	struct pin_place other = *place;
	static char text[PIN_PLACE_TEXT];

	for (unsigned i = 0; i < 20; i++) {
		pin_place_append(list, i);
		expect_closed(place->journal);
	}
	pin_place_finish(list, false);
	pinmail_close(&list);
	expect_closed(place->path);
	/* And to another recipient neither opens. */
	snprintf(other.certificate, sizeof(other.certificate), "%s/other.crt", place->folder);
	snprintf(other.key, sizeof(other.key), "%s/other.key", place->folder);
	pin_place_recipient(&other, EVP_EC_gen("P-256"), NULL, -DAY, DAY);
	assert_false(pin_place_decrypt(&other, place->path, text));
	assert_false(pin_place_decrypt(&other, place->journal, text));
}

/* The secret opens the journal, and not the list. */
static void test_the_list_is_for_the_recipient_alone(void **state)
{
	struct pin_place *place = *state;
	struct pinmail *list = pin_place_open(place, false);
	static char text[PIN_PLACE_TEXT];

	pin_place_append(list, 0);
	pin_place_finish(list, false);
	pinmail_close(&list);
	pin_place_read(place->path, text);
	pin_place_write(place->journal, text, strlen(text));
	assert_int_equal(pin_place_error(place, false), PINMAIL_ERR_DAMAGED); /* no first line */
	/* As a row behind the right first line. */
	unlink(place->path);
	unlink(place->journal);
	list = pin_place_open(place, false);
	pinmail_close(&list);
	{
		FILE *file = fopen(place->journal, "a");

		fputs(text, file);
		fclose(file);
	}
	assert_int_equal(pin_place_error(place, false), PINMAIL_ERR_SECRET);
}

/* The list never came to its end: the recipient opens row by row what the journal has. */
static void test_the_recipient_reads_the_journal(void **state)
{
	struct pin_place *place = *state;
	struct pinmail *list = pin_place_open(place, false);
	static char text[PIN_PLACE_TEXT], line[PIN_PLACE_TEXT];
	char block[128], expected[64], *at = text;

	for (unsigned i = 0; i < 3; i++)
		pin_place_append(list, i);
	pinmail_close(&list);
	pin_place_read(place->journal, text);
	snprintf(block, sizeof(block), "%s/block", place->folder);
	for (unsigned i = 0; i < 3; i++) {
		struct pinmail_row row = pin_place_row(i);
		char *end = strstr(at, "-----END CMS-----\n");

		assert_non_null(end);
		end += strlen("-----END CMS-----\n");
		pin_place_write(block, at, (size_t)(end - at));
		assert_true(pin_place_decrypt(place, block, line));
		snprintf(expected, sizeof(expected), "%s,%s,%s\n", row.iccid, row.pin, row.puk);
		assert_string_equal(line, expected);
		at = end;
	}
}

static void test_the_last_row_counts(void **state)
{
	struct pin_place *place = *state;
	struct pinmail *list = pin_place_open(place, false);
	struct pinmail_row row = pin_place_row(0), found;

	strcpy(row.pin, "1111");
	assert_int_equal(pinmail_append(list, &row), PINMAIL_OK);
	assert_int_equal(pinmail_find(list, row.iccid, &found), PINMAIL_OK);
	assert_string_equal(found.pin, "1111");
	for (unsigned i = 0; i < 3; i++)
		pin_place_append(list, i);
	assert_int_equal(pinmail_find(list, row.iccid, &found), PINMAIL_OK);
	row = pin_place_row(0);
	assert_memory_equal(&found, &row, sizeof(row));
	assert_int_equal(pinmail_find(list, "894900000000000099", &found), PINMAIL_ERR_NO_ROW);
	assert_string_equal(found.pin, "");
	assert_int_equal(pin_place_finish(list, true), 3);
	pinmail_close(&list);
	pin_place_expect(place, 3);
}

static void test_rows_that_are_none(void **state)
{
	static const struct pinmail_row rows[] = {
		{"89490000000000000", "1234", "12345678"},
		{"8949000000000000017", "123", "12345678"},
		{"8949000000000000017", "1234", "1234567"},
		{"8949000000000000017", "12a4", "12345678"},
		{"8949000000000000017", "1,34", "12345678"},
		{"8949000000000000017", "1234", "1234567\n"},
		{"894900000000000001\"", "1234", "12345678"},
		{"", "", ""},
	};
	struct pinmail *list = pin_place_open(*state, false);
	struct pinmail_row unterminated = pin_place_row(0);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(pinmail_append(list, &rows[i]), PINMAIL_ERR_ARGUMENT);
	memset(unterminated.pin, '1', sizeof(unterminated.pin));
	assert_int_equal(pinmail_append(list, &unterminated), PINMAIL_ERR_ARGUMENT);
	assert_int_equal(pin_place_finish(list, true), 0);
	pinmail_close(&list);
	pin_place_expect(*state, 0);
}

static void test_plain_when_asked_for(void **state)
{
	struct pin_place *place = *state;
	mode_t mask = umask(0);
	struct pinmail *list = pin_place_open(place, true);
	static char text[PIN_PLACE_TEXT];

	pin_place_append(list, 0);
	pinmail_close(&list);
	list = pin_place_open(place, true);
	pin_place_append(list, 1);
	pin_place_append(list, 0);
	assert_int_equal(pin_place_mode(place->journal), 0600);
	assert_int_equal(pin_place_finish(list, true), 2);
	umask(mask);
	pinmail_close(&list);
	assert_int_equal(pin_place_mode(place->path), 0600);
	pin_place_read(place->path, text);
	assert_string_equal(text, "iccid,pin,puk\n"
				  "8949000000000000001,73000001,61000001\n"
				  "8949000000000000000,73000000,61000000\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pin_place_set_up, pin_place_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_the_recipient_reads_it),
		TEST(test_recipients_of_all_kinds),
		TEST(test_recipients_that_are_refused),
		TEST(test_nothing_in_clear),
		TEST(test_the_list_is_for_the_recipient_alone),
		TEST(test_the_recipient_reads_the_journal),
		TEST(test_the_last_row_counts),
		TEST(test_rows_that_are_none),
		TEST(test_plain_when_asked_for),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pinmail", tests, NULL, NULL);
}
