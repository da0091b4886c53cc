/*
 * The port's memory (port.h) over the board's flash.
 *
 * Owns nothing of its own. Refuses what flash would not take: ranges outside, units that are not
 * whole, and a second programming of a unit, which chips with error correction cannot do.
 */
#ifndef SIMTIE_CORTEX_M_MEMORY_H
#define SIMTIE_CORTEX_M_MEMORY_H

#include "../../core/port.h"

bool memory_read(void *context, uint32_t offset, uint8_t *out, size_t len);
bool memory_program(void *context, uint32_t offset, const uint8_t *data, size_t len);
bool memory_erase(void *context, uint16_t page);

/* Flash is durable once it is programmed: there is nothing left to do. */
bool memory_sync(void *context);

#endif
