/*
 * X.509 v3 certificates (RFC 5280) of the authority: the root's, the cards', and what one says.
 *
 * Owns the profile: names, extensions, serial numbers, times. Refuses nothing by policy; its caller
 * has checked what it asks for.
 *
 * A card certificate stands for the device key, which signs nothing itself: each service key that
 * the card signs with is the device key plus a known multiple of the generator. Its key usage is
 * digitalSignature all the same, and that alone: to verify signatures, under keys made from it, is
 * the one use there is for this public key, and the bits that would fit less are worse.
 * keyAgreement would invite others to encrypt to it; no extension at all would leave every use
 * open. Taking the bit literally does no harm, since no signature verifies under the device key
 * itself.
 *
 * The certificate of a card's key of SCP11b is for keyAgreement alone, so that neither can stand
 * for the other.
 */
#ifndef SIMTIE_HOST_CA_CERTIFICATE_H
#define SIMTIE_HOST_CA_CERTIFICATE_H

#include <openssl/x509.h>

#include "ca.h"

/* ecdsa-with-SHA256 (RFC 5758) in all that the authority signs. */
#define CA_DIGEST EVP_sha256()

/* The root: it may sign certificates (of no further authorities) and revocation lists. NULL: the
 * library failed. */
X509 *ca_certificate_root(EVP_PKEY *key, const struct ca_settings *settings, time_t from,
			  time_t until);

/* A card's, signed. `entry` gives serial number, ICCID and times. CA_ERR_LIBRARY. */
int ca_certificate_card(X509 *root, EVP_PKEY *root_key, const struct ca_request *request,
			const struct ca_entry *entry, X509 **card);

/* The authorityKeyIdentifier for what `issuer` signs: its subjectKeyIdentifier. NULL: the library
 * failed, or the issuer has none. */
AUTHORITY_KEYID *ca_certificate_authority(X509 *issuer);

/* A random serial number whose first byte is not 00, so that every tool prints the same 32 digits.
 * False: the library failed. */
bool ca_certificate_serial(uint8_t serial[static CA_SERIAL_SIZE]);

/* When it begins and ends to be valid. False: malformed. */
bool ca_certificate_validity(const X509 *certificate, time_t *from, time_t *until);

bool ca_certificate_time(const ASN1_TIME *time, time_t *seconds);

#endif
