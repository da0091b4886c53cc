#include "messaging.h"

#include "kdf.h"

/* Bits of a security level. */
#define LEVEL_ENC   0x02
#define LEVEL_R_MAC 0x10
#define LEVEL_R_ENC 0x20

#define PADDING      0x80
#define CHANNEL_BITS 0x03

static struct bytes key_of(const struct messaging *session, const uint8_t *key)
{
	return bytes_of(key, session->key_len);
}

bool messaging_derive(struct messaging *session, const uint8_t *static_enc,
		      const uint8_t *static_mac, const struct bytes challenges[static 2],
		      uint8_t card_cryptogram[static MESSAGING_MAC_MAX],
		      uint8_t host_cryptogram[static MESSAGING_MAC_MAX])
{
	const struct bytes enc = key_of(session, static_enc);
	const struct bytes mac = key_of(session, static_mac);
	const struct bytes s_mac = key_of(session, session->mac);

	return kdf_derive(enc, KDF_S_ENC, challenges, 2, session->enc, session->key_len) &&
	       kdf_derive(mac, KDF_S_MAC, challenges, 2, session->mac, session->key_len) &&
	       kdf_derive(mac, KDF_S_RMAC, challenges, 2, session->rmac, session->key_len) &&
	       kdf_derive(s_mac, KDF_CARD_CRYPTOGRAM, challenges, 2, card_cryptogram,
			  session->mac_len) &&
	       kdf_derive(s_mac, KDF_HOST_CRYPTOGRAM, challenges, 2, host_cryptogram,
			  session->mac_len);
}

bool messaging_agree(struct messaging *session, const uint8_t key[static P256_SCALAR_SIZE],
		     const uint8_t ephemeral[static P256_SCALAR_SIZE], struct bytes request,
		     struct bytes answer)
{
	static const uint8_t info[] = {MESSAGING_AGREED_USAGE, MESSAGING_AGREED_TYPE,
				       MESSAGING_AGREED_KEY};
	const uint8_t *point = request.ptr + request.len - P256_POINT_SIZE;
	const struct bytes covered[] = {request, answer};
	uint8_t shared[2 * P256_SCALAR_SIZE];
	uint8_t derived[2 * SHA256_SIZE]; /* keys for the receipt, S-ENC, S-MAC, S-RMAC */
	uint8_t counter[4] = {0, 0, 0, 1};
	const struct bytes parts[] = {
		{shared, sizeof shared}, {counter, sizeof counter}, {info, sizeof info}};
	bool done = crypto_p256_agree(ephemeral, point, shared) &&
		    crypto_p256_agree(key, point, shared + P256_SCALAR_SIZE) &&
		    crypto_sha256(parts, 3, derived);

	counter[3]++;
	done = done && crypto_sha256(parts, 3, derived + SHA256_SIZE) &&
	       crypto_cmac(bytes_of(derived, MESSAGING_AGREED_KEY), covered, 2, session->chaining);
	session->key_len = MESSAGING_AGREED_KEY;
	session->mac_len = AES_BLOCK / 2;
	memcpy(session->enc, derived + MESSAGING_AGREED_KEY, MESSAGING_AGREED_KEY);
	memcpy(session->mac, derived + 2 * MESSAGING_AGREED_KEY, MESSAGING_AGREED_KEY);
	memcpy(session->rmac, derived + 3 * MESSAGING_AGREED_KEY, MESSAGING_AGREED_KEY);
	bytes_wipe(shared, sizeof shared);
	bytes_wipe(derived, sizeof derived);
	return done;
}

enum messaging_result messaging_mac(struct messaging *session, const uint8_t header[static 4],
				    const uint8_t *data, size_t len, const uint8_t *mac)
{
	uint8_t front[7];
	size_t lc = len + session->mac_len;
	const struct bytes parts[] = {{session->chaining, sizeof session->chaining},
				      {front, lc > 0xFF ? 7 : 5},
				      {data, len}};

	memcpy(front, header, 4);
	front[0] &= (uint8_t)~CHANNEL_BITS;
	front[4] = (uint8_t)lc;
	if (lc > 0xFF) {
		front[4] = 0;
		put_be16(front + 5, (uint16_t)lc);
	}
	if (!crypto_cmac(key_of(session, session->mac), parts, 3, session->chaining))
		return MESSAGING_FAILED;
	return bytes_equal_secret(session->chaining, mac, session->mac_len) ? MESSAGING_RIGHT
									    : MESSAGING_WRONG;
}

