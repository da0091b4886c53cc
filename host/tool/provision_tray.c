#include "provision_tray.h"

#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COLUMN     "iccid"
#define FIELD_SIZE 64 /* what is kept of a field; ICCIDs are far shorter */

/* Where reading has come to. */
struct reader {
	const char *at, *end;
	unsigned line;   /* that the row begins in */
	unsigned breaks; /* line breaks taken so far */
	char *wrong;
};

static bool refuse(const struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool refuse(const struct reader *reader, const char *format, ...)
{
	int len = snprintf(reader->wrong, PROVISION_TEXT_MAX, "line %u: ", reader->line);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reader->wrong + len, PROVISION_TEXT_MAX - (size_t)len, format, arguments);
	va_end(arguments);
	return false;
}

/* ---- Fields (RFC 4180 §2) ---- */

static void keep(char field[static FIELD_SIZE], size_t *len, char c)
{
	if (*len < FIELD_SIZE - 1)
		field[*len] = c;
	(*len)++;
}

/* A quoted field; the reader is behind the first quote. */
static bool take_quoted(struct reader *reader, char field[static FIELD_SIZE], size_t *len)
{
	for (; reader->at < reader->end; reader->at++) {
		char c = *reader->at;

		if (c == '"' && (reader->at + 1 == reader->end || reader->at[1] != '"')) {
			reader->at++;
			return true;
		}
		if (c == '"')
			reader->at++;
		if (c == '\n')
			reader->breaks++;
		keep(field, len, c);
	}
	return refuse(reader, "a quoted field has no end");
}

static bool ends_field(char c)
{
	return c == ',' || c == '\r' || c == '\n';
}

/* One field, up to what parts it from the next. One longer than FIELD_SIZE comes out cut, and is
 * no ICCID. */
static bool take_field(struct reader *reader, char field[static FIELD_SIZE])
{
	size_t len = 0;
	bool quoted = reader->at < reader->end && *reader->at == '"';

	if (quoted) {
		reader->at++;
		if (!take_quoted(reader, field, &len))
			return false;
	}
	for (; reader->at < reader->end && !ends_field(*reader->at); reader->at++) {
		if (quoted)
			return refuse(reader, "something follows the end of a quoted field");
		if (*reader->at == '"')
			return refuse(reader,
				      "a quote within a field that does not begin with one");
		keep(field, &len, *reader->at);
	}
	field[len < FIELD_SIZE ? len : FIELD_SIZE - 1] = '\0';
	if (memchr(field, '\0', len < FIELD_SIZE ? len : FIELD_SIZE - 1))
		return refuse(reader, "a NUL byte");
	return true;
}

/* What ends a field. *more: another one follows in the row. */
static bool take_end(struct reader *reader, bool *more)
{
	*more = reader->at < reader->end && *reader->at == ',';
	if (*more) {
		reader->at++;
		return true;
	}
	if (reader->at < reader->end && *reader->at == '\r') {
		reader->at++;
		if (reader->at == reader->end || *reader->at != '\n')
			return refuse(reader, "a carriage return without a line feed");
	}
	if (reader->at < reader->end) {
		reader->at++;
		reader->breaks++;
	}
	return true;
}

/* One row: how many fields it has, and the one of number `column`. */
static bool take_row(struct reader *reader, size_t column, size_t *fields,
		     char kept[static FIELD_SIZE])
{
	char field[FIELD_SIZE];
	bool more = true;

	reader->line = reader->breaks + 1;
	for (*fields = 0; more; (*fields)++) {
		if (!take_field(reader, field) || !take_end(reader, &more))
			return false;
		if (*fields == column)
			memcpy(kept, field, FIELD_SIZE);
	}
	return true;
}

/* ---- The tray ---- */

/* The header line: which column has the ICCID, and how many there are. */
static bool take_header(struct reader *reader, size_t *column, size_t *fields)
{
	char field[FIELD_SIZE];
	bool more = true, found = false;

	reader->line = 1;
	for (*fields = 0; more; (*fields)++) {
		if (!take_field(reader, field) || !take_end(reader, &more))
			return false;
		if (strcasecmp(field, COLUMN) != 0)
			continue;
		if (found)
			return refuse(reader, "two columns are called " COLUMN);
		found = true;
		*column = *fields;
	}
	return found || refuse(reader, "the header names no column " COLUMN);
}

