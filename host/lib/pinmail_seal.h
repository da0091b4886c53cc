/*
 * Encryption of the list of PINs: recipients, and CMS around bytes.
 *
 * Owns algorithms and the policy on recipients. Keeps nothing; plaintext that it handled is wiped.
 */
#ifndef SIMTIE_HOST_PINMAIL_SEAL_H
#define SIMTIE_HOST_PINMAIL_SEAL_H

#include <openssl/bio.h>
#include <openssl/x509.h>

#include "pinmail.h"

/* Reads the recipient's certificate and judges it. PINMAIL_ERR_FILE, _CERTIFICATE, _KEY, _EXPIRED,
 * _LIBRARY. */
int pinmail_seal_recipient(const char *path, X509 **recipient);

/* Encrypts, in PEM. `secret` (PINMAIL_SECRET_SIZE bytes) opens it too, unless it is NULL. False:
 * the library failed. */
bool pinmail_seal(X509 *recipient, const uint8_t *secret, struct bytes plain, BIO *pem);

/* Opens one with the secret, into at most `size` bytes. PINMAIL_ERR_DAMAGED: no CMS, or too long;
 * PINMAIL_ERR_SECRET: another secret, or bytes were changed; PINMAIL_ERR_LIBRARY. */
int pinmail_seal_open(struct bytes pem, const uint8_t secret[static PINMAIL_SECRET_SIZE],
		      char *plain, size_t size, size_t *len);

#endif
