/* Key files of known content, in a folder of the test program's own. */
#ifndef SIMTIE_TESTS_VAULT_KEYS_H
#define SIMTIE_TESTS_VAULT_KEYS_H

#include <sys/types.h>

#include "vault.h"

#define INDEX_LINE "index 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define KEY_HEX    "101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F"
#define KEY_1      "key 1 " KEY_HEX "\n"
#define KEY_2      "key 2 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f\n"

/* Group set-up and teardown of cmocka. */
int vault_keys_make(void **state);
int vault_keys_remove(void **state);

const char *vault_keys_folder(void);
const char *vault_keys_path(void); /* of the key file in it */

/* Puts a key file there in the place of the last. */
void vault_keys_write(const char *text, mode_t mode);

/* The same, opened. */
struct vault *vault_keys_open(const char *text);

#endif
