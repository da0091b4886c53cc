/* Commands and answers on an open channel: Amendment D §6.2.4 to §6.2.7. */
#include "apdu.h"
#include "contract.h"
#include "scp03_aes.h"
#include "scp03_internal.h"

#define HEADER_SIZE   4
#define DATA_SHORT    255
#define DATA_EXTENDED 65535

#define CLA_CHAINED        0x10
#define CLA_SECURE         0x04
#define CLA_SECURE_FURTHER 0x20 /* in the classes of channels 4 to 19 */
#define CLA_FURTHER        0x40

#define SW1_WARNING         0x62 /* ISO/IEC 7816-4 §5.6 */
#define SW1_WARNING_CHANGED 0x63

#define PADDING        0x80 /* and as many 00 as it takes (Card Specification §B.2.3) */
#define ANSWER_COUNTER 0x80 /* first byte of the counter block of an answer */

/* A wrapped command in the making: what goes where. */
struct frame {
	struct apdu plain;
	bool extended;
	size_t at;       /* of the data */
	size_t data_len; /* padded, if that is needed */
	size_t len;      /* of the whole command */
};

uint8_t scp03_class(uint8_t base, uint8_t channel, bool secure)
{
	if (channel < 4)
		return (uint8_t)(base | channel | (secure ? CLA_SECURE : 0));
	return (uint8_t)(base | CLA_FURTHER | (channel - 4) | (secure ? CLA_SECURE_FURTHER : 0));
}

bool scp03_chain(struct scp03 *scp, struct bytes command)
{
	struct apdu_class class = apdu_class(command.ptr[0]);
	const uint8_t cla = scp03_class(class.base, 0, true) | (class.chained ? CLA_CHAINED : 0);
	const struct bytes parts[] = {
		{scp->chain, sizeof scp->chain},
		{&cla, 1},
		{command.ptr + 1, command.len - 1},
	};

	return scp03_aes_cmac(bytes_of(scp->mac, scp->key_len), parts, 3, scp->chain);
}

static size_t padded(size_t len)
{
	return (len / AES_BLOCK_SIZE + 1) * AES_BLOCK_SIZE;
}

static void pad(uint8_t *data, size_t len)
{
	data[len] = PADDING;
	memset(data + len + 1, 0, padded(len) - len - 1);
}

/* Takes the padding off. False: there is none. */
static bool unpad(const uint8_t *data, size_t *len)
{
	size_t at = *len;

	while (at > 0 && data[at - 1] == 0)
		at--;
	if (at == 0 || *len - at >= AES_BLOCK_SIZE || data[at - 1] != PADDING)
		return false;
	*len = at - 1;
	return true;
}

/* The initial chaining value for the data of this command or of its answer (§6.2.6, §6.2.7). */
static bool make_icv(const struct scp03 *scp, bool answer, uint8_t icv[static AES_BLOCK_SIZE])
{
	memset(icv, 0, AES_BLOCK_SIZE);
	put_be32(icv + 8, (uint32_t)(scp->counter >> 32));
	put_be32(icv + 12, (uint32_t)scp->counter);
	if (answer)
		icv[0] = ANSWER_COUNTER;
	return scp03_aes_block(bytes_of(scp->enc, scp->key_len), icv, icv);
}

size_t scp03_data_max(const struct scp03 *scp)
{
	size_t room = DATA_SHORT - scp->mac_size;

	if (scp->level & SCP03_LEVEL_C_ENC)
		room = room / AES_BLOCK_SIZE * AES_BLOCK_SIZE - 1; /* a byte of padding at least */
	return room;
}

/* Whether Lc or Le of a command that parses is in extended form. */
static bool is_extended(struct bytes command)
{
	return command.len > HEADER_SIZE + 1 && command.ptr[HEADER_SIZE] == 0;
}

static enum scp03_result frame_plan(const struct scp03 *scp, struct bytes command,
				    struct frame *frame)
{
	struct apdu_class class;
	size_t le;

	if (!apdu_parse(command, &frame->plain))
		return SCP03_ARGUMENT;
	class = apdu_class(frame->plain.header[0]);
	if (class.reserved || class.secure || class.channel != scp->channel)
		return SCP03_ARGUMENT;
	frame->extended = is_extended(command);
	frame->data_len = frame->plain.data.len;
	if (scp->level & SCP03_LEVEL_C_ENC && frame->data_len > 0)
		frame->data_len = padded(frame->data_len);
	if (frame->data_len + scp->mac_size > (frame->extended ? DATA_EXTENDED : DATA_SHORT))
		return SCP03_TOO_LONG;
	frame->at = HEADER_SIZE + (frame->extended ? 3 : 1);
	le = frame->extended ? 2 : 1;
	frame->len = frame->at + frame->data_len + scp->mac_size + (frame->plain.ne ? le : 0);
	return SCP03_OK;
}

/* Header, Lc and the plain data, padded if it is to be enciphered. */
static void frame_write(const struct scp03 *scp, const struct frame *frame, uint8_t *out)
{
	size_t lc = frame->data_len + scp->mac_size;
	struct bytes data = frame->plain.data;

	memcpy(out, frame->plain.header, HEADER_SIZE);
	out[0] |= out[0] & CLA_FURTHER ? CLA_SECURE_FURTHER : CLA_SECURE;
	if (frame->extended) {
		out[HEADER_SIZE] = 0;
		put_be16(out + HEADER_SIZE + 1, (uint16_t)lc);
	} else {
		out[HEADER_SIZE] = (uint8_t)lc;
	}
	if (data.len > 0)
		memcpy(out + frame->at, data.ptr, data.len);
	if (frame->data_len > data.len)
		pad(out + frame->at, data.len);
}

