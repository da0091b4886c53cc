#include <string.h>

#include "client.h"

/* Template and objects of the answer to GENERATE ASYMMETRIC KEY PAIR, with their lengths. */
#define KEY_ANSWER_MAX (3 + 2 + LIMIT_POINT_SIZE + 2 + LIMIT_CHAIN_CODE_SIZE)

#define POINT_UNCOMPRESSED 0x04 /* SEC 1 §2.3.3 */

static bool read_key(struct bytes answer, struct simtie_card_key *key)
{
	struct tlv_field fields[] = {
		{.tag = TAG_PUBLIC_POINT, .min = LIMIT_POINT_SIZE, .max = LIMIT_POINT_SIZE},
		{.tag = TAG_CHAIN_CODE, .min = LIMIT_CHAIN_CODE_SIZE, .max = LIMIT_CHAIN_CODE_SIZE},
	};
	struct bytes inside;

	if (!tlv_only(answer, TAG_PUBLIC_KEY, &inside) || !tlv_read(inside, fields, 2))
		return false;
	if (fields[0].value.ptr[0] != POINT_UNCOMPRESSED)
		return false;
	memcpy(key->device_public, fields[0].value.ptr, sizeof key->device_public);
	memcpy(key->chain_code, fields[1].value.ptr, sizeof key->chain_code);
	return true;
}

int simtie_generate(struct simtie_session *session, struct simtie_card_key *key)
{
	const struct client_command command = {
		.cla = CLA_GENERATE_KEY_PAIR,
		.ins = INS_GENERATE_KEY_PAIR,
		.ne = APDU_NE_SHORT,
	};
	uint8_t answer[KEY_ANSWER_MAX];
	size_t len;
	int error = client_send(session, &command, answer, sizeof answer, &len);

	if (!error && !read_key(bytes_of(answer, len), key))
		error = SIMTIE_ERR_PROTOCOL;
	bytes_wipe(answer, sizeof answer);
	return error;
}

int simtie_generate_channel_key(struct simtie_session *session, uint8_t point[SIMTIE_POINT_SIZE])
{
	const struct client_command command = {
		.cla = CLA_GENERATE_KEY_PAIR,
		.ins = INS_GENERATE_KEY_PAIR,
		.p2 = KEY_ID_SCP11B,
		.ne = APDU_NE_SHORT,
	};
	struct tlv_field field = {
		.tag = TAG_PUBLIC_POINT, .min = LIMIT_POINT_SIZE, .max = LIMIT_POINT_SIZE};
	uint8_t answer[KEY_ANSWER_MAX];
	struct bytes inside;
	size_t len;
	int error = client_send(session, &command, answer, sizeof answer, &len);

	if (error)
		return error;
	if (!tlv_only(bytes_of(answer, len), TAG_PUBLIC_KEY, &inside) ||
	    !tlv_read(inside, &field, 1) || field.value.ptr[0] != POINT_UNCOMPRESSED)
		return SIMTIE_ERR_PROTOCOL;
	memcpy(point, field.value.ptr, LIMIT_POINT_SIZE);
	return 0;
}

/* Appends a certificate, if there is one. False: it is none that fits. */
static bool put_certificate(struct writer *writer, uint16_t tag, const uint8_t *certificate,
			    size_t len)
{
	if (!certificate)
		return true;
	if (len == 0 || len > LIMIT_CERTIFICATE_MAX)
		return false;
	ber_put(writer, tag, bytes_of(certificate, len));
	return true;
}

/* Appends a padded PIN or PUK, if there is one. False: it is malformed. */
static bool put_pin(struct writer *writer, uint16_t tag, const char *digits, size_t min)
{
	uint8_t padded[LIMIT_PIN_SIZE];

	if (!digits)
		return true;
	if (!client_pad(digits, min, padded))
		return false;
	ber_put(writer, tag, bytes_of(padded, sizeof padded));
	bytes_wipe(padded, sizeof padded);
	return true;
}

static bool put_objects(struct writer *writer, const struct simtie_objects *objects)
{
	if (!put_pin(writer, TAG_PIN, objects->pin, LIMIT_PIN_DIGITS_MIN) ||
	    !put_pin(writer, TAG_PUK, objects->puk, LIMIT_PIN_SIZE))
		return false;
	if (objects->iccid)
		ber_put(writer, TAG_ICCID, bytes_of(objects->iccid, LIMIT_ICCID_SIZE));
	if (!put_certificate(writer, TAG_CERTIFICATE, objects->certificate,
			     objects->certificate_len) ||
	    !put_certificate(writer, TAG_CHANNEL_CERTIFICATE, objects->channel_certificate,
			     objects->channel_certificate_len))
		return false;
	if (objects->guard_pin)
		ber_put_u8(writer, TAG_PIN_POLICY, PIN_POLICY_SECURE_CHANNEL);
	return writer->used > 0 && !writer->overflowed;
}

int simtie_store(struct simtie_session *session, const struct simtie_objects *objects)
{
	uint8_t data[LIMIT_COMMAND_DATA];
	struct writer writer = {.out = data, .size = sizeof data};
	struct client_command command = {
		.cla = CLA_STORE_DATA,
		.ins = INS_STORE_DATA,
		.p1 = STORE_BLOCK_LAST_BER_TLV,
	};
	uint8_t none;
	size_t len;
	int error = SIMTIE_ERR_ARGUMENT;

	if (!put_objects(&writer, objects))
		goto out;
	command.data = bytes_of(data, writer.used);
	error = client_send(session, &command, &none, 0, &len);
out:
	bytes_wipe(data, sizeof data);
	return error;
}

int simtie_set_lifecycle(struct simtie_session *session, enum simtie_lifecycle state)
{
	const struct client_command command = {
		.cla = CLA_SET_STATUS,
		.ins = INS_SET_STATUS,
		.p1 = STATUS_OF_APPLICATION,
		.p2 = (uint8_t)state,
	};
	uint8_t none;
	size_t len;

	if (state != SIMTIE_LIFECYCLE_PERSONALISED && state != SIMTIE_LIFECYCLE_TERMINATED)
		return SIMTIE_ERR_ARGUMENT;
	return client_send(session, &command, &none, 0, &len);
}
