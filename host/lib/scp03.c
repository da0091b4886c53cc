/* A channel from INITIALIZE UPDATE until it is open: Amendment D §5.2, §7.1.1, §7.1.2. */
#include "scp03.h"

#include <errno.h>
#include <sys/random.h>

#include "contract.h"
#include "scp03_derive.h"
#include "scp03_internal.h"

#define SCP_NUMBER 0x03

#define KNOWN_OPTIONS                                                                              \
	(SCP03_OPTION_S16 | SCP03_OPTION_PSEUDO_RANDOM | SCP03_OPTION_R_MAC | SCP03_OPTION_R_ENC)

/* Where the answer to INITIALIZE UPDATE has what. */
enum {
	AT_VERSION = SCP03_DIVERSIFICATION_SIZE,
	AT_PROTOCOL,
	AT_OPTIONS,
	AT_CHALLENGE,
};

const char *scp03_text(enum scp03_result result)
{
	switch (result) {
	case SCP03_OK:
		return "done";
	case SCP03_ARGUMENT:
		return "a value is out of its range, or not a plain command";
	case SCP03_ORDER:
		return "the secure channel is not open, or waits for something else; open it anew";
	case SCP03_ROOM:
		return "the buffer is too small";
	case SCP03_TOO_LONG:
		return "with padding and MAC the command is longer than one command can be; send "
		       "its data in smaller blocks";
	case SCP03_REFUSED:
		return "the card refused; its status word says why";
	case SCP03_MALFORMED:
		return "the card's answer is not what GlobalPlatform's SCP03 says; a trace shows "
		       "where";
	case SCP03_PROTOCOL:
		return "the card offers another secure channel protocol, or SCP03 in another mode "
		       "(S8, S16) than asked for; see its card recognition data";
	case SCP03_VERSION:
		return "the key version is not the card's; see which key sets it has and name the "
		       "right one";
	case SCP03_LEVEL:
		return "the card does not offer this security level; choose one that its options "
		       "allow";
	case SCP03_CRYPTOGRAM:
		return "these are not the card's keys; nothing more was sent. Get the right keys "
		       "before another try: a card blocks a key set after too many";
	case SCP03_CHALLENGE:
		return "the card's challenge does not follow from its counter: do not trust this "
		       "card or this line";
	case SCP03_BAD_MAC:
		return "an answer does not carry the card's MAC: it was changed, replayed or cut "
		       "on its way. The channel is closed; look at the line before trying again";
	case SCP03_BAD_PADDING:
		return "an answer deciphers to nonsense; the channel is closed";
	case SCP03_KEY_CHECK:
		return "the card did not confirm the keys that it was given; do not rely on them";
	case SCP03_FAILED:
		return "the crypto library or the random source failed; free memory and try again";
	case SCP03_RECEIPT:
		return "the card did not prove that it has its key: it is another card, or "
		       "somebody sits on the line; give it no PIN";
	case SCP03_POINT:
		return "the card's key is no key; give it no PIN";
	case SCP03_CERTIFICATE:
		return "the card's certificate does not hold under this root, or is out of date; "
		       "see that the root is the operator's, and else give the card no PIN";
	case SCP03_NO_CERTIFICATE:
		return "the card has no certificate for its secure channel; name its key, as it "
		       "was noted when the card was personalised";
	}
	return "unknown result";
}

void scp03_end(struct scp03 *scp)
{
	bytes_wipe(scp, sizeof *scp);
}

static enum scp03_result end_for(struct scp03 *scp, enum scp03_result why)
{
	scp03_end(scp);
	return why;
}

enum scp03_result scp03_draw(uint8_t *challenge, size_t len)
{
	while (len > 0) {
		ssize_t drawn = getrandom(challenge, len, 0);

		if (drawn < 0 && errno == EINTR)
			continue;
		if (drawn <= 0)
			return SCP03_FAILED;
		challenge += drawn;
		len -= (size_t)drawn;
	}
	return SCP03_OK;
}

