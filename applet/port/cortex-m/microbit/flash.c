/*
 * The nRF51's own flash through its controller (Nordic, nRF51 Series Reference Manual 3.0, chapter
 * 6): words of 4 bytes, pages of 1024, the processor stands still meanwhile.
 */
#include "../board.h"

#include "../cpu.h"

#define NVMC(offset)    REGISTER(0x4001E000 + (offset))
#define NVMC_READY      NVMC(0x400)
#define NVMC_CONFIG     NVMC(0x504)
#define NVMC_ERASE_PAGE NVMC(0x508)

#define CONFIG_READ  0u
#define CONFIG_WRITE 1u
#define CONFIG_ERASE 2u

#define CHIP_PAGE 1024u

extern uint32_t journal_start[]; /* of the linker script */

static void configure(uint32_t mode)
{
	NVMC_CONFIG = mode;
	while (!NVMC_READY)
		;
}

void flash_open(void)
{
	configure(CONFIG_READ);
}

const uint32_t *flash_at(uint32_t offset)
{
	return journal_start + offset / sizeof(uint32_t);
}

void flash_program(uint32_t offset, uint32_t word)
{
	configure(CONFIG_WRITE);
	*(volatile uint32_t *)(journal_start + offset / sizeof(uint32_t)) = word;
	configure(CONFIG_READ);
}

void flash_erase(uint16_t page)
{
	const uint32_t start = (uint32_t)(uintptr_t)journal_start + page * FLASH_PAGE_SIZE;

	configure(CONFIG_ERASE);
	for (uint32_t at = start; at < start + FLASH_PAGE_SIZE; at += CHIP_PAGE) {
		NVMC_ERASE_PAGE = at;
		while (!NVMC_READY)
			;
	}
	configure(CONFIG_READ);
}
