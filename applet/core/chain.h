/*
 * Command chaining (ISO/IEC 7816-4 §5.3.3): the data of several commands with one header gathered
 * into that of one. The blocks of STORE DATA (domain) that came before stand at the buffer's front.
 */
#ifndef SIMTIE_CORE_CHAIN_H
#define SIMTIE_CORE_CHAIN_H

#include "command.h"

/* Forgets and wipes what was gathered. */
void chain_drop(struct applet *applet);

/* Forgets and wipes the blocks of STORE DATA (domain) as well, and what INSTALL said of them. */
void chain_forget_blocks(struct applet *applet);

/* Whether a chain is under way that this command, chained or last, does not go on with. */
bool chain_broken(const struct applet *applet, const struct command *command);

/* The logical channel of the chain under way. */
uint8_t chain_channel(const struct applet *applet);

/* The data gathered so far, that of blocks before left out. */
struct bytes chain_data(const struct applet *applet);

/* Adds the command's data to the chain. False: it is more than a command may have. */
bool chain_add(struct applet *applet, const struct command *command);

#endif
