/*
 * Who may do what the issuer alone may: the one place that decides it.
 *
 * The level is that of the session in which the command came; 0 in clear. A session of SCP11b is
 * nobody's: it allows nothing of this.
 */
#ifndef SIMTIE_CORE_ACCESS_H
#define SIMTIE_CORE_ACCESS_H

#include "command.h"

/* The issuer, in any session, until the card is terminated, which takes its key sets: GET STATUS,
 * PUT KEY and the domain's other commands. */
bool access_issuer(const struct applet *applet, const struct command *command);

/* The issuer, unheard: ends the applet's life. */
bool access_terminate(const struct command *command);

/* Personalisation, of a card that has not been: PINs and identifiers go in. */
bool access_personalise(const struct applet *applet, const struct command *command);

/* The same, with an answer that nobody else may read: the chain code comes out. */
bool access_generate(const struct applet *applet, const struct command *command);

#endif
