/*
 * A card in the field of an NFC device, as far as the tool knows that it is one.
 */
#ifndef SIMTIE_TOOL_RADIO_H
#define SIMTIE_TOOL_RADIO_H

#include <stdbool.h>

/* Whether --reader names an NFC device. NULL names none. */
bool radio_is(const char *reader);

#endif
