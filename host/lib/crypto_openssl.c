/*
 * The crypto seam over OpenSSL 3, for speed.
 *
 * Of a verification's time the elliptic curve itself must be the most. EVP_PKEY_verify() wants the
 * public point as an EVP_PKEY, and to make one costs a third of what the verification does (22 of
 * 68 us, measured on 3.0; 10 us with a blank key to copy). Here every token comes with another
 * point, so that ECDSA is done on EC_POINT_mul(), which is what EVP ends in too. Its formula is
 * five lines; Wycheproof's cases and mbedTLS's verifier are held against it.
 *
 * The curve is made once, under pthread_once(), never changed and never freed: a constant in all
 * but name. Everything else lives for one call. OpenSSL's error queue of the thread is left as it
 * was.
 */
#include "crypto.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <pthread.h>

static EC_GROUP *curve_once; /* written by curve_make() alone */

static void curve_make(void)
{
	curve_once = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
}

/* NULL: the library could not make it when it was asked to. */
static const EC_GROUP *curve_get(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, curve_make);
	return curve_once;
}

/* What one operation on the curve works with. */
struct work {
	const EC_GROUP *group;
	BN_CTX *ctx;
	EC_POINT *point;
	EC_POINT *sum;
};

static void work_close(struct work *work)
{
	EC_POINT_clear_free(work->sum);
	EC_POINT_free(work->point);
	BN_CTX_free(work->ctx);
	ERR_pop_to_mark();
}

/* Readies `work` and reads the point into it. It has to be closed whatever comes back. Of a point
 * that cannot be read the library does not say whether it or the library is at fault: it is. */
static enum simtie_verdict work_open(struct work *work, const uint8_t *point)
{
	ERR_set_mark();
	*work = (struct work){.group = curve_get()};
	if (!work->group)
		return VERDICT_FAILED;
	work->ctx = BN_CTX_new();
	work->point = EC_POINT_new(work->group);
	work->sum = EC_POINT_new(work->group);
	if (!work->ctx || !work->point || !work->sum)
		return VERDICT_FAILED;
	if (point[0] != POINT_CONVERSION_UNCOMPRESSED) /* it would read hybrid form (06, 07) too */
		return VERDICT_BAD;
	if (EC_POINT_oct2point(work->group, work->point, point, SIMTIE_POINT_SIZE, work->ctx) != 1)
		return VERDICT_BAD;
	return VERDICT_GOOD;
}

static bool crypto_openssl_sha256(struct bytes data, uint8_t digest[static SIMTIE_DIGEST_SIZE])
{
	bool ok;

	ERR_set_mark();
	ok = EVP_Digest(data.ptr, data.len, digest, NULL, EVP_sha256(), NULL) == 1;
	ERR_pop_to_mark();
	return ok;
}

static bool crypto_openssl_expand(struct bytes prk, struct bytes info, uint8_t *out, size_t len)
{
	char digest[] = "SHA256";
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *)prk.ptr, prk.len),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, (void *)info.ptr, info.len),
		OSSL_PARAM_END};
	EVP_KDF *kdf;
	EVP_KDF_CTX *ctx;
	bool ok;

	if (len == 0 || len > SIMTIE_HKDF_EXPAND_MAX)
		return false;
	ERR_set_mark();
	kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	ok = ctx && EVP_KDF_derive(ctx, out, len, params) == 1;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	ERR_pop_to_mark();
	if (!ok)
		bytes_wipe(out, len);
	return ok;
}

static enum simtie_verdict crypto_openssl_point(const uint8_t point[static SIMTIE_POINT_SIZE])
{
	struct work work;
	enum simtie_verdict verdict = work_open(&work, point);

	work_close(&work);
	return verdict;
}

static bool in_range(const BIGNUM *scalar, const BIGNUM *order)
{
	return !BN_is_zero(scalar) && BN_cmp(scalar, order) < 0;
}

