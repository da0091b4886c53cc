/*
 * Personalisation objects: what STORE DATA brings, turned into one commit. Used by the applet's own
 * STORE DATA and by the domain's, which hands on to it.
 */
#ifndef SIMTIE_CORE_OBJECTS_H
#define SIMTIE_CORE_OBJECTS_H

#include "applet.h"

/* Adds the writes of one object; false: the object is unknown, or its value out of bounds. */
typedef bool objects_add(uint16_t tag, struct bytes value, struct journal_write *writes,
			 size_t *count);

/*
 * Stores all objects of `data`, each at most once, or none. An object adds at most two writes.
 * SW_OK, SW_WRONG_DATA, SW_NO_MEMORY, SW_MEMORY_FAILURE.
 */
uint16_t objects_store(struct applet *applet, struct bytes data, objects_add *add);

/* The attestation applet's objects. */
objects_add objects_of_attestation;

#endif
