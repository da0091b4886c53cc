/*
 * The nRF51's read-back protection (chapter 7): with PALL set, a debugger reaches neither memory
 * nor processor. What it can still do is erase everything, and the card's keys with it.
 */
#include "../board.h"

#include "../cpu.h"

#ifdef LOCK_DEBUG

#define NVMC_READY   REGISTER(0x4001E400)
#define NVMC_CONFIG  REGISTER(0x4001E504)
#define UICR_RBPCONF REGISTER(0x10001004)
#define CONFIG_READ  0u
#define CONFIG_WRITE 1u
#define PROTECT_ALL  0xFFFF00FFu
#define PALL_MASK    0x0000FF00u

enum port_debug_status debug_open(void)
{
	if ((UICR_RBPCONF & PALL_MASK) == 0)
		return PORT_DEBUG_DISABLED_PERMANENTLY;
	NVMC_CONFIG = CONFIG_WRITE;
	while (!NVMC_READY)
		;
	UICR_RBPCONF = PROTECT_ALL;
	while (!NVMC_READY)
		;
	NVMC_CONFIG = CONFIG_READ;
	if ((UICR_RBPCONF & PALL_MASK) == 0)
		cpu_reset(); /* it counts from the next reset on */
	return PORT_DEBUG_ENABLED;
}

#else

enum port_debug_status debug_open(void)
{
	return PORT_DEBUG_ENABLED;
}

#endif
