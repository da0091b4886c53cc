/*
 * CBOR item by item: heads, and the items that hold no others, in diagnostic notation.
 *
 * Owns the position in the bytes and the one way to stop. Refuses to read past their end.
 */
#ifndef SIMTIE_TOOL_LEAF_H
#define SIMTIE_TOOL_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Major types and the additional information of RFC 8949 §3. */
enum major {
	MAJOR_UINT,
	MAJOR_NEGINT,
	MAJOR_BYTES,
	MAJOR_TEXT,
	MAJOR_ARRAY,
	MAJOR_MAP,
	MAJOR_TAG,
	MAJOR_SIMPLE,
};

enum additional {
	ADDITIONAL_ONE_BYTE = 24,
	ADDITIONAL_TWO_BYTES = 25,
	ADDITIONAL_EIGHT_BYTES = 27,
	ADDITIONAL_INDEFINITE = 31,
};

#define BREAK 0xFF

/* Bytes still to be read, and where they go. */
struct reading {
	FILE *out;
	const uint8_t *at;
	const uint8_t *end;
	unsigned level;  /* of nesting, which is bounded */
	unsigned indent; /* of lines */
};

struct head {
	enum major major;
	unsigned additional;
	uint64_t argument;
	bool shortest;
};

/* Ends the reading here: a comment with the reason and what was left. Always false. */
bool leaf_stop(struct reading *r, const char *reason);

/* Takes the head of the next item. False: stopped. */
bool leaf_head(struct reading *r, struct head *head);

/* The encoding indicator (RFC 8949 §8.1), where it is not the one that anyone would choose. */
void leaf_indicator(struct reading *r, const struct head *head);

/* h'...' */
void leaf_hex(struct reading *r, const uint8_t *bytes, size_t len);

/* Text as JSON writes it (RFC 8949 §8), in ASCII, so that nothing in it reaches the terminal. */
void leaf_text(struct reading *r, const uint8_t *bytes, size_t len);

/* The item behind a head of MAJOR_SIMPLE, or of MAJOR_UINT and MAJOR_NEGINT. False: stopped. */
bool leaf_simple(struct reading *r, const struct head *head);
bool leaf_integer(struct reading *r, const struct head *head);

#endif
