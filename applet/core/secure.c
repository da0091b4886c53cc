#include "secure.h"

#include "../crypto/kdf.h"
#include "key_set.h"
#include "random.h"
#include "registry.h"

/* Bits of i (Amendment D v1.2 table 5-1). */
#define OPTION_S16           0x01
#define OPTION_PSEUDO_RANDOM 0x10

/* Bits of a security level. */
#define LEVEL_ENC   0x02
#define LEVEL_R_MAC 0x10
#define LEVEL_R_ENC 0x20

#define SCP03_VERSION 0x03
#define SEQUENCE_SIZE 3
#define PADDING       0x80
#define CLASS_SECURE  0x84 /* class of EXTERNAL AUTHENTICATE under its MAC */
#define CHANNEL_BITS  0x03

void secure_end(struct applet *applet)
{
	bytes_wipe(&applet->secure, sizeof applet->secure);
	applet->secure.state = SECURE_NONE;
}

void secure_end_on(struct applet *applet, uint8_t channel_number)
{
	if (applet->secure.state != SECURE_NONE && applet->secure.channel == channel_number)
		secure_end(applet);
}

bool secure_on(const struct applet *applet, uint8_t channel_number)
{
	return applet->secure.state == SECURE_OPEN && applet->secure.channel == channel_number;
}

/* The card's challenge: random, or derived from the sequence counter (Amendment D §6.2.2.1). */
static uint16_t make_challenge(struct applet *applet, const uint8_t set[static KEY_SET_SIZE],
			       uint8_t challenge[static SECURE_MAC_MAX],
			       uint8_t sequence[static SEQUENCE_SIZE])
{
	const struct secure *session = &applet->secure;
	enum application selected = applet->channels[session->channel].selected;
	struct bytes key = bytes_of(set + KEY_SET_ENC, session->key_len);
	uint8_t coded[4];
	uint32_t count;

	if (!(session->options & OPTION_PSEUDO_RANDOM))
		return random_bytes(applet, challenge, session->mac_len) ? SW_OK : SW_CARD_SHUT;
	if (!key_set_sequence(applet, session->key_set, &count))
		return SW_MEMORY_FAILURE;
	put_be32(coded, count);
	memcpy(sequence, coded + 1, SEQUENCE_SIZE);

	const struct bytes context[] = {{sequence, SEQUENCE_SIZE}, registry_entry(selected).aid};

	applet->shut =
		!kdf_derive(key, KDF_CARD_CHALLENGE, context, 2, challenge, session->mac_len);
	return applet->shut ? SW_CARD_SHUT : SW_OK;
}

/* Session keys and both cryptograms. */
static bool derive_session(struct secure *session, const uint8_t set[static KEY_SET_SIZE],
			   const struct bytes challenges[static 2],
			   uint8_t card_cryptogram[static SECURE_MAC_MAX])
{
	const struct bytes enc = {set + KEY_SET_ENC, session->key_len};
	const struct bytes mac = {set + KEY_SET_MAC, session->key_len};
	const struct bytes s_mac = {session->mac, session->key_len};

	return kdf_derive(enc, KDF_S_ENC, challenges, 2, session->enc, session->key_len) &&
	       kdf_derive(mac, KDF_S_MAC, challenges, 2, session->mac, session->key_len) &&
	       kdf_derive(mac, KDF_S_RMAC, challenges, 2, session->rmac, session->key_len) &&
	       kdf_derive(s_mac, KDF_CARD_CRYPTOGRAM, challenges, 2, card_cryptogram,
			  session->mac_len) &&
	       kdf_derive(s_mac, KDF_HOST_CRYPTOGRAM, challenges, 2, session->host_cryptogram,
			  session->mac_len);
}

/* What tells this card from others; zeros when the memory failed. */
static void put_diversification(const struct applet *applet, struct writer *out)
{
	uint8_t data[LIMIT_DIVERSIFICATION_SIZE] = {0};
	size_t len;

	if (journal_read(&applet->journal, RECORD_DIVERSIFICATION, data, sizeof data, &len) !=
	    JOURNAL_OK)
		memset(data, 0, sizeof data);
	writer_put(out, bytes_of(data, sizeof data));
}

static uint16_t begin(struct applet *applet, const uint8_t set[static KEY_SET_SIZE],
		      struct bytes host_challenge, struct writer *out)
{
	struct secure *session = &applet->secure;
	uint8_t challenge[SECURE_MAC_MAX], cryptogram[SECURE_MAC_MAX], sequence[SEQUENCE_SIZE];
	const uint8_t key_information[] = {set[KEY_SET_VERSION], SCP03_VERSION, session->options};
	const struct bytes challenges[] = {host_challenge, {challenge, session->mac_len}};
	uint16_t sw = make_challenge(applet, set, challenge, sequence);

