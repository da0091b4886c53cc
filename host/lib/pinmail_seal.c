#include "pinmail_seal.h"

#include <errno.h>
#include <openssl/pem.h> /* before cms.h, which declares the reading of PEM only then */
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* What tells the secret from other keys (keyIdentifier, RFC 5652 §6.2.3). */
static const char key_name[] = "simtie-pins/1";
#define KEY_NAME_LEN (sizeof(key_name) - 1)

/* 112 bits: what RSA of 2048 bits is good for (SP 800-57). */
#define SECURITY_BITS_MIN 112
#define EC_BITS_MIN       256

static bool key_usable(X509 *recipient)
{
	const uint32_t usage = X509_get_key_usage(recipient); /* all bits when it does not say */
	EVP_PKEY *key = X509_get0_pubkey(recipient);

	if (!key || EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN)
		return false;
	if (EVP_PKEY_is_a(key, "RSA"))
		return usage & KU_KEY_ENCIPHERMENT;
	return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) >= EC_BITS_MIN &&
	       usage & KU_KEY_AGREEMENT;
}

int pinmail_seal_recipient(const char *path, X509 **recipient)
{
	FILE *file = fopen(path, "re");
	int result = PINMAIL_OK;

	*recipient = NULL;
	if (!file)
		return PINMAIL_ERR_FILE;
	*recipient = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	if (!*recipient)
		result = PINMAIL_ERR_CERTIFICATE;
	else if (!key_usable(*recipient))
		result = PINMAIL_ERR_KEY;
	else if (X509_cmp_current_time(X509_get0_notBefore(*recipient)) >= 0 ||
		 X509_cmp_current_time(X509_get0_notAfter(*recipient)) <= 0)
		result = PINMAIL_ERR_EXPIRED;
	if (result) {
		X509_free(*recipient);
		*recipient = NULL;
	}
	return result;
}

/* SHA-256 where CMS would have SHA-1 by default, and no PKCS #1 v1.5. */
static bool add_recipient(CMS_ContentInfo *cms, X509 *recipient)
{
	CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, recipient, CMS_KEY_PARAM);
	EVP_PKEY_CTX *ctx = info ? CMS_RecipientInfo_get0_pkey_ctx(info) : NULL;

	if (!ctx)
		return false;
	if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE)
		return EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) > 0;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0;
}

/* The library takes copies over, and wipes the key's. */
static bool add_secret(CMS_ContentInfo *cms, const uint8_t *secret)
{
	unsigned char *key = OPENSSL_memdup(secret, PINMAIL_SECRET_SIZE);
	unsigned char *name = OPENSSL_memdup(key_name, KEY_NAME_LEN);

	if (key && name &&
	    CMS_add0_recipient_key(cms, NID_id_aes256_wrap, key, PINMAIL_SECRET_SIZE, name,
				   KEY_NAME_LEN, NULL, NULL, NULL))
		return true;
	OPENSSL_clear_free(key, PINMAIL_SECRET_SIZE);
	OPENSSL_free(name);
	return false;
}

/* Straight into the cipher, with no copy of the plaintext on the way. */
static bool fill(CMS_ContentInfo *cms, struct bytes plain)
{
	BIO *chain = CMS_dataInit(cms, NULL);
	bool ok = chain && BIO_write(chain, plain.ptr, (int)plain.len) == (int)plain.len &&
		  BIO_flush(chain) == 1 && CMS_dataFinal(cms, chain) == 1;

	BIO_free_all(chain);
	return ok;
}

bool pinmail_seal(X509 *recipient, const uint8_t *secret, struct bytes plain, BIO *pem)
{
	CMS_ContentInfo *cms;
	bool ok;

	if (plain.len > INT32_MAX)
		return false;
	ERR_set_mark();
	cms = CMS_AuthEnvelopedData_create(EVP_aes_256_gcm());
	ok = cms && add_recipient(cms, recipient) && (!secret || add_secret(cms, secret)) &&
	     CMS_set_detached(cms, 0) == 1 && fill(cms, plain) && PEM_write_bio_CMS(pem, cms) == 1;
	CMS_ContentInfo_free(cms);
	ERR_pop_to_mark();
	return ok;
}

static int decrypt(CMS_ContentInfo *cms, const uint8_t *secret, char *plain, size_t size,
		   size_t *len)
{
	BIO *out = BIO_new(BIO_s_mem());
	uint8_t key[PINMAIL_SECRET_SIZE];
	int result = PINMAIL_OK;
	char *bytes;

	memcpy(key, secret, sizeof(key)); /* the call below takes no const */
	if (!out)
		result = PINMAIL_ERR_LIBRARY;
	else if (CMS_decrypt_set1_key(cms, key, sizeof(key), (const unsigned char *)key_name,
				      KEY_NAME_LEN) != 1 ||
		 CMS_decrypt(cms, NULL, NULL, NULL, out, CMS_BINARY) != 1)
		result = PINMAIL_ERR_SECRET;
	bytes_wipe(key, sizeof(key));
	if (result == PINMAIL_OK) {
		*len = (size_t)BIO_get_mem_data(out, &bytes);
		if (*len > size)
			result = PINMAIL_ERR_DAMAGED;
		else
			memcpy(plain, bytes, *len);
	}
	BIO_free(out); /* which wipes it */
	return result;
}

int pinmail_seal_open(struct bytes pem, const uint8_t secret[static PINMAIL_SECRET_SIZE],
		      char *plain, size_t size, size_t *len)
{
	int result = PINMAIL_ERR_DAMAGED;
	CMS_ContentInfo *cms;
	BIO *in;

	ERR_set_mark();
	in = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
	cms = in ? PEM_read_bio_CMS(in, NULL, NULL, NULL) : NULL;
	if (cms && OBJ_obj2nid(CMS_get0_type(cms)) == NID_id_smime_ct_authEnvelopedData)
		result = decrypt(cms, secret, plain, size, len);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	ERR_pop_to_mark();
	return result;
}
