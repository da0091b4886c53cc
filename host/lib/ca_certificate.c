#include "ca_certificate.h"

#include "crypto.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define KEY_ID_SIZE 20

bool ca_certificate_serial(uint8_t serial[static CA_SERIAL_SIZE])
{
	do {
		if (RAND_bytes(serial, CA_SERIAL_SIZE) != 1)
			return false;
	} while (serial[0] == 0);
	return true;
}

static bool set_serial(X509 *certificate, const uint8_t serial[static CA_SERIAL_SIZE])
{
	BIGNUM *number = BN_bin2bn(serial, CA_SERIAL_SIZE, NULL);
	bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

	BN_free(number);
	return ok;
}

/* UTCTime up to 2049 and GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5): OpenSSL sees to it. */
static bool set_validity(X509 *certificate, time_t from, time_t until)
{
	return ASN1_TIME_set(X509_getm_notBefore(certificate), from) &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), until);
}

static bool add_text(X509_NAME *name, int nid, int type, const char *text)
{
	return X509_NAME_add_entry_by_NID(name, nid, type, (const unsigned char *)text, -1, -1,
					  0) == 1;
}

static bool add_basic_constraints(X509 *certificate, bool authority)
{
	BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
	bool ok = constraints != NULL;

	if (ok && authority) {
		constraints->ca = 1;
		constraints->pathlen = ASN1_INTEGER_new();
		ok = constraints->pathlen && ASN1_INTEGER_set(constraints->pathlen, 0);
	}
	ok = ok && X509_add1_ext_i2d(certificate, NID_basic_constraints, constraints, 1, 0) == 1;
	BASIC_CONSTRAINTS_free(constraints);
	return ok;
}

/* Bits as RFC 5280 §4.2.1.3 numbers them. */
enum key_usage { DIGITAL_SIGNATURE = 0, KEY_AGREEMENT = 4, KEY_CERT_SIGN = 5, CRL_SIGN = 6 };

/* One use, or both of an authority. */
static bool add_key_usage(X509 *certificate, enum key_usage use)
{
	ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
	bool ok = usage && ASN1_BIT_STRING_set_bit(usage, use, 1);

	if (use == KEY_CERT_SIGN)
		ok = ok && ASN1_BIT_STRING_set_bit(usage, CRL_SIGN, 1);
	ok = ok && X509_add1_ext_i2d(certificate, NID_key_usage, usage, 1, 0) == 1;
	ASN1_BIT_STRING_free(usage);
	return ok;
}

/* The leftmost 160 bits of SHA-256 of the public key (RFC 7093 §2, method 1). */
static bool add_subject_key(X509 *certificate)
{
	const ASN1_BIT_STRING *point = X509_get0_pubkey_bitstr(certificate);
	ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
	uint8_t digest[SIMTIE_DIGEST_SIZE];
	bool ok = id && point &&
		  simtie_crypto_openssl()->sha256(
			  bytes_of(ASN1_STRING_get0_data(point), (size_t)ASN1_STRING_length(point)),
			  digest) &&
		  ASN1_OCTET_STRING_set(id, digest, KEY_ID_SIZE) &&
		  X509_add1_ext_i2d(certificate, NID_subject_key_identifier, id, 0, 0) == 1;

	ASN1_OCTET_STRING_free(id);
	return ok;
}

AUTHORITY_KEYID *ca_certificate_authority(X509 *issuer)
{
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(issuer);
	AUTHORITY_KEYID *authority = id ? AUTHORITY_KEYID_new() : NULL;

	if (authority)
		authority->keyid = ASN1_OCTET_STRING_dup(id);
	if (authority && !authority->keyid) {
		AUTHORITY_KEYID_free(authority);
		return NULL;
	}
	return authority;
}

static bool add_authority_key(X509 *certificate, X509 *issuer)
{
	AUTHORITY_KEYID *authority = ca_certificate_authority(issuer);
	bool ok = authority && X509_add1_ext_i2d(certificate, NID_authority_key_identifier,
						 authority, 0, 0) == 1;

	AUTHORITY_KEYID_free(authority);
	return ok;
}

