#include "pin_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

const uint8_t pin_place_secret[PINMAIL_SECRET_SIZE] = {1, 2, 3};

/* ---- Recipients ---- */

static void add_usage(X509 *certificate, const char *usage)
{
	X509_EXTENSION *extension =
		usage ? X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, usage) : NULL;

	if (extension)
		assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* Writes a certificate and its key; takes the key over. */
void pin_place_recipient(const struct pin_place *place, EVP_PKEY *key, const char *usage, long from,
			 long until)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	FILE *file;

	assert_non_null(key);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
	X509_gmtime_adj(X509_getm_notBefore(certificate), from);
	X509_gmtime_adj(X509_getm_notAfter(certificate), until);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"Printer", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	X509_set_pubkey(certificate, key);
	add_usage(certificate, usage);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	file = fopen(place->certificate, "w");
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	file = fopen(place->key, "w");
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

int pin_place_set_up(void **state)
{
	static struct pin_place place;

	snprintf(place.folder, sizeof(place.folder), "/tmp/simtie-pins-XXXXXX");
	if (!mkdtemp(place.folder))
		return -1;
	snprintf(place.path, sizeof(place.path), "%s/pins", place.folder);
	snprintf(place.journal, sizeof(place.journal), "%s/pins.journal", place.folder);
	snprintf(place.certificate, sizeof(place.certificate), "%s/printer.crt", place.folder);
	snprintf(place.key, sizeof(place.key), "%s/printer.key", place.folder);
	pin_place_recipient(&place, EVP_EC_gen("P-256"), NULL, -PIN_PLACE_DAY, PIN_PLACE_DAY);
	*state = &place;
	return 0;
}

int pin_place_tear_down(void **state)
{
	const struct pin_place *place = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", place->folder);
	return system(command);
}

/* ---- Lists ---- */

struct pinmail_settings pin_place_settings(const struct pin_place *place, bool plain)
{
	return (struct pinmail_settings){.path = place->path,
					 .certificate = plain ? NULL : place->certificate,
					 .secret = plain ? NULL : pin_place_secret,
					 .plain = plain};
}

int pin_place_error(const struct pin_place *place, bool plain)
{
	const struct pinmail_settings settings = pin_place_settings(place, plain);
	struct pinmail *list;
	int error = pinmail_open(&settings, &list);
	int cause = errno;

	if (error)
		assert_null(list);
	pinmail_close(&list);
	errno = cause;
	return error;
}

struct pinmail *pin_place_open(const struct pin_place *place, bool plain)
{
	const struct pinmail_settings settings = pin_place_settings(place, plain);
	struct pinmail *list;

	assert_int_equal(pinmail_open(&settings, &list), PINMAIL_OK);
	return list;
}

/* SIM number `i` and its secrets. */
struct pinmail_row pin_place_row(unsigned i)
{
	struct pinmail_row row = {.iccid = ""};

	snprintf(row.iccid, sizeof(row.iccid), "8949000%012u", i % 1000000);
	snprintf(row.pin, sizeof(row.pin), "%08u", 73000000 + i % 1000000);
	snprintf(row.puk, sizeof(row.puk), "%08u", 61000000 + i % 1000000);
	return row;
}

void pin_place_append(struct pinmail *list, unsigned i)
{
	const struct pinmail_row row = pin_place_row(i);

	assert_int_equal(pinmail_append(list, &row), PINMAIL_OK);
}

size_t pin_place_finish(struct pinmail *list, bool complete)
{
	size_t count = 0;

	assert_int_equal(pinmail_finish(list, complete, &count), PINMAIL_OK);
	return count;
}

size_t pin_place_read(const char *path, char *text)
{
	FILE *file = fopen(path, "r");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, PIN_PLACE_TEXT - 1, file);
	text[len] = '\0';
	fclose(file);
	return len;
}

void pin_place_write(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* What the openssl command makes of a file. False: it cannot open it. */
bool pin_place_decrypt(const struct pin_place *place, const char *path, char *text)
{
	char command[512], out[128];

	snprintf(out, sizeof(out), "%s/out", place->folder);
	snprintf(command, sizeof(command),
		 "openssl cms -decrypt -inform PEM -in %s -inkey %s -recip %s -out %s "
		 "2>%s/errors",
		 path, place->key, place->certificate, out, place->folder);
	if (system(command) != 0)
		return false;
	pin_place_read(out, text);
	unlink(out);
	return true;
}

void pin_place_expect(const struct pin_place *place, unsigned count)
{
	static char text[PIN_PLACE_TEXT], expected[PIN_PLACE_TEXT];
	size_t used = (size_t)sprintf(expected, "iccid,pin,puk\n");

	for (unsigned i = 0; i < count; i++) {
		struct pinmail_row row = pin_place_row(i);

		used += (size_t)sprintf(expected + used, "%s,%s,%s\n", row.iccid, row.pin, row.puk);
	}
	assert_true(pin_place_decrypt(place, place->path, text));
	assert_string_equal(text, expected);
}

bool pin_place_there(const char *path)
{
	return access(path, F_OK) == 0;
}

unsigned pin_place_mode(const char *path)
{
	struct stat state;

	assert_int_equal(stat(path, &state), 0);
	return state.st_mode & 07777;
}
