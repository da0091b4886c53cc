/*
 * The answer to reset (ISO/IEC 7816-3 §8): what the card says of itself when it gets power.
 *
 * Owns the default one and the check of others. Refuses what a reader would stumble over: a wrong
 * length, a wrong check byte, another protocol than T=0 or T=1.
 */
#ifndef SIMTIE_VPCD_ATR_H
#define SIMTIE_VPCD_ATR_H

#include "../../core/applet.h"

#define ATR_MAX 33 /* bytes (§8.2.1) */

struct atr {
	uint8_t bytes[ATR_MAX];
	size_t len;
	enum applet_protocol protocol; /* the first one offered */
};

/* T=1; its historical bytes (ISO/IEC 7816-4 §12.1.1) tell of chaining, extended length, four
 * logical channels and "simtie". */
struct atr atr_default(void);

/* Reads an ATR from hexadecimal digits, with or without spaces and colons between bytes. NULL, or
 * what is wrong with it: a static text that fits behind "--atr: ". */
const char *atr_parse(struct atr *atr, const char *hex);

#endif
