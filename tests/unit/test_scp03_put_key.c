/* Keys on their way to the card, and what the card says of them. */
#include "scp03_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "scp03_aes.h"
#include "scripted_transport.h"

static struct scp03_keys keys_of(uint8_t version, size_t len, uint8_t seed)
{
	struct peer peer;

	peer_make(&peer, version, len, seed, 0x70);
	return peer.keys;
}

/* Check values that a card gave (pySim's traces), and others that GlobalPlatformPro's tests have.
 */
static void test_check_values(void **state)
{
	static const struct {
		const char *key, *check;
	} cases[] = {
		{"000102030405060708090a0b0c0d0e0f", "C35280"},
		{"101112131415161718191a1b1c1d1e1f", "013808"},
		{"202122232425262728292a2b2c2d2e2f", "840DE5"},
		{"404142434445464748494A4B4C4D4E4F", "504A77"},
	};
	uint8_t key[32] = {0}, check[3];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = scripted_bytes(cases[i].key, key, sizeof(key));

		assert_true(scp03_key_check(bytes_of(key, len), check));
		assert_bytes(check, 3, cases[i].check);
	}
	for (size_t len = 0; len <= sizeof(key); len++)
		assert_int_equal(scp03_key_check(bytes_of(key, len), check),
				 len == 16 || len == 24 || len == 32);
}

/* What the card finds in the command, key by key. */
static void expect_key(const struct scp03_keys *current, struct bytes key, const uint8_t **at)
{
	size_t blocks = key.len == 16 ? 16 : 32;
	uint8_t value[32], check[3];

	assert_int_equal((*at)[0], 0x88);
	assert_int_equal((*at)[1], 1 + blocks);
	assert_int_equal((*at)[2], key.len);
	memcpy(value, *at + 3, blocks);
	peer_decrypt_key(current, value, blocks);
	assert_memory_equal(value, key.ptr, key.len);
	if (key.len == 24)
		assert_bytes(value + 24, 8, "8000000000000000");
	assert_int_equal((*at)[3 + blocks], 3);
	assert_true(scp03_key_check(key, check));
	assert_memory_equal(*at + 3 + blocks + 1, check, 3);
	*at += 3 + blocks + 1 + 3;
}

static void test_command(void **state)
{
	(void)state;
	for (size_t n = 0; n < 9; n++) {
		struct scp03_keys current = keys_of(0xFF, 16 + n % 3 * 8, 1);
		struct scp03_keys fresh = keys_of(0x31, 16 + n / 3 * 8, 2);
		uint8_t command[SCP03_PUT_KEY_MAX];
		const uint8_t *at = command + 6;
		size_t len;

		assert_int_equal(scp03_put_key(2, &current, &fresh, 0x30, command, &len), 0);
		assert_bytes(command, 4, "82D83081");
		assert_int_equal(command[4], len - 6);
		assert_int_equal(command[5], 0x31);
		expect_key(&current, bytes_of(fresh.enc, fresh.len), &at);
		expect_key(&current, bytes_of(fresh.mac, fresh.len), &at);
		expect_key(&current, bytes_of(fresh.dek, fresh.len), &at);
		assert_ptr_equal(at, command + len - 1);
		assert_int_equal(*at, 0);
	}
}

/* It fits on a channel at every level, in both modes. */
static void test_wraps(void **state)
{
	struct scp03_keys fresh = keys_of(0x31, 32, 2);
	struct peer peer;
	struct scp03 scp;
	uint8_t command[SCP03_PUT_KEY_MAX], wrapped[SCP03_PUT_KEY_MAX + SCP03_OVERHEAD_MAX];
	uint8_t plain[sizeof(wrapped)];
	size_t len, wrapped_len;

	(void)state;
	peer_make(&peer, 0x30, 32, 1, 0x71);
	peer_join(&peer, &scp, 0, 0x33);
	assert_int_equal(scp03_put_key(0, &peer.keys, &fresh, 0, command, &len), SCP03_OK);
	assert_int_equal(len, SCP03_PUT_KEY_MAX);
	assert_int_equal(
		scp03_wrap(&scp, bytes_of(command, len), wrapped, sizeof(wrapped), &wrapped_len),
		SCP03_OK);
	assert_int_equal(peer_open(&peer, bytes_of(wrapped, wrapped_len), plain), len);
	assert_memory_equal(plain, command, len);
}

