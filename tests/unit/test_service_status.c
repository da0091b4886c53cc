/* Status lists: the draft's own examples, every bit of a list, bombs, and time. */
#include "service_internal.h"
#include "service_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "base64url.h"

#include <zlib.h>

#define URI "https://mno.example/v1/status/7"
#define TYP "statuslist+jwt"
#define NOW 1795510000
#define TTL 900

static struct simtie_service_key *key, *certificate;

static int keys_make(void **state)
{
	if (service_place_make(state))
		return -1;
	key = service_place_key("signer");
	certificate = service_place_certificate("signer");
	return 0;
}

static int keys_free(void **state)
{
	simtie_service_key_free(&key);
	simtie_service_key_free(&certificate);
	return service_place_remove(state);
}

/* The whole list, read at once, says of the bit what the look-up says. */
static void compare(int64_t now, uint32_t index, const char *jwt, size_t len, int expected)
{
	struct service_status status;
	int result = service_status_read(certificate, URI, now, jwt, len, &status);

	if (result == SIMTIE_SERVICE_OK) {
		assert_true(status.until > now);
		result = index >= status.size                        ? SIMTIE_SERVICE_ERR_ARGUMENT
			 : status.bits[index / 8] >> (index % 8) & 1 ? SIMTIE_SERVICE_ERR_REVOKED
								     : SIMTIE_SERVICE_OK;
	} else {
		assert_null(status.bits);
	}
	assert_int_equal(result, expected);
	service_status_free(&status);
}

static int check_at(int64_t now, uint32_t index, const char *jwt)
{
	size_t len = strlen(jwt);
	char *exact = malloc(len);
	int result;

	assert_non_null(exact);
	memcpy(exact, jwt, len);
	result = simtie_status_check(certificate, URI, index, now, exact, len);
	compare(now, index, exact, len, result);
	free(exact);
	return result;
}

static int check(uint32_t index, const char *jwt)
{
	return check_at(NOW, index, jwt);
}

static char *issue(const uint8_t *bits, uint32_t size)
{
	char *jwt;

	assert_int_equal(simtie_status_issue(key, URI, bits, size, NOW, TTL, &jwt),
			 SIMTIE_SERVICE_OK);
	return jwt;
}

static json_t *claims_of(const char *jwt)
{
	json_t *claims;

	assert_int_equal(service_jwt_verify(key, TYP, jwt, strlen(jwt), 1 << 24, &claims),
			 SIMTIE_SERVICE_OK);
	return claims;
}

/* A list with these claims, really signed; takes them over. */
static char *forge(json_t *claims)
{
	char *jwt;

	assert_non_null(claims);
	assert_int_equal(service_jwt_sign(key, TYP, claims, &jwt), SIMTIE_SERVICE_OK);
	return jwt;
}

static json_t *good_claims(const char *lst)
{
	return json_pack("{s:s, s:I, s:I, s:{s:i, s:s}}", "sub", URI, "iat", (json_int_t)NOW, "exp",
			 (json_int_t)NOW + TTL, "status_list", "bits", 1, "lst", lst);
}

/* The draft's worked example of sixteen bits: written so, and read so. */
static void test_draft_example(void **state)
{
	static const uint8_t bits[] = {0xB9, 0xA3};
	char *jwt = issue(bits, 16);
	json_t *claims = claims_of(jwt), *list = json_object_get(claims, "status_list");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(claims, "sub")), URI);
	assert_int_equal(json_integer_value(json_object_get(claims, "iat")), NOW);
	assert_int_equal(json_integer_value(json_object_get(claims, "ttl")), TTL);
	assert_int_equal(json_integer_value(json_object_get(claims, "exp")), NOW + 2 * TTL);
	assert_int_equal(json_integer_value(json_object_get(list, "bits")), 1);
	assert_string_equal(json_string_value(json_object_get(list, "lst")), "eNrbuRgAAhcBXQ");
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(check(i, jwt), bits[i / 8] >> i % 8 & 1
							? SIMTIE_SERVICE_ERR_REVOKED
							: SIMTIE_SERVICE_OK);
	assert_int_equal(check(16, jwt), SIMTIE_SERVICE_ERR_ARGUMENT);
	assert_int_equal(check(UINT32_MAX, jwt), SIMTIE_SERVICE_ERR_ARGUMENT);
	json_decref(claims);
	free(jwt);
}

