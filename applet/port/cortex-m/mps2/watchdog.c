/* CMSDK APB watchdog (Arm DDI 0479, chapter 4): the first expiry is an NMI, and that resets. */
#include "../board.h"

#include "../cpu.h"

#define WATCHDOG(offset)  REGISTER(0x40008000 + (offset))
#define WATCHDOG_LOAD     WATCHDOG(0x000)
#define WATCHDOG_CONTROL  WATCHDOG(0x008)
#define WATCHDOG_CLEAR    WATCHDOG(0x00C)
#define CONTROL_INTERRUPT 1u
#define CONTROL_RESET     2u
#define WATCHDOG_CLOCK    25000000u

void watchdog_start(void)
{
	WATCHDOG_LOAD = WATCHDOG_SECONDS * WATCHDOG_CLOCK;
	WATCHDOG_CONTROL = CONTROL_INTERRUPT | CONTROL_RESET;
}

void watchdog_feed(void)
{
	WATCHDOG_CLEAR = 1;
}

void watchdog_rest(void)
{
	WATCHDOG_CONTROL = 0;
}
