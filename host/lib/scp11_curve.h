/*
 * P-256 as SCP11 uses it: an ephemeral key's public point, and ECDH (SEC 1 §3.3.1).
 *
 * Owns nothing. Refuses scalars out of 1 to n - 1 and points off the curve.
 */
#ifndef SIMTIE_LIB_SCP11_CURVE_H
#define SIMTIE_LIB_SCP11_CURVE_H

#include "crypto.h"

#define SCP11_SHARED_SIZE 32

/* scalar·G. VERDICT_BAD: no such scalar. */
enum simtie_verdict scp11_curve_public(const uint8_t scalar[static SCP11_SHARED_SIZE],
				       uint8_t point[static SIMTIE_POINT_SIZE]);

/* The X of scalar·point. VERDICT_BAD: no such scalar or point; `shared` is then wiped. */
enum simtie_verdict scp11_curve_agree(const uint8_t scalar[static SCP11_SHARED_SIZE],
				      const uint8_t point[static SIMTIE_POINT_SIZE],
				      uint8_t shared[static SCP11_SHARED_SIZE]);

#endif
