/*
 * Over mbedTLS, 2.28 and 3.6, by its own functions as the rest of the session's crypto is
 * (scp03_aes.c).
 */
#include "scp11_curve.h"

#include <mbedtls/ecp.h>

#include "scp03.h"

/* Blinds the multiplication, so that its time says nothing of the scalar. */
static int draw(void *context, unsigned char *out, size_t len)
{
	(void)context;
	return scp03_draw(out, len) == SCP03_OK ? 0 : MBEDTLS_ERR_ECP_RANDOM_FAILED;
}

/* The whole point scalar·point; NULL: of the generator. */
static enum simtie_verdict multiply(const uint8_t *scalar, const uint8_t *point,
				    uint8_t product[static SIMTIE_POINT_SIZE])
{
	enum simtie_verdict verdict = VERDICT_FAILED;
	mbedtls_ecp_group group;
	mbedtls_ecp_point base, result;
	mbedtls_mpi d;
	size_t len;

	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&result);
	mbedtls_ecp_point_init(&base);
	mbedtls_mpi_init(&d);
	if (mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) ||
	    mbedtls_mpi_read_binary(&d, scalar, SCP11_SHARED_SIZE))
		goto out;
	verdict = VERDICT_BAD;
	if (mbedtls_ecp_check_privkey(&group, &d))
		goto out;
	if (point && (mbedtls_ecp_point_read_binary(&group, &base, point, SIMTIE_POINT_SIZE) ||
		      mbedtls_ecp_check_pubkey(&group, &base)))
		goto out;
	verdict = VERDICT_FAILED;
	if (!point && mbedtls_ecp_copy(&base, &group.G))
		goto out;
	if (mbedtls_ecp_mul(&group, &result, &d, &base, draw, NULL) == 0 &&
	    mbedtls_ecp_point_write_binary(&group, &result, MBEDTLS_ECP_PF_UNCOMPRESSED, &len,
					   product, SIMTIE_POINT_SIZE) == 0)
		verdict = VERDICT_GOOD;
out:
	mbedtls_mpi_free(&d);
	mbedtls_ecp_point_free(&base);
	mbedtls_ecp_group_free(&group);
	mbedtls_ecp_point_free(&result);
	return verdict;
}

enum simtie_verdict scp11_curve_public(const uint8_t scalar[static SCP11_SHARED_SIZE],
				       uint8_t point[static SIMTIE_POINT_SIZE])
{
	return multiply(scalar, NULL, point);
}

enum simtie_verdict scp11_curve_agree(const uint8_t scalar[static SCP11_SHARED_SIZE],
				      const uint8_t point[static SIMTIE_POINT_SIZE],
				      uint8_t shared[static SCP11_SHARED_SIZE])
{
	uint8_t product[SIMTIE_POINT_SIZE] = {0};
	enum simtie_verdict verdict = VERDICT_BAD;

	if (point[0] == 0x04) /* the library may read other forms, of other lengths */
		verdict = multiply(scalar, point, product);
	memcpy(shared, product + 1, SCP11_SHARED_SIZE);
	bytes_wipe(product, sizeof product);
	return verdict;
}
