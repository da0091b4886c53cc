/*
 * The body of a request: strict JSON, with the members that its table names and no other.
 */
#include "request.h"

#include "simtie-service.h"

#include <stdio.h>

#define NAME_SIZE 65 /* of a field's name in an error */
#define DEPTH_MAX 16

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * Walks over the text without understanding it: up to `end` bytes or until it is nested deeper than
 * DEPTH_MAX. Says whether it stayed within, and which member of the outermost object it was in.
 */
static bool walk(struct bytes text, size_t end, struct bytes *member)
{
	size_t depth = 0, start = 0;
	bool in_string = false;

	*member = bytes_of(NULL, 0);
	for (size_t i = 0; i < text.len && i < end; i++) {
		uint8_t c = text.ptr[i];

		if (in_string) {
			if (c == '\\') {
				i++;
			} else if (c == '"') {
				size_t next = i + 1;

				in_string = false;
				while (next < text.len && is_space(text.ptr[next]))
					next++;
				if (depth == 1 && next < text.len && text.ptr[next] == ':')
					*member = bytes_of(text.ptr + start, i - start);
			}
		} else if (c == '"') {
			in_string = true;
			start = i + 1;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return false;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

/* A name from outside as an error may show it: nothing but what names are made of. */
static const char *shown(struct bytes name, char out[static NAME_SIZE])
{
	if (name.len == 0 || name.len >= NAME_SIZE)
		return "a field";
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '-' || c == '.'))
			return "a field";
		out[i] = (char)c;
	}
	out[name.len] = 0;
	return out;
}

static bool wrong(struct reply *reply, const char *name, const char *what)
{
	reply_error(reply, 400, "INVALID_ARGUMENT", "%s %s", name, what);
	return false;
}

/* The number of bytes, or -1: a character that is none, padding, or bits left over. */
static int base64url(const char *text, size_t len, uint8_t *out, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (len % 4 == 1)
		return -1;
	for (size_t i = 0; i < len; i++) {
		const char *digit = memchr(digits, text[i], 64);

		if (!digit)
			return -1;
		bits = bits << 6 | (uint32_t)(digit - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			if (n == size)
				return -1;
			out[n++] = (uint8_t)(bits >> have);
			bits &= (1U << have) - 1;
		}
	}
	return bits == 0 ? (int)n : -1;
}

static bool read_text(const struct field *field, json_t *value, struct reply *reply)
{
	size_t len = json_string_length(value);

	if (!json_is_string(value))
		return wrong(reply, field->name, "is not a string");
	if (len < field->min || len > field->max) {
		reply_error(reply, 400, "INVALID_ARGUMENT", "%s has not %zu to %zu bytes",
			    field->name, field->min, field->max);
		return false;
	}
	*(const char **)field->target = json_string_value(value);
	return true;
}

static bool read_phone(const struct field *field, json_t *value, struct reply *reply)
{
	if (!json_is_string(value))
		return wrong(reply, field->name, "is not a string");
	if (!simtie_number_valid(json_string_value(value)))
		return wrong(reply, field->name,
			     "is not a phone number in E.164 form: \"+\" and 5 to 15 digits");
	*(const char **)field->target = json_string_value(value);
	return true;
}

static bool read_base64(const struct field *field, json_t *value, struct reply *reply)
{
	struct field_bytes *target = field->target;
	int len;

	if (!json_is_string(value))
		return wrong(reply, field->name, "is not a string");
	len = base64url(json_string_value(value), json_string_length(value), target->bytes,
			sizeof(target->bytes));
	if (len < 0)
		return wrong(reply, field->name, "is not base64url without padding");
	if ((size_t)len < field->min || (size_t)len > field->max) {
		reply_error(reply, 400, "INVALID_ARGUMENT", "%s does not hold %zu to %zu bytes",
			    field->name, field->min, field->max);
		return false;
	}
	target->len = (size_t)len;
	return true;
}

static bool read_number(const struct field *field, json_t *value, struct reply *reply)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value))
		return wrong(reply, field->name, "is not an integer");
	if (number < 0 || (uint64_t)number < field->min || (uint64_t)number > field->max) {
		reply_error(reply, 400, "OUT_OF_RANGE", "%s is not within %zu to %zu", field->name,
			    field->min, field->max);
		return false;
	}
	*(json_int_t *)field->target = number;
	return true;
}

static bool read_object(const struct field *field, json_t *value, struct reply *reply)
{
	if (!json_is_object(value))
		return wrong(reply, field->name, "is not an object");
	*(json_t **)field->target = value;
	return true;
}

static bool read_field(const struct field *field, json_t *value, struct reply *reply)
{
	switch (field->kind) {
	case FIELD_TEXT:
		return read_text(field, value, reply);
	case FIELD_PHONE:
		return read_phone(field, value, reply);
	case FIELD_BASE64:
		return read_base64(field, value, reply);
	case FIELD_NUMBER:
		return read_number(field, value, reply);
	case FIELD_OBJECT:
		return read_object(field, value, reply);
	}
	return false;
}

/* The body as an object, or a reply that says where it is none. */
static json_t *parse(struct bytes body, struct reply *reply)
{
	struct bytes member;
	char name[NAME_SIZE];
	json_error_t error;
	json_t *root;

	if (!walk(body, body.len, &member)) {
		wrong(reply, shown(member, name), "is nested deeper than 16");
		return NULL;
	}
	root = json_loadb(body.len > 0 ? (const char *)body.ptr : "", body.len,
			  JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		walk(body, error.position > 0 ? (size_t)error.position : 0, &member);
		if (json_error_code(&error) == json_error_duplicate_key)
			wrong(reply, shown(member, name), "is there twice");
		else if (json_error_code(&error) == json_error_invalid_utf8)
			wrong(reply, shown(member, name), "is not valid UTF-8");
		else if (member.len > 0)
			wrong(reply, shown(member, name), "or what follows it is not valid JSON");
		else
			wrong(reply, "the body", "is not a JSON object");
		return NULL;
	}
	if (!json_is_object(root)) {
		json_decref(root);
		wrong(reply, "the body", "is not a JSON object");
		return NULL;
	}
	return root;
}

static const struct field *find(const struct field *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	}
	return NULL;
}

bool request_fields(const struct request *request, const struct field *fields, size_t count,
		    json_t **root, struct reply *reply)
{
	char shown_name[NAME_SIZE];
	const char *name;
	json_t *value;

	*root = NULL;
	if (request->type != BODY_JSON) {
		reply_error(reply, 415, "UNSUPPORTED_MEDIA_TYPE", "send application/json");
		return false;
	}
	*root = parse(request->body, reply);
	if (!*root)
		return false;
	json_object_foreach(*root, name, value)
	{
		const struct field *field = find(fields, count, name);

		if (field ? read_field(field, value, reply)
			  : wrong(reply,
				  shown(bytes_of((const uint8_t *)name, strlen(name)), shown_name),
				  "is not known here"))
			continue;
		json_decref(*root);
		*root = NULL;
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!fields[i].required || json_object_get(*root, fields[i].name))
			continue;
		json_decref(*root);
		*root = NULL;
		return wrong(reply, fields[i].name, "is missing");
	}
	return true;
}
