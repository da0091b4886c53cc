/*
 * What a virtual card gets from a maker who never was: the key set that everybody knows (40 to 4F,
 * version 30), SCP03 with i = 70, and a name of its own only if somebody gives it one.
 */
#ifndef SIMTIE_PORT_TEST_ISSUER_H
#define SIMTIE_PORT_TEST_ISSUER_H

#include "../../core/port.h"

#define TEST_ISSUER_KEY_LEN 16

extern const struct port_issuer test_issuer;

#endif
