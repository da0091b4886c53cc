#include "scp03_peer.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "scripted_transport.h"

static void cmac(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
		 uint8_t out[static 16])
{
	static const char *const names[] = {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC"};
	char *name = (char *)names[(key_len - 16) / 8];
	OSSL_PARAM params[] = {OSSL_PARAM_utf8_string("cipher", name, 11), OSSL_PARAM_END};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	size_t out_len;

	assert_int_equal(EVP_MAC_init(context, key, key_len, params), 1);
	assert_int_equal(EVP_MAC_update(context, data, len), 1);
	assert_int_equal(EVP_MAC_final(context, out, &out_len, 16), 1);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
}

static void cbc(bool encrypt, const uint8_t *key, size_t key_len, const uint8_t *icv, uint8_t *data,
		size_t len)
{
	const EVP_CIPHER *cipher = key_len == 16   ? EVP_aes_128_cbc()
				   : key_len == 24 ? EVP_aes_192_cbc()
						   : EVP_aes_256_cbc();
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int out_len;

	assert_int_equal(EVP_CipherInit_ex(context, cipher, NULL, key, icv, encrypt), 1);
	EVP_CIPHER_CTX_set_padding(context, 0);
	assert_int_equal(EVP_CipherUpdate(context, data, &out_len, data, (int)len), 1);
	assert_int_equal(out_len, len);
	EVP_CIPHER_CTX_free(context);
}

static void derive(const uint8_t *key, size_t key_len, uint8_t constant, const uint8_t *context,
		   size_t context_len, uint8_t *out, size_t len)
{
	uint8_t input[16 + 64] = {0}, block[16];

	input[11] = constant;
	input[13] = (uint8_t)(len * 8 >> 8);
	input[14] = (uint8_t)(len * 8);
	memcpy(input + 16, context, context_len);
	for (size_t at = 0; at < len; at += 16) {
		input[15]++;
		cmac(key, key_len, input, 16 + context_len, block);
		memcpy(out + at, block, len - at < 16 ? len - at : 16);
	}
}

void peer_make(struct peer *peer, uint8_t version, size_t key_len, uint8_t seed, uint8_t i)
{
	static const uint8_t domain[] = {0xA0, 0, 0, 1, 0x51, 0, 0, 0};

	memset(peer, 0, sizeof(*peer));
	peer->keys.version = version;
	peer->keys.len = key_len;
	for (size_t n = 0; n < key_len; n++) {
		peer->keys.enc[n] = (uint8_t)(seed + 7 * n * n);
		peer->keys.mac[n] = (uint8_t)(seed + 11 * n * n + 1);
		peer->keys.dek[n] = (uint8_t)(seed + 13 * n * n + 2);
	}
	peer->i = i;
	for (size_t n = 0; n < sizeof(peer->diversification); n++)
		peer->diversification[n] = (uint8_t)(0xD0 + n);
	for (size_t n = 0; n < sizeof(peer->card_challenge); n++)
		peer->card_challenge[n] = (uint8_t)(0xC0 + n);
	peer->sequence[2] = 0x2A;
	memcpy(peer->aid, domain, sizeof(domain));
	peer->aid_len = sizeof(domain);
}

static void cryptogram(struct peer *peer, uint8_t constant, uint8_t *out)
{
	uint8_t context[32];

	memcpy(context, peer->host_challenge, peer->mac_size);
	memcpy(context + peer->mac_size, peer->card_challenge, peer->mac_size);
	derive(peer->s_mac, peer->keys.len, constant, context, 2 * peer->mac_size, out,
	       peer->mac_size);
}

static void start(struct peer *peer)
{
	const struct scp03_keys *keys = &peer->keys;
	uint8_t context[32];

	if (peer->i & 0x10) {
		memcpy(context, peer->sequence, 3);
		memcpy(context + 3, peer->aid, peer->aid_len);
		derive(keys->enc, keys->len, 2, context, 3 + peer->aid_len, peer->card_challenge,
		       peer->mac_size);
	}
	memcpy(context, peer->host_challenge, peer->mac_size);
	memcpy(context + peer->mac_size, peer->card_challenge, peer->mac_size);
	derive(keys->enc, keys->len, 4, context, 2 * peer->mac_size, peer->s_enc, keys->len);
	derive(keys->mac, keys->len, 6, context, 2 * peer->mac_size, peer->s_mac, keys->len);
	derive(keys->mac, keys->len, 7, context, 2 * peer->mac_size, peer->s_rmac, keys->len);
	memset(peer->chain, 0, sizeof(peer->chain));
	peer->counter = 0;
}

size_t peer_initialize(struct peer *peer, struct bytes command, uint8_t answer[static 64])
{
	size_t len = 0;

	peer->mac_size = peer->i & 1 ? 16 : 8;
	if (command.len != 5 + peer->mac_size + 1 || command.ptr[1] != 0x50 ||
	    command.ptr[3] != 0 || command.ptr[4] != peer->mac_size)
		return 0;
	memcpy(peer->host_challenge, command.ptr + 5, peer->mac_size);
	start(peer);
	memcpy(answer, peer->diversification, 10);
	answer[10] = peer->keys.version;
	answer[11] = 3;
	answer[12] = peer->i;
	len = 13;
	memcpy(answer + len, peer->card_challenge, peer->mac_size);
	len += peer->mac_size;
	cryptogram(peer, 0, answer + len);
	len += peer->mac_size;
	if (peer->i & 0x10) {
		memcpy(answer + len, peer->sequence, 3);
		len += 3;
	}
	return len;
}

/* Moves the chain on by the MAC over the bytes up to it; whether those at the end are that MAC. The
 * class is that of channel 0. */
static bool mac_is_right(struct peer *peer, const uint8_t *command, size_t len)
{
	static uint8_t input[16 + PEER_DATA_MAX];
	size_t body = len - peer->mac_size;
	uint8_t cla = command[0];

	memcpy(input, peer->chain, 16);
	memcpy(input + 16, command, body);
	input[16] = (uint8_t)(cla & 0x40 ? (cla & 0x90) | 0x04 : (cla & 0xF0) | 0x04);
	cmac(peer->s_mac, peer->keys.len, input, 16 + body, peer->chain);
	return memcmp(peer->chain, command + body, peer->mac_size) == 0;
}

bool peer_authenticate(struct peer *peer, struct bytes command)
{
	uint8_t expected[16];

	if (command.len != 5 + 2 * peer->mac_size || command.ptr[1] != 0x82 ||
	    command.ptr[3] != 0 || command.ptr[4] != 2 * peer->mac_size)
		return false;
	cryptogram(peer, 1, expected);
	if (memcmp(expected, command.ptr + 5, peer->mac_size) != 0 ||
	    !mac_is_right(peer, command.ptr, command.len))
		return false;
	peer->level = command.ptr[2];
	return true;
}

static void icv_of(struct peer *peer, uint8_t first, uint8_t icv[static 16])
{
	uint8_t zero[16] = {0};

	memset(icv, 0, 16);
	icv[0] = first;
	for (int n = 0; n < 8; n++)
		icv[15 - n] = (uint8_t)(peer->counter >> 8 * n);
	cbc(true, peer->s_enc, peer->keys.len, zero, icv, 16);
}

size_t peer_open(struct peer *peer, struct bytes command, uint8_t *plain)
{
	bool extended = command.ptr[4] == 0;
	size_t at = extended ? 7 : 5;
	size_t lc = extended ? get_be16(command.ptr + 5) : command.ptr[4];
	size_t data = lc - peer->mac_size, tail = command.len - at - lc;
	uint8_t icv[16];

	assert_true(command.len >= at + lc && lc >= peer->mac_size);
	if (!mac_is_right(peer, command.ptr, at + lc))
		return 0;
	memcpy(plain, command.ptr, 4);
	plain[0] &= (uint8_t)(plain[0] & 0x40 ? ~0x20 : ~0x04);
	memcpy(plain + at, command.ptr + at, data);
	if (peer->level & 2) {
		peer->counter++;
		if (data > 0) {
			if (data % 16 != 0)
				return 0;
			icv_of(peer, 0, icv);
			cbc(false, peer->s_enc, peer->keys.len, icv, plain + at, data);
			while (data > 0 && plain[at + data - 1] == 0)
				data--;
			if (data == 0 || plain[at + --data] != 0x80)
				return 0;
		}
	}
	if (data == 0) {
		memcpy(plain + 4, command.ptr + at + lc, tail);
		if (extended && tail > 0) { /* without Lc, an extended Le has three bytes */
			plain[4] = 0;
			memcpy(plain + 5, command.ptr + at + lc, tail++);
		}
		return 4 + tail;
	}
	if (extended) {
		plain[4] = 0;
		put_be16(plain + 5, (uint16_t)data);
	} else {
		plain[4] = (uint8_t)data;
	}
	memcpy(plain + at + data, command.ptr + at + lc, tail);
	return at + data + tail;
}

/* Puts the MAC after `len` bytes that are ready. */
static size_t seal(struct peer *peer, uint16_t sw, uint8_t *answer, size_t len)
{
	static uint8_t input[16 + PEER_DATA_MAX + 2];
	uint8_t mac[16];

	if (!(peer->level & 0x10))
		return len;
	memcpy(input, peer->chain, 16);
	memcpy(input + 16, answer, len);
	put_be16(input + 16 + len, sw);
	cmac(peer->s_rmac, peer->keys.len, input, 16 + len + 2, mac);
	memcpy(answer + len, mac, peer->mac_size);
	return len + peer->mac_size;
}

size_t peer_answer_padded(struct peer *peer, struct bytes data, uint16_t sw, uint8_t *answer)
{
	uint8_t icv[16];

	if (data.len > 0)
		memcpy(answer, data.ptr, data.len);
	icv_of(peer, 0x80, icv);
	cbc(true, peer->s_enc, peer->keys.len, icv, answer, data.len / 16 * 16);
	return seal(peer, sw, answer, data.len);
}

size_t peer_answer(struct peer *peer, struct bytes data, uint16_t sw, uint8_t *answer)
{
	static uint8_t padded[PEER_DATA_MAX];
	size_t len = data.len;

	if (len > 0)
		memcpy(padded, data.ptr, len);
	if (peer->level & 0x20 && len > 0) {
		padded[len++] = 0x80;
		while (len % 16 != 0)
			padded[len++] = 0;
		return peer_answer_padded(peer, bytes_of(padded, len), sw, answer);
	}
	memcpy(answer, padded, len);
	return seal(peer, sw, answer, len);
}

void peer_decrypt_key(const struct scp03_keys *keys, uint8_t *data, size_t len)
{
	uint8_t zero[16] = {0};

	cbc(false, keys->dek, keys->len, zero, data, len);
}

struct bytes peer_aid(const struct peer *peer)
{
	return bytes_of(peer->aid, peer->aid_len);
}

size_t peer_meet(struct peer *peer, struct scp03 *scp, uint8_t channel, uint8_t answer[static 64])
{
	uint8_t challenge[16], command[SCP03_INITIALIZE_MAX];
	size_t len;

	assert_int_equal(scp03_draw(challenge, sizeof(challenge)), SCP03_OK);
	assert_int_equal(scp03_begin(scp, channel, peer->keys.version,
				     bytes_of(challenge, peer->i & 1 ? 16 : 8), command, &len),
			 SCP03_OK);
	len = peer_initialize(peer, bytes_of(command, len), answer);
	assert_int_not_equal(len, 0);
	return len;
}

void peer_join(struct peer *peer, struct scp03 *scp, uint8_t channel, uint8_t level)
{
	uint8_t answer[64], command[SCP03_AUTHENTICATE_MAX];
	size_t len = peer_meet(peer, scp, channel, answer);

	assert_int_equal(scp03_answered(scp, bytes_of(answer, len), 0x9000), SCP03_OK);
	assert_int_equal(scp03_authenticate(scp, &peer->keys, peer_aid(peer), level, command, &len),
			 SCP03_OK);
	assert_true(peer_authenticate(peer, bytes_of(command, len)));
	assert_int_equal(scp03_authenticated(scp, NO_BYTES, 0x9000), SCP03_OK);
}

void assert_wiped(const struct scp03 *scp)
{
	static const struct scp03 none;

	assert_memory_equal(scp, &none, sizeof(none));
}

void assert_bytes(const uint8_t *got, size_t len, const char *hex)
{
	uint8_t wanted[512];

	assert_int_equal(len, scripted_bytes(hex, wanted, sizeof(wanted)));
	assert_memory_equal(got, wanted, len);
}