/* The draft's test vector of 2^20 bits. */
static void test_draft_vector(void **state)
{
	static const char lst[] =
		"eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogE"
		"AAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		"AAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAA"
		"A7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAA"
		"ACAZC8L2AEb";
	static const uint32_t set[] = {0,      1993,   25460,  159495, 495669, 554353,
				       645645, 723232, 854545, 934534, 1000345};
	char *jwt = forge(good_claims(lst));

	(void)state;
	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
		assert_int_equal(check(set[i], jwt), SIMTIE_SERVICE_ERR_REVOKED);
		assert_int_equal(check(set[i] + 1, jwt), SIMTIE_SERVICE_OK);
		if (set[i])
			assert_int_equal(check(set[i] - 1, jwt), SIMTIE_SERVICE_OK);
	}
	assert_int_equal(check((1 << 20) - 1, jwt), SIMTIE_SERVICE_OK);
	assert_int_equal(check(1 << 20, jwt), SIMTIE_SERVICE_ERR_ARGUMENT);
	free(jwt);
}

/* The largest, which does not compress. */
static void test_largest(void **state)
{
	uint8_t *bits = malloc(SIMTIE_STATUS_BITS_MAX / 8);
	uint32_t seed = 1;
	char *jwt;

	(void)state;
	assert_non_null(bits);
	for (size_t i = 0; i < SIMTIE_STATUS_BITS_MAX / 8; i++) {
		seed = seed * 1664525 + 1013904223;
		bits[i] = (uint8_t)(seed >> 24);
	}
	jwt = issue(bits, SIMTIE_STATUS_BITS_MAX);
	for (uint32_t k = 0; k < 8; k++) {
		uint32_t index = k < 4 ? k : SIMTIE_STATUS_BITS_MAX - 8 + k;

		assert_int_equal(check(index, jwt), bits[index / 8] >> index % 8 & 1
							    ? SIMTIE_SERVICE_ERR_REVOKED
							    : SIMTIE_SERVICE_OK);
	}
	free(jwt);
	free(bits);
}

static void test_arguments(void **state)
{
	uint8_t bits[2] = {0};
	char uri[SIMTIE_STATUS_URI_MAX + 2], *jwt;

	(void)state;
	memset(uri, 'u', sizeof(uri));
	uri[sizeof(uri) - 1] = '\0';
	assert_int_equal(simtie_status_issue(key, URI, bits, 0, NOW, TTL, &jwt),
			 SIMTIE_SERVICE_ERR_ARGUMENT);
	assert_int_equal(simtie_status_issue(key, URI, bits, 9, NOW, TTL, &jwt),
			 SIMTIE_SERVICE_ERR_ARGUMENT);
	assert_int_equal(
		simtie_status_issue(key, URI, bits, SIMTIE_STATUS_BITS_MAX + 8, NOW, TTL, &jwt),
		SIMTIE_SERVICE_ERR_ARGUMENT);
	assert_int_equal(simtie_status_issue(key, URI, bits, 16, NOW, 0, &jwt),
			 SIMTIE_SERVICE_ERR_ARGUMENT);
	assert_int_equal(simtie_status_issue(key, uri, bits, 16, NOW, TTL, &jwt),
			 SIMTIE_SERVICE_ERR_ARGUMENT);
	assert_int_equal(simtie_status_issue(certificate, URI, bits, 16, NOW, TTL, &jwt),
			 SIMTIE_SERVICE_ERR_ARGUMENT);
	assert_null(jwt);
}

static void test_times(void **state)
{
	static const uint8_t bits[1];
	char *jwt = issue(bits, 8);

	(void)state;
	assert_int_equal(check_at(NOW - SERVICE_CLOCK_SKEW - 1, 0, jwt), SIMTIE_SERVICE_ERR_TIME);
	assert_int_equal(check_at(NOW - SERVICE_CLOCK_SKEW, 0, jwt), SIMTIE_SERVICE_OK);
	assert_int_equal(check_at(NOW + 2 * TTL - 1, 0, jwt), SIMTIE_SERVICE_OK);
	assert_int_equal(check_at(NOW + 2 * TTL, 0, jwt), SIMTIE_SERVICE_ERR_TIME);
	assert_int_equal(simtie_status_check(certificate, URI "1", 0, NOW, jwt, strlen(jwt)),
			 SIMTIE_SERVICE_ERR_AUDIENCE);
	free(jwt);
}

