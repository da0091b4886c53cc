/*
 * Numbers that blind the arithmetic of mbedTLS, which takes them itself.
 *
 * Owns a key, while the card has power. Refuses to be a source for keys: nobody else can ask it.
 */
#ifndef SIMTIE_CORTEX_M_BLINDING_H
#define SIMTIE_CORTEX_M_BLINDING_H

#include <stdbool.h>

/* Draws the key from the board. False: the source has failed. */
bool blinding_open(void);

#endif
