/* The sealed number: what RFC 9052 says of its parts, for whom it opens, and what two do not share.
 */
#include "service_internal.h"
#include "service_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "token_fixture.h"

#include <openssl/err.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#define AUDIENCE "chat.example"
#define NUMBER   "+4930123456789"
#define SIZE     151 /* of every sealed number */

static struct simtie_service_key *key, *certificate, *other;
static const uint8_t nonce[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static int keys_make(void **state)
{
	if (service_place_make(state))
		return -1;
	key = service_place_key("sealing");
	certificate = service_place_certificate("sealing");
	other = service_place_key("other");
	return 0;
}

static int keys_free(void **state)
{
	simtie_service_key_free(&key);
	simtie_service_key_free(&certificate);
	simtie_service_key_free(&other);
	return service_place_remove(state);
}

static size_t seal(const char *number, uint8_t sealed[static SIMTIE_SEALED_NUMBER_MAX])
{
	size_t len;

	assert_int_equal(simtie_number_seal(certificate, AUDIENCE, nonce, sizeof(nonce), number,
					    sealed, &len),
			 SIMTIE_SERVICE_OK);
	return len;
}

static int unseal(const uint8_t *sealed, size_t len, char number[static SIMTIE_NUMBER_SIZE])
{
	uint8_t *exact = malloc(len ? len : 1);
	int result;

	assert_non_null(exact);
	memcpy(exact, sealed, len);
	result = simtie_number_unseal(key, AUDIENCE, nonce, sizeof(nonce), exact, len, number);
	free(exact);
	return result;
}

static void test_numbers(void **state)
{
	static const struct {
		const char *number;
		bool valid;
	} rows[] = {
		{"+12345", true},
		{"+123456789012345", true},
		{NUMBER, true},
		{"+1234", false},
		{"+1234567890123456", false},
		{"+0123456", false},
		{"12345678", false},
		{"++1234567", false},
		{"+12345 ", false},
		{"+1234a5", false},
		{"+", false},
		{"", false},
	};
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX];
	char opened[SIMTIE_NUMBER_SIZE];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(simtie_number_valid(rows[i].number), rows[i].valid);
		assert_int_equal(simtie_number_seal(certificate, AUDIENCE, nonce, sizeof(nonce),
						    rows[i].number, sealed, &len),
				 rows[i].valid ? SIMTIE_SERVICE_OK : SIMTIE_SERVICE_ERR_ARGUMENT);
		if (!rows[i].valid)
			continue;
		assert_int_equal(len, SIZE);
		assert_int_equal(unseal(sealed, len, opened), SIMTIE_SERVICE_OK);
		assert_string_equal(opened, rows[i].number);
	}
}

/* Each refused, and as what, when a bit of it is turned. */
static void test_bit_flips(void **state)
{
	static const char empty[SIMTIE_NUMBER_SIZE];
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX];
	char opened[SIMTIE_NUMBER_SIZE];
	size_t len = seal(NUMBER, sealed);

	(void)state;
	ERR_clear_error();
	for (size_t bit = 0; bit < 8 * len; bit++) {
		int result;

		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		result = unseal(sealed, len, opened);
		assert_true(result == SIMTIE_SERVICE_ERR_FORMAT ||
			    result == SIMTIE_SERVICE_ERR_KEY ||
			    result == SIMTIE_SERVICE_ERR_SIGNATURE);
		assert_memory_equal(opened, empty, sizeof(opened));
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(ERR_peek_error(), 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(unseal(sealed, cut, opened), SIMTIE_SERVICE_ERR_FORMAT);
	sealed[len] = 0;
	assert_int_equal(unseal(sealed, len + 1, opened), SIMTIE_SERVICE_ERR_FORMAT);
	assert_int_equal(unseal(sealed, len, opened), SIMTIE_SERVICE_OK);
}

static void test_for_nothing_else(void **state)
{
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX], another[17] = {0};
	char opened[SIMTIE_NUMBER_SIZE];
	size_t len = seal(NUMBER, sealed);

	(void)state;
	memcpy(another, nonce, sizeof(nonce));
	assert_int_equal(simtie_number_unseal(key, "chat.exampl", nonce, 16, sealed, len, opened),
			 SIMTIE_SERVICE_ERR_SIGNATURE);
	assert_int_equal(simtie_number_unseal(key, AUDIENCE, another, 17, sealed, len, opened),
			 SIMTIE_SERVICE_ERR_SIGNATURE);
	another[15] ^= 1;
	assert_int_equal(simtie_number_unseal(key, AUDIENCE, another, 16, sealed, len, opened),
			 SIMTIE_SERVICE_ERR_SIGNATURE);
	assert_int_equal(simtie_number_unseal(other, AUDIENCE, nonce, 16, sealed, len, opened),
			 SIMTIE_SERVICE_ERR_KEY);
	assert_int_equal(
		simtie_number_unseal(certificate, AUDIENCE, nonce, 16, sealed, len, opened),
		SIMTIE_SERVICE_ERR_ARGUMENT);
	assert_int_equal(simtie_number_unseal(key, "", nonce, 16, sealed, len, opened),
			 SIMTIE_SERVICE_ERR_ARGUMENT);
	assert_int_equal(simtie_number_unseal(key, AUDIENCE, nonce, 15, sealed, len, opened),
			 SIMTIE_SERVICE_ERR_ARGUMENT);
}

