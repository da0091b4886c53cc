/* The vault: what it seals opens in its own place alone; identifiers and indexes. */
#include "vault_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

static struct bytes text_of(const char *text)
{
	return bytes_of((const uint8_t *)text, strlen(text));
}

static struct vault_place place_of(const char *table, const char *row)
{
	return (struct vault_place){table, text_of(row)};
}

/* Unseals from and into blocks of the exact size, so that a sanitizer sees a step too far. */
static int unseal(const struct vault *vault, const struct vault_place *place, uint32_t key_id,
		  struct bytes sealed, const char *plain)
{
	size_t room = sealed.len > VAULT_OVERHEAD ? sealed.len - VAULT_OVERHEAD : 0, len = 0;
	uint8_t *in = malloc(sealed.len + 1), *out = malloc(room + 1);
	int result;

	assert_true(in && out);
	memcpy(in + 1, sealed.ptr, sealed.len);
	result = vault_unseal(vault, place, key_id, bytes_of(in + 1, sealed.len), out, room, &len);
	if (result == VAULT_OK) {
		assert_int_equal(len, strlen(plain));
		assert_memory_equal(out, plain, len);
	}
	free(in);
	free(out);
	return result;
}

static void test_seal_opens(void **state)
{
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1 KEY_2);
	const struct vault_place place = place_of("subscribers", "row");
	static const char *const plains[] = {"", "a", "+4930123456789 and a chain code"};
	uint8_t sealed[128];
	uint32_t key_id;
	size_t len;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(vault_seal(vault, &place, text_of(plains[i]), sealed,
					    sizeof(sealed), &len, &key_id),
				 VAULT_OK);
		assert_int_equal(len, strlen(plains[i]) + VAULT_OVERHEAD);
		assert_int_equal(key_id, 2);
		assert_int_equal(unseal(vault, &place, key_id, bytes_of(sealed, len), plains[i]),
				 VAULT_OK);
	}
	vault_close(&vault);
	assert_null(vault);
}

static void test_bit_flips(void **state)
{
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1);
	const struct vault_place place = place_of("t", "r");
	uint8_t sealed[64];
	uint32_t key_id;
	size_t len;

	(void)state;
	assert_int_equal(
		vault_seal(vault, &place, text_of("hello"), sealed, sizeof(sealed), &len, &key_id),
		VAULT_OK);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(unseal(vault, &place, key_id, bytes_of(sealed, len), ""),
				 VAULT_ERR_DAMAGED);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(unseal(vault, &place, key_id, bytes_of(sealed, cut), ""),
				 VAULT_ERR_DAMAGED);
	vault_close(&vault);
}

static void test_places(void **state)
{
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1 KEY_2);
	const struct vault_place place = place_of("outbox", "row-1");
	const struct vault_place others[] = {
		place_of("outbox", "row-2"), place_of("outbo", "row-1"),
		place_of("outbox", "row-1x"), place_of("outbox", ""), place_of("outboxr", "ow-1")};
	uint8_t sealed[64];
	uint32_t key_id;
	size_t len;

	(void)state;
	assert_int_equal(
		vault_seal(vault, &place, text_of("hello"), sealed, sizeof(sealed), &len, &key_id),
		VAULT_OK);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(unseal(vault, &others[i], key_id, bytes_of(sealed, len), ""),
				 VAULT_ERR_DAMAGED);
	assert_int_equal(unseal(vault, &place, 1, bytes_of(sealed, len), ""), VAULT_ERR_DAMAGED);
	assert_int_equal(unseal(vault, &place, 3, bytes_of(sealed, len), ""), VAULT_ERR_KEY);
	vault_close(&vault);
}

