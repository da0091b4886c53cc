#include "service_internal.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define CHAIN_MAX 8

static bool is_p256(const EVP_PKEY *key)
{
	char group[32];
	size_t len;

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
	       strcmp(group, SN_X9_62_prime256v1) == 0;
}

/* Nobody is there to be asked. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

bool service_key_id(const uint8_t point[static SIMTIE_POINT_SIZE],
		    uint8_t id[static SERVICE_KEY_ID_SIZE])
{
	uint8_t digest[SIMTIE_DIGEST_SIZE];

	if (!simtie_crypto_openssl()->sha256(bytes_of(point, SIMTIE_POINT_SIZE), digest))
		return false;
	memcpy(id, digest, SERVICE_KEY_ID_SIZE);
	return true;
}

/* What is asked of a certificate again and again. */
static int facts_read(struct simtie_service_key *key)
{
	EVP_PKEY *public_key = X509_get0_pubkey(key->certificate);
	const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(key->certificate);
	X509_NAME *name = X509_get_subject_name(key->certificate);
	uint8_t id[SERVICE_KEY_ID_SIZE], *at = key->name;
	int name_len = i2d_X509_NAME(name, NULL);
	size_t len;

	if (!public_key || !is_p256(public_key) || name_len < 0 || name_len > SERVICE_NAME_MAX)
		return SIMTIE_SERVICE_ERR_FORMAT;
	if (EVP_PKEY_get_octet_string_param(public_key, OSSL_PKEY_PARAM_PUB_KEY, key->point,
					    sizeof(key->point), &len) != 1 ||
	    len != sizeof(key->point) || !service_key_id(key->point, id))
		return SIMTIE_SERVICE_ERR_LIBRARY;
	key->name_len = (size_t)i2d_X509_NAME(name, &at);
	memcpy(key->kid, id, SERVICE_KID_SIZE);
	if (own && ASN1_STRING_length(own) == SERVICE_KEY_ID_SIZE)
		memcpy(id, ASN1_STRING_get0_data(own), SERVICE_KEY_ID_SIZE);
	memcpy(key->key_id, id, SERVICE_KEY_ID_SIZE);
	return SIMTIE_SERVICE_OK;
}

static int certificates_read(const char *path, struct simtie_service_key *key)
{
	FILE *file = fopen(path, "re");
	X509 *next;
	int result = SIMTIE_SERVICE_OK;

	if (!file)
		return SIMTIE_SERVICE_ERR_FILE;
	key->certificate = PEM_read_X509(file, NULL, no_passphrase, NULL);
	key->chain = sk_X509_new_null();
	if (!key->certificate)
		result = SIMTIE_SERVICE_ERR_FORMAT;
	else if (!key->chain)
		result = SIMTIE_SERVICE_ERR_LIBRARY;
	while (result == SIMTIE_SERVICE_OK && sk_X509_num(key->chain) < CHAIN_MAX &&
	       (next = PEM_read_X509(file, NULL, no_passphrase, NULL)) != NULL)
		if (sk_X509_push(key->chain, next) <= 0) {
			X509_free(next);
			result = SIMTIE_SERVICE_ERR_LIBRARY;
		}
	fclose(file);
	return result ? result : facts_read(key);
}

static int private_read(const char *path, struct simtie_service_key *key)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return SIMTIE_SERVICE_ERR_FILE;
	key->private_key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
	fclose(file);
	if (!key->private_key || !is_p256(key->private_key) ||
	    X509_check_private_key(key->certificate, key->private_key) != 1)
		return SIMTIE_SERVICE_ERR_FORMAT;
	return SIMTIE_SERVICE_OK;
}

int simtie_service_key_read(const char *certificate, const char *private_path,
			    struct simtie_service_key **out)
{
	struct simtie_service_key *key = calloc(1, sizeof(*key));
	int result = SIMTIE_SERVICE_ERR_LIBRARY, error;

	*out = NULL;
	if (!key)
		return result;
	ERR_set_mark();
	result = certificates_read(certificate, key);
	if (result == SIMTIE_SERVICE_OK && private_path)
		result = private_read(private_path, key);
	ERR_pop_to_mark();
	error = errno;
	if (result != SIMTIE_SERVICE_OK)
		simtie_service_key_free(&key);
	*out = key;
	errno = error;
	return result;
}

void simtie_service_key_free(struct simtie_service_key **key)
{
	struct simtie_service_key *old = *key;

	*key = NULL;
	if (!old)
		return;
	EVP_PKEY_free(old->private_key);
	sk_X509_pop_free(old->chain, X509_free);
	X509_free(old->certificate);
	free(old);
}

