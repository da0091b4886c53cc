#include "decode.h"

#include <stdio.h>

struct status_row {
	const char *name;
	uint16_t value, mask;
	const char *text, *advice;
};

static const struct status_row status_rows[] = {
#define ROW(name, value, mask, text, advice) {#name, value, mask, text, advice},
	STATUS_WORDS(ROW)
#undef ROW
};

static const struct status_row *find_status(uint16_t sw)
{
	for (size_t i = 0; i < sizeof status_rows / sizeof status_rows[0]; i++)
		if ((sw & status_rows[i].mask) == status_rows[i].value)
			return &status_rows[i];
	return NULL;
}

/*
 * Copies `text` with the status word's own digits in place of "XX" or "X": as a number, in which a
 * byte of 00 stands for 256 (ISO/IEC 7816-4 §5.6), or as the digits that they are.
 */
static char *fill_in(const struct status_row *row, uint16_t sw, const char *text, bool digits,
		     char *out, size_t size)
{
	unsigned number = sw & (uint16_t)~row->mask;
	const char *place = row->mask == 0xFFFF ? NULL : strchr(text, 'X');

	if (!place) {
		snprintf(out, size, "%s", text);
		return out;
	}
	int width = place[1] == 'X' ? 2 : 1;
	if (digits)
		snprintf(out, size, "%.*s%0*X%s", (int)(place - text), text, width, number,
			 place + width);
	else
		snprintf(out, size, "%.*s%u%s", (int)(place - text), text,
			 number == 0 && width == 2 ? 256 : number, place + width);
	return out;
}

const char *decode_status_name(uint16_t sw)
{
	const struct status_row *row = find_status(sw);

	return row ? row->name : "UNKNOWN";
}

char *decode_status_text(uint16_t sw, char *out, size_t size)
{
	const struct status_row *row = find_status(sw);

	if (row)
		return fill_in(row, sw, row->text, false, out, size);
	snprintf(out, size, "not a status word of the contract");
	return out;
}

char *decode_status_advice(uint16_t sw, char *out, size_t size)
{
	const struct status_row *row = find_status(sw);

	if (row)
		return fill_in(row, sw, row->advice, true, out, size);
	out[0] = '\0';
	return out;
}
