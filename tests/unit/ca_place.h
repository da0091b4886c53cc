/*
 * For the tests of the certificate authority: one in a directory of its own for each test, which is
 * a copy of one that is made once, since making and opening take a quarter of a second each.
 */
#ifndef SIMTIE_TEST_CA_PLACE_H
#define SIMTIE_TEST_CA_PLACE_H

#include <openssl/x509.h>

#include "ca.h"

#define CA_PLACE_PASSPHRASE "correct horse battery staple"
#define CA_PLACE_ICCID      "8949000000000000017"
#define CA_PLACE_OTHER      "89490000000000000259"
#define CA_PLACE_FILE_MAX   65536

struct ca_place {
	char folder[64];
	char path[96]; /* of the authority */
};

/* cmocka's: for the group, and for each test. *state is the struct ca_place. */
int ca_place_begin(void **state);
int ca_place_end(void **state);
int ca_place_set_up(void **state);
int ca_place_tear_down(void **state);

struct bytes ca_place_passphrase(void);

/* Opens the authority, or ends the test. */
struct ca *ca_place_open(const struct ca_place *place);

/* A request that is right, for a public key that belongs to nobody. */
struct ca_request ca_place_request(const char *iccid);

/* Issues, or ends the test. */
struct ca_issued ca_place_issue(struct ca *ca, const char *iccid);

/* Files of the authority: read whole, written whole. */
size_t ca_place_read(const struct ca_place *place, const char *name, char *out);
void ca_place_write(const struct ca_place *place, const char *name, const char *bytes, size_t len);

/* How many files there are in the folder around the authority, itself included. */
unsigned ca_place_files(const struct ca_place *place);

/* What is in the authority; to be freed with ca_contents_free(). */
struct ca_contents ca_place_contents(const struct ca_place *place);

X509 *ca_place_root(const struct ca_place *place);

/* The revocation list, its signature verified under the root. */
X509_CRL *ca_place_crl(const struct ca_place *place);

/* Whether a serial number is on the revocation list, and the list's number. */
bool ca_place_on_crl(const struct ca_place *place, const uint8_t serial[static CA_SERIAL_SIZE]);
uint64_t ca_place_crl_number(const struct ca_place *place);

#endif
