/*
 * The end of a card's life: the state moves and everything else is wiped, in one commit.
 */
#ifndef SIMTIE_CORE_LIFECYCLE_H
#define SIMTIE_CORE_LIFECYCLE_H

#include "applet.h"

/*
 * Makes the attestation applet TERMINATED and wipes its keys, PINs, log and identifiers; with
 * `card` the key sets and the domain's objects as well. SW_OK, SW_MEMORY_FAILURE.
 */
uint16_t lifecycle_terminate(struct applet *applet, bool card);

#endif
