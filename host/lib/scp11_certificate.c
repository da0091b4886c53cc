/*
 * Whose key the card agrees with: its certificate, held against the operator's root.
 */
#include "scp11.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/* DER or PEM; NULL: neither. */
static X509 *read_root(struct bytes bytes)
{
	BIO *in = bytes.len <= INT32_MAX ? BIO_new_mem_buf(bytes.ptr, (int)bytes.len) : NULL;
	X509 *root = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	const uint8_t *at = bytes.ptr;

	BIO_free(in);
	return root || bytes.len > INT32_MAX ? root : d2i_X509(NULL, &at, (long)bytes.len);
}

/* One certificate and nothing behind it. */
static X509 *read_card(struct bytes bytes)
{
	const uint8_t *at = bytes.ptr;
	X509 *card = d2i_X509(NULL, &at, (long)bytes.len);

	if (card && at != bytes.ptr + bytes.len) {
		X509_free(card);
		card = NULL;
	}
	return card;
}

/* Whether it is meant for key agreement, and for no signature: a card certificate proper is not. */
static bool is_for_agreement(X509 *card)
{
	return X509_get_extension_flags(card) & EXFLAG_KUSAGE &&
	       (X509_get_key_usage(card) & (KU_KEY_AGREEMENT | KU_DIGITAL_SIGNATURE)) ==
		       KU_KEY_AGREEMENT;
}

static bool read_point(const X509 *card, uint8_t point[static LIMIT_POINT_SIZE])
{
	EVP_PKEY *key = X509_get0_pubkey(card);
	char group[32] = "";
	const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(card);

	if (!key || EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1 ||
	    strcmp(group, SN_X9_62_prime256v1) != 0 || ASN1_STRING_length(bits) != LIMIT_POINT_SIZE)
		return false;
	memcpy(point, ASN1_STRING_get0_data(bits), LIMIT_POINT_SIZE);
	return true;
}

static enum scp03_result verify(X509 *card, X509 *root)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	enum scp03_result result = SCP03_FAILED;

	if (store && context && X509_STORE_add_cert(store, root) == 1 &&
	    X509_STORE_CTX_init(context, store, card, NULL) == 1)
		result = X509_verify_cert(context) == 1 ? SCP03_OK : SCP03_CERTIFICATE;
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return result;
}

static bool is_timely(const X509 *card)
{
	return X509_cmp_current_time(X509_get0_notBefore(card)) < 0 &&
	       X509_cmp_current_time(X509_get0_notAfter(card)) > 0;
}

enum scp03_result scp11_certificate(struct bytes certificate, struct bytes root,
				    uint8_t point[static LIMIT_POINT_SIZE])
{
	X509 *authority = NULL, *card;
	enum scp03_result result = SCP03_CERTIFICATE;

	ERR_set_mark();
	card = read_card(certificate);
	if (!card || !is_for_agreement(card) || !is_timely(card) || !read_point(card, point))
		goto out;
	result = SCP03_OK;
	if (root.len > 0) {
		authority = read_root(root);
		result = authority ? verify(card, authority) : SCP03_CERTIFICATE;
	}
out:
	X509_free(authority);
	X509_free(card);
	ERR_pop_to_mark();
	return result;
}
