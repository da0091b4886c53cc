#include "scp03_derive.h"

#include "scp03_aes.h"

#define LABEL_SIZE 12 /* its last byte is the constant */

bool scp03_derive(struct bytes key, enum scp03_constant constant, struct bytes context,
		  uint8_t *out, size_t len)
{
	uint8_t before[LABEL_SIZE + 1 + 2] = {0}; /* label, separator, length in bits */

	before[LABEL_SIZE - 1] = (uint8_t)constant;
	put_be16(before + LABEL_SIZE + 1, (uint16_t)(len * 8));
	return scp03_aes_kdf(key, bytes_of(before, sizeof before), context, out, len);
}

/* Both challenges, the host's first. */
static struct bytes context_of(const struct scp03 *scp, uint8_t context[static 2 * SCP03_MAC_MAX])
{
	memcpy(context, scp->host_challenge, scp->mac_size);
	memcpy(context + scp->mac_size, scp->card_challenge, scp->mac_size);
	return bytes_of(context, 2 * scp->mac_size);
}

bool scp03_derive_session(struct scp03 *scp, const struct scp03_keys *keys)
{
	const struct bytes enc = {keys->enc, keys->len}, mac = {keys->mac, keys->len};
	uint8_t challenges[2 * SCP03_MAC_MAX];
	struct bytes context = context_of(scp, challenges);

	scp->key_len = keys->len;
	return scp03_derive(enc, SCP03_CONSTANT_S_ENC, context, scp->enc, keys->len) &&
	       scp03_derive(mac, SCP03_CONSTANT_S_MAC, context, scp->mac, keys->len) &&
	       scp03_derive(mac, SCP03_CONSTANT_S_RMAC, context, scp->rmac, keys->len);
}

bool scp03_derive_cryptogram(const struct scp03 *scp, enum scp03_constant constant,
			     uint8_t cryptogram[static SCP03_MAC_MAX])
{
	uint8_t challenges[2 * SCP03_MAC_MAX];

	return scp03_derive(bytes_of(scp->mac, scp->key_len), constant, context_of(scp, challenges),
			    cryptogram, scp->mac_size);
}

bool scp03_derive_challenge(const struct scp03 *scp, const struct scp03_keys *keys,
			    struct bytes aid, uint8_t challenge[static SCP03_MAC_MAX])
{
	uint8_t context[SCP03_SEQUENCE_SIZE + SCP03_AID_MAX];

	memcpy(context, scp->card.sequence, SCP03_SEQUENCE_SIZE);
	memcpy(context + SCP03_SEQUENCE_SIZE, aid.ptr, aid.len);
	return scp03_derive(bytes_of(keys->enc, keys->len), SCP03_CONSTANT_CARD_CHALLENGE,
			    bytes_of(context, SCP03_SEQUENCE_SIZE + aid.len), challenge,
			    scp->mac_size);
}
