/* JWTs: RFC 7515's example, base64url, and everything that a header may not say. */
#include "service_internal.h"
#include "service_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base64url.h"

#include <stdio.h>

#define TYP "test+jwt"
#define MAX 2048

static struct simtie_service_key *key, *other;

static int keys_make(void **state)
{
	if (service_place_make(state))
		return -1;
	key = service_place_key("signer");
	other = service_place_key("other");
	return 0;
}

static int keys_free(void **state)
{
	simtie_service_key_free(&key);
	simtie_service_key_free(&other);
	return service_place_remove(state);
}

static void test_base64url(void **state)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {/* RFC 4648 §10 without its padding */
		    {"", ""},
		    {"f", "Zg"},
		    {"fo", "Zm8"},
		    {"foo", "Zm9v"},
		    {"foob", "Zm9vYg"},
		    {"fooba", "Zm9vYmE"},
		    {"foobar", "Zm9vYmFy"},
		    {"\xFB\xFF\xBF", "-_-_"}};
	static const char *const bad[] = {
		"A", "AAAAA", "Zh", "Zm9", "Zg==", "Zm9v\n", "Zm 9v", "+/AA", "Zm9v=", "Zm9vYmF_x"};
	uint8_t out[16];
	char text[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = strlen(rows[i].bytes), text_len = strlen(rows[i].text);

		assert_int_equal(BASE64URL_LEN(size), text_len);
		assert_int_equal(BASE64URL_BYTES_MAX(text_len), size);
		assert_int_equal(
			base64url_write(bytes_of((const uint8_t *)rows[i].bytes, size), text),
			text_len);
		assert_memory_equal(text, rows[i].text, text_len);
		assert_true(base64url_read(rows[i].text, text_len, out, size, &len));
		assert_int_equal(len, size);
		assert_memory_equal(out, rows[i].bytes, size);
		if (size)
			assert_false(base64url_read(rows[i].text, text_len, out, size - 1, &len));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(base64url_read(bad[i], strlen(bad[i]), out, sizeof(out), &len));
}

/* RFC 7515 appendix A.3. */
static void test_rfc_7515_example(void **state)
{
	static const char input[] =
		"eyJhbGciOiJFUzI1NiJ9."
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
		"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
	static const char signature[] =
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8"
		"ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
	uint8_t point[SIMTIE_POINT_SIZE] = {4}, raw[SIMTIE_SIGNATURE_SIZE];
	struct simtie_service_key theirs = {0};
	json_t *claims;
	char jwt[512];
	size_t len;

	(void)state;
	assert_true(base64url_read("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", 43, point + 1, 32,
				   &len));
	assert_true(base64url_read("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", 43, point + 33,
				   32, &len));
	assert_true(base64url_read(signature, strlen(signature), raw, sizeof(raw), &len));
	assert_int_equal(service_signature_check(
				 point, bytes_of((const uint8_t *)input, strlen(input)), raw),
			 SIMTIE_SERVICE_OK);
	raw[5] ^= 1;
	assert_int_equal(service_signature_check(
				 point, bytes_of((const uint8_t *)input, strlen(input)), raw),
			 SIMTIE_SERVICE_ERR_SIGNATURE);
	/* As a whole it says no typ, and is none of ours. */
	memcpy(theirs.point, point, sizeof(point));
	len = (size_t)snprintf(jwt, sizeof(jwt), "%s.%s", input, signature);
	assert_int_equal(service_jwt_verify(&theirs, "JWT", jwt, len, MAX, &claims),
			 SIMTIE_SERVICE_ERR_FORMAT);
}

static char *sign(const char *payload)
{
	char *jwt;

	assert_int_equal(service_jwt_sign(key, TYP, json_loads(payload, 0, NULL), &jwt),
			 SIMTIE_SERVICE_OK);
	return jwt;
}

static int verify(const char *jwt, size_t len)
{
	char *exact = malloc(len ? len : 1);
	json_t *claims;
	int result;

	assert_non_null(exact);
	memcpy(exact, jwt, len);
	result = service_jwt_verify(key, TYP, exact, len, MAX, &claims);
	assert_int_equal(claims != NULL, result == SIMTIE_SERVICE_OK);
	json_decref(claims);
	free(exact);
	return result;
}

static void test_order_is_kept(void **state)
{
	char *jwt = sign("{\"z\":1,\"a\":[true,null],\"m\":\"\"}"), *dot = strchr(jwt, '.');
	uint8_t text[256];
	json_t *claims;
	size_t len;

	(void)state;
	assert_true(base64url_read(jwt, (size_t)(dot - jwt), text, sizeof(text), &len));
	assert_int_equal(len, 52);
	assert_memory_equal(text, "{\"alg\":\"ES256\",\"kid\":\"", 22);
	assert_memory_equal(text + 33, "\",\"typ\":\"test+jwt\"}", 19);
	assert_int_equal(service_jwt_verify(key, TYP, jwt, strlen(jwt), MAX, &claims),
			 SIMTIE_SERVICE_OK);
	assert_true(base64url_read(dot + 1, (size_t)(strrchr(jwt, '.') - dot - 1), text,
				   sizeof(text), &len));
	assert_int_equal(len, 30);
	assert_memory_equal(text, "{\"z\":1,\"a\":[true,null],\"m\":\"\"}", 30);
	json_decref(claims);
	free(jwt);
}

