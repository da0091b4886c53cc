/*
 * The journal: a small set of typed records on page-erase memory, replaced atomically.
 *
 * Owns the whole memory of its port. After a power cut at any instant, each commit reads entirely
 * old or entirely new. Wear is spread: pages are written in a ring. The layout is in journal.md,
 * with its version; an image of another version, or one that was altered, is refused, untouched.
 * Refuses to guess: damage that no power cut explains is JOURNAL_CORRUPT, never a shorter history.
 *
 * Not for concurrent use; one journal has one owner.
 */
#ifndef SIMTIE_CORE_JOURNAL_H
#define SIMTIE_CORE_JOURNAL_H

#include "bytes.h"
#include "port.h"

#define JOURNAL_VERSION   1
#define JOURNAL_IDS       64   /* records are numbered 0 to JOURNAL_IDS - 1 */
#define JOURNAL_VALUE_MAX 1280 /* bytes in one record */

enum journal_result {
	JOURNAL_OK,
	JOURNAL_ABSENT,   /* no such record */
	JOURNAL_FULL,     /* the records would not fit, or an id is out of range; nothing changed */
	JOURNAL_IO,       /* the port failed; a commit that says so may have taken place or not */
	JOURNAL_CORRUPT,  /* the image is damaged beyond what a power cut does */
	JOURNAL_UNKNOWN,  /* the image is of another version or geometry */
	JOURNAL_UNUSABLE, /* the port is incomplete or its geometry out of bounds */
	JOURNAL_TOO_SMALL, /* the caller's buffer, or a value over JOURNAL_VALUE_MAX */
};

struct journal {
	const struct port *port;
	uint32_t sequence;  /* of the head page: the newest; pages are numbered without gaps */
	uint32_t live;      /* bytes that the newest values take, with their record headers */
	uint32_t head_used; /* bytes used in the head page; page_size once it takes no more */
	uint32_t head_end;  /* bytes of the head page up to its last whole frame */
	uint16_t head;      /* page that takes the next frame */
	uint16_t at[JOURNAL_IDS]; /* where each record's newest value stands, in 4-byte units; 0:
				     absent */
};

/* One record of a commit. A value with ptr NULL removes the record and the `len` after it, those of
 * them that are there. */
struct journal_write {
	uint8_t id;
	struct bytes value;
};

/*
 * Takes the port's memory into use: mounts the image in it, finishes or undoes what a power cut
 * interrupted, or lays a first, empty image on blank memory. `port` must outlive the journal.
 *
 * JOURNAL_OK; JOURNAL_UNUSABLE; JOURNAL_UNKNOWN and JOURNAL_CORRUPT, which leave the memory as it
 * was; JOURNAL_IO.
 */
enum journal_result journal_open(struct journal *journal, const struct port *port);

/*
 * Copies a record's newest value to out (room for `size` bytes) and its length to *len.
 * JOURNAL_OK; JOURNAL_ABSENT; JOURNAL_TOO_SMALL (*len says what is needed); JOURNAL_IO.
 */
enum journal_result journal_read(const struct journal *journal, uint8_t id, uint8_t *out,
				 size_t size, size_t *len);

/* Whether there is such a record. */
bool journal_has(const struct journal *journal, uint8_t id);

/*
 * Carries out `count` writes in one atomic step and returns once the step is durable. An id stands
 * at most once in it. JOURNAL_OK; JOURNAL_TOO_SMALL and JOURNAL_FULL, nothing changed; JOURNAL_IO:
 * until the next journal_open() the old values are read, and after it either all old or all new.
 *
 * What fits depends on what is stored, never on how it came there. With a value counted as its
 * length rounded up to 4, plus 4, and a removal as 4: the writes of one commit must fit in
 * page_size - 60 bytes, and all values that would then be stored in
 * (page_count - 2) * (page_size - 44) - (page_count - 3) * JOURNAL_VALUE_MAX bytes.
 */
enum journal_result journal_commit(struct journal *journal, const struct journal_write *writes,
				   size_t count);

/*
 * Erases every trace of values that were replaced or removed: live records move to fresh pages and
 * each page that held others is erased. JOURNAL_OK; JOURNAL_IO (call again to finish).
 */
enum journal_result journal_scrub(struct journal *journal);

#endif