enum scp03_result scp03_begin(struct scp03 *scp, uint8_t channel, uint8_t version,
			      struct bytes challenge, uint8_t command[static SCP03_INITIALIZE_MAX],
			      size_t *len)
{
	scp03_end(scp);
	*len = 0;
	if (channel >= SCP03_CHANNELS || (challenge.len != 8 && challenge.len != 16))
		return SCP03_ARGUMENT;
	scp->channel = channel;
	scp->version = version;
	scp->mac_size = challenge.len;
	memcpy(scp->host_challenge, challenge.ptr, challenge.len);
	scp->state = SCP03_STATE_INITIALIZING;
	command[0] = scp03_class(GP_CLA, channel, false);
	command[1] = GP_INS_INITIALIZE_UPDATE;
	command[2] = version;
	command[3] = 0;
	command[4] = (uint8_t)challenge.len;
	memcpy(command + 5, challenge.ptr, challenge.len);
	command[5 + challenge.len] = 0; /* all that there is */
	*len = 5 + challenge.len + 1;
	return SCP03_OK;
}

/* Whether i is one that has a meaning. */
static bool options_known(uint8_t i)
{
	return (i & ~KNOWN_OPTIONS) == 0 && (!(i & SCP03_OPTION_R_ENC) || (i & SCP03_OPTION_R_MAC));
}

static enum scp03_result answer_check(const struct scp03 *scp, struct bytes answer)
{
	size_t size = AT_CHALLENGE + 2 * scp->mac_size;
	uint8_t i;

	if (answer.len < AT_CHALLENGE)
		return SCP03_MALFORMED;
	i = answer.ptr[AT_OPTIONS];
	if (answer.ptr[AT_PROTOCOL] != SCP_NUMBER || !options_known(i) ||
	    !(i & SCP03_OPTION_S16) != (scp->mac_size == 8))
		return SCP03_PROTOCOL;
	if (i & SCP03_OPTION_PSEUDO_RANDOM)
		size += SCP03_SEQUENCE_SIZE;
	if (answer.len != size)
		return SCP03_MALFORMED;
	if (scp->version != SCP03_VERSION_FIRST && answer.ptr[AT_VERSION] != scp->version)
		return SCP03_VERSION;
	return SCP03_OK;
}

enum scp03_result scp03_answered(struct scp03 *scp, struct bytes answer, uint16_t sw)
{
	enum scp03_result result = SCP03_REFUSED;
	const uint8_t *at;

	if (scp->state != SCP03_STATE_INITIALIZING)
		return SCP03_ORDER;
	if (sw == SW_OK)
		result = answer_check(scp, answer);
	if (result != SCP03_OK)
		return end_for(scp, result);
	memcpy(scp->card.diversification, answer.ptr, SCP03_DIVERSIFICATION_SIZE);
	scp->card.version = answer.ptr[AT_VERSION];
	scp->card.i = answer.ptr[AT_OPTIONS];
	at = answer.ptr + AT_CHALLENGE;
	memcpy(scp->card_challenge, at, scp->mac_size);
	memcpy(scp->card_cryptogram, at + scp->mac_size, scp->mac_size);
	if (scp->card.i & SCP03_OPTION_PSEUDO_RANDOM)
		memcpy(scp->card.sequence, at + 2 * scp->mac_size, SCP03_SEQUENCE_SIZE);
	scp->state = SCP03_STATE_ANSWERED;
	return SCP03_OK;
}

/* Whether the card, by its options, offers the level. */
static enum scp03_result level_check(uint8_t level, uint8_t i)
{
	enum { BOTH = SCP03_LEVEL_C_MAC | SCP03_LEVEL_C_ENC };

	switch (level) {
	case SCP03_LEVEL_C_MAC:
	case BOTH:
	case SCP03_LEVEL_C_MAC | SCP03_LEVEL_R_MAC:
	case BOTH | SCP03_LEVEL_R_MAC:
	case BOTH | SCP03_LEVEL_R_MAC | SCP03_LEVEL_R_ENC:
		break;
	default:
		return SCP03_ARGUMENT;
	}
	if ((level & SCP03_LEVEL_R_MAC && !(i & SCP03_OPTION_R_MAC)) ||
	    (level & SCP03_LEVEL_R_ENC && !(i & SCP03_OPTION_R_ENC)))
		return SCP03_LEVEL;
	return SCP03_OK;
}

