/* Both crypto adapters of the library: known answers, the edges of every range, and each against
 * the other on random input. Wycheproof's cases are run by tests/vectors. */
#include "token_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#define ADAPTERS     2
#define RANDOM_CASES 1000

#define N          "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"
#define P          "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF"
#define GX         "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
#define GY         "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
#define GY_NEGATED "B01CBD1C01E58065711814B583F061E9D431CCA994CEA1313449BF97C840AE0A"
#define Y_OF_0     "66485C780E2F83D72433BD5D84A06BB6541C2AF31DAE871728BF856A174F93F4"
/* 2·G */
#define G2X "7CF27B188D034F7E8A52380304B51AC3C08969E277F21B35A60B48FC47669978"
#define G2Y "07775510DB8ED040293D9AC69F7430DBBA7DADE63CE982299E04B79D227873D1"

static const struct simtie_crypto *adapter(int i)
{
	return i ? simtie_crypto_mbedtls() : simtie_crypto_openssl();
}

static void bytes_read(const char *text, uint8_t *out, size_t size)
{
	assert_int_equal(token_fixture_bytes(text, out, size), size);
}

static struct bytes borrow(const char *text, uint8_t *buffer, size_t size)
{
	return bytes_of(buffer, token_fixture_bytes(text, buffer, size));
}

/* SplitMix64: the same numbers in every run. */
static uint64_t random_next(void)
{
	static uint64_t seed = 20;
	uint64_t z = seed += 0x9E3779B97F4A7C15;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
	z = (z ^ z >> 27) * 0x94D049BB133111EB;
	return z ^ z >> 31;
}

static void random_fill(uint8_t *out, size_t len)
{
	while (len--)
		*out++ = (uint8_t)random_next();
}

/* d random, its public key by OpenSSL's own multiplication. */
static void random_key(uint8_t d[static 32], uint8_t point[static SIMTIE_POINT_SIZE])
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *public = EC_POINT_new(group);
	BIGNUM *scalar;

	random_fill(d, 32);
	d[0] &= 0x7F; /* below n */
	scalar = BN_bin2bn(d, 32, NULL);
	assert_int_equal(EC_POINT_mul(group, public, scalar, NULL, NULL, NULL), 1);
	assert_int_equal(EC_POINT_point2oct(group, public, POINT_CONVERSION_UNCOMPRESSED, point,
					    SIMTIE_POINT_SIZE, NULL),
			 SIMTIE_POINT_SIZE);
	BN_free(scalar);
	EC_POINT_free(public);
	EC_GROUP_free(group);
}

static void test_sha256(void **state)
{
	uint8_t wanted[32], got[32];

	(void)state;
	for (int i = 0; i < ADAPTERS; i++) {
		/* FIPS 180-4's example, and the empty string. */
		bytes_read("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
			   wanted, 32);
		assert_true(adapter(i)->sha256(bytes_of((const uint8_t *)"abc", 3), got));
		assert_memory_equal(got, wanted, 32);
		bytes_read("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
			   wanted, 32);
		assert_true(adapter(i)->sha256(bytes_of(NULL, 0), got));
		assert_memory_equal(got, wanted, 32);
	}
}

static void test_hkdf_expand(void **state)
{
	static uint8_t out[SIMTIE_HKDF_EXPAND_MAX + 1], other[SIMTIE_HKDF_EXPAND_MAX];
	uint8_t prk_bytes[32], info_bytes[16], wanted[42];
	struct bytes prk = borrow(
		"077709362C2E32DF0DDC3F0DC47BBA6390B6C73BB50F9C3122EC844AD7C2B3E5", prk_bytes, 32);
	struct bytes info = borrow("F0F1F2F3F4F5F6F7F8F9", info_bytes, 16);

	(void)state;
	for (int i = 0; i < ADAPTERS; i++) {
		/* RFC 5869, A.1 */
		bytes_read("3CB25F25FAACD57A90434F64D0362F2A2D2D0A90CF1A5A4C5DB02D56ECC4C5BF"
			   "34007208D5B887185865",
			   wanted, 42);
		assert_true(adapter(i)->hkdf_expand(prk, info, out, 42));
		assert_memory_equal(out, wanted, 42);
		assert_true(adapter(i)->hkdf_expand(prk, bytes_of(NULL, 0), out, 1));
		assert_false(adapter(i)->hkdf_expand(prk, info, out, 0));
		assert_false(adapter(i)->hkdf_expand(prk, info, out, sizeof(out)));
		assert_true(adapter(i)->hkdf_expand(prk, info, i ? out : other, sizeof(other)));
	}
	assert_memory_equal(out, other, sizeof(other));
}

