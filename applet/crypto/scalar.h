/*
 * Arithmetic on secret scalars modulo n, the order of P-256 (SEC 2 §2.4.2), in constant time.
 *
 * Why here and not in the library: mbedTLS divides in a time that depends on the numbers, and these
 * are key material. 60 lines of plain code that never branch on data are the smaller risk.
 */
#ifndef SIMTIE_CRYPTO_SCALAR_H
#define SIMTIE_CRYPTO_SCALAR_H

#include "crypto.h"

#define SCALAR_WIDE_SIZE 48

/* wide mod n; big-endian both. */
void scalar_reduce(const uint8_t wide[static SCALAR_WIDE_SIZE],
		   uint8_t out[static P256_SCALAR_SIZE]);

/* a + b mod n; both below n. */
void scalar_add(const uint8_t a[static P256_SCALAR_SIZE], const uint8_t b[static P256_SCALAR_SIZE],
		uint8_t out[static P256_SCALAR_SIZE]);

bool scalar_zero(const uint8_t a[static P256_SCALAR_SIZE]);

/* Whether 0 < a < n. */
bool scalar_valid(const uint8_t a[static P256_SCALAR_SIZE]);

#endif
