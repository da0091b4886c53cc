/*
 * Known answers that the crypto must give before the card uses it.
 */
#ifndef SIMTIE_CRYPTO_SELFTEST_H
#define SIMTIE_CRYPTO_SELFTEST_H

#include <stdbool.h>

/* SHA-256, service-key derivation (HMAC, HKDF, scalars), public key, signature. False: one is
 * wrong. */
bool selftest_passes(void);

#endif