static void test_points(void **state)
{
	static const struct {
		const char *point;
		enum simtie_verdict verdict;
	} rows[] = {
		{"04" GX GY, VERDICT_GOOD},
		{"04" GX GY_NEGATED, VERDICT_GOOD},
		{"04" G2X G2Y, VERDICT_GOOD},
		{"04 00*64", VERDICT_BAD}, /* infinity, as some write it */
		{"00*65", VERDICT_BAD},    /* infinity, with more behind it */
		{"02" GX "00*32", VERDICT_BAD},
		{"03" GX GY, VERDICT_BAD},
		{"05" GX GY, VERDICT_BAD},
		{"06" GX GY, VERDICT_BAD}, /* hybrid forms, the right one first */
		{"07" GX GY, VERDICT_BAD},
		{"04" GY GX, VERDICT_BAD}, /* not on the curve */
		{"04" GX G2Y, VERDICT_BAD},
		{"04" GX P, VERDICT_BAD}, /* y = p */
		{"04" P GY, VERDICT_BAD},
		{"04 FF*64", VERDICT_BAD},
		/* x = 0 is on the curve; p stands for the same but is out of range */
		{"04 00*32 " Y_OF_0, VERDICT_GOOD},
		{"04" P Y_OF_0, VERDICT_BAD},
	};
	uint8_t point[SIMTIE_POINT_SIZE], out[SIMTIE_POINT_SIZE], digest[32] = {1};
	uint8_t tweak[DERIVE_TWEAK_SIZE] = {1}, signature[64], zeros[SIMTIE_POINT_SIZE] = {0};

	(void)state;
	memset(signature, 0x11, sizeof(signature));
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
		for (int i = 0; i < ADAPTERS; i++) {
			const struct simtie_crypto *crypto = adapter(i);

			bytes_read(rows[r].point, point, sizeof(point));
			memset(out, 0x55, sizeof(out));
			if (crypto->p256_point(point) != rows[r].verdict ||
			    crypto->p256_tweak(point, tweak, out) != rows[r].verdict)
				fail_msg("%s: %s", crypto->name, rows[r].point);
			if (rows[r].verdict == VERDICT_BAD)
				assert_memory_equal(out, zeros, sizeof(out));
			assert_int_equal(crypto->p256_verify(point, digest, signature),
					 VERDICT_BAD);
		}
}

/* Q = G, so that sums are small multiples of G, or nothing. */
static void test_tweaks(void **state)
{
	static const struct {
		const char *tweak;
		const char *sum; /* NULL: bad */
	} rows[] = {
		{"00*48", NULL},            /* t = 0 */
		{"00*16 " N, NULL},         /* t = n, which is 0 */
		{"00*47 01", "04" G2X G2Y}, /* G + G: a doubling */
		{"00*15 01FFFFFFFE00000001FFFFFFFFFFFFFFFF79CDF55B4E2F3D09E7739585F8C64AA3",
		 "04" G2X G2Y}, /* t = 2·n + 1 */
		{"FF*16 BCE6FAAD63FE99319AD169483335F56698648C1E652E96B80FE30FEC039CDAB0",
		 "04" G2X G2Y}, /* the largest that is 1 mod n */
		{"00*16 FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550",
		 NULL}, /* t = n - 1: the sum is infinity */
		{"00*16 FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC63254F",
		 "04" GX GY_NEGATED}, /* t = n - 2: the sum is -G */
		{"00*16 FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632552",
		 "04" G2X G2Y}, /* t = n + 1 */
	};
	uint8_t g[SIMTIE_POINT_SIZE], tweak[DERIVE_TWEAK_SIZE], sum[SIMTIE_POINT_SIZE];
	uint8_t wanted[SIMTIE_POINT_SIZE];

	(void)state;
	bytes_read("04" GX GY, g, sizeof(g));
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
		for (int i = 0; i < ADAPTERS; i++) {
			memset(wanted, 0, sizeof(wanted));
			if (rows[r].sum)
				bytes_read(rows[r].sum, wanted, sizeof(wanted));
			bytes_read(rows[r].tweak, tweak, sizeof(tweak));
			memset(sum, 0x55, sizeof(sum));
			assert_int_equal(adapter(i)->p256_tweak(g, tweak, sum),
					 rows[r].sum ? VERDICT_GOOD : VERDICT_BAD);
			assert_memory_equal(sum, wanted, sizeof(sum));
		}
}

