/*
 * A step as text, and what of it must not be shown.
 */
#include "example.h"

#include <stdio.h>

/* Looks in the provenance of a command's bytes. */
struct literal_search {
	const struct example_side *side;
	bool found;
};

static void find_literal(void *context, struct bytes secret)
{
	struct literal_search *search = context;
	size_t at = (size_t)(secret.ptr - search->side->bytes);

	for (size_t i = 0; i < secret.len; i++)
		search->found = search->found || search->side->mask[at + i] != 0;
}

bool example_literal_secret(const struct example *run)
{
	struct literal_search search = {&run->command, false};

	decode_secrets(bytes_of(run->command.bytes, run->command.len), run->chained, find_literal,
		       &search);
	return search.found;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* How many bytes of `value` stand in hexadecimal at `text`, up to where the text ends or is cut. */
static size_t standing(const char *text, const struct example_name *value)
{
	size_t i = 0;

	while (i < value->len) {
		int high = hex_digit(text[2 * i]);
		int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (low < 0 || value->value[i] != (high << 4 | low))
			break;
		i++;
	}
	return i;
}

void example_blank(const struct example *run, char *text)
{
	for (size_t n = 0; n < run->name_count; n++) {
		const struct example_name *name = &run->names[n];

		if (!name->secret || name->len == 0)
			continue;
		for (char *p = text; *p; p++) {
			size_t same = standing(p, name);
			size_t digits = 2 * same;

			/* Where the text is cut, the beginning of a secret is one too. */
			if (same < name->len) {
				digits += hex_digit(p[digits]) >= 0;
				if (same == 0 || strncmp(p + digits, "...", 3) != 0)
					continue;
			}
			memset(p, '*', digits);
		}
	}
}

char *example_show_command(const struct example *run, bool show_secrets, char *out, size_t size)
{
	decode_show_command(bytes_of(run->command.bytes, run->command.len), run->command_part,
			    show_secrets, out, size);
	if (!show_secrets)
		example_blank(run, out);
	return out;
}

char *example_show_value(const struct example *run, const struct decode_object *object,
			 bool show_secrets, char *out, size_t size)
{
	struct decode_object shown = *object;
	struct bytes value = object->value;

	for (size_t i = 0; i < run->name_count; i++) {
		const struct example_name *name = &run->names[i];

		if (name->secret && name->len > 0 && value.len > 0 &&
		    memmem(value.ptr, value.len, name->value, name->len))
			shown.secret = true;
	}
	decode_show_value(&shown, show_secrets, out, size);
	if (!show_secrets)
		example_blank(run, out);
	return out;
}

/* The status word's place is kept free: however long the data, it is shown. */
#define STATUS_ROOM strlen(" 9000")

char *example_show_answer(const struct example *run, bool show_secrets, char *out, size_t size)
{
	decode_show_response(&run->answered, bytes_of(run->answer, run->answer_len),
			     run->answer_part, show_secrets, out, size - STATUS_ROOM);
	if (!show_secrets)
		example_blank(run, out);
	size_t used = strlen(out);
	snprintf(out + used, size - used, "%s%04X", used ? " " : "", run->sw);
	return out;
}

/* The digits of expected bytes, under way. */
struct pattern_text {
	const struct example_side *side;
	size_t from; /* bytes before this one are in `out` */
	char *out;
	size_t size, used;
};

static void add_digits(struct pattern_text *text, uint8_t byte, uint8_t mask, bool blank)
{
	char digits[3];

	if (text->used + sizeof digits > text->size)
		return;
	snprintf(digits, sizeof digits, "%02X", byte);
	for (int i = 0; i < 2; i++) {
		if (blank)
			digits[i] = '*';
		else if ((i ? mask & 0x0F : mask >> 4) == 0)
			digits[i] = '?';
		text->out[text->used++] = digits[i];
	}
	text->out[text->used] = '\0';
}

static void add_until(struct pattern_text *text, size_t end, bool blank)
{
	for (; text->from < end; text->from++)
		add_digits(text, text->side->bytes[text->from], text->side->mask[text->from],
			   blank);
}

static void blank_pattern(void *context, struct bytes secret)
{
	struct pattern_text *text = context;
	size_t at = (size_t)(secret.ptr - text->side->bytes);

	add_until(text, at, false);
	add_until(text, at + secret.len, true);
}

char *example_show_expected(const struct example *run, bool show_secrets, char *out, size_t size)
{
	struct pattern_text text = {&run->expected, 0, out, size - strlen("... ** 9000"), 0};

	out[0] = '\0';
	if (!run->expects)
		return out;
	size_t data = run->expected.len - 2;
	if (!show_secrets)
		decode_response_secrets(&run->answered, bytes_of(run->expected.bytes, data),
					run->answer_part, blank_pattern, &text);
	add_until(&text, data, false);
	if (text.used < 2 * data)
		text.used += (size_t)snprintf(out + text.used, size - text.used, "...");
	if (!show_secrets)
		example_blank(run, out);
	if (run->open_ended)
		text.used += (size_t)snprintf(out + text.used, size - text.used, "%s**",
					      text.used ? " " : "");
	if (text.used > 0)
		out[text.used++] = ' ';
	text.size = size;
	add_until(&text, run->expected.len, false);
	return out;
}