static int chain_check(const struct simtie_service_key *key, X509_STORE *store)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int result = SIMTIE_SERVICE_ERR_LIBRARY;

	if (ctx && X509_STORE_CTX_init(ctx, store, key->certificate, key->chain) == 1) {
		if (X509_verify_cert(ctx) == 1)
			result = SIMTIE_SERVICE_OK;
		else
			switch (X509_STORE_CTX_get_error(ctx)) {
			case X509_V_ERR_CERT_NOT_YET_VALID:
			case X509_V_ERR_CERT_HAS_EXPIRED:
				result = SIMTIE_SERVICE_ERR_TIME;
				break;
			case X509_V_ERR_OUT_OF_MEM:
				break;
			default:
				result = SIMTIE_SERVICE_ERR_KEY;
			}
	}
	X509_STORE_CTX_free(ctx);
	return result;
}

int simtie_service_key_trusted(const struct simtie_service_key *key, const char *roots)
{
	X509_STORE *store;
	FILE *file = fopen(roots, "re"); /* to have errno, which the library does not keep */
	int result = SIMTIE_SERVICE_ERR_FILE;

	if (!file)
		return result;
	fclose(file);
	ERR_set_mark();
	store = X509_STORE_new();
	if (!store)
		result = SIMTIE_SERVICE_ERR_LIBRARY;
	else if (X509_STORE_load_file(store, roots) == 1)
		result = chain_check(key, store);
	X509_STORE_free(store);
	ERR_pop_to_mark();
	return result;
}

EVP_PKEY *service_key_public(const uint8_t point[static SIMTIE_POINT_SIZE])
{
	char group[] = SN_X9_62_prime256v1;
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group) - 1),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, SIMTIE_POINT_SIZE),
		OSSL_PARAM_END};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* ---- Signatures ---- */

int service_key_sign(const struct simtie_service_key *key,
		     const uint8_t digest[static SIMTIE_DIGEST_SIZE],
		     uint8_t der[static SERVICE_SIGNATURE_DER_MAX], size_t *len)
{
	EVP_PKEY_CTX *ctx;
	bool ok;

	if (!key->private_key)
		return SIMTIE_SERVICE_ERR_ARGUMENT;
	ERR_set_mark();
	ctx = EVP_PKEY_CTX_new(key->private_key, NULL);
	*len = SERVICE_SIGNATURE_DER_MAX;
	ok = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
	     EVP_PKEY_sign(ctx, der, len, digest, SIMTIE_DIGEST_SIZE) == 1;
	EVP_PKEY_CTX_free(ctx);
	ERR_pop_to_mark();
	return ok ? SIMTIE_SERVICE_OK : SIMTIE_SERVICE_ERR_LIBRARY;
}

bool service_signature_raw(struct bytes der, uint8_t raw[static SIMTIE_SIGNATURE_SIZE])
{
	const int half = SIMTIE_SIGNATURE_SIZE / 2;
	uint8_t again[SERVICE_SIGNATURE_DER_MAX], *to = again;
	const uint8_t *at = der.ptr;
	ECDSA_SIG *sig;
	bool ok;

	if (der.len > sizeof(again))
		return false;
	ERR_set_mark();
	sig = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
	ok = sig && i2d_ECDSA_SIG(sig, NULL) == (int)der.len &&
	     i2d_ECDSA_SIG(sig, &to) == (int)der.len && memcmp(again, der.ptr, der.len) == 0 &&
	     BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, half) == half &&
	     BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, half) == half;
	ECDSA_SIG_free(sig);
	ERR_pop_to_mark();
	return ok;
}

int service_signature_check(const uint8_t point[static SIMTIE_POINT_SIZE], struct bytes data,
			    const uint8_t raw[static SIMTIE_SIGNATURE_SIZE])
{
	const struct simtie_crypto *crypto = simtie_crypto_openssl();
	uint8_t digest[SIMTIE_DIGEST_SIZE];

	if (!crypto->sha256(data, digest))
		return SIMTIE_SERVICE_ERR_LIBRARY;
	switch (crypto->p256_verify(point, digest, raw)) {
	case VERDICT_GOOD:
		return SIMTIE_SERVICE_OK;
	case VERDICT_BAD:
		return SIMTIE_SERVICE_ERR_SIGNATURE;
	case VERDICT_FAILED:
		break;
	}
	return SIMTIE_SERVICE_ERR_LIBRARY;
}
