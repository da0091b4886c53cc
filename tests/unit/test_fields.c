/*
 * Bodies: what is read, and what is refused with the field's name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "request.h"

struct body {
	const char *text, *phone;
	struct field_bytes bytes;
	json_int_t number;
	json_t *object;
};

/* Exactly the bytes given, so that a sanitizer sees each read beyond. */
static bool read_bytes(const void *bytes, size_t len, struct body *body, json_t **root,
		       struct reply *reply)
{
	const struct field fields[] = {
		{"text", FIELD_TEXT, &body->text, false, 1, 8},
		{"phone", FIELD_PHONE, &body->phone, false, 0, 0},
		{"bytes", FIELD_BASE64, &body->bytes, false, 2, 4},
		{"number", FIELD_NUMBER, &body->number, false, 1, 2400},
		{"object", FIELD_OBJECT, &body->object, false, 0, 0},
		{"must", FIELD_TEXT, &body->text, true, 1, 8},
	};
	struct request request = {0};
	uint8_t *copy = malloc(len ? len : 1);
	bool read;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	request.body = bytes_of(copy, len);
	memset(body, 0, sizeof(*body));
	memset(reply, 0, sizeof(*reply));
	read = request_fields(&request, fields, sizeof(fields) / sizeof(fields[0]), root, reply);
	free(copy);
	return read;
}

static void refused(const char *json, unsigned status, const char *code, const char *message)
{
	struct reply reply;
	struct body body;
	json_t *root;

	assert_false(read_bytes(json, strlen(json), &body, &root, &reply));
	assert_null(root);
	assert_int_equal(reply.status, status);
	assert_int_equal(json_integer_value(json_object_get(reply.body, "status")), status);
	assert_string_equal(json_string_value(json_object_get(reply.body, "code")), code);
	assert_string_equal(json_string_value(json_object_get(reply.body, "message")), message);
	reply_clear(&reply);
}

static void invalid(const char *json, const char *message)
{
	refused(json, 400, "INVALID_ARGUMENT", message);
}

static void all_kinds_are_read(void **state)
{
	static const char json[] = "{\"text\":\"\\u00e9t\\u00e9\",\"phone\":\"+49123456\","
				   "\"bytes\":\"AAECAw\",\"number\":2400,\"object\":{\"a\":[1]},"
				   "\"must\":\"x\"}";
	struct reply reply;
	struct body body;
	json_t *root;

	(void)state;
	assert_true(read_bytes(json, strlen(json), &body, &root, &reply));
	assert_string_equal(body.phone, "+49123456");
	assert_int_equal(body.bytes.len, 4);
	assert_memory_equal(body.bytes.bytes, "\0\1\2\3", 4);
	assert_int_equal(body.number, 2400);
	assert_non_null(json_object_get(body.object, "a"));
	assert_string_equal(body.text, "x");
	assert_int_equal(reply.status, 0);
	json_decref(root);
}

static void absent_fields_leave_their_targets(void **state)
{
	struct reply reply;
	struct body body;
	json_t *root;

	(void)state;
	assert_true(read_bytes("{\"must\":\"x\"}", 12, &body, &root, &reply));
	assert_null(body.phone);
	assert_int_equal(body.bytes.len, 0);
	json_decref(root);
}

static void what_is_no_object_is_refused(void **state)
{
	(void)state;
	invalid("", "the body is not a JSON object");
	invalid("[]", "the body is not a JSON object");
	invalid("\"must\"", "the body is not a JSON object");
	invalid("{", "the body is not a JSON object");
	invalid("{\"must\":\"x\"", "must or what follows it is not valid JSON");
	invalid("{\"must\":\"x\"} {}", "must or what follows it is not valid JSON");
	invalid("{\"must\":\"x\",\"text\":tru}", "text or what follows it is not valid JSON");
	invalid("{\"must\":\"a\\u0000b\"}", "must or what follows it is not valid JSON");
}

static void a_field_twice_is_refused_by_name(void **state)
{
	(void)state;
	invalid("{\"must\":\"x\",\"must\":\"y\"}", "must is there twice");
	invalid("{\"must\":\"x\",\"m\\u0075st\":\"y\"}", "a field is there twice");
	invalid("{\"must\":\"x\",\"object\":{\"a\":1,\"a\":2}}", "object is there twice");
}

static void unknown_fields_are_refused_by_name(void **state)
{
	(void)state;
	invalid("{\"must\":\"x\",\"other\":1}", "other is not known here");
	/* What is no name is not repeated: it could be anything. */
	invalid("{\"must\":\"x\",\"+49123\":1}", "a field is not known here");
	invalid("{\"must\":\"x\",\"\":1}", "a field is not known here");
}

static void missing_and_wrong_types_are_refused_by_name(void **state)
{
	(void)state;
	invalid("{}", "must is missing");
	invalid("{\"must\":null}", "must is not a string");
	invalid("{\"must\":1}", "must is not a string");
	invalid("{\"must\":\"x\",\"phone\":49}", "phone is not a string");
	invalid("{\"must\":\"x\",\"bytes\":[]}", "bytes is not a string");
	invalid("{\"must\":\"x\",\"number\":1.0}", "number is not an integer");
	invalid("{\"must\":\"x\",\"number\":\"1\"}", "number is not an integer");
	invalid("{\"must\":\"x\",\"object\":[]}", "object is not an object");
}

