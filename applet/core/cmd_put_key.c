#include "../crypto/crypto.h"
#include "access.h"
#include "key_set.h"

#define KEY_TYPE_AES 0x88
#define KEYS_IN_SET  3
#define CHECK_SIZE   3
#define VERSION_MAX  0x7F

static const uint8_t zero_vector[AES_BLOCK];

/* First bytes of 16 bytes of 01 under the key (Amendment D §7.2). */
static bool check_value(struct bytes key, uint8_t out[static CHECK_SIZE])
{
	uint8_t block[AES_BLOCK];

	memset(block, 0x01, sizeof block);
	if (!crypto_cbc_encrypt(key, zero_vector, block, sizeof block))
		return false;
	memcpy(out, block, CHECK_SIZE);
	return true;
}

/* A key's length when encrypted. */
static size_t padded(size_t key_len)
{
	return (key_len + AES_BLOCK - 1) / AES_BLOCK * AES_BLOCK;
}

static bool take(struct bytes *data, size_t len, const uint8_t **out)
{
	if (len > data->len)
		return false;
	*out = data->ptr;
	*data = bytes_of(data->ptr + len, data->len - len);
	return true;
}

/*
 * One key, still encrypted: type, length, length of the key, key, 03, check value. Some hosts leave
 * out the length of a key that needs no padding; the length before it then is a whole number of
 * blocks.
 */
static bool take_key(struct bytes *data, uint8_t key[static KEY_SET_KEY_MAX], uint8_t *key_len,
		     uint8_t check[static CHECK_SIZE])
{
	const uint8_t *head, *inner, *coded, *tail;

	if (!take(data, 2, &head) || head[0] != KEY_TYPE_AES)
		return false;
	inner = &head[1];
	if (head[1] % AES_BLOCK != 0 && (!take(data, 1, &inner) || head[1] != padded(*inner) + 1))
		return false;
	*key_len = *inner;
	if (*key_len != 16 && *key_len != 24 && *key_len != 32)
		return false;

	size_t coded_len = padded(*key_len);

	if (!take(data, coded_len, &coded) || !take(data, 1 + CHECK_SIZE, &tail) ||
	    tail[0] != CHECK_SIZE)
		return false;
	memcpy(key, coded, coded_len);
	memcpy(check, tail + 1, CHECK_SIZE);
	return true;
}

/* The whole set, in the layout of its record, and its check values. */
static bool take_set(struct bytes data, uint8_t set[static KEY_SET_SIZE],
		     uint8_t checks[static KEYS_IN_SET * CHECK_SIZE])
{
	const uint8_t *version;

	if (!take(&data, 1, &version) || *version < 1 || *version > VERSION_MAX)
		return false;
	set[KEY_SET_VERSION] = *version;
	for (size_t i = 0; i < KEYS_IN_SET; i++) {
		uint8_t key_len;

		if (!take_key(&data, set + KEY_SET_ENC + i * KEY_SET_KEY_MAX, &key_len,
			      checks + i * CHECK_SIZE))
			return false;
		if (i > 0 && key_len != set[KEY_SET_KEY_LEN])
			return false;
		set[KEY_SET_KEY_LEN] = key_len;
	}
	return data.len == 0;
}

/* Decrypts the keys where they stand. False: a check value does not fit, or the crypto failed. */
static bool decrypt_set(struct applet *applet, struct bytes dek, uint8_t set[static KEY_SET_SIZE],
			const uint8_t checks[static KEYS_IN_SET * CHECK_SIZE])
{
	const size_t key_len = set[KEY_SET_KEY_LEN];
	uint8_t own[CHECK_SIZE];
	bool right = true;

	for (size_t i = 0; i < KEYS_IN_SET && !applet->shut; i++) {
		uint8_t *key = set + KEY_SET_ENC + i * KEY_SET_KEY_MAX;

		applet->shut = !crypto_cbc_decrypt(dek, zero_vector, key, padded(key_len)) ||
			       !check_value(bytes_of(key, key_len), own);
		right &= !applet->shut &&
			 bytes_equal_secret(own, checks + i * CHECK_SIZE, CHECK_SIZE);
	}
	return right;
}

/* Where the set goes: over the one that P1 names, or into a free slot. */
static uint16_t choose_slot(const struct applet *applet, uint8_t replaced, uint8_t version,
			    uint8_t *slot)
{
	uint8_t same = key_set_find(applet, version);

	*slot = replaced ? key_set_find(applet, replaced) : key_set_free(applet);
	if (same != KEY_SET_NONE && (replaced == 0 || same != *slot))
		return SW_DATA_NOT_FOUND;
	if (*slot == KEY_SET_NONE)
		return replaced ? SW_DATA_NOT_FOUND : SW_NO_MEMORY;
	return SW_OK;
}

uint16_t cmd_put_key(struct applet *applet, struct command *command)
{
	uint8_t current[KEY_SET_SIZE], set[KEY_SET_SIZE] = {0};
	uint8_t checks[KEYS_IN_SET * CHECK_SIZE];
	uint8_t slot;
	uint16_t sw = SW_MEMORY_FAILURE;

	if (!access_issuer(applet, command))
		return SW_NOT_SATISFIED;
	if (!key_set_read(applet, applet->secure.key_set, current))
		goto out;
	set[KEY_SET_OPTIONS] = current[KEY_SET_OPTIONS];
	sw = SW_WRONG_DATA;
	if (!take_set(command->data, set, checks) ||
	    !decrypt_set(applet, bytes_of(current + KEY_SET_DEK, current[KEY_SET_KEY_LEN]), set,
			 checks))
		goto out;
	sw = choose_slot(applet, command->p1, set[KEY_SET_VERSION], &slot);
	if (sw != SW_OK)
		goto out;
	sw = SW_MEMORY_FAILURE;
	if (key_set_store(applet, slot, set) != JOURNAL_OK)
		goto out;
	writer_put(&command->out, bytes_of(&set[KEY_SET_VERSION], 1));
	writer_put(&command->out, bytes_of(checks, sizeof checks));
	sw = SW_OK;
out:
	bytes_wipe(current, sizeof current);
	bytes_wipe(set, sizeof set);
	return sw;
}
