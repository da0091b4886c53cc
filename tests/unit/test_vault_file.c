/* The vault's key file: its form, who may read it, making one, adding a key. */
#include "vault_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_key_files(void **state)
{
	static const struct {
		const char *text;
		unsigned line; /* that is wrong; 0: it is right */
	} rows[] = {
		{INDEX_LINE KEY_1, 0},
		{"# of today\n\n  " KEY_2 "\t\n" INDEX_LINE "# end", 0},
		{"", 0 + 1000},
		{INDEX_LINE, 1},
		{KEY_1, 1},
		{INDEX_LINE KEY_1 KEY_1, 3},
		{INDEX_LINE INDEX_LINE KEY_1, 2},
		{INDEX_LINE KEY_1 "key 0 " KEY_HEX, 3},
		{INDEX_LINE "key 4294967297 " KEY_HEX, 2},
		{INDEX_LINE "key 01 " KEY_HEX, 2},
		{INDEX_LINE "key 1 101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E",
		 2},
		{INDEX_LINE "key 1 " KEY_HEX "00", 2},
		{INDEX_LINE
		 "key 1 101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2EXX",
		 2},
		{INDEX_LINE KEY_1 "spare\n", 3},
		{"index 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 2\n" KEY_1,
		 1},
	};
	struct vault *vault;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned line = 99;
		bool right = rows[i].line == 0;

		vault_keys_write(rows[i].text, 0600);
		assert_int_equal(vault_open(vault_keys_path(), &vault, &line),
				 right ? VAULT_OK : VAULT_ERR_FORMAT);
		if (!right)
			assert_int_equal(line, rows[i].line == 1000 ? 0 : rows[i].line);
		assert_int_equal(vault != NULL, right);
		vault_close(&vault);
	}
}

static void test_who_may_read(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0660, 0610, 0644};
	struct vault *vault;
	uint32_t key_id;

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		vault_keys_write(INDEX_LINE KEY_1, modes[i]);
		assert_int_equal(vault_open(vault_keys_path(), &vault, NULL), VAULT_ERR_MODE);
		assert_null(vault);
		assert_int_equal(vault_add_key(vault_keys_path(), &key_id), VAULT_ERR_MODE);
	}
	vault_keys_write(INDEX_LINE KEY_1, 0400);
	assert_int_equal(vault_open(vault_keys_path(), &vault, NULL), VAULT_OK);
	vault_close(&vault);
	unlink(vault_keys_path());
	assert_int_equal(vault_open(vault_keys_path(), &vault, NULL), VAULT_ERR_FILE);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(vault_open(vault_keys_folder(), &vault, NULL), VAULT_ERR_FILE);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(vault_open("fd:x", &vault, NULL), VAULT_ERR_FILE);
}

static void test_from_a_pipe(void **state)
{
	static const char text[] = INDEX_LINE KEY_1;
	struct vault *vault;
	char where[16];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
	close(ends[1]);
	snprintf(where, sizeof(where), "fd:%d", ends[0]);
	assert_int_equal(vault_open(where, &vault, NULL), VAULT_OK);
	assert_int_equal(fcntl(ends[0], F_GETFD), -1); /* and nobody can read it again */
	vault_close(&vault);
}

static void test_create(void **state)
{
	struct vault *vault;
	struct stat info;
	uint32_t key_id;

	(void)state;
	unlink(vault_keys_path());
	umask(0);
	assert_int_equal(vault_create(vault_keys_path()), VAULT_OK);
	assert_int_equal(stat(vault_keys_path(), &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(vault_create(vault_keys_path()), VAULT_ERR_FILE);
	assert_int_equal(errno, EEXIST);
	for (uint32_t i = 2; i <= VAULT_KEYS_MAX; i++) {
		assert_int_equal(vault_add_key(vault_keys_path(), &key_id), VAULT_OK);
		assert_int_equal(key_id, i);
	}
	assert_int_equal(vault_add_key(vault_keys_path(), &key_id), VAULT_ERR_SIZE);
	assert_int_equal(stat(vault_keys_path(), &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(vault_open(vault_keys_path(), &vault, NULL), VAULT_OK);
	assert_int_equal(vault_newest(vault), VAULT_KEYS_MAX);
	vault_close(&vault);
	vault_keys_write(INDEX_LINE "key 7 " KEY_HEX, 0600);
	assert_int_equal(vault_add_key(vault_keys_path(), &key_id), VAULT_OK);
	assert_int_equal(key_id, 8);
	assert_int_equal(vault_open(vault_keys_path(), &vault, NULL), VAULT_OK);
	assert_int_equal(vault_newest(vault), 8);
	vault_close(&vault);
}

static void *add_three(void *unused)
{
	uint32_t key_id;

	(void)unused;
	for (int i = 0; i < 3; i++)
		if (vault_add_key(vault_keys_path(), &key_id) != VAULT_OK)
			return (void *)vault_keys_path();
	return NULL;
}

static void test_two_add_keys_at_once(void **state)
{
	pthread_t threads[4];
	struct vault *vault;
	void *failed;

	(void)state;
	vault_keys_write(INDEX_LINE KEY_1, 0600);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_three, NULL), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(vault_open(vault_keys_path(), &vault, NULL), VAULT_OK);
	assert_int_equal(vault_newest(vault), 13);
	vault_close(&vault);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_files),
		cmocka_unit_test(test_who_may_read),
		cmocka_unit_test(test_from_a_pipe),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_two_add_keys_at_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vault's key file", tests, vault_keys_make,
					   vault_keys_remove);
}