/* A failed opening leaves nothing of what GCM had decrypted before it knew. */
static void test_failure_wipes(void **state)
{
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1);
	const struct vault_place place = place_of("t", "r");
	const uint8_t zeros[5] = {0};
	uint8_t sealed[64], out[5];
	uint32_t key_id;
	size_t len;

	(void)state;
	assert_int_equal(
		vault_seal(vault, &place, text_of("hello"), sealed, sizeof(sealed), &len, &key_id),
		VAULT_OK);
	sealed[len - 1] ^= 1;
	memset(out, 0xAA, sizeof(out));
	assert_int_equal(
		vault_unseal(vault, &place, key_id, bytes_of(sealed, len), out, sizeof(out), &len),
		VAULT_ERR_DAMAGED);
	assert_memory_equal(out, zeros, sizeof(out));
	vault_close(&vault);
}

static void test_sizes(void **state)
{
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1);
	const struct vault_place place = place_of("t", "r");
	uint8_t *plain = calloc(1, VAULT_PLAIN_MAX + 1);
	uint8_t *sealed = malloc(VAULT_PLAIN_MAX + VAULT_OVERHEAD + 1);
	struct vault_place long_row = {"t", bytes_of(plain, 33)};
	uint32_t key_id;
	size_t len;

	(void)state;
	assert_true(plain && sealed);
	assert_int_equal(vault_seal(vault, &place, bytes_of(plain, VAULT_PLAIN_MAX), sealed,
				    VAULT_PLAIN_MAX + VAULT_OVERHEAD, &len, &key_id),
			 VAULT_OK);
	assert_int_equal(vault_unseal(vault, &place, key_id, bytes_of(sealed, len), plain,
				      VAULT_PLAIN_MAX - 1, &len),
			 VAULT_ERR_SIZE);
	assert_int_equal(vault_seal(vault, &place, bytes_of(plain, VAULT_PLAIN_MAX + 1), sealed,
				    VAULT_PLAIN_MAX + VAULT_OVERHEAD + 1, &len, &key_id),
			 VAULT_ERR_SIZE);
	assert_int_equal(vault_seal(vault, &place, bytes_of(plain, 10), sealed,
				    10 + VAULT_OVERHEAD - 1, &len, &key_id),
			 VAULT_ERR_SIZE);
	assert_int_equal(
		vault_seal(vault, &long_row, bytes_of(plain, 10), sealed, 100, &len, &key_id),
		VAULT_ERR_SIZE);
	vault_close(&vault);
	free(plain);
	free(sealed);
}

/* A seal, taken apart here with OpenSSL alone: HKDF-Expand for the row's key, then GCM. */
static void test_form(void **state)
{
	static const uint8_t key[32] = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
					0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F,
					0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27,
					0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F};
	static const char info[] = "simtie vault/1 row\0t\0r\0\0\0\1\1"; /* and the block's 01 */
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1);
	const struct vault_place place = place_of("t", "r");
	uint8_t sealed[64], row_key[32], plain[5];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint32_t key_id;
	size_t len;
	int part;

	(void)state;
	assert_int_equal(
		vault_seal(vault, &place, text_of("hello"), sealed, sizeof(sealed), &len, &key_id),
		VAULT_OK);
	assert_non_null(HMAC(EVP_sha256(), key, sizeof(key), (const uint8_t *)info,
			     sizeof(info) - 1, row_key, NULL));
	assert_int_equal(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, row_key, sealed), 1);
	assert_int_equal(EVP_DecryptUpdate(ctx, NULL, &part, (const uint8_t *)"t\0r\0\0\0\1", 7),
			 1);
	assert_int_equal(EVP_DecryptUpdate(ctx, plain, &part, sealed + 12, 5), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, sealed + 17), 1);
	assert_int_equal(EVP_DecryptFinal_ex(ctx, plain + 5, &part), 1);
	assert_memory_equal(plain, "hello", 5);
	EVP_CIPHER_CTX_free(ctx);
	vault_close(&vault);
}

#define SEALS 2000

