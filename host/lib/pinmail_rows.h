/*
 * The rows of a list of PINs in memory, and the CSV that is made of them.
 *
 * Owns its copies, and wipes each that it leaves.
 */
#ifndef SIMTIE_HOST_PINMAIL_ROWS_H
#define SIMTIE_HOST_PINMAIL_ROWS_H

#include "pinmail.h"

struct pinmail_rows {
	struct pinmail_row *rows;
	size_t count;
	size_t room;
};

/* For pinmail_journal_visit(), with a struct pinmail_rows. PINMAIL_ERR_LIBRARY. */
int pinmail_rows_add(void *rows, const struct pinmail_row *row);

/* The CSV with its header: of each ICCID the last row, in the order of those. The caller wipes and
 * frees *csv. *count gets the number of rows. False: out of memory. */
bool pinmail_rows_csv(const struct pinmail_rows *rows, char **csv, size_t *len, size_t *count);

void pinmail_rows_wipe(struct pinmail_rows *rows);

#endif