static void test_bit_flips(void **state)
{
	char *jwt = sign("{\"a\":1}");
	size_t len = strlen(jwt);
	char *longer = malloc(len + 1);

	(void)state;
	for (size_t bit = 0; bit < 8 * len; bit++) {
		jwt[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_not_equal(verify(jwt, len), SIMTIE_SERVICE_OK);
		jwt[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_int_not_equal(verify(jwt, cut), SIMTIE_SERVICE_OK);
	memcpy(longer, jwt, len);
	for (int c = 0; c < 256; c++) {
		longer[len] = (char)c;
		assert_int_equal(verify(longer, len + 1), SIMTIE_SERVICE_ERR_FORMAT);
	}
	assert_int_equal(verify(jwt, len), SIMTIE_SERVICE_OK);
	free(longer);
	free(jwt);
}

/* A JWT with this header and payload, whatever they are, really signed. */
static size_t forge(const char *header, const char *payload, char jwt[static MAX])
{
	uint8_t digest[SIMTIE_DIGEST_SIZE], der[SERVICE_SIGNATURE_DER_MAX], raw[64];
	size_t len = base64url_write(bytes_of((const uint8_t *)header, strlen(header)), jwt);
	size_t der_len;

	jwt[len++] = '.';
	len += base64url_write(bytes_of((const uint8_t *)payload, strlen(payload)), jwt + len);
	simtie_crypto_openssl()->sha256(bytes_of((const uint8_t *)jwt, len), digest);
	assert_int_equal(service_key_sign(key, digest, der, &der_len), SIMTIE_SERVICE_OK);
	assert_true(service_signature_raw(bytes_of(der, der_len), raw));
	jwt[len++] = '.';
	return len + base64url_write(bytes_of(raw, sizeof(raw)), jwt + len);
}

static void test_headers(void **state)
{
	static const struct {
		const char *header;
		int result;
	} rows[] = {
		{"{\"alg\":\"ES256\",\"typ\":\"test+jwt\"}", SIMTIE_SERVICE_OK},
		{"{\"typ\":\"test+jwt\",\"alg\":\"ES256\",\"x5c\":[]}", SIMTIE_SERVICE_OK},
		{"{\"alg\":\"none\",\"typ\":\"test+jwt\"}", SIMTIE_SERVICE_ERR_FORMAT},
		{"{\"alg\":\"es256\",\"typ\":\"test+jwt\"}", SIMTIE_SERVICE_ERR_FORMAT},
		{"{\"alg\":\"HS256\",\"typ\":\"test+jwt\"}", SIMTIE_SERVICE_ERR_FORMAT},
		{"{\"alg\":\"ES256\\u0000\",\"typ\":\"test+jwt\"}", SIMTIE_SERVICE_ERR_FORMAT},
		{"{\"alg\":[\"ES256\"],\"typ\":\"test+jwt\"}", SIMTIE_SERVICE_ERR_FORMAT},
		{"{\"typ\":\"test+jwt\"}", SIMTIE_SERVICE_ERR_FORMAT},
		{"{\"alg\":\"ES256\"}", SIMTIE_SERVICE_ERR_FORMAT},
		{"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", SIMTIE_SERVICE_ERR_FORMAT},
		{"{\"alg\":\"ES256\",\"typ\":\"test+jwt\",\"crit\":[\"b64\"],\"b64\":false}",
		 SIMTIE_SERVICE_ERR_FORMAT},
		{"{\"alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"test+jwt\"}",
		 SIMTIE_SERVICE_ERR_FORMAT},
		{"{\"alg\":\"ES256\",\"typ\":\"test+jwt\",\"kid\":\"AAAAAAAAAAA\"}",
		 SIMTIE_SERVICE_ERR_KEY},
		{"{\"alg\":\"ES256\",\"typ\":\"test+jwt\",\"kid\":1}", SIMTIE_SERVICE_ERR_KEY},
		{"{\"alg\":\"ES256\",\"typ\":\"test+jwt\"} ", SIMTIE_SERVICE_OK},
		{"{\"alg\":\"ES256\",\"typ\":\"test+jwt\"}}", SIMTIE_SERVICE_ERR_FORMAT},
		{"[]", SIMTIE_SERVICE_ERR_FORMAT},
		{"", SIMTIE_SERVICE_ERR_FORMAT},
	};
	char jwt[MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(verify(jwt, forge(rows[i].header, "{\"a\":1}", jwt)),
				 rows[i].result);
}

static void test_payloads(void **state)
{
	static const char header[] = "{\"alg\":\"ES256\",\"typ\":\"test+jwt\"}";
	static const char *const bad[] = {
		"[1]", "1", "", "{\"a\":1,\"a\":2}", "{\"a\":\"\xC3\"}", "{\"a\":1}{"};
	char jwt[MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(verify(jwt, forge(header, bad[i], jwt)),
				 SIMTIE_SERVICE_ERR_FORMAT);
}

static void test_other_key_and_size(void **state)
{
	char *jwt = sign("{}");
	char forged[MAX];
	size_t len = strlen(jwt);
	json_t *claims;

	(void)state;
	assert_int_equal(service_jwt_verify(other, TYP, jwt, len, MAX, &claims),
			 SIMTIE_SERVICE_ERR_KEY);
	assert_int_equal(service_jwt_verify(key, TYP, jwt, len, len, &claims), SIMTIE_SERVICE_OK);
	json_decref(claims);
	assert_int_equal(service_jwt_verify(key, TYP, jwt, len, len - 1, &claims),
			 SIMTIE_SERVICE_ERR_FORMAT);
	free(jwt);
	len = forge("{\"alg\":\"ES256\",\"typ\":\"test+jwt\"}", "{}", forged);
	assert_int_equal(service_jwt_verify(other, TYP, forged, len, MAX, &claims),
			 SIMTIE_SERVICE_ERR_SIGNATURE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64url),
		cmocka_unit_test(test_rfc_7515_example),
		cmocka_unit_test(test_order_is_kept),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_other_key_and_size),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("JWT", tests, keys_make, keys_free);
}
