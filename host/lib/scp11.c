#include "scp11.h"

#include "../../applet/crypto/messaging.h"
#include "ber.h"
#include "scp03_aes.h"
#include "scp03_internal.h"
#include "scp11_curve.h"
#include "tlv.h"

#define SCP11_NUMBER    0x11
#define SCP11_PARAMETER 0x00 /* SCP11b, no host identifier */

#define DERIVED_SIZE (2 * SIMTIE_DIGEST_SIZE) /* keys for the receipt, S-ENC, S-MAC, S-RMAC */

enum scp03_result scp11_draw(uint8_t ephemeral[static SCP11_SCALAR_SIZE])
{
	uint8_t point[SIMTIE_POINT_SIZE];
	enum simtie_verdict verdict;

	do {
		if (scp03_draw(ephemeral, SCP11_SCALAR_SIZE) != SCP03_OK)
			return SCP03_FAILED;
		verdict = scp11_curve_public(ephemeral, point);
	} while (verdict == VERDICT_BAD); /* out of range: once in 2^32 */
	return verdict == VERDICT_GOOD ? SCP03_OK : SCP03_FAILED;
}

static void write_request(struct writer *out, const uint8_t point[static LIMIT_POINT_SIZE])
{
	static const uint8_t protocol[] = {SCP11_NUMBER, SCP11_PARAMETER};
	size_t template = ber_open(out, TAG_KEY_AGREEMENT);

	ber_put(out, TAG_AGREEMENT_PROTOCOL, bytes_of(protocol, sizeof protocol));
	ber_put_u8(out, TAG_AGREEMENT_USAGE, MESSAGING_AGREED_USAGE);
	ber_put_u8(out, TAG_AGREEMENT_KEY_TYPE, MESSAGING_AGREED_TYPE);
	ber_put_u8(out, TAG_AGREEMENT_KEY_LENGTH, MESSAGING_AGREED_KEY);
	ber_close(out, template);
	ber_put(out, TAG_EPHEMERAL_POINT, bytes_of(point, LIMIT_POINT_SIZE));
}

enum scp03_result scp11_begin(struct scp11 *scp11, uint8_t channel,
			      const uint8_t ephemeral[static SCP11_SCALAR_SIZE],
			      uint8_t command[static SCP11_COMMAND_MAX], size_t *len)
{
	struct writer out = {.out = scp11->request, .size = sizeof scp11->request};
	uint8_t point[LIMIT_POINT_SIZE];

	bytes_wipe(scp11, sizeof *scp11);
	*len = 0;
	if (channel >= LIMIT_CHANNELS)
		return SCP03_ARGUMENT;
	if (scp11_curve_public(ephemeral, point) != VERDICT_GOOD)
		return SCP03_FAILED;
	write_request(&out, point);
	memcpy(scp11->ephemeral, ephemeral, sizeof scp11->ephemeral);
	scp11->channel = channel;
	scp11->begun = true;
	command[0] = scp03_class(CLA_INTERNAL_AUTHENTICATE_SCP11B, channel, false);
	command[1] = INS_INTERNAL_AUTHENTICATE_SCP11B;
	command[2] = LIMIT_CHANNEL_KEY_VERSION;
	command[3] = KEY_ID_SCP11B;
	command[4] = (uint8_t)out.used;
	memcpy(command + 5, scp11->request, out.used);
	command[5 + out.used] = 0; /* all that there is */
	*len = 5 + out.used + 1;
	return SCP03_OK;
}

/* X9.63 with SHA-256 over both shared secrets (SEC 1 §3.6.1, Amendment F §3.1.2). */
static bool derive(const uint8_t shared[static 2 * SCP11_SHARED_SIZE],
		   uint8_t derived[static DERIVED_SIZE])
{
	uint8_t input[2 * SCP11_SHARED_SIZE + 4 + 3] = {0};
	uint8_t *counter = input + 2 * SCP11_SHARED_SIZE;
	bool done = true;

	memcpy(input, shared, 2 * SCP11_SHARED_SIZE);
	counter[4] = MESSAGING_AGREED_USAGE;
	counter[5] = MESSAGING_AGREED_TYPE;
	counter[6] = MESSAGING_AGREED_KEY;
	for (size_t at = 0; at < DERIVED_SIZE && done; at += SIMTIE_DIGEST_SIZE) {
		counter[3]++;
		done = simtie_crypto_mbedtls()->sha256(bytes_of(input, sizeof input), derived + at);
	}
	bytes_wipe(input, sizeof input);
	return done;
}

