/*
 * The MPS2 boards have no flash that a program can write: this is a model of one in their PSRAM.
 * Words are ANDed, as NOR flash does; host.h keeps it when the emulator goes.
 */
#include "../board.h"

#include <string.h>

static uint32_t cells[FLASH_SIZE / sizeof(uint32_t)] __attribute__((section(".emulated")));

void flash_open(void)
{
}

const uint32_t *flash_at(uint32_t offset)
{
	return cells + offset / sizeof(cells[0]);
}

void flash_program(uint32_t offset, uint32_t word)
{
	cells[offset / sizeof(cells[0])] &= word;
}

void flash_erase(uint16_t page)
{
	memset(cells + page * (FLASH_PAGE_SIZE / sizeof(cells[0])), 0xFF, FLASH_PAGE_SIZE);
}
