#include "vault_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/simtie-vault-XXXXXX";
static char path[64];

const char *vault_keys_folder(void)
{
	return folder;
}

const char *vault_keys_path(void)
{
	return path;
}

int vault_keys_make(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/keys", folder);
	return 0;
}

int vault_keys_remove(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

void vault_keys_write(const char *text, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

struct vault *vault_keys_open(const char *text)
{
	struct vault *vault;
	unsigned line;

	vault_keys_write(text, 0600);
	assert_int_equal(vault_open(path, &vault, &line), VAULT_OK);
	return vault;
}
