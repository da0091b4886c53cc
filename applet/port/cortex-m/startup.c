/*
 * From reset to main(): vectors, memory as C expects it, and paint in the stack by which its
 * deepest use is measured. A fault resets the board, as a card that loses power does.
 */
#include <stdint.h>
#include <string.h>

#include "cpu.h"

/* Of the linker script. */
extern uint32_t stack_bottom[], stack_top[], data_start[], data_end[], bss_start[], bss_end[];
extern const uint32_t data_image[];

#define PAINT      0x5A5A5A5Au
#define PAINT_SLOP 64 /* bytes below the stack pointer that a call may use already */

int main(void);
void startup_reset(void);
void startup_fault(void);

static void paint_stack(void)
{
	uintptr_t here;

	__asm volatile("mov %0, sp" : "=r"(here));
	for (uint32_t *at = stack_bottom; (uintptr_t)at < here - PAINT_SLOP; at++)
		*(volatile uint32_t *)at = PAINT;
}

void startup_reset(void)
{
	paint_stack();
	memcpy(data_start, data_image, (size_t)((char *)data_end - (char *)data_start));
	memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
	main();
	cpu_reset();
}

void startup_fault(void)
{
	cpu_reset();
}

/* No interrupt is ever taken (cpu.h), and every fault that is not enabled becomes a hard fault. */
static const struct {
	uint32_t *stack;
	void (*reset)(void);
	void (*nmi)(void);
	void (*hard_fault)(void);
} vectors __attribute__((section(".vectors"), used)) = {
	.stack = stack_top,
	.reset = startup_reset,
	.nmi = startup_fault,
	.hard_fault = startup_fault,
};
