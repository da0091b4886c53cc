/*
 * Answers made of data objects, read strictly: what the contract lists, in any order, and nothing
 * else. Owns no bytes; values borrow from the answer. Refuses an object that is unknown, there
 * twice, missing, of another length, or cut short.
 */
#ifndef SIMTIE_LIB_TLV_H
#define SIMTIE_LIB_TLV_H

#include "bytes.h"

/* An object that may stand in a template. */
struct tlv_field {
	uint16_t tag;
	bool optional;
	size_t min, max;    /* bytes of its value */
	struct bytes value; /* ptr NULL: not there */
};

/* Reads the objects in `data`; false unless they are exactly what `fields` allows. */
bool tlv_read(struct bytes data, struct tlv_field *fields, size_t count);

/* The value of the one object, of this tag, that `data` is. */
bool tlv_only(struct bytes data, uint16_t tag, struct bytes *value);

#endif