static void refused(uint8_t channel, uint8_t version, size_t current_len, size_t len,
		    uint8_t replaced)
{
	struct scp03_keys current = keys_of(0x30, 16, 1), fresh = keys_of(version, 16, 2);
	uint8_t command[SCP03_PUT_KEY_MAX];
	size_t command_len = 99;

	current.len = current_len;
	fresh.len = len;
	assert_int_equal(scp03_put_key(channel, &current, &fresh, replaced, command, &command_len),
			 SCP03_ARGUMENT);
	assert_int_equal(command_len, 0);
}

static void test_arguments(void **state)
{
	(void)state;
	refused(20, 0x31, 16, 16, 0);
	refused(0, 0x00, 16, 16, 0);
	refused(0, 0x80, 16, 16, 0);
	refused(0, 0xFF, 16, 16, 0);
	refused(0, 0x31, 15, 16, 0);
	refused(0, 0x31, 16, 33, 0);
	refused(0, 0x31, 16, 0, 0);
	refused(0, 0x31, 16, 16, 0x80);
	refused(0, 0x31, 16, 16, 0xFF);
}

static void test_answer(void **state)
{
	struct scp03_keys fresh = keys_of(0x31, 24, 2);
	uint8_t answer[11] = {0x31};
	enum scp03_result wanted;

	(void)state;
	scp03_key_check(bytes_of(fresh.enc, 24), answer + 1);
	scp03_key_check(bytes_of(fresh.mac, 24), answer + 4);
	scp03_key_check(bytes_of(fresh.dek, 24), answer + 7);
	for (size_t len = 0; len <= sizeof(answer); len++)
		assert_int_equal(scp03_put_key_answered(&fresh, bytes_of(answer, len)),
				 len == 10 ? SCP03_OK : SCP03_MALFORMED);
	for (size_t bit = 0; bit < 80; bit++) {
		answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
		wanted = bit < 8 ? SCP03_VERSION : SCP03_KEY_CHECK;
		assert_int_equal(scp03_put_key_answered(&fresh, bytes_of(answer, 10)), wanted);
		answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* The primitives refuse what is no AES, and leave nothing behind. */
static void test_primitives(void **state)
{
	static const uint8_t zero[64];
	uint8_t key[40] = {1}, block[64], icv[16] = {2};

	(void)state;
	for (size_t len = 0; len <= sizeof(key); len++) {
		const struct bytes some = {key, len};
		bool takes = len == 16 || len == 24 || len == 32;

		assert_int_equal(scp03_aes_takes(len), takes);
		memset(block, 3, sizeof(block));
		assert_int_equal(scp03_aes_cmac(some, NULL, 0, block), takes);
		assert_int_equal(memcmp(block, zero, 16) == 0, !takes);
		assert_int_equal(scp03_aes_block(some, icv, block), takes);
		assert_int_equal(memcmp(block, zero, 16) == 0, !takes);
		assert_int_equal(scp03_aes_encrypt(some, icv, block, 48), takes);
		assert_int_equal(memcmp(block, zero, 48) == 0, !takes);
		memset(block, 3, sizeof(block));
		assert_int_equal(scp03_aes_decrypt(some, icv, block, 48), takes);
		assert_int_equal(memcmp(block, zero, 48) == 0, !takes);
		memset(block, 3, sizeof(block));
		assert_int_equal(scp03_aes_kdf(some, some, some, block, 33), takes);
		assert_int_equal(memcmp(block, zero, 33) == 0, !takes);
	}
	assert_false(scp03_aes_encrypt(bytes_of(key, 16), icv, block, 15));
	assert_memory_equal(block, zero, 15);
	assert_false(scp03_aes_kdf(bytes_of(key, 16), NO_BYTES, NO_BYTES, block, 0));
}

static void test_kdf_bound(void **state)
{
	static uint8_t out[255 * 16 + 1];
	uint8_t key[16] = {1};

	(void)state;
	assert_true(scp03_aes_kdf(bytes_of(key, 16), NO_BYTES, NO_BYTES, out, 255 * 16));
	assert_false(scp03_aes_kdf(bytes_of(key, 16), NO_BYTES, NO_BYTES, out, 255 * 16 + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_values), cmocka_unit_test(test_command),
		cmocka_unit_test(test_wraps),        cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_answer),       cmocka_unit_test(test_primitives),
		cmocka_unit_test(test_kdf_bound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
