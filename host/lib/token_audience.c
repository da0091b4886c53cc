/* The rule for audiences, and the UTF-8 under it. */
#include "token.h"

/* Takes one code point off the front of *in (RFC 3629). False: that is no UTF-8. */
static bool code_point_take(struct bytes *in, uint32_t *code)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000}; /* less is overlong */
	uint8_t first = in->ptr[0];
	size_t more;

	if (first < 0x80)
		more = 0;
	else if ((first & 0xE0) == 0xC0)
		more = 1;
	else if ((first & 0xF0) == 0xE0)
		more = 2;
	else if ((first & 0xF8) == 0xF0)
		more = 3;
	else
		return false;
	if (in->len < more + 1)
		return false;
	*code = more ? first & (0x3Fu >> more) : first;
	for (size_t i = 1; i <= more; i++) {
		if ((in->ptr[i] & 0xC0) != 0x80)
			return false;
		*code = *code << 6 | (in->ptr[i] & 0x3F);
	}
	in->ptr += more + 1;
	in->len -= more + 1;
	return *code >= least[more] && *code <= 0x10FFFF && (*code < 0xD800 || *code > 0xDFFF);
}

bool simtie_utf8_valid(struct bytes text)
{
	uint32_t code;

	while (text.len)
		if (!code_point_take(&text, &code))
			return false;
	return true;
}

bool simtie_audience_valid(struct bytes audience)
{
	uint32_t code;

	if (audience.len < SIMTIE_AUDIENCE_MIN || audience.len > SIMTIE_AUDIENCE_MAX)
		return false;
	while (audience.len) {
		if (!code_point_take(&audience, &code))
			return false;
		if (code < 0x20 || (code >= 0x7F && code <= 0x9F)) /* C0; DEL and C1 */
			return false;
	}
	return true;
}
