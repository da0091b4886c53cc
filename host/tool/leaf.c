#include "leaf.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

void leaf_hex(struct reading *r, const uint8_t *bytes, size_t len)
{
	fputs("h'", r->out);
	for (size_t i = 0; i < len; i++)
		fprintf(r->out, "%02x", bytes[i]);
	fputc('\'', r->out);
}

bool leaf_stop(struct reading *r, const char *reason)
{
	fprintf(r->out, "/ %s", reason);
	if (r->at < r->end) {
		fputs(": ", r->out);
		leaf_hex(r, r->at, (size_t)(r->end - r->at));
	}
	fputs(" /", r->out);
	r->at = r->end;
	return false;
}

bool leaf_head(struct reading *r, struct head *head)
{
	static const uint64_t least[] = {24, 0x100, 0x10000, 0x100000000};
	size_t width;

	if (r->at == r->end)
		return leaf_stop(r, "cut short");
	head->major = (enum major)(*r->at >> 5);
	head->additional = *r->at & 31;
	head->argument = head->additional;
	head->shortest = true;
	if (head->additional == ADDITIONAL_INDEFINITE &&
	    (head->major < MAJOR_BYTES || head->major > MAJOR_MAP))
		return leaf_stop(r, "not CBOR");
	if (head->additional < ADDITIONAL_ONE_BYTE || head->additional == ADDITIONAL_INDEFINITE) {
		r->at++;
		return true;
	}
	if (head->additional > ADDITIONAL_EIGHT_BYTES)
		return leaf_stop(r, "not CBOR");
	width = (size_t)1 << (head->additional - ADDITIONAL_ONE_BYTE);
	if ((size_t)(r->end - r->at) < 1 + width)
		return leaf_stop(r, "cut short");
	head->argument = 0;
	for (size_t i = 1; i <= width; i++)
		head->argument = head->argument << 8 | r->at[i];
	head->shortest = head->argument >= least[head->additional - ADDITIONAL_ONE_BYTE];
	r->at += 1 + width;
	return true;
}

void leaf_indicator(struct reading *r, const struct head *head)
{
	if (!head->shortest)
		fprintf(r->out, "_%u", head->additional - ADDITIONAL_ONE_BYTE);
}

void leaf_text(struct reading *r, const uint8_t *bytes, size_t len)
{
	json_t *text = json_stringn((const char *)bytes, len);

	if (!text) {
		leaf_hex(r, bytes, len);
		fputs(" / text that is not UTF-8 /", r->out);
		return;
	}
	json_dumpf(text, r->out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	json_decref(text);
}

/* A float of any width as a double. */
static double float_value(const struct head *head)
{
	uint64_t bits = head->argument;
	uint32_t single = (uint32_t)bits;
	double value;
	float narrow;

	if (head->additional == ADDITIONAL_EIGHT_BYTES) {
		memcpy(&value, &bits, sizeof(value));
		return value;
	}
	if (head->additional == ADDITIONAL_TWO_BYTES) {
		uint32_t sign = single & 0x8000, exponent = single >> 10 & 31;
		uint32_t fraction = single & 0x3FF;

		/* Half precision (RFC 8949 §D): subnormal, infinite or not a number, normal. */
		if (exponent == 0)
			return (sign ? -1.0 : 1.0) * fraction * 0x1p-24;
		exponent = exponent == 31 ? 255 : exponent + 127 - 15;
		single = sign << 16 | exponent << 23 | fraction << 13;
	}
	memcpy(&narrow, &single, sizeof(narrow));
	return (double)narrow;
}

static void print_float(struct reading *r, double value)
{
	char digits[32];

	if (value != value || value - value != 0) {
		fputs(value != value ? "NaN" : value > 0 ? "Infinity" : "-Infinity", r->out);
		return;
	}
	snprintf(digits, sizeof(digits), "%.17g", value);
	fprintf(r->out, "%s%s", digits, strpbrk(digits, ".e") ? "" : ".0");
}

bool leaf_simple(struct reading *r, const struct head *head)
{
	static const char *const names[] = {"false", "true", "null", "undefined"};
	const unsigned first_name = 20;

	if (head->additional == ADDITIONAL_ONE_BYTE && head->argument < 32)
		return leaf_stop(r, "not CBOR");
	if (head->additional <= ADDITIONAL_ONE_BYTE) {
		if (head->argument >= first_name && head->argument < first_name + 4)
			fputs(names[head->argument - first_name], r->out);
		else
			fprintf(r->out, "simple(%u)", (unsigned)head->argument);
		return true;
	}
	print_float(r, float_value(head));
	fprintf(r->out, "_%u", head->additional - ADDITIONAL_ONE_BYTE);
	return true;
}

bool leaf_integer(struct reading *r, const struct head *head)
{
	if (head->major == MAJOR_UINT)
		fprintf(r->out, "%" PRIu64, head->argument);
	else if (head->argument == UINT64_MAX)
		fputs("-18446744073709551616", r->out);
	else
		fprintf(r->out, "-%" PRIu64, head->argument + 1);
	leaf_indicator(r, head);
	return true;
}
