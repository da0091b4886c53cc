/*
 * The authority's private key: made, encrypted for the disk, decrypted.
 *
 * Owns the parameters of the encryption. Refuses any key but one on P-256.
 */
#ifndef SIMTIE_HOST_CA_KEY_H
#define SIMTIE_HOST_CA_KEY_H

#include <openssl/bio.h>
#include <openssl/evp.h>

#include "ca.h"

/* NULL: the library failed. */
EVP_PKEY *ca_key_make(void);

/* Whether it is a key on P-256. */
bool ca_key_fits(const EVP_PKEY *key);

/* Writes an encrypted PKCS #8 (RFC 5958) in PEM: PBES2 (RFC 8018) with scrypt (RFC 7914) and
 * AES-256-CBC. False: the library failed. */
bool ca_key_seal(const EVP_PKEY *key, struct bytes passphrase, BIO *pem);

/* The other way. CA_ERR_DAMAGED: no such file, or the key in it is not one on P-256.
 * CA_ERR_PASSPHRASE, CA_ERR_LIBRARY. */
int ca_key_open(BIO *pem, struct bytes passphrase, EVP_PKEY **key);

#endif
