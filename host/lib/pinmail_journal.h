/*
 * The journal of a list of PINs: its file, its rows, encrypted or plain.
 *
 * Owns the file, its lock, and where its last whole row ends. Refuses to skip a row that it cannot
 * read.
 */
#ifndef SIMTIE_HOST_PINMAIL_JOURNAL_H
#define SIMTIE_HOST_PINMAIL_JOURNAL_H

#include <openssl/x509.h>
#include <sys/types.h>

#include "pinmail.h"

/* Room for a row as a line: three fields, two commas, line feed, terminator. */
#define PINMAIL_LINE_SIZE 48

struct pinmail_journal {
	int fd;
	X509 *recipient;       /* NULL: plain. Borrowed */
	const uint8_t *secret; /* borrowed */
	off_t end;
	bool broken; /* a flush failed: what the disk has is not known */
};

/* Opens the journal, or makes it, takes its lock and reads it through. */
int pinmail_journal_open(struct pinmail_journal *journal, const char *path);
void pinmail_journal_close(struct pinmail_journal *journal);

int pinmail_journal_append(struct pinmail_journal *journal, const struct pinmail_row *row);

/* Gives each row to `visit`, until one answers other than 0, which is then returned. */
int pinmail_journal_visit(const struct pinmail_journal *journal,
			  int (*visit)(void *context, const struct pinmail_row *row),
			  void *context);

/* A row as a line of the CSV and back. The length without terminator; false: it is none. */
size_t pinmail_line_write(const struct pinmail_row *row, char text[static PINMAIL_LINE_SIZE]);
bool pinmail_line_read(const char *text, size_t len, struct pinmail_row *row);

bool pinmail_row_valid(const struct pinmail_row *row);

#endif
