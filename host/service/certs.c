/*
 * Certificates, by OpenSSL.
 */
#include "certs.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EARLIER_S 3600 /* clocks of other machines may be a little behind */
#define DAY_S     86400

static bool add(X509 *certificate, X509 *issuer, int id, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool added;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
	added = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

static bool set_serial(X509 *certificate)
{
	unsigned char bytes[16];
	BIGNUM *number;
	bool set;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (bytes[0] & 0x3f) | 0x40; /* positive, and of one length */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	return set;
}

static bool fill(X509 *certificate, X509 *issuer, const struct certs_request *request)
{
	X509_NAME *name = X509_get_subject_name(certificate);

	return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), -EARLIER_S) &&
	       X509_gmtime_adj(X509_getm_notAfter(certificate), (long)request->days * DAY_S) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					  (const unsigned char *)request->name, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
	       add(certificate, issuer, NID_basic_constraints,
		   request->authority ? "critical, CA:TRUE" : "critical, CA:FALSE") &&
	       add(certificate, issuer, NID_key_usage, request->usage) &&
	       add(certificate, issuer, NID_subject_key_identifier, "hash") &&
	       add(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
	       (!request->extended ||
		add(certificate, issuer, NID_ext_key_usage, request->extended)) &&
	       (!request->alt || add(certificate, issuer, NID_subject_alt_name, request->alt));
}

bool certs_make(const struct certs_pair *issuer, const struct certs_request *request,
		struct certs_pair *pair)
{
	bool made;

	pair->key = EVP_EC_gen("P-256");
	pair->certificate = X509_new();
	made = pair->key && pair->certificate &&
	       X509_set_pubkey(pair->certificate, pair->key) == 1 &&
	       fill(pair->certificate, issuer ? issuer->certificate : pair->certificate, request) &&
	       X509_sign(pair->certificate, issuer ? issuer->key : pair->key, EVP_sha256()) > 0;
	if (!made)
		certs_clear(pair);
	return made;
}

void certs_clear(struct certs_pair *pair)
{
	EVP_PKEY_free(pair->key);
	X509_free(pair->certificate);
	memset(pair, 0, sizeof(*pair));
}

static FILE *create(const char *folder, const char *name, const char *kind)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s.%s", folder, name, kind) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

bool certs_write(const char *folder, const char *name, const struct certs_pair *pair)
{
	FILE *file = create(folder, name, "key");
	bool good;

	if (!file)
		return false;
	good = PEM_write_PrivateKey(file, pair->key, NULL, NULL, 0, NULL, NULL) == 1;
	if (fclose(file) || !good)
		return false;
	file = create(folder, name, "pem");
	if (!file)
		return false;
	good = PEM_write_X509(file, pair->certificate) == 1;
	return fclose(file) == 0 && good;
}

bool certs_write_crl(const char *folder, const char *name, const struct certs_pair *issuer,
		     unsigned days)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *from = X509_gmtime_adj(NULL, -EARLIER_S);
	ASN1_TIME *until = X509_gmtime_adj(NULL, (long)days * DAY_S);
	FILE *file = NULL;
	bool good =
		crl && from && until && X509_CRL_set_version(crl, 1) == 1 &&
		X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate)) == 1 &&
		X509_CRL_set1_lastUpdate(crl, from) == 1 &&
		X509_CRL_set1_nextUpdate(crl, until) == 1 &&
		X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0;

	if (good)
		file = create(folder, name, "pem");
	good = file && PEM_write_X509_CRL(file, crl) == 1;
	if (file)
		good = fclose(file) == 0 && good;
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	X509_CRL_free(crl);
	return good;
}