static bool add(struct reader *reader, struct provision_tray *tray, const char *iccid)
{
	uint8_t digits[SIMTIE_ICCID_SIZE];
	struct provision_row *rows;

	if (!input_iccid(iccid, digits))
		return refuse(reader, "the ICCID is not 18 to 20 digits");
	if (tray->count == PROVISION_ROWS_MAX)
		return refuse(reader, "over %d SIMs; part the tray", PROVISION_ROWS_MAX);
	if ((tray->count & (tray->count - 1)) == 0) { /* room doubles */
		rows = reallocarray(tray->rows, tray->count ? 2 * tray->count : 1, sizeof(*rows));
		if (!rows)
			return refuse(reader, "out of memory");
		tray->rows = rows;
	}
	tray->rows[tray->count] = (struct provision_row){.line = reader->line};
	strcpy(tray->rows[tray->count].iccid, iccid);
	tray->count++;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct provision_row *const *one = a, *const *other = b;

	return strcmp((*one)->iccid, (*other)->iccid);
}

/* Sorts for finding, and finds what is there twice. */
static bool sort(struct reader *reader, struct provision_tray *tray)
{
	tray->sorted = calloc(tray->count, sizeof(struct provision_row *));
	if (!tray->sorted)
		return refuse(reader, "out of memory");
	for (size_t i = 0; i < tray->count; i++)
		tray->sorted[i] = &tray->rows[i];
	qsort(tray->sorted, tray->count, sizeof(struct provision_row *), compare);
	for (size_t i = 1; i < tray->count; i++) {
		const struct provision_row *one = tray->sorted[i - 1], *other = tray->sorted[i];

		if (strcmp(one->iccid, other->iccid) != 0)
			continue;
		reader->line = one->line > other->line ? one->line : other->line;
		return refuse(reader, "the ICCID stands in line %u already",
			      one->line < other->line ? one->line : other->line);
	}
	return true;
}

static bool parse(struct reader *reader, struct provision_tray *tray)
{
	char iccid[FIELD_SIZE];
	size_t column = 0, expected, fields;

	if (!take_header(reader, &column, &expected))
		return false;
	while (reader->at < reader->end) {
		if (!take_row(reader, column, &fields, iccid))
			return false;
		if (fields != expected)
			return refuse(reader, "%zu fields, and the header has %zu", fields,
				      expected);
		if (!add(reader, tray, iccid))
			return false;
	}
	if (tray->count == 0)
		return refuse(reader, "no SIM is in the tray");
	return sort(reader, tray);
}

int provision_tray_read(const char *path, struct provision_tray *tray,
			char wrong[static PROVISION_TEXT_MAX])
{
	static const char mark[] = "\xEF\xBB\xBF"; /* of UTF-8, as spreadsheets put it */
	char *text = malloc(PROVISION_TRAY_BYTES);
	struct reader reader = {.at = text, .line = 1, .wrong = wrong};
	bool good = false;
	size_t len;

	*tray = (struct provision_tray){0};
	if (!text || input_file(path, (uint8_t *)text, PROVISION_TRAY_BYTES, &len)) {
		snprintf(wrong, PROVISION_TEXT_MAX, "cannot be read: %s", strerror(errno));
	} else if (len > PROVISION_TRAY_BYTES) {
		snprintf(wrong, PROVISION_TEXT_MAX, "too long for a tray");
	} else {
		reader.end = text + len;
		if (len >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0)
			reader.at += strlen(mark);
		good = parse(&reader, tray);
	}
	free(text);
	return good ? TOOL_DONE : TOOL_IO;
}

struct provision_row *provision_tray_find(const struct provision_tray *tray, const char *iccid)
{
	struct provision_row wanted = {.line = 0};
	const struct provision_row *key = &wanted;
	struct provision_row **found;

	if (strlen(iccid) >= sizeof(wanted.iccid))
		return NULL;
	strcpy(wanted.iccid, iccid);
	found = bsearch(&key, tray->sorted, tray->count, sizeof(struct provision_row *), compare);
	return found ? *found : NULL;
}

void provision_tray_free(struct provision_tray *tray)
{
	free(tray->rows);
	free(tray->sorted);
	*tray = (struct provision_tray){0};
}