	if (sw != SW_OK)
		return sw;
	if (!derive_session(session, set, challenges, cryptogram)) {
		applet->shut = true;
		return SW_CARD_SHUT;
	}
	put_diversification(applet, out);
	writer_put(out, bytes_of(key_information, sizeof key_information));
	writer_put(out, bytes_of(challenge, session->mac_len));
	writer_put(out, bytes_of(cryptogram, session->mac_len));
	if (session->options & OPTION_PSEUDO_RANDOM)
		writer_put(out, bytes_of(sequence, sizeof sequence));
	session->state = SECURE_STARTED;
	return SW_OK;
}

uint16_t secure_begin(struct applet *applet, uint8_t slot, uint8_t channel_number,
		      struct bytes host_challenge, struct writer *out)
{
	uint8_t set[KEY_SET_SIZE];
	uint16_t sw = SW_MEMORY_FAILURE;

	secure_end(applet);
	if (!key_set_read(applet, slot, set))
		return sw;
	applet->secure = (struct secure){
		.channel = channel_number,
		.key_set = slot,
		.options = set[KEY_SET_OPTIONS],
		.key_len = set[KEY_SET_KEY_LEN],
		.mac_len = set[KEY_SET_OPTIONS] & OPTION_S16 ? 16 : 8,
	};
	sw = SW_WRONG_LENGTH;
	if (host_challenge.len == applet->secure.mac_len)
		sw = begin(applet, set, host_challenge, out);
	bytes_wipe(set, sizeof set);
	if (sw != SW_OK)
		secure_end(applet);
	return sw;
}

/* Moves the chaining value on over a command and compares the MAC that came with it. */
static bool mac_fits(struct applet *applet, const uint8_t header[static 4], const uint8_t *data,
		     size_t len, const uint8_t *mac)
{
	struct secure *session = &applet->secure;
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
	if (!crypto_cmac(bytes_of(session->mac, session->key_len), parts, 3, session->chaining))
		applet->shut = true;
	return !applet->shut && bytes_equal_secret(session->chaining, mac, session->mac_len);
}

bool secure_authenticate(struct applet *applet, const struct command *command)
{
	struct secure *session = &applet->secure;
	const uint8_t header[] = {CLASS_SECURE, command->header[1], command->p1, command->p2};
	const uint8_t *cryptogram = command->data.ptr;
	bool right = bytes_equal_secret(cryptogram, session->host_cryptogram, session->mac_len);

	right &= mac_fits(applet, header, cryptogram, session->mac_len,
			  cryptogram + session->mac_len);
	bytes_wipe(session->host_cryptogram, sizeof session->host_cryptogram);
	if (right) {
		session->level = command->p1;
		session->state = SECURE_OPEN;
	}
	return right;
}

/* The initial vector of command number `commands`: the counter, encrypted (Amendment D §6.2.6). */
static bool make_vector(const struct secure *session, uint8_t first,
			uint8_t vector[static AES_BLOCK])
{
	static const uint8_t zero[AES_BLOCK];

	memset(vector, 0, AES_BLOCK);
	vector[0] = first;
	put_be32(vector + AES_BLOCK - 4, session->commands);
	return crypto_cbc_encrypt(bytes_of(session->enc, session->key_len), zero, vector,
				  AES_BLOCK);
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
static bool decrypt(struct applet *applet, uint8_t *data, size_t *len, bool mac_right)
{
	const struct secure *session = &applet->secure;
	const uint8_t keep = (uint8_t)(0 - mac_right);
	uint8_t vector[AES_BLOCK];
	bool right = *len % AES_BLOCK == 0;

	if (!right || *len == 0)
		return right;
	for (size_t i = 0; i < *len; i++)
		data[i] &= keep;
	if (!make_vector(session, 0, vector) ||
	    !crypto_cbc_decrypt(bytes_of(session->enc, session->key_len), vector, data, *len))
		applet->shut = true;
	return !applet->shut && unpad(data, len);
}

bool secure_unwrap(struct applet *applet, const uint8_t header[static 4], uint8_t *data,
		   size_t *len)
{
	struct secure *session = &applet->secure;
	bool right = *len >= session->mac_len;

	session->commands++;
	if (right) {
		*len -= session->mac_len;
		right = mac_fits(applet, header, data, *len, data + *len);
		if (session->level & LEVEL_ENC)
			right &= decrypt(applet, data, len, right);
	}
	if (!right)
		secure_end(applet);
	return right;
}

static bool encrypt(const struct secure *session, uint8_t *data, size_t size, size_t *len)
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
	       crypto_cbc_encrypt(bytes_of(session->enc, session->key_len), vector, data, *len);
}

static bool wrap(const struct secure *session, uint16_t sw, uint8_t *data, size_t size, size_t *len)
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
	    !crypto_cmac(bytes_of(session->rmac, session->key_len), parts, 3, mac))
		return false;
	memcpy(data + *len, mac, session->mac_len);
	*len += session->mac_len;
	return true;
}

bool secure_wrap(struct applet *applet, uint16_t sw, uint8_t *data, size_t size, size_t *len)
{
	if (wrap(&applet->secure, sw, data, size, len))
		return true;
	applet->shut = true;
	secure_end(applet);
	return false;
}
