/*
 * BER-TLV data objects as ISO/IEC 7816-4 §5.4.2 narrows them: tags of one or two bytes, lengths of
 * one to three.
 *
 * Reading borrows from the input and refuses what does not lie in it whole. Writing goes to a
 * buffer of the caller's; an object that does not fit marks the writer as overflowed and is left
 * out.
 */
#ifndef SIMTIE_CORE_BER_H
#define SIMTIE_CORE_BER_H

#include "bytes.h"

struct ber {
	uint16_t tag;
	struct bytes value;
};

/* Takes the next object off the front of *in. False: *in does not begin with a whole one. */
bool ber_next(struct bytes *in, struct ber *object);

struct writer {
	uint8_t *out;
	size_t size;
	size_t used;
	bool overflowed;
};

/* Appends bytes as they are. */
void writer_put(struct writer *writer, struct bytes bytes);

void ber_put(struct writer *writer, uint16_t tag, struct bytes value);
void ber_put_u8(struct writer *writer, uint16_t tag, uint8_t value);
void ber_put_be16(struct writer *writer, uint16_t tag, uint16_t value);
void ber_put_be32(struct writer *writer, uint16_t tag, uint32_t value);

/* Opens a template; what is put until ber_close() with the returned mark stands inside. */
size_t ber_open(struct writer *writer, uint16_t tag);
void ber_close(struct writer *writer, size_t mark);

#endif
