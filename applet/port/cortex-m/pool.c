#include "pool.h"

#include <stdint.h>

/*
 * A chain of blocks in one array: a header, then so many bytes. First fit, and neighbours that are
 * both free are one block again when somebody looks for room. mbedTLS frees nearly in the order
 * opposite to the one it takes in, so the chain stays short.
 */
struct block {
	uint32_t size; /* bytes behind this header, a multiple of 8 */
	uint32_t taken;
};

#ifdef CRYPTO_FAST
#define POOL_SIZE 5120u
#else
#define POOL_SIZE 4096u
#endif

static _Alignas(8) uint8_t pool[POOL_SIZE];
uint32_t pool_deepest;

static struct block *first(void)
{
	struct block *block = (struct block *)(void *)pool;

	if (block->size == 0) /* as start-up left it */
		block->size = POOL_SIZE - sizeof(*block);
	return block;
}

/* The one behind, or NULL at the end. */
static struct block *next(struct block *block)
{
	uint8_t *at = (uint8_t *)(block + 1) + block->size;

	return at < pool + POOL_SIZE ? (struct block *)(void *)at : NULL;
}

/* Takes the front of a free block, and leaves the rest of it as another. */
static void *take(struct block *block, uint32_t wanted)
{
	uint32_t end;

	if (block->size > wanted + sizeof(*block)) {
		struct block *rest = (struct block *)(void *)((uint8_t *)(block + 1) + wanted);

		rest->size = block->size - wanted - (uint32_t)sizeof(*rest);
		rest->taken = 0;
		block->size = wanted;
	}
	block->taken = 1;
	end = (uint32_t)((uint8_t *)(block + 1) - pool) + block->size;
	if (end > pool_deepest)
		pool_deepest = end;
	return block + 1;
}

/* Joins what is free behind a free block to it. */
static void join(struct block *block)
{
	struct block *behind;

	while ((behind = next(block)) != NULL && !behind->taken) {
		block->size += (uint32_t)sizeof(*behind) + behind->size;
		*behind = (struct block){0};
	}
}

void *pool_take(size_t count, size_t size)
{
	uint32_t wanted;

	if (size == 0 || count == 0 || count > POOL_SIZE / size)
		return NULL;
	wanted = ((uint32_t)(count * size) + 7u) & ~7u;
	for (struct block *block = first(); block; block = next(block)) {
		if (block->taken)
			continue;
		join(block);
		if (block->size >= wanted)
			return take(block, wanted);
	}
	return NULL;
}

void pool_give(void *memory)
{
	volatile uint32_t *word = memory;
	struct block *block = memory;

	if (!memory)
		return;
	block--;
	for (uint32_t i = 0; i < block->size / sizeof(*word);
	     i++) /* so that what is free is zero */
		word[i] = 0;
	block->taken = 0;
}
