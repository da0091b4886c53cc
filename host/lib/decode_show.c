#include "decode.h"

#include "audience.h"

#include <stdarg.h>
#include <stdio.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* A text under way, always terminated; once something did not fit, nothing is added any more. */
struct text {
	char *out;
	size_t size;
	size_t used;
	bool full;
};

static const char ellipsis[] = "...";

static void text_cut(struct text *text)
{
	size_t room = text->size > sizeof ellipsis ? text->size - sizeof ellipsis : 0;

	text->full = true;
	if (text->used > room)
		text->used = room;
	/* A UTF-8 character is kept whole or dropped whole. */
	while (text->used > 0 && (text->out[text->used] & 0xC0) == 0x80)
		text->used--;
	snprintf(text->out + text->used, text->size - text->used, "%s", ellipsis);
}

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *format,
							   ...)
{
	va_list arguments;

	if (text->full)
		return;
	va_start(arguments, format);
	int len = vsnprintf(text->out + text->used, text->size - text->used, format, arguments);
	va_end(arguments);
	if (len < 0 || (size_t)len >= text->size - text->used) {
		text->used = text->size - 1;
		text_cut(text);
		return;
	}
	text->used += (size_t)len;
}

static struct text text_start(char *out, size_t size)
{
	out[0] = '\0';
	return (struct text){.out = out, .size = size};
}

static void add_hex(struct text *text, struct bytes bytes)
{
	for (size_t i = 0; i < bytes.len && !text->full; i++)
		text_add(text, "%02X", bytes.ptr[i]);
}

/* Bytes under way to a text: those before `at` are there. */
struct blanking {
	struct text text;
	const uint8_t *at;
};

static void blank_secret(void *context, struct bytes secret)
{
	struct blanking *blanking = context;

	add_hex(&blanking->text, bytes_of(blanking->at, (size_t)(secret.ptr - blanking->at)));
	for (size_t i = 0; i < secret.len && !blanking->text.full; i++)
		text_add(&blanking->text, "**");
	blanking->at = secret.ptr + secret.len;
}

static char *blank_end(struct blanking *blanking, struct bytes all)
{
	if (all.len > 0)
		add_hex(&blanking->text,
			bytes_of(blanking->at, all.len - (size_t)(blanking->at - all.ptr)));
	return blanking->text.out;
}

char *decode_show_command(struct bytes apdu, bool part, bool show_secrets, char *out, size_t size)
{
	struct blanking blanking = {text_start(out, size), apdu.ptr};

	if (!show_secrets)
		decode_secrets(apdu, part, blank_secret, &blanking);
	return blank_end(&blanking, apdu);
}

char *decode_show_response(const struct decode_command *command, struct bytes data, bool part,
			   bool show_secrets, char *out, size_t size)
{
	struct blanking blanking = {text_start(out, size), data.ptr};

	if (!show_secrets)
		decode_response_secrets(command, data, part, blank_secret, &blanking);
	return blank_end(&blanking, data);
}

/* Up to 4 bytes as a number; false when there are more. */
static bool number_of(struct bytes value, uint32_t *number)
{
	*number = 0;
	if (value.len == 0 || value.len > 4)
		return false;
	for (size_t i = 0; i < value.len; i++)
		*number = *number << 8 | value.ptr[i];
	return true;
}

/* How many bytes at the end begin a UTF-8 character and do not finish it. */
static size_t unfinished(struct bytes value)
{
	for (size_t back = 1; back <= 3 && back <= value.len; back++) {
		uint8_t byte = value.ptr[value.len - back];
		size_t whole = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;

		if (byte >= 0xC0)
			return back < whole ? back : 0;
		if (byte < 0x80)
			break;
	}
	return 0;
}

/* UTF-8 without control characters; what is left of a character that was cut off at the end is not
 * shown. False: it is no such text. */
static bool add_text(struct text *text, struct bytes value)
{
	size_t kept = value.len - unfinished(value);

	if (!audience_valid(bytes_of(value.ptr, kept)))
		return false;
	text_add(text, "\"%.*s\"%s", (int)kept, (const char *)value.ptr,
		 kept < value.len ? ellipsis : "");
	return true;
}

/* In swapped digits up to the filler F (TS 102 221 §13.2); false: it is none. */
static bool add_iccid(struct text *text, struct bytes value)
{
	size_t digits = 0;
	char out[2 * LIMIT_ICCID_SIZE + 1];

	if (value.len != LIMIT_ICCID_SIZE)
		return false;
	for (size_t i = 0; i < 2 * value.len; i++) {
		uint8_t digit = i % 2 ? value.ptr[i / 2] >> 4 : value.ptr[i / 2] & 0x0F;

		if (digit == 0x0F)
			continue;
		if (digit > 9 || digits != i)
			return false;
		out[digits++] = (char)('0' + digit);
	}
	text_add(text, "%.*s", (int)digits, out);
	return true;
}

static const char *enum_text(enum tag_format format, uint32_t value)
{
	static const struct {
		enum tag_format format;
		uint32_t value;
		const char *text;
	} rows[] = {
#define ROW(format, value, text) {format, value, text},
		ENUM_TEXTS(ROW)
#undef ROW
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].format == format && rows[i].value == value)
			return rows[i].text;
	return NULL;
}

/* False when the value is not of its format. */
static bool add_formatted(struct text *text, const struct decode_object *object)
{
	struct bytes value = object->value;
	uint32_t number;

	switch (object->format) {
	case FORMAT_HEX:
	case FORMAT_TEMPLATE:
		return false;
	case FORMAT_TEXT:
		return add_text(text, value);
	case FORMAT_UINT:
		if (!number_of(value, &number))
			return false;
		text_add(text, "%u", number);
		return true;
	case FORMAT_ICCID:
		return add_iccid(text, value);
	case FORMAT_VERSION:
		if (value.len != 3)
			return false;
		text_add(text, "%u.%u.%u", value.ptr[0], value.ptr[1], value.ptr[2]);
		return true;
	case FORMAT_LIFECYCLE:
	case FORMAT_CARD_STATE:
	case FORMAT_SECURITY_LEVEL:
	case FORMAT_PUT_KEY:
	case FORMAT_STATUS_FORM:
	case FORMAT_INSTALL_FOR:
	case FORMAT_KEY_REFERENCE:
	case FORMAT_KEY_ID:
	case FORMAT_PIN_POLICY:
	case FORMAT_ANSWER_FORM:
	case FORMAT_SELECT_BY:
	case FORMAT_SELECT_ANSWER:
	case FORMAT_STORE_BLOCK:
	case FORMAT_STATUS_OF:
	case FORMAT_CHANNEL_ACTION:
	case FORMAT_CONTENT:
	case FORMAT_PURPOSE:
	case FORMAT_CONSENT:
	case FORMAT_DEBUG_STATUS:
		if (!number_of(value, &number) || !enum_text(object->format, number))
			return false;
		text_add(text, "%u (%s)", number, enum_text(object->format, number));
		return true;
	}
	return false;
}

char *decode_show_value(const struct decode_object *object, bool show_secrets, char *out,
			size_t size)
{
	struct text text = text_start(out, size);
	struct bytes value = object->value;

	if (object->secret && !show_secrets)
		text_add(&text, "%zu bytes, blanked", value.len);
	else if (!add_formatted(&text, object))
		add_hex(&text, value);
	return out;
}
