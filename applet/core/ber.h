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

/* What the next two do, with pointer and length in registers: compilers pass a struct by way of the
 * stack, at ten bytes of code a call. */
void writer_put_parts(struct writer *writer, const uint8_t *ptr, size_t len);
void ber_put_parts(struct writer *writer, uint16_t tag, const uint8_t *ptr, size_t len);

/* Appends bytes as they are. */
static inline void writer_put(struct writer *writer, struct bytes bytes)
{
	writer_put_parts(writer, bytes.ptr, bytes.len);
}

static inline void ber_put(struct writer *writer, uint16_t tag, struct bytes value)
{
	ber_put_parts(writer, tag, value.ptr, value.len);
}

void ber_put_u8(struct writer *writer, uint16_t tag, uint8_t value);
void ber_put_be16(struct writer *writer, uint16_t tag, uint16_t value);
void ber_put_be32(struct writer *writer, uint16_t tag, uint32_t value);

/* Opens a template; what is put until ber_close() with the returned mark stands inside. */
size_t ber_open(struct writer *writer, uint16_t tag);
void ber_close(struct writer *writer, size_t mark);

#endif
