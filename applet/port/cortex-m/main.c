/*
 * The card: takes frames of vpcd from the serial line (two bytes of length, big-endian, then so
 * many bytes), and answers them as simtie-card does.
 */
#include "applet.h"
#include "board.h"
#include "blinding.h"
#include "host.h"
#include "issuer.h"
#include "memory.h"

/* Frames of one byte are vpcd's own. */
enum control {
	CONTROL_OFF = 0,
	CONTROL_ON = 1,
	CONTROL_RESET = 2,
	CONTROL_ATR = 4,
};

/* An extended command with as much data as the core takes: header, Lc, data, Le. What is longer is
 * cut there, and so its length is wrong to the core as well. */
#define COMMAND_MAX (4 + 3 + LIMIT_COMMAND_DATA + 2)

static const uint8_t atr[] = {
	0x3B, 0x8C,                   /* direct convention; TD1 and 12 historical bytes follow */
	0x81, 0x31, 0xFE, 0x45,       /* T=1, 254 bytes a block, BWI 4, CWI 5 */
	0x80, 0x73, 0x80, 0x01, 0xDB, /* capabilities */
	0x56, 's',  'i',  'm',  't',  'i', 'e', /* card issuer's data */
	0x67,                                   /* check byte */
};

static struct applet applet;
static bool used; /* since its last reset */
static uint8_t command[COMMAND_MAX];

/* The next frame, as much of it as there is room for. */
static struct bytes frame_take(void)
{
	size_t len = (size_t)uart_get() << 8;

	len |= uart_get();
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = uart_get();

		if (i < sizeof(command))
			command[i] = byte;
	}
	return bytes_of(command, len < sizeof(command) ? len : sizeof(command));
}

static void put(struct bytes bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		uart_put(bytes.ptr[i]);
}

static void frame_give(struct bytes data, struct bytes end)
{
	uint8_t len[2];

	put_be16(len, (uint16_t)(data.len + end.len));
	put(bytes_of(len, sizeof(len)));
	put(data);
	put(end);
}

static void answer(struct bytes body)
{
	struct answer given = applet_transmit(&applet, body);
	uint8_t sw[2];

	put_be16(sw, given.sw);
	frame_give(given.data, bytes_of(sw, sizeof(sw)));
}

/* A reset costs a self-test, two signatures' worth: not again when nothing happened since the last.
 */
static void reset(void)
{
	if (used || applet.shut)
		applet_reset(&applet, APPLET_T1);
	used = false;
}

static void serve(struct bytes body)
{
	switch (body.len == 1 ? body.ptr[0] : -1) {
	case CONTROL_OFF:
	case CONTROL_ON:
	case CONTROL_RESET:
		reset();
		break;
	case CONTROL_ATR:
		frame_give(bytes_of(atr, sizeof(atr)), bytes_of(NULL, 0));
		break;
	default:
		used = true;
		answer(body);
	}
}

static bool port_random(void *context, uint8_t *out, size_t len)
{
	(void)context;
	return random_take(out, len);
}

static void port_alive(void *context)
{
	(void)context;
	watchdog_feed();
}

static void open_applet(const struct port *port)
{
	switch (applet_open(&applet, port)) {
	case JOURNAL_OK:
		return;
	case JOURNAL_CORRUPT:
	case JOURNAL_UNKNOWN:
	case JOURNAL_IO:
		host_end(HOST_MEMORY);
	case JOURNAL_ABSENT:
	case JOURNAL_FULL:
	case JOURNAL_UNUSABLE:
	case JOURNAL_TOO_SMALL:
		host_end(HOST_COMPLAINT);
	}
}

int main(void)
{
	struct port port = {
		.page_size = FLASH_PAGE_SIZE,
		.page_count = FLASH_PAGE_COUNT,
		.read = memory_read,
		.program = memory_program,
		.erase = memory_erase,
		.sync = memory_sync,
		.random = port_random,
		.alive = port_alive,
		.issuer = &firmware_issuer,
		.seeded = random_is_seeded,
	};
	struct bytes body;

	port.context = &applet; /* of which the functions above have no need */
	port.debug_status = debug_open();
	watchdog_start();
	flash_open();
	host_open();
	random_open();
	if (!blinding_open())
		host_end(HOST_COMPLAINT);
	open_applet(&port);
	uart_open();
	for (;;) {
		watchdog_rest();
		body = frame_take();
		watchdog_start();
		serve(body);
		bytes_wipe(command, body.len); /* it may have held a PIN */
	}
}
