/*
 * Fuzzes the reader of bodies.
 *
 * Input: a body. What must hold: no crash; a refusal is a 400 in CAMARA's form that names no value;
 * what is accepted is within its bounds, and nothing in it is nested deeper than 16.
 */
#include <stdlib.h>

#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

static unsigned depth_of(json_t *value)
{
	unsigned deepest = 0, depth;
	const char *name;
	json_t *element;
	size_t i;

	json_object_foreach(value, name, element)
	{
		depth = depth_of(element);
		deepest = depth > deepest ? depth : deepest;
	}
	json_array_foreach(value, i, element)
	{
		depth = depth_of(element);
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + (json_is_object(value) || json_is_array(value));
}

static void check_refusal(struct reply *reply)
{
	const char *message = json_string_value(json_object_get(reply->body, "message"));

	need(reply->status == 400 && message && strlen(message) < 200);
	need(json_object_size(reply->body) == 3);
	reply_clear(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = NULL, *phone = NULL;
	struct field_bytes bytes = {0};
	json_int_t number = 1;
	json_t *object = NULL, *root;
	const struct field fields[] = {
		{"text", FIELD_TEXT, &text, false, 1, 8},
		{"phone", FIELD_PHONE, &phone, false, 0, 0},
		{"bytes", FIELD_BASE64, &bytes, false, 2, 40},
		{"number", FIELD_NUMBER, &number, true, 1, 2400},
		{"object", FIELD_OBJECT, &object, false, 0, 0},
	};
	const struct request request = {.body = bytes_of(data, size)};
	struct reply reply = {0};

	if (!request_fields(&request, fields, sizeof(fields) / sizeof(fields[0]), &root, &reply)) {
		check_refusal(&reply);
		return 0;
	}
	need(reply.status == 0 && number >= 1 && number <= 2400);
	need(!text || (strlen(text) >= 1 && strlen(text) <= 8));
	need(!phone || (phone[0] == '+' && strlen(phone) <= 16));
	need(bytes.len == 0 || (bytes.len >= 2 && bytes.len <= 40));
	need(depth_of(root) <= 16);
	json_decref(root);
	return 0;
}
