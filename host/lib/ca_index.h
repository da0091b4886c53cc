/*
 * The index of a certificate authority: a text file that is only ever appended to.
 *
 *   simtie-ca-index/1
 *   issued SERIAL ICCID NOT-BEFORE NOT-AFTER FINGERPRINT CHECK
 *   revoked SERIAL TIME REASON CHECK
 *   crl NUMBER THIS-UPDATE NEXT-UPDATE CHECK
 *
 * Fields are parted by one space, lines end with one line feed. SERIAL is 32 hexadecimal digits in
 * upper case, FINGERPRINT the SHA-256 of the certificate in 64 of lower case, times are
 * 2026-11-24T08:30:00Z, REASON as RFC 5280 names it. CHECK is the first 8 bytes of SHA-256 of the
 * line up to and without the space before it, in 16 digits of lower case.
 *
 * An issued line counts as soon as it is whole. A revoked line counts when a crl line follows,
 * which is the revocation list that has it: so a revocation is there in full, or not at all. What
 * is left at the end by a writer that died does not count, and the next writer cuts it off. Each
 * line is flushed before the next is written, so that at most the last can be broken; a broken one
 * with another behind it is damage, and refused.
 *
 * Owns the file, its lock and what of it counts. Refuses to skip what it cannot read.
 */
#ifndef SIMTIE_HOST_CA_INDEX_H
#define SIMTIE_HOST_CA_INDEX_H

#include <sys/types.h>

#include "ca.h"

#define CA_INDEX_NAME     "index"
#define CA_INDEX_HEAD     "simtie-ca-index/1\n"
#define CA_INDEX_LINE_MAX 256 /* bytes, line feed included */

enum ca_line_kind { CA_LINE_ISSUED, CA_LINE_REVOKED, CA_LINE_CRL };

struct ca_line {
	enum ca_line_kind kind;
	struct ca_entry entry; /* of ISSUED; of REVOKED its serial, revoked_at and reason */
	uint64_t number;       /* of CRL */
	time_t this_update;
	time_t next_update;
};

/* Writes a line, line feed included, and returns its length; 0: the library failed. */
size_t ca_line_write(const struct ca_line *line, char text[static CA_INDEX_LINE_MAX]);

/* Reads a line of `len` bytes, line feed included. False: it is not what ca_line_write() writes. */
bool ca_line_read(const char *text, size_t len, struct ca_line *line);

struct ca_index {
	int fd;
	bool broken;        /* a flush failed: what the disk has is not known */
	off_t end;          /* what counts ends here */
	off_t tail;         /* bytes behind it that we appended under this lock */
	struct ca_line crl; /* the last crl line; its number is 0 when there is none */
};

/* Opens the index in a directory. CA_ERR_FILE, errno ENOENT when there is none. */
int ca_index_open(int directory, bool writable, struct ca_index *index);
void ca_index_close(struct ca_index *index);

/*
 * Waits for the lock, shared or exclusive, and catches up with what others wrote since. With the
 * exclusive one it cuts off what does not count. CA_ERR_FILE, CA_ERR_DAMAGED: not locked then.
 */
int ca_index_lock(struct ca_index *index, bool exclusive);
void ca_index_unlock(struct ca_index *index);

/* Appends a line and flushes it; the exclusive lock must be held. CA_ERR_FILE: it is not there, or,
 * when the flush failed, no one knows, and the index takes no more. */
int ca_index_append(struct ca_index *index, const struct ca_line *line);

/* Gives each line that counts to `visit`, from the first on, until one answers other than 0, which
 * is then returned. The lock must be held. */
int ca_index_visit(const struct ca_index *index,
		   int (*visit)(void *context, const struct ca_line *line), void *context);

#endif