static void test_seals_differ(void **state)
{
	static uint8_t sealed[SEALS][64];
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1);
	const struct vault_place place = place_of("t", "r");
	uint32_t key_id;
	size_t len;

	(void)state;
	for (size_t i = 0; i < SEALS; i++)
		assert_int_equal(vault_seal(vault, &place, text_of("same"), sealed[i],
					    sizeof(sealed[i]), &len, &key_id),
				 VAULT_OK);
	for (size_t i = 1; i < SEALS; i++) {
		assert_memory_not_equal(sealed[0], sealed[i], 12);
		assert_memory_not_equal(sealed[0] + 16, sealed[i] + 16, 16);
	}
	vault_close(&vault);
}

/* A row that was sealed before a key was added still opens; one sealed after does not without it.
 */
static void test_keys_change(void **state)
{
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1);
	const struct vault_place place = place_of("t", "r");
	struct vault_index before, after;
	uint8_t old[64], new[64];
	uint32_t old_id, new_id, key_id;
	size_t len;

	(void)state;
	assert_int_equal(vault_seal(vault, &place, text_of("old"), old, sizeof(old), &len, &old_id),
			 VAULT_OK);
	assert_true(vault_index(vault, "number", text_of("+49301"), &before));
	vault_close(&vault);
	assert_int_equal(vault_add_key(vault_keys_path(), &key_id), VAULT_OK);
	assert_int_equal(key_id, 2);
	assert_int_equal(vault_open(vault_keys_path(), &vault, NULL), VAULT_OK);
	assert_int_equal(vault_newest(vault), 2);
	assert_int_equal(unseal(vault, &place, old_id, bytes_of(old, len), "old"), VAULT_OK);
	assert_int_equal(vault_seal(vault, &place, text_of("new"), new, sizeof(new), &len, &new_id),
			 VAULT_OK);
	assert_int_equal(new_id, 2);
	assert_true(vault_index(vault, "number", text_of("+49301"), &after));
	assert_memory_equal(&before, &after, sizeof(before));
	vault_close(&vault);
	vault = vault_keys_open(INDEX_LINE KEY_1);
	assert_int_equal(unseal(vault, &place, new_id, bytes_of(new, len), "new"), VAULT_ERR_KEY);
	vault_close(&vault);
}

/* In the place of the C library's, which AddressSanitizer makes do nothing. */
static bool mlock_fails;

int __wrap_mlock(const void *start, size_t len);
int __wrap_mlock(const void *start, size_t len)
{
	if (mlock_fails) {
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_mlock, start, len);
}

static void test_locked_and_not_dumped(void **state)
{
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1);
	char line[256];
	bool locked = false;
	FILE *maps = fopen("/proc/self/smaps", "r");

	(void)state;
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strncmp(line, "VmFlags:", 8) == 0)
			locked |= strstr(line, " lo") && strstr(line, " dd");
	fclose(maps);
	assert_true(locked);
	vault_close(&vault);
	mlock_fails = true;
	assert_int_equal(vault_open(vault_keys_path(), &vault, NULL), VAULT_ERR_LIBRARY);
	assert_null(vault);
	mlock_fails = false;
}

static void test_index(void **state)
{
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1);
	struct vault_index a, b;
	uint8_t index_key[32], derived[32], mac[32], other[32];
	static const char info[] = "simtie vault/1 index\0\1";

	(void)state;
	assert_true(vault_index(vault, "number", text_of("+4930123"), &a));
	for (size_t i = 0; i < sizeof(index_key); i++)
		index_key[i] = (uint8_t)i;
	assert_non_null(HMAC(EVP_sha256(), index_key, 32, (const uint8_t *)info, sizeof(info) - 1,
			     derived, NULL));
	assert_non_null(HMAC(EVP_sha256(), derived, 32, (const uint8_t *)"number\0+4930123", 15,
			     mac, NULL));
	assert_int_equal((uint64_t)a.hi >> 32, get_be32(mac));
	assert_int_equal((uint64_t)a.lo & UINT32_MAX, get_be32(mac + 12));
	assert_true(vault_index(vault, "number", text_of("+4930124"), &b));
	assert_true(a.hi != b.hi && a.lo != b.lo);
	assert_true(vault_index(vault, "iccid", text_of("+4930123"), &b));
	assert_true(a.hi != b.hi && a.lo != b.lo);
	assert_true(vault_mac(vault, "a", text_of("x"), mac));
	assert_true(vault_mac(vault, "b", text_of("x"), other));
	assert_memory_not_equal(mac, other, 32);
	assert_true(vault_mac(vault, "a", text_of("x"), other));
	assert_memory_equal(mac, other, 32);
	vault_close(&vault);
}