/* One distribution point with one URL (RFC 5280 §4.2.1.13). */
static bool add_crl_url(X509 *certificate, const char *url)
{
	CRL_DIST_POINTS *points = CRL_DIST_POINTS_new();
	DIST_POINT *point = DIST_POINT_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	bool ok = points && point && name && text && ASN1_STRING_set(text, url, -1) &&
		  (point->distpoint = DIST_POINT_NAME_new()) != NULL &&
		  (point->distpoint->name.fullname = GENERAL_NAMES_new()) != NULL;

	/* Each goes into the next, which frees it from then on. */
	if (ok) {
		point->distpoint->type = 0; /* fullName */
		GENERAL_NAME_set0_value(name, GEN_URI, text);
		text = NULL;
		ok = sk_GENERAL_NAME_push(point->distpoint->name.fullname, name) > 0;
	}
	if (ok) {
		name = NULL;
		ok = sk_DIST_POINT_push(points, point) > 0;
	}
	if (ok) {
		point = NULL;
		ok = X509_add1_ext_i2d(certificate, NID_crl_distribution_points, points, 0, 0) == 1;
	}
	ASN1_IA5STRING_free(text);
	GENERAL_NAME_free(name);
	DIST_POINT_free(point);
	CRL_DIST_POINTS_free(points);
	return ok;
}

X509 *ca_certificate_root(EVP_PKEY *key, const struct ca_settings *settings, time_t from,
			  time_t until)
{
	X509 *root = X509_new();
	X509_NAME *name = root ? X509_get_subject_name(root) : NULL;
	uint8_t serial[CA_SERIAL_SIZE];

	if (root && X509_set_version(root, X509_VERSION_3) && ca_certificate_serial(serial) &&
	    set_serial(root, serial) && set_validity(root, from, until) &&
	    (!settings->organisation ||
	     add_text(name, NID_organizationName, MBSTRING_UTF8, settings->organisation)) &&
	    add_text(name, NID_commonName, MBSTRING_UTF8, settings->name) &&
	    X509_set_issuer_name(root, name) && X509_set_pubkey(root, key) &&
	    add_basic_constraints(root, true) && add_key_usage(root, KEY_CERT_SIGN) &&
	    add_subject_key(root) && X509_sign(root, key, CA_DIGEST) > 0)
		return root;
	X509_free(root);
	return NULL;
}

/* A public key on P-256 from its point, which lies on the curve. */
static EVP_PKEY *point_key(const uint8_t point[static LIMIT_POINT_SIZE])
{
	char group[] = SN_X9_62_prime256v1;
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group) - 1),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, LIMIT_POINT_SIZE),
		OSSL_PARAM_END};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

int ca_certificate_card(X509 *root, EVP_PKEY *root_key, const struct ca_request *request,
			const struct ca_entry *entry, X509 **card)
{
	EVP_PKEY *key = point_key(request->device_public);
	X509 *made = X509_new();

	*card = NULL;
	if (key && made && X509_set_version(made, X509_VERSION_3) &&
	    set_serial(made, entry->serial) &&
	    X509_set_issuer_name(made, X509_get_subject_name(root)) &&
	    set_validity(made, entry->not_before, entry->not_after) &&
	    add_text(X509_get_subject_name(made), NID_serialNumber, MBSTRING_ASC, entry->iccid) &&
	    X509_set_pubkey(made, key) && add_basic_constraints(made, false) &&
	    add_key_usage(made, request->channel ? KEY_AGREEMENT : DIGITAL_SIGNATURE) &&
	    add_subject_key(made) && add_authority_key(made, root) &&
	    (!request->crl_url || add_crl_url(made, request->crl_url)) &&
	    X509_sign(made, root_key, CA_DIGEST) > 0) {
		*card = made;
		made = NULL;
	}
	X509_free(made);
	EVP_PKEY_free(key);
	return *card ? CA_OK : CA_ERR_LIBRARY;
}

bool ca_certificate_time(const ASN1_TIME *time, time_t *seconds)
{
	struct tm utc;

	if (!time || ASN1_TIME_to_tm(time, &utc) != 1)
		return false;
	*seconds = timegm(&utc);
	return true;
}

bool ca_certificate_validity(const X509 *certificate, time_t *from, time_t *until)
{
	return ca_certificate_time(X509_get0_notBefore(certificate), from) &&
	       ca_certificate_time(X509_get0_notAfter(certificate), until);
}
