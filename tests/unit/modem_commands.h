/*
 * The simulated modem's commands: what a line asks for, and what is answered, well or badly.
 *
 * For modem_*.c alone; tests use modem_sim.h.
 */
#ifndef SIMTIE_TESTS_MODEM_COMMANDS_H
#define SIMTIE_TESTS_MODEM_COMMANDS_H

#include "modem_sim.h"

/* What an answer becomes, put together before it is written. */
struct modem_text {
	size_t len;
	char bytes[2 * MODEM_LINE_MAX];
};

/* Carries out one line, without its end; what it does not know is an ERROR. The answer is added to
 * `text`. May close the port, as a fault. */
void modem_obey(struct modem *modem, const char *line, struct modem_text *text);

/* Writes to the port, as many bytes at a time as its options say. */
void modem_put(struct modem *modem, const char *bytes, size_t len);

#endif
