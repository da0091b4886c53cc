#include "pinmail_rows.h"

#include "pinmail_journal.h"

#include <stdlib.h>

#define HEADER "iccid,pin,puk\n"

int pinmail_rows_add(void *context, const struct pinmail_row *row)
{
	struct pinmail_rows *rows = context;

	if (rows->count == rows->room) {
		size_t room = rows->room ? 2 * rows->room : 256;
		struct pinmail_row *more = calloc(room, sizeof(*more));

		/* Not by realloc(), which leaves the old ones as they are. */
		if (!more)
			return PINMAIL_ERR_LIBRARY;
		if (rows->count)
			memcpy(more, rows->rows, rows->count * sizeof(*more));
		if (rows->rows)
			bytes_wipe(rows->rows, rows->count * sizeof(*more));
		free(rows->rows);
		rows->rows = more;
		rows->room = room;
	}
	rows->rows[rows->count++] = *row;
	return PINMAIL_OK;
}

void pinmail_rows_wipe(struct pinmail_rows *rows)
{
	if (rows->rows)
		bytes_wipe(rows->rows, rows->count * sizeof(*rows->rows));
	free(rows->rows);
	*rows = (struct pinmail_rows){NULL, 0, 0};
}

/* By ICCID, and the later after the earlier: they lie in one array. */
static int compare(const void *a, const void *b)
{
	const struct pinmail_row *const *first = a, *const *second = b;
	int order = strcmp((*first)->iccid, (*second)->iccid);

	return order ? order : (*first > *second) - (*first < *second);
}

static int compare_places(const void *a, const void *b)
{
	const struct pinmail_row *const *first = a, *const *second = b;

	return (*first > *second) - (*first < *second);
}

/* Leaves in `places` the last row of each ICCID, in the order of the rows, and says how many. */
static size_t last_ones(const struct pinmail_row **places, size_t count)
{
	size_t kept = 0;

	qsort(places, count, sizeof(*places), compare);
	for (size_t i = 0; i < count; i++) {
		if (i + 1 == count || strcmp(places[i]->iccid, places[i + 1]->iccid) != 0)
			places[kept++] = places[i];
	}
	qsort(places, kept, sizeof(*places), compare_places);
	return kept;
}

bool pinmail_rows_csv(const struct pinmail_rows *rows, char **csv, size_t *len, size_t *count)
{
	const struct pinmail_row **places = calloc(rows->count + 1, sizeof(*places));
	char *at = malloc(sizeof(HEADER) + rows->count * PINMAIL_LINE_SIZE);

	*csv = at;
	if (!places || !at) {
		free(places);
		free(at);
		*csv = NULL;
		return false;
	}
	for (size_t i = 0; i < rows->count; i++)
		places[i] = &rows->rows[i];
	*count = last_ones(places, rows->count);
	memcpy(at, HEADER, sizeof(HEADER));
	at += sizeof(HEADER) - 1;
	for (size_t i = 0; i < *count; i++)
		at += pinmail_line_write(places[i], at);
	*len = (size_t)(at - *csv);
	free(places);
	return true;
}
