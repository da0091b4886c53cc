/* UART 0 of the nRF51 (Nordic, nRF51 Series Reference Manual 3.0, chapter 29). */
#include "../board.h"

#include "../cpu.h"

#define UART(offset)  REGISTER(0x40002000 + (offset))
#define UART_START_RX UART(0x000)
#define UART_START_TX UART(0x008)
#define UART_RX_READY UART(0x108)
#define UART_TX_READY UART(0x11C)
#define UART_WAKE_SET UART(0x304)
#define UART_ENABLE   UART(0x500)
#define UART_PIN_TX   UART(0x50C)
#define UART_PIN_RX   UART(0x514)
#define UART_RX       UART(0x518)
#define UART_TX       UART(0x51C)
#define UART_BAUD     UART(0x524)

#define ENABLED     4u
#define WAKE_RX     4u /* bit 2: RX_READY */
#define BAUD_115200 0x01D7E000u
#define WAKE_BY     2 /* interrupt 2: UART 0 */

/* To the interface chip of a micro:bit of the first generation, and so to USB. */
#define PIN_TX 24u
#define PIN_RX 25u

#define GPIO_OUT_SET REGISTER(0x50000508)
#define GPIO_DIR_SET REGISTER(0x50000518)

void uart_open(void)
{
	GPIO_OUT_SET = 1u << PIN_TX; /* an idle line is high */
	GPIO_DIR_SET = 1u << PIN_TX;
	UART_PIN_TX = PIN_TX;
	UART_PIN_RX = PIN_RX;
	UART_BAUD = BAUD_115200;
	UART_ENABLE = ENABLED;
	UART_WAKE_SET = WAKE_RX;
	cpu_wake_by(WAKE_BY);
	UART_START_TX = 1;
	UART_START_RX = 1;
}

uint8_t uart_get(void)
{
	while (!UART_RX_READY)
		cpu_sleep_until(WAKE_BY);
	UART_RX_READY = 0; /* before the byte is taken: taking it makes room for the next */
	return (uint8_t)UART_RX;
}

void uart_put(uint8_t byte)
{
	UART_TX_READY = 0;
	UART_TX = byte;
	while (!UART_TX_READY)
		;
}
