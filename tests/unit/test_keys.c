/* Key sets: those derived from masters, and those that are no secret. */
#include "keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "scp03_peer.h"
#include "scripted_transport.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_check(const uint8_t *key, size_t len, const char *check)
{
	uint8_t got[3];

	assert_true(scp03_key_check(bytes_of(key, len), got));
	assert_bytes(got, 3, check);
}

/* What GlobalPlatformPro's tests expect of its KDF3; one key of them in full. */
static void test_derivation(void **state)
{
	static const struct {
		const char *enc, *mac, *dek;
	} cases[] = {{"E79C05", "D1BD77", "3FDE8C"},
		     {"1DE8EA", "47C00C", "C04D76"},
		     {"2972D2", "036F94", "5D57B8"}};
	struct scp03_keys masters = {.version = 0x30}, derived;
	uint8_t data[10];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		masters.len = 16 + 8 * i;
		for (uint8_t n = 0; n < masters.len; n++)
			masters.enc[n] = masters.mac[n] = masters.dek[n] = 0x40 + n;
		scripted_bytes("00010203040506070809", data, sizeof(data));
		assert_true(keys_derive(&masters, data, &derived));
		assert_int_equal(derived.version, 0x30);
		assert_int_equal(derived.len, masters.len);
		assert_check(derived.enc, derived.len, cases[i].enc);
		assert_check(derived.mac, derived.len, cases[i].mac);
		assert_check(derived.dek, derived.len, cases[i].dek);
	}
	scripted_bytes("8C72C72CF908411653018807950D82FBAD947562F0828A0B10B8B9606ABF3BCD",
		       masters.enc, 32);
	scripted_bytes("D9B1DE5D0362DEDCE4FB", data, sizeof(data));
	assert_true(keys_derive(&masters, data, &masters)); /* in place */
	assert_bytes(masters.enc, 32,
		     "9AAC5D0B3601F89438A0D9D0B6B256CFB47E6462DFA5228D3420C4AC7C224781");
	masters.len = 17;
	assert_false(keys_derive(&masters, data, &derived));
	assert_int_equal(derived.len, 0);
}

/* Three masters give three keys, each from its own. */
static void test_three_masters(void **state)
{
	struct scp03_keys masters = {.len = 16, .enc = {1}, .mac = {2}, .dek = {3}}, derived, other;
	const uint8_t data[10] = {9};

	(void)state;
	assert_true(keys_derive(&masters, data, &derived));
	masters.mac[15] ^= 1;
	assert_true(keys_derive(&masters, data, &other));
	assert_memory_equal(derived.enc, other.enc, 16);
	assert_memory_not_equal(derived.mac, other.mac, 16);
	assert_memory_equal(derived.dek, other.dek, 16);
}

static void test_for_card(void **state)
{
	struct keys keys = {
		.set = {.version = 0x30, .len = 16, .enc = {1}, .mac = {2}, .dek = {3}}};
	const uint8_t kdd[10] = {1}, iccid[10] = {2};
	struct scp03_keys by_kdd, by_iccid, card;

	(void)state;
	keys_derive(&keys.set, kdd, &by_kdd);
	keys_derive(&keys.set, iccid, &by_iccid);
	assert_int_equal(keys_for_card(&keys, kdd, NULL, &card), KEYS_OK);
	assert_memory_equal(&card, &keys.set, sizeof(card));
	keys.kind = KEYS_MASTER_FOR_KDD;
	assert_int_equal(keys_for_card(&keys, kdd, NULL, &card), KEYS_OK);
	assert_memory_equal(&card, &by_kdd, sizeof(card));
	keys.kind = KEYS_MASTER_FOR_ICCID;
	assert_int_equal(keys_for_card(&keys, kdd, iccid, &card), KEYS_OK);
	assert_memory_equal(&card, &by_iccid, sizeof(card));
	assert_int_equal(keys_for_card(&keys, kdd, NULL, &card), KEYS_NO_ICCID);
	assert_int_equal(card.len, 0);
	keys.set.len = 5;
	assert_int_equal(keys_for_card(&keys, kdd, iccid, &card), KEYS_FAILED);
	assert_int_equal(card.len, 0);
}

static bool is_known(const char *enc, const char *mac, const char *dek)
{
	struct scp03_keys keys = {.len = scripted_bytes(enc, keys.enc, 32)};

	scripted_bytes(mac, keys.mac, 32);
	scripted_bytes(dek, keys.dek, 32);
	return keys_are_known_test(&keys);
}

#define RANDOM16 "3b7b9fd5a4c05a1e6cf02d0f8812ab94"
#define RANDOM32 RANDOM16 "c1770e9ad2b35f486410e93ba7568d2c"

static void test_known(void **state)
{
	static const char *const known[] = {
		"404142434445464748494A4B4C4D4E4F",
		"404142434445464748494A4B4C4D4E4F5051525354555657",
		"404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F",
		"404142434445464748494A4B4C4D4E4F4041424344454647",
		"404142434445464748494A4B4C4D4E4F404142434445464748494A4B4C4D4E4F",
		"000102030405060708090A0B0C0D0E0F",
		"0102030405060708090A0B0C0D0E0F10",
		"101112131415161718191A1B1C1D1E1F",
		"202122232425262728292A2B2C2D2E2F202122232425262728292A2B2C2D2E2F",
		"00000000000000000000000000000000",
		"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
		"1111111111111111111111111111111111111111111111111111111111111111",
		"00112233445566778899AABBCCDDEEFF",
		"112233445566778899AABBCCDDEEFF10",
		"112233445566778899AABBCCDDEEFF00",
		"112233445566778899AABBCCDDEEFF001122334455667788",
		"FFEEDDCCBBAA99887766554433221100",
		"0F0E0D0C0B0A09080706050403020100",
		"0123456789ABCDEF0123456789ABCDEF",
		"0123456789ABCDEFFEDCBA9876543210",
		"CAFEBABECAFEBABECAFEBABECAFEBABE",
		"A7319C05D2A7319C05D2A7319C05D2A7",
		"47454D5850524553534F53414D504C45",
		"47454D5850524553534F53414D504C4547454D5850524553",
	};
	static const char *const unknown[] = {
		RANDOM16,
		RANDOM32,
		"404142434445464748494A4B4C4D4E4E",
		"414142434445464748494A4B4C4D4E4F",
		"404142434445464748494A4B4C4D4E4F3b7b9fd5a4c05a1e",
		"47454D5850524553534F53414D504C453b7b9fd5a4c05a1e",
		"0000000000000000000000000000AB00",
		"A7319C05D2E8FF4411A7319C05D2E8FF",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		assert_true(is_known(known[i], RANDOM32, RANDOM32));
		assert_true(is_known(RANDOM16, known[0], RANDOM16));
		assert_true(is_known(RANDOM16, RANDOM16, known[0]));
	}
	for (size_t i = 0; i < COUNT(unknown); i++)
		assert_false(is_known(unknown[i], RANDOM32, RANDOM32));
}

static void test_texts(void **state)
{
	(void)state;
	for (int i = 0; i <= KEYS_FAILED; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(keys_text((enum keys_result)i),
						keys_text((enum keys_result)j));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_derivation), cmocka_unit_test(test_three_masters),
		cmocka_unit_test(test_for_card),   cmocka_unit_test(test_known),
		cmocka_unit_test(test_texts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
