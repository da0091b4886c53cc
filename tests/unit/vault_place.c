#include "vault_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

struct vault *vault_place_open(const struct store_place *place)
{
	struct vault *vault = NULL;
	char path[128];

	vault_place_path(place, path, sizeof(path));
	if (access(path, F_OK) != 0)
		assert_int_equal(vault_create(path), VAULT_OK);
	assert_int_equal(vault_open(path, &vault, NULL), VAULT_OK);
	return vault;
}

void vault_place_path(const struct store_place *place, char *path, size_t size)
{
	assert_in_range(snprintf(path, size, "%s/keys", place->folder), 1, size - 1);
}
