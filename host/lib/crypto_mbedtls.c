/*
 * The crypto seam over mbedTLS, 2.28 and 3.6.
 *
 * It uses the mbedtls_* functions and not PSA: PSA keeps its key slots in a global that 2.28 guards
 * with no lock, so that two threads could corrupt it, and PSA has no point addition anyway. All
 * state here lives on the stack of one call.
 *
 * helgrind sees threads race in ecp.c of 2.28: for three counters of operations, which nothing but
 * the library's self-test reads.
 */
#include "crypto.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>

/* What one P-256 operation works with. */
struct curve {
	mbedtls_ecp_group group;
	mbedtls_ecp_point point;
	mbedtls_ecp_point sum;
	mbedtls_mpi a, b;
};

static void curve_free(struct curve *curve)
{
	mbedtls_mpi_free(&curve->b);
	mbedtls_mpi_free(&curve->a);
	mbedtls_ecp_point_free(&curve->sum);
	mbedtls_ecp_point_free(&curve->point);
	mbedtls_ecp_group_free(&curve->group);
}

/* Readies `curve` and reads the point into it. It has to be freed whatever comes back. */
static enum simtie_verdict curve_open(struct curve *curve, const uint8_t *point)
{
	int ret;

	mbedtls_ecp_group_init(&curve->group);
	mbedtls_ecp_point_init(&curve->point);
	mbedtls_ecp_point_init(&curve->sum);
	mbedtls_mpi_init(&curve->a);
	mbedtls_mpi_init(&curve->b);
	if (mbedtls_ecp_group_load(&curve->group, MBEDTLS_ECP_DP_SECP256R1))
		return VERDICT_FAILED;
	if (point[0] != 0x04) /* the library may read other forms, of other lengths */
		return VERDICT_BAD;
	if (mbedtls_ecp_point_read_binary(&curve->group, &curve->point, point, SIMTIE_POINT_SIZE))
		return VERDICT_FAILED;
	ret = mbedtls_ecp_check_pubkey(&curve->group, &curve->point);
	if (ret == MBEDTLS_ERR_ECP_INVALID_KEY)
		return VERDICT_BAD;
	return ret ? VERDICT_FAILED : VERDICT_GOOD;
}

static bool crypto_mbedtls_sha256(struct bytes data, uint8_t digest[static SIMTIE_DIGEST_SIZE])
{
	return mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), data.ptr, data.len,
			  digest) == 0;
}

static bool crypto_mbedtls_expand(struct bytes prk, struct bytes info, uint8_t *out, size_t len)
{
	if (len == 0 || len > SIMTIE_HKDF_EXPAND_MAX)
		return false;
	if (mbedtls_hkdf_expand(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), prk.ptr, prk.len,
				info.ptr, info.len, out, len)) {
		bytes_wipe(out, len);
		return false;
	}
	return true;
}

static enum simtie_verdict crypto_mbedtls_point(const uint8_t point[static SIMTIE_POINT_SIZE])
{
	struct curve curve;
	enum simtie_verdict verdict = curve_open(&curve, point);

	curve_free(&curve);
	return verdict;
}

static enum simtie_verdict
crypto_mbedtls_verify(const uint8_t point[static SIMTIE_POINT_SIZE],
		      const uint8_t digest[static SIMTIE_DIGEST_SIZE],
		      const uint8_t signature[static SIMTIE_SIGNATURE_SIZE])
{
	const size_t half = SIMTIE_SIGNATURE_SIZE / 2;
	struct curve curve;
	enum simtie_verdict verdict = curve_open(&curve, point);
	int ret;

	if (verdict != VERDICT_GOOD)
		goto out;
	verdict = VERDICT_FAILED;
	if (mbedtls_mpi_read_binary(&curve.a, signature, half) ||
	    mbedtls_mpi_read_binary(&curve.b, signature + half, half))
		goto out;
	/* It checks the range of r and s itself. */
	ret = mbedtls_ecdsa_verify(&curve.group, digest, SIMTIE_DIGEST_SIZE, &curve.point, &curve.a,
				   &curve.b);
	if (ret == 0)
		verdict = VERDICT_GOOD;
	else if (ret == MBEDTLS_ERR_ECP_VERIFY_FAILED)
		verdict = VERDICT_BAD;
out:
	curve_free(&curve);
	return verdict;
}

/* a = 1, b = t, sum = a·point + b·G. */
static enum simtie_verdict curve_tweak(struct curve *curve, const uint8_t *tweak, uint8_t *sum)
{
	size_t len;

	if (mbedtls_mpi_read_binary(&curve->b, tweak, DERIVE_TWEAK_SIZE) ||
	    mbedtls_mpi_mod_mpi(&curve->b, &curve->b, &curve->group.N))
		return VERDICT_FAILED;
	if (mbedtls_mpi_cmp_int(&curve->b, 0) == 0)
		return VERDICT_BAD;
	if (mbedtls_mpi_lset(&curve->a, 1) ||
	    mbedtls_ecp_muladd(&curve->group, &curve->sum, &curve->a, &curve->point, &curve->b,
			       &curve->group.G))
		return VERDICT_FAILED;
	if (mbedtls_ecp_is_zero(&curve->sum))
		return VERDICT_BAD;
	if (mbedtls_ecp_point_write_binary(&curve->group, &curve->sum, MBEDTLS_ECP_PF_UNCOMPRESSED,
					   &len, sum, SIMTIE_POINT_SIZE) ||
	    len != SIMTIE_POINT_SIZE)
		return VERDICT_FAILED;
	return VERDICT_GOOD;
}

static enum simtie_verdict crypto_mbedtls_tweak(const uint8_t point[static SIMTIE_POINT_SIZE],
						const uint8_t tweak[static DERIVE_TWEAK_SIZE],
						uint8_t sum[static SIMTIE_POINT_SIZE])
{
	struct curve curve;
	enum simtie_verdict verdict = curve_open(&curve, point);

	if (verdict == VERDICT_GOOD)
		verdict = curve_tweak(&curve, tweak, sum);
	if (verdict != VERDICT_GOOD)
		bytes_wipe(sum, SIMTIE_POINT_SIZE);
	curve_free(&curve);
	return verdict;
}

const struct simtie_crypto *simtie_crypto_mbedtls(void)
{
	static const struct simtie_crypto crypto = {
		.name = "mbedTLS",
		.sha256 = crypto_mbedtls_sha256,
		.hkdf_expand = crypto_mbedtls_expand,
		.p256_point = crypto_mbedtls_point,
		.p256_verify = crypto_mbedtls_verify,
		.p256_tweak = crypto_mbedtls_tweak,
	};

	return &crypto;
}