/* The strings of the message, as they stand in it. */
static const struct part {
	const char *name;
	size_t at, len;
	bool varies;
} parts[] = {
	{"tag, array, {1: 3}, {5: ", 0, 10, false},
	{"IV", 10, 12, true},
	{"head of the ciphertext", 22, 2, false},
	{"ciphertext and tag", 24, 32, true},
	{"recipient, {1: -25}, {4: ", 56, 10, false},
	{"kid", 66, 8, false}, /* the operator's */
	{"-1: {1: 2, -1: 1, -2: ", 74, 9, false},
	{"x of the ephemeral key", 83, 32, true},
	{"-3", 115, 3, false},
	{"y of the ephemeral key", 118, 32, true},
	{"end", 150, 1, false},
};

static void test_two_seals_share_nothing(void **state)
{
	static const char *const numbers[] = {NUMBER, "+12345", "+123456789012345"};
	uint8_t first[SIMTIE_SEALED_NUMBER_MAX], second[SIMTIE_SEALED_NUMBER_MAX];

	(void)state;
	for (size_t n = 0; n < 3; n++) {
		assert_int_equal(seal(NUMBER, first), SIZE);
		assert_int_equal(seal(numbers[n], second), SIZE);
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			const struct part *part = &parts[i];
			bool alike = memcmp(first + part->at, second + part->at, part->len) == 0;

			assert_int_equal(alike, !part->varies);
			for (size_t k = 0; part->varies && k + 8 <= part->len; k += 8)
				assert_memory_not_equal(first + part->at + k, second + part->at + k,
							8);
		}
	}
}

/* What RFC 9052 asks for, byte by byte. */
static void test_form(void **state)
{
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX], expected[SIMTIE_SEALED_NUMBER_MAX];
	size_t len = seal(NUMBER, sealed);

	(void)state;
	assert_int_equal(token_fixture_bytes("D8 60 84 43 A10103 A1 05 4C 00*12 5820 00*32 "
					     "81 83 44 A1013818 A2 04 48 00*8 "
					     "20 A4 01 02 20 01 21 5820 00*32 22 5820 00*32 40",
					     expected, sizeof(expected)),
			 len);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].varies || strcmp(parts[i].name, "kid") == 0)
			memcpy(expected + parts[i].at, sealed + parts[i].at, parts[i].len);
	assert_memory_equal(sealed, expected, len);
	assert_memory_equal(sealed + 66, key->kid, 8);
}

/* Other ways to write the same message. */
static void test_strict(void **state)
{
	static const struct {
		const char *name, *head;
		size_t at, len; /* what it stands in the place of */
	} rows[] = {
		{"no tag", "", 0, 2},
		{"COSE_Encrypt0", "D0", 0, 2},
		{"open array", "9F", 2, 1},
		{"long head of the protected header", "58 03", 3, 1},
		{"A128GCM", "43 A10101", 3, 4},
		{"alg in the wrong header", "40 A2 01 03", 3, 5},
		{"long head of the IV", "58 0C", 9, 1},
		{"short ciphertext", "581F", 22, 2},
		{"two recipients", "82", 56, 1},
		{"open recipients", "9F", 56, 1},
		{"ECDH-SS", "44 A101381A", 58, 5},
		{"P-384", "20 02", 78, 2},
		{"OKP", "01 01", 76, 2},
		{"a text for x", "7820", 81, 2},
		{"nil for the recipient's ciphertext", "F6", 150, 1},
	};
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX], changed[SIMTIE_SEALED_NUMBER_MAX];
	char opened[SIMTIE_NUMBER_SIZE];
	size_t len = seal(NUMBER, sealed);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t head_len, at = rows[i].at, rest = at + rows[i].len;

		memcpy(changed, sealed, at);
		head_len = token_fixture_bytes(rows[i].head, changed + at, sizeof(changed) - at);
		memcpy(changed + at + head_len, sealed + rest, len - rest);
		assert_int_equal(unseal(changed, at + head_len + len - rest, opened),
				 SIMTIE_SERVICE_ERR_FORMAT);
	}
}

/* The ephemeral key must be a point of the curve: else the sealing key could be learnt by asking.
 */