/* Both agreements: with the card's ephemeral key, and with the key that its certificate names. */
static enum scp03_result agree(const struct scp11 *scp11, const uint8_t *card_ephemeral,
			       const uint8_t *card_point, uint8_t derived[static DERIVED_SIZE])
{
	uint8_t shared[2 * SCP11_SHARED_SIZE];
	enum simtie_verdict verdict = scp11_curve_agree(scp11->ephemeral, card_ephemeral, shared);
	enum scp03_result result = SCP03_POINT;

	if (verdict == VERDICT_GOOD)
		verdict =
			scp11_curve_agree(scp11->ephemeral, card_point, shared + SCP11_SHARED_SIZE);
	if (verdict == VERDICT_GOOD)
		result = derive(shared, derived) ? SCP03_OK : SCP03_FAILED;
	else if (verdict == VERDICT_FAILED)
		result = SCP03_FAILED;
	bytes_wipe(shared, sizeof shared);
	return result;
}

/* Whether the receipt is that of who agreed on these keys (Amendment F §3.1.3). */
static enum scp03_result check_receipt(const struct scp11 *scp11, struct bytes answered,
				       const uint8_t *derived, const uint8_t *receipt)
{
	const struct bytes covered[] = {{scp11->request, sizeof scp11->request}, answered};
	uint8_t mac[AES_BLOCK_SIZE];

	if (!scp03_aes_cmac(bytes_of(derived, MESSAGING_AGREED_KEY), covered, 2, mac))
		return SCP03_FAILED;
	return bytes_equal_secret(mac, receipt, sizeof mac) ? SCP03_OK : SCP03_RECEIPT;
}

static void open(struct scp03 *scp, uint8_t channel, const uint8_t *derived, const uint8_t *receipt)
{
	scp03_end(scp);
	scp->channel = channel;
	scp->level = SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC;
	scp->mac_size = AES_BLOCK_SIZE / 2;
	scp->key_len = MESSAGING_AGREED_KEY;
	memcpy(scp->enc, derived + MESSAGING_AGREED_KEY, MESSAGING_AGREED_KEY);
	memcpy(scp->mac, derived + 2 * MESSAGING_AGREED_KEY, MESSAGING_AGREED_KEY);
	memcpy(scp->rmac, derived + 3 * MESSAGING_AGREED_KEY, MESSAGING_AGREED_KEY);
	memcpy(scp->chain, receipt, sizeof scp->chain);
	scp->state = SCP03_STATE_OPEN;
}

static enum scp03_result read_answer(const struct scp11 *scp11, const uint8_t *card_point,
				     struct bytes answer, struct scp03 *scp)
{
	struct tlv_field fields[] = {
		{.tag = TAG_EPHEMERAL_POINT, .min = LIMIT_POINT_SIZE, .max = LIMIT_POINT_SIZE},
		{.tag = TAG_RECEIPT, .min = LIMIT_RECEIPT_SIZE, .max = LIMIT_RECEIPT_SIZE},
	};
	uint8_t derived[DERIVED_SIZE] = {0};
	enum scp03_result result;

	if (answer.len != SCP11_ANSWER_MAX || !tlv_read(answer, fields, 2))
		return SCP03_MALFORMED;
	result = agree(scp11, fields[0].value.ptr, card_point, derived);
	if (result == SCP03_OK)
		result = check_receipt(scp11,
				       bytes_of(answer.ptr, answer.len - 2 - LIMIT_RECEIPT_SIZE),
				       derived, fields[1].value.ptr);
	if (result == SCP03_OK)
		open(scp, scp11->channel, derived, fields[1].value.ptr);
	bytes_wipe(derived, sizeof derived);
	return result;
}

enum scp03_result scp11_answered(struct scp11 *scp11,
				 const uint8_t card_point[static LIMIT_POINT_SIZE],
				 struct bytes answer, uint16_t sw, struct scp03 *scp)
{
	enum scp03_result result = SCP03_ORDER;

	scp03_end(scp);
	if (scp11->begun)
		result = sw == SW_OK ? read_answer(scp11, card_point, answer, scp) : SCP03_REFUSED;
	bytes_wipe(scp11, sizeof *scp11);
	return result;
}
