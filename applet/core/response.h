/*
 * The response under way: how much of it an answer carries, and what waits for GET RESPONSE.
 *
 * T=0 and T=1 differ here alone (ISO/IEC 7816-3 §12.2, ISO/IEC 7816-4 §5.3.4): at T=0 the line
 * carries no Le beside data, and Le of a command without data must be exact.
 */
#ifndef SIMTIE_CORE_RESPONSE_H
#define SIMTIE_CORE_RESPONSE_H

#include "command.h"

/* Forgets and wipes what is left of the last response. */
void response_drop(struct applet *applet);

/* Whether bytes are left for a GET RESPONSE on this channel. */
bool response_waits(const struct applet *applet, uint8_t channel_number);

/* Whether this is the command of the last 6Cxx again, whose response is there already. */
bool response_repeated(const struct applet *applet, const struct command *command);

/* Takes what a handler wrote as the response under way; `sw` ends it. */
void response_begin(struct applet *applet, const struct command *command, uint16_t sw);

/* The next part of the response, as long as the command asks for, and its status word. */
struct answer response_next(struct applet *applet, const struct command *command);

#endif
