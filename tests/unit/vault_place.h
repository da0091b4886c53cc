/* A vault beside a test's store, with keys of its own. */
#ifndef SIMTIE_TESTS_VAULT_PLACE_H
#define SIMTIE_TESTS_VAULT_PLACE_H

#include "store_place.h"
#include "vault.h"

/* Makes its key file if there is none yet, and opens it. The caller's to vault_close(). */
struct vault *vault_place_open(const struct store_place *place);
void vault_place_path(const struct store_place *place, char *path, size_t size);

#endif
