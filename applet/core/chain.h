/*
 * Command chaining (ISO/IEC 7816-4 §5.3.3): the data of several commands with one header gathered
 * into that of one.
 */
#ifndef SIMTIE_CORE_CHAIN_H
#define SIMTIE_CORE_CHAIN_H

#include "command.h"

/* Forgets and wipes what was gathered. */
void chain_drop(struct applet *applet);

/* Whether a chain is under way that this command, chained or last, does not go on with. */
bool chain_broken(const struct applet *applet, const struct command *command);

/* Adds the command's data to the chain. False: it is more than a command may have. */
bool chain_add(struct applet *applet, const struct command *command);

#endif
