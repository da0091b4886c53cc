/* CMSDK UART 0 of the MPS2 images AN385 and AN386 (Arm DDI 0479, chapter 4). */
#include "../board.h"

#include "../cpu.h"

#define UART(offset)   REGISTER(0x40004000 + (offset))
#define UART_DATA      UART(0x00)
#define UART_STATE     UART(0x04)
#define UART_CONTROL   UART(0x08)
#define UART_INTERRUPT UART(0x0C) /* write 1 to clear */
#define UART_DIVIDER   UART(0x10)

#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u

#define CONTROL_TX           1u
#define CONTROL_RX           2u
#define CONTROL_RX_INTERRUPT 8u
#define INTERRUPT_RX         2u

#define CLOCK   25000000u
#define BAUD    115200u
#define WAKE_BY 0 /* interrupt 0: UART 0 received */

void uart_open(void)
{
	UART_DIVIDER = CLOCK / BAUD;
	UART_CONTROL = CONTROL_TX | CONTROL_RX | CONTROL_RX_INTERRUPT;
	cpu_wake_by(WAKE_BY);
}

uint8_t uart_get(void)
{
	while (!(UART_STATE & STATE_RX_FULL)) {
		UART_INTERRUPT = INTERRUPT_RX;
		cpu_sleep_until(WAKE_BY);
	}
	return (uint8_t)UART_DATA;
}

void uart_put(uint8_t byte)
{
	while (UART_STATE & STATE_TX_FULL)
		;
	UART_DATA = byte;
}
