/*
 * What the files of the journal share, and nobody else sees: the layout of journal.md in numbers,
 * and one page header or one frame at a time, read or written.
 *
 * Owns no state. Refuses to judge: whether damage is what a power cut leaves is journal_mount.c's
 * to decide, and what goes where is journal_write.c's.
 */
#ifndef SIMTIE_CORE_JOURNAL_LAYOUT_H
#define SIMTIE_CORE_JOURNAL_LAYOUT_H

#include "journal.h"

#define JOURNAL_PAGE_HEADER   24
#define JOURNAL_PAGE_FRAMES   32 /* where the frames begin; between: the mark of a successor */
#define JOURNAL_FRAME_HEADER  8
#define JOURNAL_FRAME_MIN     16 /* a frame without records */
#define JOURNAL_RECORD_HEADER 4
#define JOURNAL_CRC_SIZE      4
#define JOURNAL_STAGING       64 /* bytes on their way between memory and memory, on the stack */

/* First 16 bits of a frame. COPY opens each page and stands nowhere else. */
enum journal_kind {
	JOURNAL_COPY = 0x4350,
	JOURNAL_COMMIT = 0x434D,
};

/* Second byte of a record. */
enum journal_flag {
	JOURNAL_VALUE = 0,
	JOURNAL_REMOVED = 1,
};

/* A page header. */
struct journal_page {
	uint32_t sequence;
	uint32_t previous_end; /* of the page before: bytes up to its last whole frame */
};

/* A frame as it stands in memory. */
struct journal_frame {
	uint16_t kind;
	uint32_t body; /* bytes of its records; only if intact */
	uint32_t size; /* bytes of all of it; only if intact */
	bool intact;   /* the frame header is one, and fits in the page */
	bool whole;    /* and the frame's CRC is right */
};

/* A frame on its way into memory. Holds secrets until journal_frame_end(). */
struct journal_writer {
	const struct port *port;
	uint32_t offset; /* of the next byte to program */
	uint32_t crc;
	size_t staged;
	bool ok; /* no call of the port has failed so far */
	uint8_t staging[JOURNAL_STAGING];
};

/* CRC-32 of ISO/IEC 13239 (reflected 04C11DB7), joined onto that of the bytes before (0: none). */
uint32_t journal_crc(uint32_t crc, const uint8_t *bytes, size_t len);

/* Bytes that a value of `len` bytes takes in a frame. */
static inline uint32_t journal_record_size(size_t len)
{
	return JOURNAL_RECORD_HEADER + (((uint32_t)len + 3) & ~(uint32_t)3);
}

/* Bytes that a frame takes whose records take `body`. */
static inline uint32_t journal_frame_size(uint32_t body)
{
	return (JOURNAL_FRAME_HEADER + body + JOURNAL_CRC_SIZE + PORT_PROGRAM_UNIT - 1) &
	       ~(uint32_t)(PORT_PROGRAM_UNIT - 1);
}

static inline uint32_t journal_page_offset(const struct port *port, uint16_t page)
{
	return page * port->page_size;
}

static inline uint16_t journal_page_after(const struct port *port, uint16_t page)
{
	return page + 1 < port->page_count ? (uint16_t)(page + 1) : 0;
}

/* The length of an id's newest value, which must exist. False: the port failed, or the memory is
 * no longer what was mounted. */
bool journal_value_len(const struct journal *journal, uint8_t id, size_t *len);

/* Puts a page header of this version into bytes. */
void journal_page_encode(const struct port *port, const struct journal_page *page,
			 uint8_t out[static JOURNAL_PAGE_HEADER]);

/*
 * Reads the header of a page. JOURNAL_OK; JOURNAL_ABSENT: it is none, or not whole;
 * JOURNAL_UNKNOWN: it is whole, of another version or geometry; JOURNAL_IO.
 */
enum journal_result journal_page_read(const struct port *port, uint16_t page,
				      struct journal_page *out);

/* Examines what stands at `offset` of a page as a frame of that page. False: the port failed. */
bool journal_frame_read(const struct port *port, uint16_t page, uint32_t sequence, uint32_t offset,
			struct journal_frame *out);

/*
 * Writes a frame of `body` bytes of records to `offset` of a page, strictly in order. The whole
 * body must be put (or copied, from elsewhere in memory) before the end, which answers whether all
 * of it was programmed, wipes the writer, and leaves the sync() to its caller.
 */
void journal_frame_begin(struct journal_writer *writer, const struct port *port, uint16_t page,
			 uint32_t sequence, uint32_t offset, enum journal_kind kind, uint32_t body);
void journal_frame_put(struct journal_writer *writer, const uint8_t *bytes, size_t len);
void journal_frame_copy(struct journal_writer *writer, uint32_t from, uint32_t len);
bool journal_frame_end(struct journal_writer *writer);

/* Makes the journal's first page on memory that holds nothing of use. */
enum journal_result journal_format(struct journal *journal);

/* Reads the image in memory into `journal`. JOURNAL_ABSENT: there is none, and may be a first. */
enum journal_result journal_mount(struct journal *journal);

#endif