static void test_invalid_points(void **state)
{
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX];
	char opened[SIMTIE_NUMBER_SIZE];
	size_t len = seal(NUMBER, sealed);

	(void)state;
	memset(sealed + 83, 0, 32);
	assert_int_equal(unseal(sealed, len, opened), SIMTIE_SERVICE_ERR_FORMAT);
	memset(sealed + 118, 0, 32);
	assert_int_equal(unseal(sealed, len, opened), SIMTIE_SERVICE_ERR_FORMAT);
	memset(sealed + 83, 0xFF, 32);
	memset(sealed + 118, 0xFF, 32);
	assert_int_equal(unseal(sealed, len, opened), SIMTIE_SERVICE_ERR_FORMAT);
}

static EVP_PKEY *private_key(const char *d_hex)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = EC_POINT_new(group);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	uint8_t public[SIMTIE_POINT_SIZE];
	BIGNUM *d = NULL;
	EVP_PKEY *made = NULL;
	OSSL_PARAM *params;

	BN_hex2bn(&d, d_hex);
	EC_POINT_mul(group, point, d, NULL, NULL, NULL);
	EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, public, sizeof(public),
			   NULL);
	OSSL_PARAM_BLD_push_utf8_string(build, "group", "prime256v1", 0);
	OSSL_PARAM_BLD_push_BN(build, "priv", d);
	OSSL_PARAM_BLD_push_octet_string(build, "pub", public, sizeof(public));
	params = OSSL_PARAM_BLD_to_param(build);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_KEYPAIR, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	BN_free(d);
	return made;
}

/* RFC 9052 appendix C.3.1: ECDH-ES + HKDF-256 straight to a key for A128GCM. */
static void test_rfc_9052_example(void **state)
{
	static const char text[] = "This is the content.";
	EVP_PKEY *recipient =
		private_key("AFF907C99F9AD3AAE6C4CDF21122BCE2BD68B5283E6907154AD911840FA208CF");
	uint8_t cipher[64], iv[12], point[SIMTIE_POINT_SIZE], secret[32], derived[16];
	uint8_t structure[32], plain[64], header[8], recipient_header[8];
	EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *ephemeral = EC_POINT_new(group);
	size_t len = token_fixture_bytes("7ADBE2709CA818FB415F1E5DF66F4E1A51053BA6D65A1A0C52A357DA"
					 "7A644B8070A151B0",
					 cipher, sizeof(cipher));
	size_t secret_len = sizeof(secret), structure_len;
	EVP_PKEY *theirs;
	EVP_PKEY_CTX *ctx;
	int part;

	(void)state;
	token_fixture_bytes("C9CF4DF2FE6C632BF7886413", iv, sizeof(iv));
	/* its y is even or odd as "true" says: odd */
	token_fixture_bytes("03 98F50A4FF6C05861C8860D13A638EA56C3F5AD7590BBFBF054E1C7B4D91D6280",
			    point, sizeof(point));
	assert_int_equal(EC_POINT_oct2point(group, ephemeral, point, 33, NULL), 1);
	EC_POINT_point2oct(group, ephemeral, POINT_CONVERSION_UNCOMPRESSED, point, sizeof(point),
			   NULL);
	theirs = service_key_public(point);
	ctx = EVP_PKEY_CTX_new(recipient, NULL);
	assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(ctx, theirs), 1);
	assert_int_equal(EVP_PKEY_derive(ctx, secret, &secret_len), 1);
	assert_true(service_cose_derive(
		bytes_of(secret, secret_len), COSE_ALG_A128GCM,
		bytes_of(recipient_header, token_fixture_bytes("A1013818", recipient_header,
							       sizeof(recipient_header))),
		derived, sizeof(derived)));
	structure_len = service_cose_enc_structure(
		bytes_of(header, token_fixture_bytes("A10101", header, sizeof(header))),
		bytes_of(NULL, 0), structure, sizeof(structure));
	assert_int_equal(structure_len, 14);
	assert_int_equal(EVP_DecryptInit_ex(gcm, EVP_aes_128_gcm(), NULL, derived, iv), 1);
	assert_int_equal(EVP_DecryptUpdate(gcm, NULL, &part, structure, (int)structure_len), 1);
	assert_int_equal(EVP_DecryptUpdate(gcm, plain, &part, cipher, (int)len - 16), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_SET_TAG, 16, cipher + len - 16), 1);
	assert_int_equal(EVP_DecryptFinal_ex(gcm, plain + part, &part), 1);
	assert_memory_equal(plain, text, sizeof(text) - 1);
	EVP_CIPHER_CTX_free(gcm);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(theirs);
	EVP_PKEY_free(recipient);
	EC_POINT_free(ephemeral);
	EC_GROUP_free(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_for_nothing_else),
		cmocka_unit_test(test_two_seals_share_nothing),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_invalid_points),
		cmocka_unit_test(test_rfc_9052_example),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sealed number", tests, keys_make, keys_free);
}
