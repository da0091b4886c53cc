/*
 * Opening, closing, and what each call on an opened authority begins and ends with.
 */
#include "ca_object.h"

#include "ca_certificate.h"
#include "ca_file.h"
#include "ca_key.h"
#include "ca_root.h"
#include "crypto.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

static int open_key(struct ca *ca, struct bytes passphrase)
{
	char *pem;
	size_t len;
	BIO *in;
	int error;

	if (!ca_file_read(ca->directory, CA_KEY_NAME, &pem, &len))
		return errno == ENOENT ? CA_ERR_DAMAGED : CA_ERR_FILE;
	in = len <= INT32_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	error = in ? ca_key_open(in, passphrase, &ca->key) : CA_ERR_LIBRARY;
	BIO_free(in);
	free(pem);
	if (error == CA_OK && X509_check_private_key(ca->root, ca->key) != 1)
		error = CA_ERR_DAMAGED;
	return error;
}

int ca_object_enter(struct ca *ca)
{
	int error;

	pthread_mutex_lock(&ca->mutex);
	ERR_set_mark();
	error = ca_index_lock(&ca->index, true);
	if (error) {
		ERR_pop_to_mark();
		pthread_mutex_unlock(&ca->mutex);
	}
	return error;
}

int ca_object_leave(struct ca *ca, int result)
{
	ca_index_unlock(&ca->index);
	ERR_pop_to_mark();
	pthread_mutex_unlock(&ca->mutex);
	return result;
}

int ca_object_publish(struct ca *ca, struct ca_revocations more, unsigned days)
{
	return ca_crl_publish(ca->directory, ca->root, ca->key, &ca->index, more, days);
}

int ca_object_mend(struct ca *ca)
{
	const struct ca_revocations none = {NULL, 0};
	bool behind;
	int error = ca_crl_behind(ca->directory, &ca->index, &behind);

	return error || !behind ? error : ca_object_publish(ca, none, 0);
}

static int open_all(struct ca *ca, const char *path, struct bytes passphrase)
{
	int error = ca_root_open(path, &ca->directory, &ca->root);

	if (error)
		return error;
	if (!ca_certificate_validity(ca->root, &ca->root_from, &ca->root_until))
		return CA_ERR_DAMAGED;
	error = ca_index_open(ca->directory, true, &ca->index);
	if (error)
		return errno == ENOENT ? CA_ERR_DAMAGED : error;
	error = open_key(ca, passphrase);
	if (error)
		return error;
	error = ca_object_enter(ca);
	return error ? error : ca_object_leave(ca, ca_object_mend(ca));
}

int ca_open(const char *path, struct bytes passphrase, struct ca **opened)
{
	struct ca *ca = calloc(1, sizeof(*ca));
	int result, error;

	*opened = NULL;
	if (!ca || pthread_mutex_init(&ca->mutex, NULL)) {
		free(ca);
		return CA_ERR_LIBRARY;
	}
	ca->directory = ca->index.fd = -1;
	ERR_set_mark();
	result = passphrase.len <= CA_PASSPHRASE_MAX ? open_all(ca, path, passphrase)
						     : CA_ERR_PASSPHRASE;
	ERR_pop_to_mark();
	error = errno;
	*opened = ca;
	if (result)
		ca_close(opened);
	errno = error;
	return result;
}

void ca_close(struct ca **opened)
{
	struct ca *ca = opened ? *opened : NULL;

	if (!ca)
		return;
	ca_index_close(&ca->index);
	EVP_PKEY_free(ca->key); /* which wipes it */
	X509_free(ca->root);
	if (ca->directory >= 0)
		close(ca->directory);
	pthread_mutex_destroy(&ca->mutex);
	free(ca);
	*opened = NULL;
}

/* The private key as 32 bytes. False: the library failed. */
static bool scalar_read(const EVP_PKEY *key, uint8_t scalar[static CA_DERIVED_SIZE])
{
	BIGNUM *number = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1 &&
		  BN_bn2binpad(number, scalar, CA_DERIVED_SIZE) == CA_DERIVED_SIZE;

	BN_clear_free(number);
	return ok;
}

bool ca_derive(struct ca *ca, const char *label, uint8_t secret[static CA_DERIVED_SIZE])
{
	uint8_t scalar[CA_DERIVED_SIZE];
	bool ok;

	pthread_mutex_lock(&ca->mutex);
	ERR_set_mark();
	ok = scalar_read(ca->key, scalar) &&
	     simtie_crypto_openssl()->hkdf_expand(bytes_of(scalar, sizeof(scalar)),
						  bytes_of((const uint8_t *)label, strlen(label)),
						  secret, CA_DERIVED_SIZE);
	ERR_pop_to_mark();
	pthread_mutex_unlock(&ca->mutex);
	bytes_wipe(scalar, sizeof(scalar));
	if (!ok)
		bytes_wipe(secret, CA_DERIVED_SIZE);
	return ok;
}
