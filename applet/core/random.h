/*
 * Random bytes from the port, watched: a source that fails or repeats itself shuts the card.
 *
 * The watch is a repetition count test of cutoff 2 over blocks of 16 bytes (NIST SP 800-90B
 * §4.4.1); a sound source trips it once in 2^64 blocks, for only 8 bytes of each block's hash are
 * kept.
 */
#ifndef SIMTIE_CORE_RANDOM_H
#define SIMTIE_CORE_RANDOM_H

#include "../crypto/crypto.h"
#include "applet.h"

/* Fills out with len random bytes. False: the source failed; the card is now shut, out is wiped. */
bool random_bytes(struct applet *applet, uint8_t *out, size_t len);

/* A private key: uniform in 1 to n - 1 (FIPS 186-5 §A.2.2). False as above. */
bool random_scalar(struct applet *applet, uint8_t out[static P256_SCALAR_SIZE]);

#endif
