#include "ca_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

/*
 * scrypt with 16 MiB and five passes, one of the settings that OWASP recommends: more memory than
 * this OpenSSL gives scrypt only when asked, and `openssl pkey` shall open the file too.
 */
#define SCRYPT_N  16384
#define SCRYPT_R  8
#define SCRYPT_P  5
#define SALT_SIZE 16

EVP_PKEY *ca_key_make(void)
{
	return EVP_EC_gen("P-256");
}

bool ca_key_fits(const EVP_PKEY *key)
{
	char group[32];
	size_t len;

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
	       strcmp(group, SN_X9_62_prime256v1) == 0;
}

bool ca_key_seal(const EVP_PKEY *key, struct bytes passphrase, BIO *pem)
{
	unsigned char salt[SALT_SIZE], iv[EVP_MAX_IV_LENGTH];
	PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
	X509_ALGOR *scheme = NULL;
	X509_SIG *sealed = NULL;
	bool ok;

	if (plain && RAND_bytes(salt, sizeof(salt)) == 1 && RAND_bytes(iv, sizeof(iv)) == 1)
		scheme = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt, sizeof(salt), iv, SCRYPT_N,
					       SCRYPT_R, SCRYPT_P);
	if (scheme)
		sealed = PKCS8_set0_pbe((const char *)passphrase.ptr, (int)passphrase.len, plain,
					scheme);
	if (!sealed)
		X509_ALGOR_free(scheme); /* else it is the other's */
	ok = sealed && PEM_write_bio_PKCS8(pem, sealed) == 1;
	X509_SIG_free(sealed);
	PKCS8_PRIV_KEY_INFO_free(plain); /* which wipes it */
	return ok;
}

int ca_key_open(BIO *pem, struct bytes passphrase, EVP_PKEY **key)
{
	X509_SIG *sealed = PEM_read_bio_PKCS8(pem, NULL, NULL, NULL);
	PKCS8_PRIV_KEY_INFO *plain;
	int result = CA_OK;

	*key = NULL;
	if (!sealed)
		return CA_ERR_DAMAGED;
	plain = PKCS8_decrypt(sealed, (const char *)passphrase.ptr, (int)passphrase.len);
	if (!plain)
		result = ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE
				 ? CA_ERR_LIBRARY
				 : CA_ERR_PASSPHRASE;
	else if (!(*key = EVP_PKCS82PKEY(plain)) || !ca_key_fits(*key))
		result = CA_ERR_DAMAGED;
	if (result) {
		EVP_PKEY_free(*key);
		*key = NULL;
	}
	PKCS8_PRIV_KEY_INFO_free(plain);
	X509_SIG_free(sealed);
	return result;
}
