/* Keys on the card: PUT KEY and key check values. */
#include "scp03_aes.h"
#include "scp03_internal.h"

#define P2_THREE_KEYS 0x81 /* more than one key, and the first is number 1 (§11.8.2.2) */
#define TYPE_AES      0x88 /* §11.1.8 */
#define KEYS          3
#define PADDING       0x80

bool scp03_version_valid(uint8_t version)
{
	return version <= SCP03_VERSION_MAX || version == SCP03_VERSION_FACTORY;
}

bool scp03_keys_valid(const struct scp03_keys *keys)
{
	return scp03_aes_takes(keys->len) && scp03_version_valid(keys->version);
}

bool scp03_key_check(struct bytes key, uint8_t check[static SCP03_KCV_SIZE])
{
	uint8_t block[AES_BLOCK_SIZE];
	bool done;

	memset(block, 0x01, sizeof block);
	done = scp03_aes_block(key, block, block);
	memcpy(check, block, SCP03_KCV_SIZE);
	bytes_wipe(block, sizeof block);
	return done;
}

/*
 * One key as the data carries it (Amendment D §7.2): type, length, length of the key itself, the
 * key enciphered in whole blocks, length and check value. Returns how many bytes that is; 0: the
 * library failed.
 */
static size_t write_key(struct bytes dek, struct bytes key, uint8_t *out)
{
	static const uint8_t icv[AES_BLOCK_SIZE];
	size_t size = (key.len + AES_BLOCK_SIZE - 1) / AES_BLOCK_SIZE * AES_BLOCK_SIZE;
	uint8_t *value = out + 3;

	out[0] = TYPE_AES;
	out[1] = (uint8_t)(1 + size);
	out[2] = (uint8_t)key.len;
	memset(value, 0, size);
	memcpy(value, key.ptr, key.len);
	if (size > key.len)
		value[key.len] = PADDING;
	value[size] = SCP03_KCV_SIZE;
	if (!scp03_aes_encrypt(dek, icv, value, size) || !scp03_key_check(key, value + size + 1))
		return 0;
	return 3 + size + 1 + SCP03_KCV_SIZE;
}

/* The three, in the order in which they are numbered. */
static void list_keys(const struct scp03_keys *keys, struct bytes list[static KEYS])
{
	list[0] = bytes_of(keys->enc, keys->len);
	list[1] = bytes_of(keys->mac, keys->len);
	list[2] = bytes_of(keys->dek, keys->len);
}

enum scp03_result scp03_put_key(uint8_t channel, const struct scp03_keys *current,
				const struct scp03_keys *fresh, uint8_t replaced,
				uint8_t command[static SCP03_PUT_KEY_MAX], size_t *len)
{
	struct bytes list[KEYS];
	size_t at = 5;

	*len = 0;
	if (channel >= SCP03_CHANNELS || !scp03_keys_valid(current) || !scp03_keys_valid(fresh) ||
	    fresh->version == SCP03_VERSION_FIRST || fresh->version > SCP03_VERSION_MAX ||
	    replaced > SCP03_VERSION_MAX)
		return SCP03_ARGUMENT;
	command[0] = scp03_class(GP_CLA, channel, false);
	command[1] = GP_INS_PUT_KEY;
	command[2] = replaced;
	command[3] = P2_THREE_KEYS;
	command[at++] = fresh->version;
	list_keys(fresh, list);
	for (int i = 0; i < KEYS; i++) {
		size_t written =
			write_key(bytes_of(current->dek, current->len), list[i], command + at);

		if (written == 0) {
			bytes_wipe(command, SCP03_PUT_KEY_MAX);
			return SCP03_FAILED;
		}
		at += written;
	}
	command[4] = (uint8_t)(at - 5);
	command[at++] = 0; /* all that there is */
	*len = at;
	return SCP03_OK;
}

enum scp03_result scp03_put_key_answered(const struct scp03_keys *fresh, struct bytes answer)
{
	struct bytes list[KEYS];
	uint8_t check[SCP03_KCV_SIZE];

	if (answer.len != 1 + KEYS * SCP03_KCV_SIZE)
		return SCP03_MALFORMED;
	if (answer.ptr[0] != fresh->version)
		return SCP03_VERSION;
	list_keys(fresh, list);
	for (int i = 0; i < KEYS; i++) {
		if (!scp03_key_check(list[i], check))
			return SCP03_FAILED;
		if (memcmp(check, answer.ptr + 1 + i * SCP03_KCV_SIZE, SCP03_KCV_SIZE) != 0)
			return SCP03_KEY_CHECK;
	}
	return SCP03_OK;
}
