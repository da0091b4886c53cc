/*
 * The memory that mbedTLS takes its numbers from: a fixed array, and no heap.
 *
 * Owns POOL_SIZE bytes. Refuses, as calloc() does, by NULL: mbedTLS then fails, and the core shuts
 * the card. What is given back is wiped at once, so that no key outlives its use.
 */
#ifndef SIMTIE_CORTEX_M_POOL_H
#define SIMTIE_CORTEX_M_POOL_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory for count things of size bytes each, aligned to 8; NULL: none left, or none
 * wanted. */
void *pool_take(size_t count, size_t size);

/* Bytes from the array's beginning to the end of the farthest block that was ever taken: for
 * whoever looks at the memory from outside, as at the stack's paint. */
extern uint32_t pool_deepest;

/* Gives back what pool_take() gave; NULL does nothing. */
void pool_give(void *memory);

#endif
