/*
 * The vault's key file: reading, making, adding a key.
 *
 * Owns the form that vault.h describes and the rule of who may read the file. Keys lie in the
 * caller's struct alone; every other copy is wiped before a call returns.
 */
#ifndef SIMTIE_REGISTRY_VAULT_FILE_H
#define SIMTIE_REGISTRY_VAULT_FILE_H

#include "vault.h"

struct vault_keys {
	uint8_t index[VAULT_KEY_SIZE];
	size_t count; /* at least 1, at most VAULT_KEYS_MAX */
	struct {
		uint32_t id; /* from 1 */
		uint8_t key[VAULT_KEY_SIZE];
	} seal[VAULT_KEYS_MAX];
};

/* As vault_open(): VAULT_OK or VAULT_ERR_FILE, _MODE, _FORMAT. On failure *keys is wiped. */
int vault_file_read(const char *where, struct vault_keys *keys, unsigned *line);

/* The highest number. */
uint32_t vault_file_newest(const struct vault_keys *keys);

#endif
