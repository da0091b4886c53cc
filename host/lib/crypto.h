/*
 * The crypto seam of the library: the few primitives that verification needs, as function pointers.
 *
 * Owns no keys and no state: what a call needs comes in as bytes and is wiped on return. Refuses to
 * hide a fault: a library that fails is told apart from a signature or a point that is wrong.
 *
 * Every function may run in any number of threads.
 */
#ifndef SIMTIE_HOST_CRYPTO_H
#define SIMTIE_HOST_CRYPTO_H

#include "bytes.h"
#include "contract.h"
#include "simtie-token.h"

#define SIMTIE_DIGEST_SIZE     32
#define SIMTIE_HKDF_EXPAND_MAX (255 * SIMTIE_DIGEST_SIZE) /* RFC 5869 §2.3 */

enum simtie_verdict {
	VERDICT_GOOD,
	VERDICT_BAD,    /* the input is wrong: no such point, scalar or signature */
	VERDICT_FAILED, /* the library failed, out of memory say: nothing is known of the input */
};

struct simtie_crypto {
	const char *name;

	/* SHA-256 (FIPS 180-4). False: the library failed. */
	bool (*sha256)(struct bytes data, uint8_t digest[static SIMTIE_DIGEST_SIZE]);

	/* HKDF-Expand with SHA-256 (RFC 5869 §2.3), `len` bytes. False: `len` is 0 or over
	 * SIMTIE_HKDF_EXPAND_MAX, or the library failed; `out` is then wiped. */
	bool (*hkdf_expand)(struct bytes prk, struct bytes info, uint8_t *out, size_t len);

	/* Whether `point` is an uncompressed point (SEC 1 §2.3.3) on P-256. Infinity has no such
	 * form, and the cofactor is 1, so that this is all there is to check (SP 800-56A §5.6.2.3).
	 */
	enum simtie_verdict (*p256_point)(const uint8_t point[static SIMTIE_POINT_SIZE]);

	/* ECDSA (FIPS 186-5 §6.4.2) of r || s over a digest under a public point. Bad: r or s is
	 * not in 1 to n - 1, the point is none, or the signature does not fit. */
	enum simtie_verdict (*p256_verify)(const uint8_t point[static SIMTIE_POINT_SIZE],
					   const uint8_t digest[static SIMTIE_DIGEST_SIZE],
					   const uint8_t signature[static SIMTIE_SIGNATURE_SIZE]);

	/* sum = point + t·G with t = int(tweak) mod n. Bad: the point is none, t is 0, or the sum
	 * is infinity; `sum` is then wiped, as it is on failure. */
	enum simtie_verdict (*p256_tweak)(const uint8_t point[static SIMTIE_POINT_SIZE],
					  const uint8_t tweak[static DERIVE_TWEAK_SIZE],
					  uint8_t sum[static SIMTIE_POINT_SIZE]);
};

#endif
