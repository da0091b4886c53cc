/*
 * The processor itself: sleeping, resetting, interrupts that wake and are never taken.
 *
 * The firmware polls. An interrupt is enabled to end a sleep, while PRIMASK keeps it from being
 * taken: so nothing runs beside the card, and instruction counts repeat.
 */
#ifndef SIMTIE_CORTEX_M_CPU_H
#define SIMTIE_CORTEX_M_CPU_H

#include <stdint.h>

/* A register of a peripheral, or of the processor (ARMv6-M B3, ARMv7-M B3). */
#define REGISTER(address) (*(volatile uint32_t *)(address))

#define NVIC_ENABLE REGISTER(0xE000E100)
#define NVIC_CLEAR  REGISTER(0xE000E280)
#define SCB_AIRCR   REGISTER(0xE000ED0C)

#define AIRCR_RESET 0x05FA0004u /* key, SYSRESETREQ */

/* Lets interrupt number n (0 to 31) end a sleep. */
static inline void cpu_wake_by(unsigned n)
{
	__asm volatile("cpsid i");
	NVIC_ENABLE = 1u << n;
}

/* Sleeps until interrupt n is pending, and clears it. One that came before counts. */
static inline void cpu_sleep_until(unsigned n)
{
	__asm volatile("dsb\n\twfi" ::: "memory");
	NVIC_CLEAR = 1u << n;
}

_Noreturn static inline void cpu_reset(void)
{
	__asm volatile("dsb" ::: "memory");
	SCB_AIRCR = AIRCR_RESET;
	for (;;)
		__asm volatile("wfi");
}

#endif
