/* Notices: what is read back, from whom, for whom, when; and everything that is none. */
#include "service_internal.h"
#include "service_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define ISSUER   "mno.example"
#define AUDIENCE "chat.example"
#define TYP      "secevent+jwt"
#define NOW      1795510000

static struct simtie_service_key *key, *certificate, *other;

static int keys_make(void **state)
{
	if (service_place_make(state))
		return -1;
	key = service_place_key("signer");
	certificate = service_place_certificate("signer");
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

static struct simtie_notice good(void)
{
	return (struct simtie_notice){.issuer = ISSUER,
				      .audience = AUDIENCE,
				      .id = "AAECAwQFBgcICQoLDA0ODw",
				      .registration = "8PHy8_T19vf4-fr7_P3-_w",
				      .event = SIMTIE_EVENT_SIM_SWAPPED,
				      .issued_at = NOW};
}

static char *issue(const struct simtie_notice *notice)
{
	char *jwt;

	assert_int_equal(simtie_notice_issue(key, notice, &jwt), SIMTIE_SERVICE_OK);
	return jwt;
}

static int verify_at(int64_t now, const char *jwt, struct simtie_notice *notice)
{
	size_t len = strlen(jwt);
	char *exact = malloc(len);
	int result;

	assert_non_null(exact);
	memcpy(exact, jwt, len);
	result = simtie_notice_verify(certificate, ISSUER, AUDIENCE, now, exact, len, notice);
	free(exact);
	return result;
}

static void test_reads_back(void **state)
{
	(void)state;
	for (int event = SIMTIE_EVENT_TERMINATED; event <= SIMTIE_EVENT_RESUMED; event++) {
		struct simtie_notice notice = good(), read;
		char *jwt;

		notice.event = (enum simtie_event)event;
		memset(notice.id, 'i', SIMTIE_NOTICE_ID_MAX);
		jwt = issue(&notice);
		assert_true(strlen(jwt) <= SIMTIE_NOTICE_MAX);
		assert_int_equal(verify_at(NOW, jwt, &read), SIMTIE_SERVICE_OK);
		assert_string_equal(read.issuer, ISSUER);
		assert_string_equal(read.audience, AUDIENCE);
		assert_string_equal(read.id, notice.id);
		assert_string_equal(read.registration, notice.registration);
		assert_int_equal(read.event, event);
		assert_true(read.issued_at == NOW);
		free(jwt);
	}
}

/* The longest names, of characters that JSON escapes, still make a notice that is read. */
static void test_longest(void **state)
{
	struct simtie_notice notice = good(), read;
	char *jwt;

	(void)state;
	memset(notice.issuer, '"', SIMTIE_AUDIENCE_MAX);
	memset(notice.audience, '\\', SIMTIE_AUDIENCE_MAX);
	memset(notice.id, 'i', SIMTIE_NOTICE_ID_MAX);
	memset(notice.registration, 'r', SIMTIE_NOTICE_ID_MAX);
	jwt = issue(&notice);
	assert_int_equal(simtie_notice_verify(certificate, notice.issuer, notice.audience, NOW, jwt,
					      strlen(jwt), &read),
			 SIMTIE_SERVICE_OK);
	free(jwt);
}

static void test_names(void **state)
{
	(void)state;
	for (int event = SIMTIE_EVENT_TERMINATED; event <= SIMTIE_EVENT_RESUMED; event++)
		assert_int_equal(simtie_event_read(simtie_event_name((enum simtie_event)event)),
				 event);
	assert_null(simtie_event_name((enum simtie_event)0));
	assert_null(simtie_event_name((enum simtie_event)6));
	assert_int_equal(simtie_event_read("SIM_SWAP"), 0);
	assert_int_equal(simtie_event_read(""), 0);
}

static void test_out_of_bounds(void **state)
{
	struct simtie_notice notice;
	char *jwt;

	(void)state;
	for (int i = 0; i < 8; i++) {
		notice = good();
		switch (i) {
		case 0:
			notice.issuer[0] = '\0';
			break;
		case 1:
			strcpy(notice.audience, "a\n");
			break;
		case 2:
			notice.id[0] = '\0';
			break;
		case 3:
			strcpy(notice.id, "a b");
			break;
		case 4:
			strcpy(notice.registration, "a=");
			break;
		case 5:
			notice.event = (enum simtie_event)0;
			break;
		case 6:
			notice.issued_at = -1;
			break;
		case 7:
			memset(notice.id, 'a', sizeof(notice.id));
			break;
		}
		assert_int_equal(simtie_notice_issue(key, &notice, &jwt),
				 SIMTIE_SERVICE_ERR_ARGUMENT);
		assert_null(jwt);
	}
}

static void test_for_whom_and_when(void **state)
{
	const int64_t oldest = NOW - SIMTIE_NOTICE_AGE_MAX - SERVICE_CLOCK_SKEW;
	struct simtie_notice notice = good(), read;
	char *jwt = issue(&notice);
	size_t len = strlen(jwt);

	(void)state;
	assert_int_equal(simtie_notice_verify(other, ISSUER, AUDIENCE, NOW, jwt, len, &read),
			 SIMTIE_SERVICE_ERR_KEY);
	assert_int_equal(simtie_notice_verify(key, "mno.exampl", AUDIENCE, NOW, jwt, len, &read),
			 SIMTIE_SERVICE_ERR_AUDIENCE);
	assert_int_equal(simtie_notice_verify(key, ISSUER, "talk.example", NOW, jwt, len, &read),
			 SIMTIE_SERVICE_ERR_AUDIENCE);
	assert_int_equal(verify_at(NOW - SERVICE_CLOCK_SKEW - 1, jwt, &read),
			 SIMTIE_SERVICE_ERR_TIME);
	assert_int_equal(read.id[0], 0);
	assert_int_equal(verify_at(NOW - SERVICE_CLOCK_SKEW, jwt, &read), SIMTIE_SERVICE_OK);
	free(jwt);
	notice.issued_at = oldest;
	jwt = issue(&notice);
	assert_int_equal(verify_at(NOW, jwt, &read), SIMTIE_SERVICE_OK);
	assert_int_equal(verify_at(NOW + 1, jwt, &read), SIMTIE_SERVICE_ERR_TIME);
	free(jwt);
}

static void test_bit_flips(void **state)
{
	struct simtie_notice notice = good(), read;
	const struct simtie_notice nothing = {0};
	char *jwt = issue(&notice);
	size_t len = strlen(jwt);

	(void)state;
	for (size_t bit = 0; bit < 8 * len; bit++) {
		jwt[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_not_equal(
			simtie_notice_verify(certificate, ISSUER, AUDIENCE, NOW, jwt, len, &read),
			SIMTIE_SERVICE_OK);
		assert_memory_equal(&read, &nothing, sizeof(read));
		jwt[bit / 8] ^= (char)(1 << bit % 8);
	}
	free(jwt);
}

/* Signed by the right key, and yet no notice. */
static void test_claims(void **state)
{
	static const struct {
		const char *name, *value;
		int result;
	} rows[] = {
		{"iss", "\"mno.example\"", SIMTIE_SERVICE_OK},
		{"later", "{}", SIMTIE_SERVICE_OK},
		{"iss", "null", SIMTIE_SERVICE_ERR_FORMAT},
		{"iss", "\"\"", SIMTIE_SERVICE_ERR_FORMAT},
		{"aud", "[\"chat.example\"]", SIMTIE_SERVICE_ERR_FORMAT},
		{"iat", "\"1795510000\"", SIMTIE_SERVICE_ERR_FORMAT},
		{"iat", "1795510000.0", SIMTIE_SERVICE_ERR_FORMAT},
		{"iat", "-1", SIMTIE_SERVICE_ERR_FORMAT},
		{"jti", "\"\"", SIMTIE_SERVICE_ERR_FORMAT},
		{"jti", "\"012345678901234567890123456789012\"", SIMTIE_SERVICE_ERR_FORMAT},
		{"jti", "\"a.b\"", SIMTIE_SERVICE_ERR_FORMAT},
		{"sub_id", "\"8PHy8_T19vf4-fr7_P3-_w\"", SIMTIE_SERVICE_ERR_FORMAT},
		{"sub_id", "{\"format\":\"email\",\"id\":\"a\"}", SIMTIE_SERVICE_ERR_FORMAT},
		{"sub_id", "{\"format\":\"opaque\"}", SIMTIE_SERVICE_ERR_FORMAT},
		{"events", "{}", SIMTIE_SERVICE_ERR_FORMAT},
		{"events", "[]", SIMTIE_SERVICE_ERR_FORMAT},
		{"events", "{\"urn:x-simtie:event:NONE\":{}}", SIMTIE_SERVICE_ERR_FORMAT},
		{"events", "{\"urn:x-simtie:even:RESUMED\":{}}", SIMTIE_SERVICE_ERR_FORMAT},
		{"events", "{\"urn:x-simtie:event:RESUMED\":1}", SIMTIE_SERVICE_ERR_FORMAT},
		{"events",
		 "{\"urn:x-simtie:event:RESUMED\":{},\"urn:x-simtie:event:SUSPENDED\":{}}",
		 SIMTIE_SERVICE_ERR_FORMAT},
	};
	struct simtie_notice notice = good(), read;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *jwt = issue(&notice);
		json_t *claims;

		assert_int_equal(
			service_jwt_verify(key, TYP, jwt, strlen(jwt), SIMTIE_NOTICE_MAX, &claims),
			SIMTIE_SERVICE_OK);
		free(jwt);
		json_object_set_new(claims, rows[i].name,
				    json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
		assert_int_equal(service_jwt_sign(key, TYP, claims, &jwt), SIMTIE_SERVICE_OK);
		assert_int_equal(verify_at(NOW, jwt, &read), rows[i].result);
		free(jwt);
	}
}

/* A status list is no notice, though the same key signed it. */
static void test_other_kind(void **state)
{
	static const uint8_t bits[1];
	struct simtie_notice read;
	char *jwt;

	(void)state;
	assert_int_equal(simtie_status_issue(key, "u", bits, 8, NOW, 60, &jwt), SIMTIE_SERVICE_OK);
	assert_int_equal(verify_at(NOW, jwt, &read), SIMTIE_SERVICE_ERR_FORMAT);
	free(jwt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_back),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_out_of_bounds),
		cmocka_unit_test(test_for_whom_and_when),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_other_kind),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("notice", tests, keys_make, keys_free);
}
