/*
 * The nRF51's watchdog (chapter 24). Once started it cannot be stopped, but it stands still while
 * the processor sleeps: and it sleeps whenever it waits for a command.
 */
#include "../board.h"

#include "../cpu.h"

#define WATCHDOG(offset)   REGISTER(0x40010000 + (offset))
#define WATCHDOG_START     WATCHDOG(0x000)
#define WATCHDOG_RUNS      WATCHDOG(0x400)
#define WATCHDOG_COUNT     WATCHDOG(0x504)
#define WATCHDOG_CONFIG    WATCHDOG(0x50C)
#define WATCHDOG_RELOAD    WATCHDOG(0x600)
#define RELOAD_VALUE       0x6E524635u
#define CONFIG_SLEEP_STOPS 0u
#define WATCHDOG_CLOCK     32768u

void watchdog_start(void)
{
	if (!WATCHDOG_RUNS) {
		WATCHDOG_CONFIG = CONFIG_SLEEP_STOPS;
		WATCHDOG_COUNT = WATCHDOG_SECONDS * WATCHDOG_CLOCK;
		WATCHDOG_START = 1;
	}
	watchdog_feed();
}

void watchdog_feed(void)
{
	WATCHDOG_RELOAD = RELOAD_VALUE;
}

void watchdog_rest(void)
{
	watchdog_feed();
}
