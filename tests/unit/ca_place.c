#include "ca_place.h"

#include "token_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct ca_place model; /* what the others are copies of */

/* Of the fixture's card; taken once, since the fixture writes its own anew each time that it is
 * asked, and several threads ask here. */
static uint8_t device_public[LIMIT_POINT_SIZE];

static int make_folder(struct ca_place *place)
{
	snprintf(place->folder, sizeof(place->folder), "/tmp/simtie-ca-XXXXXX");
	if (!mkdtemp(place->folder))
		return -1;
	snprintf(place->path, sizeof(place->path), "%s/ca", place->folder);
	return 0;
}

static int remove_folder(const struct ca_place *place)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", place->folder);
	return system(command);
}

struct bytes ca_place_passphrase(void)
{
	return bytes_of((const uint8_t *)CA_PLACE_PASSPHRASE, strlen(CA_PLACE_PASSPHRASE));
}

int ca_place_begin(void **state)
{
	const struct ca_settings settings = {.name = "Test CA", .organisation = "Example Mobil"};

	(void)state;
	memcpy(device_public, token_fixture_card()->device_public, sizeof(device_public));
	return make_folder(&model) || ca_create(model.path, &settings, ca_place_passphrase());
}

int ca_place_end(void **state)
{
	(void)state;
	return remove_folder(&model);
}

int ca_place_set_up(void **state)
{
	static struct ca_place place;
	char command[256];

	if (make_folder(&place))
		return -1;
	snprintf(command, sizeof(command), "cp -a %s %s", model.path, place.path);
	*state = &place;
	return system(command);
}

int ca_place_tear_down(void **state)
{
	return remove_folder(*state);
}

struct ca *ca_place_open(const struct ca_place *place)
{
	struct ca *ca;

	assert_int_equal(ca_open(place->path, ca_place_passphrase(), &ca), CA_OK);
	assert_non_null(ca);
	return ca;
}

struct ca_request ca_place_request(const char *iccid)
{
	return (struct ca_request){.device_public = device_public, .iccid = iccid};
}

struct ca_issued ca_place_issue(struct ca *ca, const char *iccid)
{
	const struct ca_request request = ca_place_request(iccid);
	struct ca_issued issued;

	assert_int_equal(ca_issue(ca, &request, &issued), CA_OK);
	return issued;
}

static FILE *open_file(const struct ca_place *place, const char *name, const char *mode)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", place->path, name);
	file = fopen(path, mode);
	assert_non_null(file);
	return file;
}

size_t ca_place_read(const struct ca_place *place, const char *name, char *out)
{
	FILE *file = open_file(place, name, "r");
	size_t len = fread(out, 1, CA_PLACE_FILE_MAX - 1, file);

	fclose(file);
	out[len] = '\0';
	return len;
}

void ca_place_write(const struct ca_place *place, const char *name, const char *bytes, size_t len)
{
	FILE *file = open_file(place, name, "w");

	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

unsigned ca_place_files(const struct ca_place *place)
{
	DIR *directory = opendir(place->folder);
	unsigned count = 0;

	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

struct ca_contents ca_place_contents(const struct ca_place *place)
{
	struct ca_contents contents;

	assert_int_equal(ca_contents_read(place->path, &contents), CA_OK);
	return contents;
}

X509 *ca_place_root(const struct ca_place *place)
{
	FILE *file = open_file(place, "ca.crt", "r");
	X509 *root = PEM_read_X509(file, NULL, NULL, NULL);

	fclose(file);
	assert_non_null(root);
	return root;
}

X509_CRL *ca_place_crl(const struct ca_place *place)
{
	FILE *file = open_file(place, "crl.pem", "r");
	X509_CRL *crl = PEM_read_X509_CRL(file, NULL, NULL, NULL);
	X509 *root = ca_place_root(place);

	fclose(file);
	assert_non_null(crl);
	assert_int_equal(X509_CRL_verify(crl, X509_get0_pubkey(root)), 1);
	X509_free(root);
	return crl;
}

bool ca_place_on_crl(const struct ca_place *place, const uint8_t serial[static CA_SERIAL_SIZE])
{
	X509_CRL *crl = ca_place_crl(place);
	BIGNUM *number = BN_bin2bn(serial, CA_SERIAL_SIZE, NULL);
	ASN1_INTEGER *integer = BN_to_ASN1_INTEGER(number, NULL);
	X509_REVOKED *revoked;
	int found = X509_CRL_get0_by_serial(crl, &revoked, integer);

	ASN1_INTEGER_free(integer);
	BN_free(number);
	X509_CRL_free(crl);
	return found == 1;
}

uint64_t ca_place_crl_number(const struct ca_place *place)
{
	X509_CRL *crl = ca_place_crl(place);
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	uint64_t value = 0;

	assert_non_null(number);
	assert_int_equal(ASN1_INTEGER_get_uint64(&value, number), 1);
	ASN1_INTEGER_free(number);
	X509_CRL_free(crl);
	return value;
}