static void test_signature_ranges(void **state)
{
	static const char *const scalars[] = {"00*32", N, P, "FF*32"};
	uint8_t d[32], point[SIMTIE_POINT_SIZE], digest[32], right[64], wrong[64];

	(void)state;
	random_key(d, point);
	random_fill(digest, sizeof(digest));
	token_fixture_sign(d, point, digest, right);
	for (int i = 0; i < ADAPTERS; i++) {
		assert_int_equal(adapter(i)->p256_verify(point, digest, right), VERDICT_GOOD);
		for (int half = 0; half < 2; half++)
			for (int k = 0; k < 4; k++) {
				memcpy(wrong, right, sizeof(wrong));
				bytes_read(scalars[k], wrong + 32 * half, 32);
				assert_int_equal(adapter(i)->p256_verify(point, digest, wrong),
						 VERDICT_BAD);
			}
	}
}

/* Digests that are 0 mod n, or above n. */
static void test_digest_edges(void **state)
{
	static const char *const digests[] = {"00*32", N, "FF*32", "00*31 01"};
	uint8_t d[32], point[SIMTIE_POINT_SIZE], digest[32], signature[64];

	(void)state;
	random_key(d, point);
	for (size_t k = 0; k < sizeof(digests) / sizeof(digests[0]); k++) {
		bytes_read(digests[k], digest, sizeof(digest));
		token_fixture_sign(d, point, digest, signature);
		for (int i = 0; i < ADAPTERS; i++) {
			assert_int_equal(adapter(i)->p256_verify(point, digest, signature),
					 VERDICT_GOOD);
			signature[63] ^= 1;
			assert_int_equal(adapter(i)->p256_verify(point, digest, signature),
					 VERDICT_BAD);
			signature[63] ^= 1;
		}
	}
}

/* (r, n - s) is valid wherever (r, s) is; neither adapter may think otherwise, nor take (r + n, s).
 */
static void test_signature_twins(void **state)
{
	uint8_t d[32], point[SIMTIE_POINT_SIZE], digest[32], signature[64];
	BIGNUM *n = NULL, *s;

	(void)state;
	BN_hex2bn(&n, N);
	random_key(d, point);
	random_fill(digest, sizeof(digest));
	token_fixture_sign(d, point, digest, signature);
	s = BN_bin2bn(signature + 32, 32, NULL);
	BN_sub(s, n, s);
	BN_bn2binpad(s, signature + 32, 32);
	for (int i = 0; i < ADAPTERS; i++)
		assert_int_equal(adapter(i)->p256_verify(point, digest, signature), VERDICT_GOOD);
	BN_free(s);
	BN_free(n);
}

/* e = -r·d, so that R = s^-1·(e·G + r·Q) is infinity: a bad signature, not a failing library. */
static void test_signature_of_infinity(void **state)
{
	uint8_t d[32], point[SIMTIE_POINT_SIZE], digest[32], signature[64];
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *n = NULL, *r, *e = BN_new();
	BIGNUM *scalar;

	(void)state;
	BN_hex2bn(&n, N);
	random_key(d, point);
	random_fill(signature, sizeof(signature));
	signature[0] &= 0x7F; /* below n */
	signature[32] &= 0x7F;
	r = BN_bin2bn(signature, 32, NULL);
	scalar = BN_bin2bn(d, 32, NULL);
	assert_int_equal(BN_mod_mul(e, r, scalar, n, ctx), 1);
	assert_int_equal(BN_sub(e, n, e), 1);
	assert_int_equal(BN_bn2binpad(e, digest, 32), 32);
	for (int i = 0; i < ADAPTERS; i++)
		assert_int_equal(adapter(i)->p256_verify(point, digest, signature), VERDICT_BAD);
	BN_free(scalar);
	BN_free(e);
	BN_free(r);
	BN_free(n);
	BN_CTX_free(ctx);
}

