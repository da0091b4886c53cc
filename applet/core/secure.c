#include "secure.h"

#include "../crypto/kdf.h"
#include "key_set.h"
#include "random.h"
#include "registry.h"

/* Bits of i (Amendment D v1.2 table 5-1). */
#define OPTION_S16           0x01
#define OPTION_PSEUDO_RANDOM 0x10

#define SCP03_VERSION 0x03
#define SEQUENCE_SIZE 3
#define CLASS_SECURE  0x84 /* class of EXTERNAL AUTHENTICATE under its MAC */

/* Whether the session's crypto said so; when it failed, the card is shut. */
static bool fits(struct applet *applet, enum messaging_result result)
{
	applet->shut |= result == MESSAGING_FAILED;
	return result == MESSAGING_RIGHT;
}

void secure_opened(struct applet *applet, uint8_t channel_number, uint8_t level)
{
	applet->secure.channel = channel_number;
	applet->secure.messaging.level = level;
	applet->secure.state = SECURE_OPEN;
}

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
			       uint8_t challenge[static MESSAGING_MAC_MAX],
			       uint8_t sequence[static SEQUENCE_SIZE])
{
	const struct secure *session = &applet->secure;
	enum application selected = applet->channels[session->channel].selected;
	struct bytes key = bytes_of(set + KEY_SET_ENC, session->messaging.key_len);
	const uint8_t size = session->messaging.mac_len;
	uint8_t coded[4];
	uint32_t count;

	if (!(session->options & OPTION_PSEUDO_RANDOM))
		return random_bytes(applet, challenge, size) ? SW_OK : SW_CARD_SHUT;
	if (!key_set_sequence(applet, session->key_set, &count))
		return SW_MEMORY_FAILURE;
	put_be32(coded, count);
	memcpy(sequence, coded + 1, SEQUENCE_SIZE);

	const struct bytes context[] = {{sequence, SEQUENCE_SIZE}, registry[selected].aid};

	applet->shut = !kdf_derive(key, KDF_CARD_CHALLENGE, context, 2, challenge, size);
	return applet->shut ? SW_CARD_SHUT : SW_OK;
}

/* What tells this card from others; zeros when the memory failed. */
static void put_diversification(const struct applet *applet, struct writer *out)
{
	uint8_t data[LIMIT_DIVERSIFICATION_SIZE] = {0};

	if (!record_read(applet, RECORD_DIVERSIFICATION, data, sizeof data))
		memset(data, 0, sizeof data);
	writer_put(out, bytes_of(data, sizeof data));
}

static uint16_t begin(struct applet *applet, const uint8_t set[static KEY_SET_SIZE],
		      struct bytes host_challenge, struct writer *out)
{
	struct secure *session = &applet->secure;
	struct messaging *messaging = &session->messaging;
	const uint8_t size = messaging->mac_len;
	uint8_t challenge[MESSAGING_MAC_MAX], cryptogram[MESSAGING_MAC_MAX],
		sequence[SEQUENCE_SIZE];
	const uint8_t key_information[] = {set[KEY_SET_VERSION], SCP03_VERSION, session->options};
	const struct bytes challenges[] = {host_challenge, {challenge, size}};
	uint16_t sw = make_challenge(applet, set, challenge, sequence);

	if (sw != SW_OK)
		return sw;
	if (!messaging_derive(messaging, set + KEY_SET_ENC, set + KEY_SET_MAC, challenges,
			      cryptogram, session->host_cryptogram)) {
		applet->shut = true;
		return SW_CARD_SHUT;
	}
	put_diversification(applet, out);
	writer_put(out, bytes_of(key_information, sizeof key_information));
	writer_put(out, bytes_of(challenge, size));
	writer_put(out, bytes_of(cryptogram, size));
	if (session->options & OPTION_PSEUDO_RANDOM)
		writer_put(out, bytes_of(sequence, sizeof sequence));
	session->state = SECURE_STARTED;
	return SW_OK;
}

uint16_t secure_begin(struct applet *applet, uint8_t slot, uint8_t channel_number,
		      struct bytes host_challenge, struct writer *out)
{
	struct secure *session = &applet->secure;
	uint8_t set[KEY_SET_SIZE];
	uint16_t sw = SW_MEMORY_FAILURE;

	secure_end(applet);
	if (!key_set_read(applet, slot, set))
		return sw;
	session->channel = channel_number;
	session->key_set = slot;
	session->options = set[KEY_SET_OPTIONS];
	session->messaging.key_len = set[KEY_SET_KEY_LEN];
	session->messaging.mac_len = session->options & OPTION_S16 ? 16 : 8;
	sw = SW_WRONG_LENGTH;
	if (host_challenge.len == session->messaging.mac_len)
		sw = begin(applet, set, host_challenge, out);
	bytes_wipe(set, sizeof set);
	if (sw != SW_OK)
		secure_end(applet);
	return sw;
}

bool secure_authenticate(struct applet *applet, const struct command *command)
{
	struct secure *session = &applet->secure;
	const uint8_t header[] = {CLASS_SECURE, command->header[1], command->p1, command->p2};
	const uint8_t *cryptogram = command->data.ptr;
	const uint8_t mac_len = session->messaging.mac_len;
	bool right = bytes_equal_secret(cryptogram, session->host_cryptogram, mac_len);

	right &= fits(applet, messaging_mac(&session->messaging, header, cryptogram, mac_len,
					    cryptogram + mac_len));
	bytes_wipe(session->host_cryptogram, sizeof session->host_cryptogram);
	if (right)
		secure_opened(applet, session->channel, command->p1 | SECURE_ISSUER);
	return right;
}

bool secure_unwrap(struct applet *applet, const uint8_t header[static 4], uint8_t *data,
		   size_t *len)
{
	bool right = fits(applet, messaging_unwrap(&applet->secure.messaging, header, data, len));

	if (!right)
		secure_end(applet);
	return right;
}

bool secure_wrap(struct applet *applet, uint16_t sw, uint8_t *data, size_t size, size_t *len)
{
	if (messaging_wrap(&applet->secure.messaging, sw, data, size, len))
		return true;
	applet->shut = true;
	secure_end(applet);
	return false;
}