static void test_bit_flips(void **state)
{
	static const uint8_t bits[4] = {1, 2, 3, 4};
	char *jwt = issue(bits, 32);
	size_t len = strlen(jwt);

	(void)state;
	for (size_t bit = 0; bit < 8 * len; bit++) {
		int result;

		jwt[bit / 8] ^= (char)(1 << bit % 8);
		result = simtie_status_check(certificate, URI, 1, NOW, jwt, len);
		assert_true(result == SIMTIE_SERVICE_ERR_FORMAT ||
			    result == SIMTIE_SERVICE_ERR_KEY ||
			    result == SIMTIE_SERVICE_ERR_SIGNATURE);
		jwt[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_int_equal(check(1, jwt), SIMTIE_SERVICE_OK);
	free(jwt);
}

/* What zlib makes of `len` zeros, and what is to follow them, as a list. */
static char *zeros(size_t len, const char *more)
{
	static uint8_t chunk[65536];
	size_t size = len / 500 + 1024, more_len = strlen(more);
	uint8_t *packed = malloc(size);
	char *text = malloc(BASE64URL_LEN(size) + 1);
	z_stream stream = {.next_out = packed, .avail_out = (uInt)size};

	assert_true(packed && text);
	assert_int_equal(deflateInit(&stream, 9), Z_OK);
	while (len) {
		size_t part = len < sizeof(chunk) ? len : sizeof(chunk);

		stream.next_in = chunk;
		stream.avail_in = (uInt)part;
		assert_int_equal(deflate(&stream, Z_NO_FLUSH), Z_OK);
		len -= part;
	}
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	size -= stream.avail_out;
	memcpy(packed + size, more, more_len);
	text[base64url_write(bytes_of(packed, size + more_len), text)] = '\0';
	free(packed);
	return text;
}

static void test_bombs(void **state)
{
	char *largest = zeros(SIMTIE_STATUS_BITS_MAX / 8, "");
	char *larger = zeros(SIMTIE_STATUS_BITS_MAX / 8 + 1, "");
	char *bomb = zeros(1u << 30, "");
	char *jwt = forge(good_claims(largest));
	struct rusage before, after;

	(void)state;
	assert_int_equal(check(0, jwt), SIMTIE_SERVICE_OK);
	assert_int_equal(check(SIMTIE_STATUS_BITS_MAX - 1, jwt), SIMTIE_SERVICE_OK);
	free(jwt);
	jwt = forge(good_claims(larger));
	assert_int_equal(check(0, jwt), SIMTIE_SERVICE_ERR_FORMAT);
	free(jwt);
	/* A gigabyte in a megabyte: refused after two of its megabytes, in a small window. */
	jwt = forge(good_claims(bomb));
	getrusage(RUSAGE_SELF, &before);
	assert_int_equal(check(0, jwt), SIMTIE_SERVICE_ERR_FORMAT);
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 65536); /* KiB */
	free(jwt);
	free(bomb);
	free(larger);
	free(largest);
}

static void test_lists(void **state)
{
	char *trailing = zeros(8, "x");
	const char *const bad[] = {
		trailing,          "", "AAAA", "eNrbuRgAAhcBX", "eNrbuRgAAhcBXR", "eNrbuRg",
		"eNrbuRgAAhcBXQ=="};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *jwt = forge(good_claims(bad[i]));

		assert_int_equal(check(0, jwt), SIMTIE_SERVICE_ERR_FORMAT);
		free(jwt);
	}
	free(trailing);
}

static void test_claims(void **state)
{
	static const char *const members[] = {"sub", "iat", "exp", "status_list"};
	char *jwt;
	json_t *claims;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		claims = good_claims("eNrbuRgAAhcBXQ");
		if (i < 4)
			json_object_del(claims, members[i]);
		else
			json_object_set_new(claims, members[i - 4], json_true());
		jwt = forge(claims);
		assert_int_equal(check(1, jwt), SIMTIE_SERVICE_ERR_FORMAT);
		free(jwt);
	}
	claims = good_claims("eNrbuRgAAhcBXQ");
	json_object_set_new(json_object_get(claims, "status_list"), "bits", json_integer(2));
	jwt = forge(claims);
	assert_int_equal(check(1, jwt), SIMTIE_SERVICE_ERR_FORMAT);
	free(jwt);
	/* What a later version adds is passed over. */
	claims = good_claims("eNrbuRgAAhcBXQ");
	json_object_set_new(claims, "aggregation", json_true());
	jwt = forge(claims);
	assert_int_equal(check(1, jwt), SIMTIE_SERVICE_OK);
	free(jwt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_draft_example), cmocka_unit_test(test_draft_vector),
		cmocka_unit_test(test_largest),       cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_times),         cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_bombs),         cmocka_unit_test(test_lists),
		cmocka_unit_test(test_claims),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("status list", tests, keys_make, keys_free);
}
