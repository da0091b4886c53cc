/*
 * What a board has from its maker. issuer.c is the one of a maker who never was: keys that
 * everybody knows. `make firmware ISSUER=FILE.c` takes another; a build that locks debug wants one.
 */
#ifndef SIMTIE_CORTEX_M_ISSUER_H
#define SIMTIE_CORTEX_M_ISSUER_H

#include "../../core/port.h"

extern const struct port_issuer firmware_issuer;

#endif