static void frame_write_le(const struct scp03 *scp, const struct frame *frame, uint8_t *out)
{
	const bool all = scp->level & SCP03_LEVEL_R_MAC;
	const uint16_t le = all ? 0 : (uint16_t)frame->plain.ne; /* the most there is goes as 0 */

	if (frame->plain.ne == 0)
		return;
	if (frame->extended)
		put_be16(out + frame->len - 2, le);
	else
		out[frame->len - 1] = (uint8_t)le;
}

/* Enciphers the data. The counter counts commands without data too. */
static bool frame_encrypt(struct scp03 *scp, const struct frame *frame, uint8_t *out)
{
	uint8_t icv[AES_BLOCK_SIZE];

	if (!(scp->level & SCP03_LEVEL_C_ENC))
		return true;
	scp->counter++;
	if (frame->data_len == 0)
		return true;
	return make_icv(scp, false, icv) && scp03_aes_encrypt(bytes_of(scp->enc, scp->key_len), icv,
							      out + frame->at, frame->data_len);
}

enum scp03_result scp03_wrap(struct scp03 *scp, struct bytes command, uint8_t *out, size_t size,
			     size_t *len)
{
	struct frame frame;
	enum scp03_result result;
	size_t mac_at;

	*len = 0;
	if (scp->state != SCP03_STATE_OPEN)
		return SCP03_ORDER;
	result = frame_plan(scp, command, &frame);
	if (result != SCP03_OK)
		return result;
	if (frame.len > size)
		return SCP03_ROOM;
	mac_at = frame.at + frame.data_len;
	frame_write(scp, &frame, out);
	if (!frame_encrypt(scp, &frame, out) || !scp03_chain(scp, bytes_of(out, mac_at))) {
		bytes_wipe(out, frame.len);
		scp03_end(scp);
		return SCP03_FAILED;
	}
	memcpy(out + mac_at, scp->chain, scp->mac_size);
	frame_write_le(scp, &frame, out);
	scp->state = SCP03_STATE_CALLING;
	*len = frame.len;
	return SCP03_OK;
}

/* Whether an answer of this status word is under the R-MAC, if there is one. */
static bool is_covered(uint16_t sw)
{
	return sw == SW_OK || sw >> 8 == SW1_WARNING || sw >> 8 == SW1_WARNING_CHANGED;
}

/* Checks the MAC at the end of the answer and takes it off. */
static enum scp03_result check_mac(const struct scp03 *scp, struct bytes *answer, uint16_t sw)
{
	uint8_t status[2], expected[AES_BLOCK_SIZE];
	enum scp03_result result = SCP03_OK;

	if (answer->len < scp->mac_size)
		return SCP03_BAD_MAC;
	answer->len -= scp->mac_size;
	put_be16(status, sw);
	const struct bytes parts[] = {{scp->chain, sizeof scp->chain}, *answer, {status, 2}};
	if (!scp03_aes_cmac(bytes_of(scp->rmac, scp->key_len), parts, 3, expected))
		result = SCP03_FAILED;
	else if (!bytes_equal_secret(expected, answer->ptr + answer->len, scp->mac_size))
		result = SCP03_BAD_MAC;
	bytes_wipe(expected, sizeof expected); /* it would make the forgery good */
	return result;
}

/* Deciphers what the MAC has vouched for. */
static enum scp03_result decrypt(const struct scp03 *scp, uint8_t *data, size_t *len)
{
	uint8_t icv[AES_BLOCK_SIZE];

	if (*len == 0) /* nothing to encipher, nothing enciphered */
		return SCP03_OK;
	if (*len % AES_BLOCK_SIZE != 0)
		return SCP03_BAD_PADDING;
	if (!make_icv(scp, true, icv) ||
	    !scp03_aes_decrypt(bytes_of(scp->enc, scp->key_len), icv, data, *len))
		return SCP03_FAILED;
	return unpad(data, len) ? SCP03_OK : SCP03_BAD_PADDING;
}

/* The answer at a level with R-MAC. */
static enum scp03_result open_answer(const struct scp03 *scp, struct bytes answer, uint16_t sw,
				     uint8_t *out, size_t *len)
{
	enum scp03_result result;

	if (!is_covered(sw))
		return answer.len == 0 ? SCP03_OK : SCP03_MALFORMED;
	result = check_mac(scp, &answer, sw);
	if (result != SCP03_OK)
		return result;
	if (answer.len > 0)
		memmove(out, answer.ptr, answer.len);
	*len = answer.len;
	if (scp->level & SCP03_LEVEL_R_ENC)
		result = decrypt(scp, out, len);
	if (result != SCP03_OK) {
		bytes_wipe(out, answer.len);
		*len = 0;
	}
	return result;
}

enum scp03_result scp03_unwrap(struct scp03 *scp, struct bytes answer, uint16_t sw, uint8_t *out,
			       size_t size, size_t *len)
{
	const bool mac = scp->level & SCP03_LEVEL_R_MAC;
	const size_t overhead = mac && is_covered(sw) ? scp->mac_size : 0;
	enum scp03_result result = SCP03_OK;

	*len = 0;
	if (scp->state != SCP03_STATE_CALLING)
		return SCP03_ORDER;
	if (answer.len > overhead && answer.len - overhead > size)
		return SCP03_ROOM;
	if (mac) {
		result = open_answer(scp, answer, sw, out, len);
	} else if (answer.len > 0) {
		memmove(out, answer.ptr, answer.len);
		*len = answer.len;
	}
	if (result == SCP03_OK)
		scp->state = SCP03_STATE_OPEN;
	else
		scp03_end(scp);
	return result;
}
