/*
 * A serial port as lines of text: what lies between a modem's commands and the kernel's terminal.
 *
 * Owns the descriptor, the terminal's settings while it is open, and the lock that keeps other
 * programs off. Refuses to share the port, and to know what the lines mean.
 */
#ifndef SIMTIE_LIB_AT_PORT_H
#define SIMTIE_LIB_AT_PORT_H

#include <termios.h>

#include "transport.h"

/* Longest line either way: an APDU in hexadecimal and what stands around it. */
#define AT_LINE_MAX (2 * TRANSPORT_ANSWER_MAX + 128)

struct at_port {
	int fd;
	struct termios before; /* settings that close() puts back */
	size_t used;           /* bytes in `in` */
	size_t next;           /* first byte of it that no line was made of */
	size_t dirty;          /* bytes of it that must be wiped */
	char in[AT_LINE_MAX];
};

/* A line without its end. It stands in the port until the next call. */
struct at_line {
	const char *ptr;
	size_t len;
};

/*
 * Opens a port, raw, 8 data bits, no parity, no flow control, at `speed` bits a second, for this
 * program alone; waits while another has it. `detail` (SIMTIE_DETAIL_MAX bytes) then gets a
 * sentence with what to do. SIMTIE_ERR_ARGUMENT (no such speed), NO_READER (no such port, or it is
 * none), ACCESS, BUSY at the deadline, TRANSPORT.
 */
int at_port_open(struct at_port *port, const char *path, unsigned speed, struct deadline deadline,
		 char *detail);

/* Sends all of a text. SIMTIE_ERR_TIMEOUT, SIMTIE_ERR_GONE. */
int at_port_write(struct at_port *port, struct deadline deadline, const char *text, size_t len);

/* The next line that is not empty. SIMTIE_ERR_TIMEOUT, SIMTIE_ERR_GONE; SIMTIE_ERR_PROTOCOL for one
 * over AT_LINE_MAX, the beginning of which is dropped. */
int at_port_line(struct at_port *port, struct deadline deadline, struct at_line *line);

/* Overwrites what was received, but for what no line was made of yet. */
void at_port_wipe(struct at_port *port);

/* Forgets all that was received. */
void at_port_forget(struct at_port *port);

/* Puts the settings back and lets go. Never waits for what was not sent yet. Like the three above,
 * safe in a signal handler. */
void at_port_close(struct at_port *port);

#endif
