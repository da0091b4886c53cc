#include "service_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define YEARS_10 (10L * 365 * 86400)

static char folder[32];
static EVP_PKEY *root_key;
static X509 *root;

const char *service_place_path(const char *name)
{
	static char paths[4][320];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

void service_place_write(const char *name, const void *bytes, size_t len)
{
	FILE *file = fopen(service_place_path(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static void extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *made;

	X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
	made = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(made);
	assert_int_equal(X509_add_ext(certificate, made, -1), 1);
	X509_EXTENSION_free(made);
}

static X509 *certificate_make(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
			      long from, long until)
{
	X509 *made = X509_new();
	X509_NAME *subject = X509_get_subject_name(made);
	uint8_t serial[8];
	BIGNUM *number = BN_new();

	assert_int_equal(BN_rand(number, 8 * (int)sizeof(serial) - 1, 0, 0), 1);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made));
	BN_free(number);
	X509_set_version(made, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(made), from);
	X509_gmtime_adj(X509_getm_notAfter(made), until);
	X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
				   (const unsigned char *)"Operator Ltd.", -1, -1, 0);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
				   -1, 0);
	X509_set_issuer_name(made, X509_get_subject_name(issuer ? issuer : made));
	X509_set_pubkey(made, key);
	extension(made, issuer ? issuer : made, NID_basic_constraints, "critical,CA:TRUE");
	extension(made, issuer ? issuer : made, NID_key_usage,
		  "critical,digitalSignature,keyCertSign,keyAgreement");
	extension(made, issuer ? issuer : made, NID_subject_key_identifier, "hash");
	assert_true(X509_sign(made, issuer_key, EVP_sha256()) > 0);
	return made;
}

static void pem_write(const char *name, X509 *certificate, EVP_PKEY *key)
{
	char file_name[64];
	FILE *file;

	snprintf(file_name, sizeof(file_name), "%s.pem", name);
	file = fopen(service_place_path(file_name), "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	snprintf(file_name, sizeof(file_name), "%s.key", name);
	file = fopen(service_place_path(file_name), "w");
	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
}

void service_place_issue(const char *name, long from, long until)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *made = certificate_make(name, key, root, root_key, from, until);

	pem_write(name, made, key);
	X509_free(made);
	EVP_PKEY_free(key);
}

static struct simtie_service_key *place_read(const char *name, int with_key)
{
	struct simtie_service_key *read;
	char certificate[64], key[64];

	snprintf(certificate, sizeof(certificate), "%s.pem", name);
	snprintf(key, sizeof(key), "%s.key", name);
	assert_int_equal(simtie_service_key_read(service_place_path(certificate),
						 with_key ? service_place_path(key) : NULL, &read),
			 SIMTIE_SERVICE_OK);
	return read;
}

struct simtie_service_key *service_place_key(const char *name)
{
	service_place_issue(name, -3600, YEARS_10);
	return place_read(name, 1);
}

struct simtie_service_key *service_place_certificate(const char *name)
{
	return place_read(name, 0);
}

int service_place_make(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/simtie-keys-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	root_key = EVP_EC_gen("P-256");
	root = certificate_make("root", root_key, NULL, root_key, -86400, 2 * YEARS_10);
	pem_write("root", root, root_key);
	return 0;
}

int service_place_remove(void **state)
{
	DIR *files = opendir(folder);
	struct dirent *file;

	(void)state;
	while (files && (file = readdir(files)) != NULL)
		unlink(service_place_path(file->d_name));
	if (files)
		closedir(files);
	X509_free(root);
	EVP_PKEY_free(root_key);
	return rmdir(folder);
}
