#include <string.h>

#include "client.h"

#define ANSWER_MAX 256 /* of SELECT and the applet information; both are far shorter */

static const uint8_t aid[APPLET_AID_SIZE] = APPLET_AID;

static bool is_lifecycle(uint8_t value)
{
	return value == LIFECYCLE_FACTORY || value == LIFECYCLE_PERSONALISED ||
	       value == LIFECYCLE_TERMINATED;
}

/* File control information: the AID, and what is known before anything is asked. */
static bool read_fci(struct bytes answer, struct simtie_info *info)
{
	struct tlv_field fci[] = {
		{.tag = TAG_FCI_AID, .min = APPLET_AID_SIZE, .max = APPLET_AID_SIZE},
		{.tag = TAG_FCI_LIFECYCLE, .min = 1, .max = 1},
		{.tag = TAG_FCI_PROPRIETARY, .max = ANSWER_MAX},
	};
	struct tlv_field own[] = {
		{.tag = TAG_FCI_VERSION, .min = 3, .max = 3},
		{.tag = TAG_FCI_PIN_TRIES, .min = 1, .max = 1},
		{.tag = TAG_FCI_PUK_TRIES, .min = 1, .max = 1},
	};
	struct bytes inside;

	if (!tlv_only(answer, TAG_FCI, &inside) || !tlv_read(inside, fci, 3) ||
	    !tlv_read(fci[2].value, own, 3))
		return false;
	if (!bytes_equal(fci[0].value, bytes_of(aid, sizeof aid)))
		return false;
	info->lifecycle = fci[1].value.ptr[0];
	memcpy(info->version, own[0].value.ptr, sizeof info->version);
	info->pin_tries = own[1].value.ptr[0];
	info->puk_tries = own[2].value.ptr[0];
	return is_lifecycle(info->lifecycle);
}

/* The applet information, which must not contradict the FCI. */
static bool read_information(struct bytes value, struct simtie_info *info)
{
	const uint8_t known = CONTENT_DEVICE_KEY | CONTENT_CERTIFICATE | CONTENT_ICCID |
			      CONTENT_SEEDED | CONTENT_CHANNEL_KEY | CONTENT_PIN_GUARDED;
	struct tlv_field fields[] = {
		{.tag = TAG_INFO_VERSION, .min = 3, .max = 3},
		{.tag = TAG_INFO_LIFECYCLE, .min = 1, .max = 1},
		{.tag = TAG_INFO_DEBUG_STATUS, .min = 1, .max = 1},
		{.tag = TAG_INFO_CONTENT, .min = 1, .max = 1},
		{.tag = TAG_INFO_COMMAND_DATA, .min = 2, .max = 2},
		{.tag = TAG_INFO_RESPONSE_DATA, .min = 2, .max = 2},
		{.tag = TAG_INFO_ICCID,
		 .optional = true,
		 .min = LIMIT_ICCID_SIZE,
		 .max = LIMIT_ICCID_SIZE},
	};
	uint8_t content;

	if (!tlv_read(value, fields, sizeof fields / sizeof fields[0]))
		return false;
	if (memcmp(fields[0].value.ptr, info->version, sizeof info->version) != 0 ||
	    fields[1].value.ptr[0] != info->lifecycle)
		return false;
	info->debug_status = fields[2].value.ptr[0];
	content = fields[3].value.ptr[0];
	info->has_key = content & CONTENT_DEVICE_KEY;
	info->has_certificate = content & CONTENT_CERTIFICATE;
	info->has_iccid = content & CONTENT_ICCID;
	info->seeded = content & CONTENT_SEEDED;
	info->has_channel_key = content & CONTENT_CHANNEL_KEY;
	info->pin_guarded = content & CONTENT_PIN_GUARDED;
	if (info->has_iccid != (fields[6].value.ptr != NULL))
		return false;
	if (info->has_iccid)
		memcpy(info->iccid, fields[6].value.ptr, sizeof info->iccid);
	return info->debug_status <= DEBUG_STATUS_DISABLED_FULLY && !(content & ~known);
}

/* Sends SELECT. Cards without the applet refuse it in more than one way. */
static int select_applet(struct simtie_session *session, bool fci, uint8_t *out, size_t *len)
{
	const struct client_command command = {
		.cla = CLA_SELECT,
		.ins = INS_SELECT,
		.p1 = SELECT_BY_AID,
		.p2 = fci ? SELECT_ANSWER_FCI : SELECT_ANSWER_NOTHING,
		.data = {aid, sizeof aid},
		.ne = fci ? APDU_NE_SHORT : 0,
	};
	int error = client_send(session, &command, out, ANSWER_MAX, len);

	if (error != SIMTIE_ERR_CARD)
		return error;
	switch (session->sw) {
	case SW_TERMINATED:
		return 0;
	case SW_NOT_FOUND:
	case SW_WRONG_P1P2:
	case SW_INS_NOT_SUPPORTED:
	case SW_CLA_NOT_SUPPORTED:
		return SIMTIE_ERR_NO_APPLET;
	}
	return error;
}

int simtie_select(struct simtie_session *session, struct simtie_info *info)
{
	uint8_t answer[ANSWER_MAX];
	struct bytes value;
	size_t len;
	int error = select_applet(session, info != NULL, answer, &len);

	if (error || !info)
		return error;
	*info = (struct simtie_info){0};
	if (!read_fci(bytes_of(answer, len), info))
		return SIMTIE_ERR_PROTOCOL;
	error = client_get_data(session, TAG_INFORMATION, answer, sizeof answer, &value);
	if (error)
		return error;
	return read_information(value, info) ? 0 : SIMTIE_ERR_PROTOCOL;
}
