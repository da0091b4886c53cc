/*
 * A row as a line of the CSV. Digits alone are in it, so that there is nothing to quote.
 */
#include "pinmail_journal.h"

/* Digits from `min` to `max`, terminated within `max` + 1. */
static bool digits_valid(const char *text, size_t min, size_t max)
{
	size_t len = strnlen(text, max + 1);

	return len >= min && len <= max && strspn(text, "0123456789") == len;
}

bool pinmail_row_valid(const struct pinmail_row *row)
{
	return digits_valid(row->iccid, 18, PINMAIL_ICCID_SIZE - 1) &&
	       digits_valid(row->pin, 4, PINMAIL_DIGITS_SIZE - 1) &&
	       digits_valid(row->puk, PINMAIL_DIGITS_SIZE - 1, PINMAIL_DIGITS_SIZE - 1);
}

static char *add(char *at, const char *text, char end)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	at[len] = end;
	return at + len + 1;
}

size_t pinmail_line_write(const struct pinmail_row *row, char text[static PINMAIL_LINE_SIZE])
{
	char *at = add(text, row->iccid, ',');

	at = add(at, row->pin, ',');
	at = add(at, row->puk, '\n');
	*at = '\0';
	return (size_t)(at - text);
}

/* Takes a field off the front, up to `end`. */
static bool take(const char **text, size_t *len, char end, char *field, size_t size)
{
	const char *stop = memchr(*text, end, *len);
	size_t count = stop ? (size_t)(stop - *text) : 0;

	if (!stop || count >= size)
		return false;
	memcpy(field, *text, count);
	field[count] = '\0';
	*text = stop + 1;
	*len -= count + 1;
	return true;
}

bool pinmail_line_read(const char *text, size_t len, struct pinmail_row *row)
{
	memset(row, 0, sizeof(*row));
	return take(&text, &len, ',', row->iccid, sizeof(row->iccid)) &&
	       take(&text, &len, ',', row->pin, sizeof(row->pin)) &&
	       take(&text, &len, '\n', row->puk, sizeof(row->puk)) && len == 0 &&
	       pinmail_row_valid(row);
}