/* FIPS 186-5 §6.4.2: R = e/s·G + r/s·Q, whose x must be r, mod n. */
static enum simtie_verdict signature_check(struct work *work, const uint8_t *digest,
					   const uint8_t *signature)
{
	const int half = SIMTIE_SIGNATURE_SIZE / 2;
	const BIGNUM *n = EC_GROUP_get0_order(work->group);
	BIGNUM *e = BN_CTX_get(work->ctx);
	BIGNUM *r = BN_CTX_get(work->ctx);
	BIGNUM *s = BN_CTX_get(work->ctx);
	BIGNUM *u = BN_CTX_get(work->ctx);
	BIGNUM *v = BN_CTX_get(work->ctx);
	BIGNUM *x = BN_CTX_get(work->ctx); /* the last is NULL if any is */

	if (!x || !BN_bin2bn(digest, SIMTIE_DIGEST_SIZE, e) || !BN_bin2bn(signature, half, r) ||
	    !BN_bin2bn(signature + half, half, s))
		return VERDICT_FAILED;
	if (!in_range(r, n) || !in_range(s, n))
		return VERDICT_BAD;
	if (!BN_mod_inverse(s, s, n, work->ctx) || !BN_mod_mul(u, e, s, n, work->ctx) ||
	    !BN_mod_mul(v, r, s, n, work->ctx) ||
	    !EC_POINT_mul(work->group, work->sum, u, work->point, v, work->ctx))
		return VERDICT_FAILED;
	if (EC_POINT_is_at_infinity(work->group, work->sum))
		return VERDICT_BAD;
	if (!EC_POINT_get_affine_coordinates(work->group, work->sum, x, NULL, work->ctx) ||
	    !BN_nnmod(x, x, n, work->ctx))
		return VERDICT_FAILED;
	return BN_cmp(x, r) == 0 ? VERDICT_GOOD : VERDICT_BAD;
}

static enum simtie_verdict
crypto_openssl_verify(const uint8_t point[static SIMTIE_POINT_SIZE],
		      const uint8_t digest[static SIMTIE_DIGEST_SIZE],
		      const uint8_t signature[static SIMTIE_SIGNATURE_SIZE])
{
	struct work work;
	enum simtie_verdict verdict = work_open(&work, point);

	if (verdict == VERDICT_GOOD) {
		BN_CTX_start(work.ctx);
		verdict = signature_check(&work, digest, signature);
		BN_CTX_end(work.ctx);
	}
	work_close(&work);
	return verdict;
}

/* sum = point + t·G. */
static enum simtie_verdict point_tweak(struct work *work, BIGNUM *t, uint8_t *sum)
{
	if (!BN_nnmod(t, t, EC_GROUP_get0_order(work->group), work->ctx))
		return VERDICT_FAILED;
	if (BN_is_zero(t))
		return VERDICT_BAD;
	if (!EC_POINT_mul(work->group, work->sum, t, NULL, NULL, work->ctx) ||
	    !EC_POINT_add(work->group, work->sum, work->sum, work->point, work->ctx))
		return VERDICT_FAILED;
	if (EC_POINT_is_at_infinity(work->group, work->sum))
		return VERDICT_BAD;
	if (EC_POINT_point2oct(work->group, work->sum, POINT_CONVERSION_UNCOMPRESSED, sum,
			       SIMTIE_POINT_SIZE, work->ctx) != SIMTIE_POINT_SIZE)
		return VERDICT_FAILED;
	return VERDICT_GOOD;
}

static enum simtie_verdict crypto_openssl_tweak(const uint8_t point[static SIMTIE_POINT_SIZE],
						const uint8_t tweak[static DERIVE_TWEAK_SIZE],
						uint8_t sum[static SIMTIE_POINT_SIZE])
{
	struct work work;
	enum simtie_verdict verdict = work_open(&work, point);
	BIGNUM *t = BN_bin2bn(tweak, DERIVE_TWEAK_SIZE, NULL);

	if (verdict == VERDICT_GOOD)
		verdict = t ? point_tweak(&work, t, sum) : VERDICT_FAILED;
	if (verdict != VERDICT_GOOD)
		bytes_wipe(sum, SIMTIE_POINT_SIZE);
	BN_clear_free(t);
	work_close(&work);
	return verdict;
}

const struct simtie_crypto *simtie_crypto_openssl(void)
{
	static const struct simtie_crypto crypto = {
		.name = "OpenSSL",
		.sha256 = crypto_openssl_sha256,
		.hkdf_expand = crypto_openssl_expand,
		.p256_point = crypto_openssl_point,
		.p256_verify = crypto_openssl_verify,
		.p256_tweak = crypto_openssl_tweak,
	};

	return &crypto;
}
