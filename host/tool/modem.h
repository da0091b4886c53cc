/*
 * A SIM in a modem, as far as the tool knows that it is one.
 *
 * Owns what happens to the modem's logical channel when a signal ends the tool. Refuses to know how
 * a modem is spoken to: the library does.
 */
#ifndef SIMTIE_TOOL_MODEM_H
#define SIMTIE_TOOL_MODEM_H

#include <stdbool.h>

#include "simtie.h"

/* Whether --reader names a modem. NULL names none. */
bool modem_is(const char *reader);

/* For options.guard of a session with that reader: NULL unless it is a modem. From then on SIGINT,
 * SIGTERM and SIGHUP close the session's channel before they end the tool. */
struct simtie_session *volatile *modem_guard(const char *reader);

#endif