static void test_ids(void **state)
{
	static uint8_t ids[SEALS][VAULT_ID_SIZE];
	static const int64_t his[] = {0, 1, -1, INT64_MIN, INT64_MAX, 0x0123456789ABCDEF};
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1);
	char text[VAULT_ID_TEXT_SIZE];
	uint8_t read[VAULT_ID_SIZE];
	int64_t hi;

	(void)state;
	for (size_t i = 0; i < SEALS; i++) {
		assert_true(vault_id_make(vault, his[i % 6], ids[i]));
		assert_true(vault_id_hi(vault, ids[i], &hi));
		assert_true(hi == his[i % 6]);
		vault_id_text(ids[i], text);
		assert_int_equal(strlen(text), VAULT_ID_TEXT_SIZE - 1);
		assert_true(vault_id_read(text, read));
		assert_memory_equal(read, ids[i], VAULT_ID_SIZE);
		for (size_t k = 0; k < i; k++) /* one subscriber's are no likelier alike */
			assert_true(memcmp(ids[i], ids[k], 8) != 0 &&
				    memcmp(ids[i] + 8, ids[k] + 8, 8) != 0);
	}
	vault_close(&vault);
}

static void test_id_texts(void **state)
{
	static const char *const bad[] = {"",
					  "AAAAAAAAAAAAAAAAAAAAA",
					  "AAAAAAAAAAAAAAAAAAAAAAA",
					  "AAAAAAAAAAAAAAAAAAAAAB",
					  "AAAAAAAAAAAAAAAAAAAAA=",
					  "AAAAAAAAAA+AAAAAAAAAAA",
					  "AAAAAAAAAAAAAAAAAAAAAA=="};
	uint8_t id[VAULT_ID_SIZE];

	(void)state;
	assert_true(vault_id_read("AAAAAAAAAAAAAAAAAAAAAA", id));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(vault_id_read(bad[i], id));
}

static void *seal_many(void *context)
{
	const struct vault *vault = context;
	const struct vault_place place = place_of("t", "r");
	uint8_t sealed[64], plain[8], id[VAULT_ID_SIZE];
	uint32_t key_id;
	size_t len;
	int64_t hi;

	for (int i = 0; i < SEALS; i++)
		if (vault_seal(vault, &place, text_of("hello"), sealed, sizeof(sealed), &len,
			       &key_id) ||
		    vault_unseal(vault, &place, key_id, bytes_of(sealed, len), plain, sizeof(plain),
				 &len) ||
		    memcmp(plain, "hello", 5) != 0 || !vault_id_make(vault, i, id) ||
		    !vault_id_hi(vault, id, &hi) || hi != i)
			return context;
	return NULL;
}

static void test_threads(void **state)
{
	struct vault *vault = vault_keys_open(INDEX_LINE KEY_1);
	pthread_t threads[4];
	void *failed;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, seal_many, vault), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	vault_close(&vault);
}

static void test_texts(void **state)
{
	(void)state;
	for (int error = VAULT_ERR_LIBRARY; error < VAULT_OK; error++)
		assert_string_not_equal(vault_strerror(error), vault_strerror(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seal_opens),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_failure_wipes),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_seals_differ),
		cmocka_unit_test(test_keys_change),
		cmocka_unit_test(test_locked_and_not_dumped),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_id_texts),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_texts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vault", tests, vault_keys_make, vault_keys_remove);
}