static void test_random_hashing(void **state)
{
	uint8_t prk[32], info[200], data[600], a[200], b[200];

	(void)state;
	for (int k = 0; k < RANDOM_CASES; k++) {
		size_t info_len = random_next() % sizeof(info);
		size_t data_len = random_next() % sizeof(data);
		size_t len = 1 + random_next() % sizeof(a);

		random_fill(prk, sizeof(prk));
		random_fill(info, sizeof(info));
		random_fill(data, sizeof(data));
		assert_true(adapter(0)->hkdf_expand(bytes_of(prk, 32), bytes_of(info, info_len), a,
						    len));
		assert_true(adapter(1)->hkdf_expand(bytes_of(prk, 32), bytes_of(info, info_len), b,
						    len));
		assert_memory_equal(a, b, len);
		assert_true(adapter(0)->sha256(bytes_of(data, data_len), a));
		assert_true(adapter(1)->sha256(bytes_of(data, data_len), b));
		assert_memory_equal(a, b, 32);
	}
}

/* Tweak, sign under the tweaked key, verify; then with something changed. */
static void test_random_curve(void **state)
{
	uint8_t d[32], point[SIMTIE_POINT_SIZE], tweak[DERIVE_TWEAK_SIZE], digest[32];
	uint8_t signature[64], a[SIMTIE_POINT_SIZE], b[SIMTIE_POINT_SIZE];

	(void)state;
	for (int k = 0; k < RANDOM_CASES; k++) {
		uint64_t dice = random_next();
		enum simtie_verdict verdict;

		random_key(d, point);
		random_fill(tweak, sizeof(tweak));
		random_fill(digest, sizeof(digest));
		assert_int_equal(adapter(0)->p256_tweak(point, tweak, a), VERDICT_GOOD);
		assert_int_equal(adapter(1)->p256_tweak(point, tweak, b), VERDICT_GOOD);
		assert_memory_equal(a, b, sizeof(a));

		token_fixture_sign(d, point, digest, signature);
		if (dice % 4 == 1)
			digest[dice / 4 % 32] ^= 1;
		if (dice % 4 == 2)
			signature[dice / 4 % 64] ^= 1;
		if (dice % 4 == 3)
			memcpy(point, a, sizeof(point));
		verdict = dice % 4 ? VERDICT_BAD : VERDICT_GOOD;
		assert_int_equal(adapter(0)->p256_verify(point, digest, signature), verdict);
		assert_int_equal(adapter(1)->p256_verify(point, digest, signature), verdict);
	}
}

/* Points that are random bytes but for the first: both refuse the same ones. */
static void test_random_points(void **state)
{
	uint8_t point[SIMTIE_POINT_SIZE];

	(void)state;
	for (int k = 0; k < RANDOM_CASES; k++) {
		random_fill(point, sizeof(point));
		point[0] = 0x04;
		assert_int_equal(adapter(0)->p256_point(point), VERDICT_BAD);
		assert_int_equal(adapter(1)->p256_point(point), VERDICT_BAD);
	}
}

static void test_error_queue_is_left_alone(void **state)
{
	uint8_t point[SIMTIE_POINT_SIZE] = {0x04}, digest[32] = {0}, signature[64];
	uint8_t tweak[DERIVE_TWEAK_SIZE] = {1}, sum[SIMTIE_POINT_SIZE];

	(void)state;
	memset(signature, 0x11, sizeof(signature));
	ERR_clear_error();
	ERR_raise(ERR_LIB_USER, 42);
	assert_int_equal(adapter(0)->p256_verify(point, digest, signature), VERDICT_BAD);
	assert_int_equal(adapter(0)->p256_point(point), VERDICT_BAD);
	assert_int_equal(adapter(0)->p256_tweak(point, tweak, sum), VERDICT_BAD);
	assert_int_equal(ERR_GET_REASON(ERR_get_error()), 42);
	assert_int_equal(ERR_get_error(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_hkdf_expand),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_tweaks),
		cmocka_unit_test(test_signature_ranges),
		cmocka_unit_test(test_digest_edges),
		cmocka_unit_test(test_signature_twins),
		cmocka_unit_test(test_signature_of_infinity),
		cmocka_unit_test(test_random_hashing),
		cmocka_unit_test(test_random_curve),
		cmocka_unit_test(test_random_points),
		cmocka_unit_test(test_error_queue_is_left_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("host crypto", tests, NULL, NULL);
}
