/*
 * What a board gives to the firmware, and each folder of a board implements: a serial line, flash
 * in words, random bytes, a watchdog, and what may be said of its debug port.
 *
 * Owns the hardware; there is one of it, so nothing here has a context. Refuses nothing that it is
 * not told to: memory.c checks ranges before it calls.
 */
#ifndef SIMTIE_CORTEX_M_BOARD_H
#define SIMTIE_CORTEX_M_BOARD_H

#include "../../core/port.h"

/* ---- Serial line: 8 data bits, no parity, 115,200 baud ---- */

void uart_open(void);

/* The next byte; sleeps until there is one. */
uint8_t uart_get(void);

void uart_put(uint8_t byte);

/* ---- Flash for the journal ---- */

#define FLASH_PAGE_SIZE  4096u /* as the journal counts; perhaps several pages of the chip */
#define FLASH_PAGE_COUNT 8u
#define FLASH_SIZE       (FLASH_PAGE_SIZE * FLASH_PAGE_COUNT)

/* Makes the flash readable where flash_at() says. */
void flash_open(void);

/* The flash in the address space; offset is a multiple of 4 below FLASH_SIZE. */
const uint32_t *flash_at(uint32_t offset);

/* Clears the bits of a word that are 0 in `word`, and waits until the chip is done. */
void flash_program(uint32_t offset, uint32_t word);

/* Sets all bits of a page, and waits. */
void flash_erase(uint16_t page);

/* ---- Random bytes ---- */

/* Whether the board has no source of its own, and repeats itself from a seed (port.h, `seeded`). */
extern const bool random_is_seeded;

void random_open(void);

/* Fills out; false: the source has failed. */
bool random_take(uint8_t *out, size_t len);

/* The key of the numbers that blind (blinding.c), which are no part of what a seed repeats. */
bool random_blinding_key(uint8_t key[static 32]);

/* ---- Watchdog: resets the board when a command takes over WATCHDOG_SECONDS without a sign ---- */

#define WATCHDOG_SECONDS 30u /* ten signatures at 16 MHz */

void watchdog_start(void); /* a command begins */
void watchdog_feed(void);
void watchdog_rest(void); /* the board waits for a command, for as long as it takes */

/* ---- Debug port ---- */

/*
 * What an attestation may say of the debug port. Nothing but PORT_DEBUG_ENABLED unless the build
 * locks the port (LOCK_DEBUG) and the chip confirms that it is locked. May reset the board, to
 * lock.
 */
enum port_debug_status debug_open(void);

#endif
