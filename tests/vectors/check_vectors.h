/*
 * What the suites of check_vectors share: counting cases, one TAP line for each kind of them, and
 * reading hex out of JSON.
 */
#ifndef SIMTIE_TESTS_CHECK_VECTORS_H
#define SIMTIE_TESTS_CHECK_VECTORS_H

#include <jansson.h>

#include "token.h"

/* One TAP line in the making: what it is about, cases seen and cases failed. */
struct tally {
	const char *file;
	const char *what;
	unsigned cases;
	unsigned failed;
};

/* Counts a case; one that failed is named at once, in a TAP comment. */
void tally_case(struct tally *tally, bool ok, const char *name);

/* Prints the TAP line. A tally without cases has failed: its file yields nothing. */
void tally_print(const struct tally *tally);

/* Both adapters. */
#define ADAPTER_COUNT 2
const struct simtie_crypto *adapter(int i);

/* A member that is hex, of up to `size` bytes. False: it is not there, or not so. */
bool json_hex(const json_t *object, const char *name, uint8_t *out, size_t size, size_t *len);

/* The same, of exactly `size` bytes. */
bool json_hex_fixed(const json_t *object, const char *name, uint8_t *out, size_t size);

/* "" when the member is not there or no string. */
const char *json_text(const json_t *object, const char *name);

/* The number of a Wycheproof case; and whether an outcome is what it asks for, "acceptable" leaving
 * it open. */
void vector_name(const json_t *test, char *name, size_t size);
bool vector_expected(const json_t *test, bool accepted);

/* The suites: each runs all of a file and prints its lines. */
void check_attestation(const char *file, const json_t *root);
void check_ecdsa(const char *file, const json_t *root);
void check_hkdf(const char *file, const json_t *root);
void check_scp03(const char *file, const json_t *root);
void check_cmac(const char *file, const json_t *root);

#endif