/* The initial vector of command number `commands`: the counter, encrypted (Amendment D §6.2.6). */
static bool make_vector(const struct messaging *session, uint8_t first,
			uint8_t vector[static AES_BLOCK])
{
	static const uint8_t zero[AES_BLOCK];

	memset(vector, 0, AES_BLOCK);
	vector[0] = first;
	put_be32(vector + AES_BLOCK - 4, session->commands);
	return crypto_cbc_encrypt(key_of(session, session->enc), zero, vector, AES_BLOCK);
}

/* Takes the padding (80 00...) off, in a time that the data does not change. False: it is wrong. */
static bool unpad(const uint8_t *data, size_t *len)
{
	size_t end = *len - AES_BLOCK;
	uint8_t found = 0, broken = 0;
	size_t plain = 0;

	for (size_t i = *len; i-- > end;) {
		uint8_t is_mark = (uint8_t)(data[i] == PADDING) & (uint8_t)!found;
		uint8_t is_zero = data[i] == 0;

		plain |= i & (size_t)(0 - (size_t)is_mark);
		broken |= (uint8_t)(!found & !is_mark & !is_zero);
		found |= is_mark;
	}
	*len = plain;
	return found & !broken;
}

/* Decrypts in place. When the MAC was wrong it does the same, instruction by instruction, to zeros.
 */
static enum messaging_result decrypt(const struct messaging *session, uint8_t *data, size_t *len,
				     bool mac_right)
{
	const uint8_t keep = (uint8_t)(0 - mac_right);
	uint8_t vector[AES_BLOCK];

	if (*len % AES_BLOCK != 0)
		return MESSAGING_WRONG;
	if (*len == 0)
		return MESSAGING_RIGHT;
	for (size_t i = 0; i < *len; i++)
		data[i] &= keep;
	if (!make_vector(session, 0, vector) ||
	    !crypto_cbc_decrypt(key_of(session, session->enc), vector, data, *len))
		return MESSAGING_FAILED;
	return unpad(data, len) ? MESSAGING_RIGHT : MESSAGING_WRONG;
}

enum messaging_result messaging_unwrap(struct messaging *session, const uint8_t header[static 4],
				       uint8_t *data, size_t *len)
{
	enum messaging_result mac, padding = MESSAGING_RIGHT;

	session->commands++;
	if (*len < session->mac_len)
		return MESSAGING_WRONG;
	*len -= session->mac_len;
	mac = messaging_mac(session, header, data, *len, data + *len);
	if (session->level & LEVEL_ENC)
		padding = decrypt(session, data, len, mac == MESSAGING_RIGHT);
	return mac > padding ? mac : padding; /* the worse of the two */
}

static bool encrypt(const struct messaging *session, uint8_t *data, size_t size, size_t *len)
{
	uint8_t vector[AES_BLOCK];
	size_t padded = (*len / AES_BLOCK + 1) * AES_BLOCK;

	if (*len == 0)
		return true;
	if (padded > size)
		return false;
	memset(data + *len, 0, padded - *len);
	data[*len] = PADDING;
	*len = padded;
	return make_vector(session, 0x80, vector) &&
	       crypto_cbc_encrypt(key_of(session, session->enc), vector, data, *len);
}

bool messaging_wrap(const struct messaging *session, uint16_t sw, uint8_t *data, size_t size,
		    size_t *len)
{
	uint8_t coded[2], mac[AES_BLOCK];

	if (session->level & LEVEL_R_ENC && !encrypt(session, data, size, len))
		return false;
	if (!(session->level & LEVEL_R_MAC))
		return true;
	put_be16(coded, sw);

	const struct bytes parts[] = {
		{session->chaining, sizeof session->chaining}, {data, *len}, {coded, sizeof coded}};

	if (session->mac_len > size - *len ||
	    !crypto_cmac(key_of(session, session->rmac), parts, 3, mac))
		return false;
	memcpy(data + *len, mac, session->mac_len);
	*len += session->mac_len;
	return true;
}