static void bounds_hold(void **state)
{
	(void)state;
	invalid("{\"must\":\"\"}", "must has not 1 to 8 bytes");
	invalid("{\"must\":\"123456789\"}", "must has not 1 to 8 bytes");
	refused("{\"must\":\"x\",\"number\":0}", 400, "OUT_OF_RANGE",
		"number is not within 1 to 2400");
	refused("{\"must\":\"x\",\"number\":-1}", 400, "OUT_OF_RANGE",
		"number is not within 1 to 2400");
	refused("{\"must\":\"x\",\"number\":2401}", 400, "OUT_OF_RANGE",
		"number is not within 1 to 2400");
	invalid("{\"must\":\"x\",\"number\":99999999999999999999}",
		"number or what follows it is not valid JSON");
}

static void numbers_of_phones_are_e164(void **state)
{
	static const char *const wrong[] = {
		"49123456",   "+0123456",   "+4912", "+491234567890123456",
		"+49 123456", "+49123456x", ""};
	char json[100];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(json, sizeof(json), "{\"must\":\"x\",\"phone\":\"%s\"}", wrong[i]);
		invalid(json,
			"phone is not a phone number in E.164 form: \"+\" and 5 to 15 digits");
	}
}

static void base64url_has_one_form(void **state)
{
	static const char *const wrong[] = {"AAECAw==", "AAEC+w", "AAEC/w", "AAECAx",
					    "AAECA",    "AA CAw", "A"};
	char json[100];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(json, sizeof(json), "{\"must\":\"x\",\"bytes\":\"%s\"}", wrong[i]);
		invalid(json, "bytes is not base64url without padding");
	}
	invalid("{\"must\":\"x\",\"bytes\":\"AA\"}", "bytes does not hold 2 to 4 bytes");
	invalid("{\"must\":\"x\",\"bytes\":\"AAECAwQ\"}", "bytes does not hold 2 to 4 bytes");
}

static void more_bytes_than_fit_are_refused(void **state)
{
	size_t len = FIELD_BYTES_MAX * 2;
	char *json = malloc(len + 64);
	int start;

	(void)state;
	assert_non_null(json);
	start = snprintf(json, 64, "{\"must\":\"x\",\"bytes\":\"");
	memset(json + start, 'A', len);
	memcpy(json + start + len, "\"}", 3);
	invalid(json, "bytes is not base64url without padding");
	free(json);
}

/* {"object":{"a":{"a":…}}}, `depth` deep. */
static char *nested(unsigned depth, const char *opens)
{
	char *json = calloc(1, (size_t)depth * 8 + 64);

	assert_non_null(json);
	strcpy(json, "{\"must\":\"x\",\"object\":{\"a\":");
	for (unsigned i = 2; i < depth; i++)
		strcat(json, opens);
	return json;
}

static void depth_is_bounded(void **state)
{
	char *json = nested(17, "[");

	(void)state;
	invalid(json, "object is nested deeper than 16");
	free(json);
	json = nested(5000, "{\"a\":");
	invalid(json, "object is nested deeper than 16");
	free(json);
}

static void sixteen_deep_is_read(void **state)
{
	static const char json[] = "{\"must\":\"x\",\"object\":{\"a\":"
				   "[[[[[[[[[[[[[[\"}{][\\\"\"]]]]]]]]]]]]]]}}";
	struct reply reply;
	struct body body;
	json_t *root;

	(void)state;
	assert_true(read_bytes(json, strlen(json), &body, &root, &reply));
	json_decref(root);
}

static void bad_utf8_is_refused_by_name(void **state)
{
	(void)state;
	invalid("{\"must\":\"x\",\"text\":\"\xff\"}", "text is not valid UTF-8");
	invalid("{\"must\":\"x\",\"text\":\"\xc0\xaf\"}", "text is not valid UTF-8");
	invalid("{\"must\":\"x\",\"text\":\"\xed\xa0\x80\"}", "text is not valid UTF-8");
}

static void only_json_has_fields(void **state)
{
	struct request request = {.type = BODY_NOTICE};
	struct reply reply = {0};
	json_t *root;

	(void)state;
	assert_false(request_fields(&request, NULL, 0, &root, &reply));
	assert_int_equal(reply.status, 415);
	reply_clear(&reply);
}

static void errors_have_camaras_form(void **state)
{
	struct reply reply = {.location = "old", .retry_after_s = 4};

	(void)state;
	assert_int_equal(reply_error(&reply, 422, "MISSING_IDENTIFIER", "no %s", "number"), DB_OK);
	assert_int_equal(json_object_size(reply.body), 3);
	assert_string_equal(json_string_value(json_object_get(reply.body, "message")), "no number");
	assert_int_equal(reply.retry_after_s, 0);
	assert_int_equal(reply_json(&reply, 200, NULL), DB_OK);
	assert_int_equal(reply.status, 500);
	reply_clear(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds_are_read),
		cmocka_unit_test(absent_fields_leave_their_targets),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(a_field_twice_is_refused_by_name),
		cmocka_unit_test(unknown_fields_are_refused_by_name),
		cmocka_unit_test(missing_and_wrong_types_are_refused_by_name),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(numbers_of_phones_are_e164),
		cmocka_unit_test(base64url_has_one_form),
		cmocka_unit_test(more_bytes_than_fit_are_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(sixteen_deep_is_read),
		cmocka_unit_test(bad_utf8_is_refused_by_name),
		cmocka_unit_test(only_json_has_fields),
		cmocka_unit_test(errors_have_camaras_form),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
