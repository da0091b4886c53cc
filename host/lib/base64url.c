#include "base64url.h"

static const char letters[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_write(struct bytes bytes, char *text)
{
	size_t len = 0;

	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i < 3 ? bytes.len - i : 3;
		uint32_t group = (uint32_t)bytes.ptr[i] << 16;

		if (left > 1)
			group |= (uint32_t)bytes.ptr[i + 1] << 8;
		if (left > 2)
			group |= bytes.ptr[i + 2];
		for (size_t k = 0; k <= left; k++)
			text[len++] = letters[group >> (18 - 6 * k) & 0x3F];
	}
	return len;
}

static int letter_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

bool base64url_read(const char *text, size_t len, uint8_t *out, size_t size, size_t *out_len)
{
	uint32_t bits = 0;
	unsigned held = 0; /* how many of the low bits are still to be written */
	size_t written = 0;

	if (len % 4 == 1 || len - len / 4 - (len % 4 ? 1 : 0) > size)
		return false;
	for (size_t i = 0; i < len; i++) {
		int value = letter_value(text[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[written++] = (uint8_t)(bits >> held);
			bits &= (1u << held) - 1;
		}
	}
	*out_len = written;
	return bits == 0;
}
