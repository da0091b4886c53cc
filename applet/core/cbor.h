/*
 * Just enough CBOR to write an attestation: deterministic encoding (RFC 8949 §4.2.1), no reading.
 *
 * Items go to a struct writer (ber.h); one that does not fit marks it as overflowed. The caller
 * puts map keys in order.
 */
#ifndef SIMTIE_CORE_CBOR_H
#define SIMTIE_CORE_CBOR_H

#include "ber.h"

/* Major types (RFC 8949 §3.1). */
enum cbor_type {
	CBOR_UINT = 0,
	CBOR_NEGATIVE = 1,
	CBOR_BYTES = 2,
	CBOR_TEXT = 3,
	CBOR_ARRAY = 4,
	CBOR_MAP = 5,
	CBOR_TAG = 6,
};

/* Appends the head of an item: its type and argument, in the shortest form. */
void cbor_put_head(struct writer *writer, enum cbor_type type, uint32_t argument);

void cbor_put_int(struct writer *writer, int32_t value);

/* As writer_put_parts() (ber.h). */
void cbor_put_string_parts(struct writer *writer, enum cbor_type type, const uint8_t *ptr,
			   size_t len);

static inline void cbor_put_string(struct writer *writer, enum cbor_type type, struct bytes string)
{
	cbor_put_string_parts(writer, type, string.ptr, string.len);
}

#endif
