#include "memory.h"

#include <string.h>

#include "board.h"
#include "host.h"

static bool inside(uint32_t offset, size_t len)
{
	return offset <= FLASH_SIZE && len <= FLASH_SIZE - offset;
}

bool memory_read(void *context, uint32_t offset, uint8_t *out, size_t len)
{
	(void)context;
	if (!inside(offset, len))
		return false;
	memcpy(out, (const uint8_t *)flash_at(0) + offset, len);
	return true;
}

/* Programs a word, and sees that it took. */
static bool program(uint32_t offset, uint32_t word)
{
	if (word == UINT32_MAX)
		return true;
	if (!host_program(offset, word))
		return false;
	flash_program(offset, word);
	return *flash_at(offset) == word;
}

bool memory_program(void *context, uint32_t offset, const uint8_t *data, size_t len)
{
	uint32_t word;

	(void)context;
	if (offset % PORT_PROGRAM_UNIT != 0 || len % PORT_PROGRAM_UNIT != 0 ||
	    !inside(offset, len) || len > FLASH_PAGE_SIZE - offset % FLASH_PAGE_SIZE)
		return false;
	for (size_t i = 0; i < len; i += sizeof(word))
		if (*flash_at(offset + i) != UINT32_MAX)
			return false;
	for (size_t i = 0; i < len; i += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		if (!program(offset + i, word))
			return false;
	}
	return true;
}

bool memory_erase(void *context, uint16_t page)
{
	(void)context;
	if (page >= FLASH_PAGE_COUNT || !host_erase(page))
		return false;
	flash_erase(page);
	for (uint32_t i = 0; i < FLASH_PAGE_SIZE; i += 4)
		if (*flash_at(page * FLASH_PAGE_SIZE + i) != UINT32_MAX)
			return false;
	return true;
}

bool memory_sync(void *context)
{
	(void)context;
	return true;
}
