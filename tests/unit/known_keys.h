/*
 * The key set that virtual cards begin with, as a host has it.
 */
#ifndef SIMTIE_TESTS_KNOWN_KEYS_H
#define SIMTIE_TESTS_KNOWN_KEYS_H

#include "simtie.h"

extern const struct simtie_keys known_keys;

#endif
