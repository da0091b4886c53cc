/*
 * Words for the numbers that cards and tokens carry, taken from the contract.
 *
 * Owns the lower-case names that JSON and tables use. Refuses nothing: a number that the contract
 * does not know is "unknown".
 */
#ifndef SIMTIE_TOOL_WORDS_H
#define SIMTIE_TOOL_WORDS_H

#include <stdint.h>

/* "factory", "personalised", "terminated". */
const char *words_lifecycle(uint8_t lifecycle);

/* "generic", "registration", "provisioning". */
const char *words_purpose(uint8_t purpose);

/* "none", "PIN", "terminal". */
const char *words_consent(uint8_t consent);

/* A sentence's worth, from the contract. */
const char *words_debug_status(uint8_t status);

/* "1.0.0"; returns `text`. */
char *words_version(const uint8_t version[static 3], char text[static 16]);

#endif