/* Whether the card has proved that it has these keys, and that its challenge is fresh as far as it
 * says so itself. */
static enum scp03_result card_check(struct scp03 *scp, const struct scp03_keys *keys,
				    struct bytes aid)
{
	enum scp03_result result = SCP03_OK;
	uint8_t expected[SCP03_MAC_MAX];

	if (!scp03_derive_session(scp, keys) ||
	    !scp03_derive_cryptogram(scp, SCP03_CONSTANT_CARD_CRYPTOGRAM, expected))
		result = SCP03_FAILED;
	else if (!bytes_equal_secret(expected, scp->card_cryptogram, scp->mac_size))
		result = SCP03_CRYPTOGRAM;
	if (result != SCP03_OK || aid.len == 0 || !(scp->card.i & SCP03_OPTION_PSEUDO_RANDOM))
		goto out;
	if (!scp03_derive_challenge(scp, keys, aid, expected))
		result = SCP03_FAILED;
	else if (!bytes_equal_secret(expected, scp->card_challenge, scp->mac_size))
		result = SCP03_CHALLENGE;
out:
	bytes_wipe(expected, sizeof expected);
	return result;
}

/* The command; its MAC is the first of the chain. False: the library failed. */
static bool write_authenticate(struct scp03 *scp, uint8_t command[static SCP03_AUTHENTICATE_MAX],
			       size_t *len)
{
	uint8_t cryptogram[SCP03_MAC_MAX];
	bool done = scp03_derive_cryptogram(scp, SCP03_CONSTANT_HOST_CRYPTOGRAM, cryptogram);
	size_t data = 5 + scp->mac_size;

	command[0] = scp03_class(GP_CLA, scp->channel, true);
	command[1] = GP_INS_EXTERNAL_AUTHENTICATE;
	command[2] = scp->level;
	command[3] = 0;
	command[4] = (uint8_t)(2 * scp->mac_size);
	memcpy(command + 5, cryptogram, scp->mac_size);
	done = done && scp03_chain(scp, bytes_of(command, data));
	memcpy(command + data, scp->chain, scp->mac_size);
	*len = data + scp->mac_size;
	return done;
}

enum scp03_result scp03_authenticate(struct scp03 *scp, const struct scp03_keys *keys,
				     struct bytes aid, uint8_t level,
				     uint8_t command[static SCP03_AUTHENTICATE_MAX], size_t *len)
{
	enum scp03_result result;

	*len = 0;
	if (scp->state != SCP03_STATE_ANSWERED)
		return SCP03_ORDER;
	if (!scp03_keys_valid(keys) ||
	    (aid.len != 0 && (aid.len < SCP03_AID_MIN || aid.len > SCP03_AID_MAX)))
		return SCP03_ARGUMENT;
	result = level_check(level, scp->card.i);
	if (result != SCP03_OK)
		return result;
	if (keys->version != SCP03_VERSION_FIRST && keys->version != scp->card.version)
		return end_for(scp, SCP03_VERSION);
	result = card_check(scp, keys, aid);
	if (result != SCP03_OK)
		return end_for(scp, result);
	scp->level = level;
	if (!write_authenticate(scp, command, len)) {
		bytes_wipe(command, *len);
		*len = 0;
		return end_for(scp, SCP03_FAILED);
	}
	scp->state = SCP03_STATE_AUTHENTICATING;
	return SCP03_OK;
}

enum scp03_result scp03_authenticated(struct scp03 *scp, struct bytes answer, uint16_t sw)
{
	if (scp->state != SCP03_STATE_AUTHENTICATING)
		return SCP03_ORDER;
	if (sw != SW_OK)
		return end_for(scp, SCP03_REFUSED);
	if (answer.len != 0)
		return end_for(scp, SCP03_MALFORMED);
	scp->state = SCP03_STATE_OPEN;
	return SCP03_OK;
}
