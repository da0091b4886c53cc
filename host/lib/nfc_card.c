#include "nfc_card.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bytes.h"

/* Without a field for 5.1 ms a card is reset (ISO/IEC 14443-3 §5.3, t RESET). */
#define FIELD_OFF_MS 10

/* Cards told apart: one more than may be there. */
#define CARDS_MAX 2

#define SAK_ISO_DEP      0x20 /* the card speaks ISO/IEC 14443-4 (14443-3 table 9) */
#define PROTOCOL_ISO_DEP 0x01 /* the same in the second byte of ATQB's protocol info (§7.9.4) */
#define UID_RANDOM       0x08 /* first byte of a UID that is made up (14443-3 §6.5.4) */

#define HISTORY_MAX 15 /* what an ATR has room for */

static const nfc_modulation types[] = {
	{NMT_ISO14443A, NBR_106},
	{NMT_ISO14443B, NBR_106},
};

#define TYPES (sizeof types / sizeof types[0])

static int failed(nfc_device *device, char *detail)
{
	snprintf(detail, SIMTIE_DETAIL_MAX,
		 "the NFC device %s failed (%s): plug it out and in, then try again",
		 nfc_device_get_connstring(device), nfc_strerror(device));
	return SIMTIE_ERR_TRANSPORT;
}

/* Field off and on, and the device set up to look once, not for ever. */
static int start(nfc_device *device)
{
	const struct timespec pause = {0, FIELD_OFF_MS * 1000000};
	int result = nfc_device_set_property_bool(device, NP_ACTIVATE_FIELD, false);

	if (result < 0)
		return result;
	nanosleep(&pause, NULL);
	result = nfc_initiator_init(device);
	return result < 0 ? result
			  : nfc_device_set_property_bool(device, NP_INFINITE_SELECT, false);
}

static bool is_smart(const nfc_target *card)
{
	if (card->nm.nmt == NMT_ISO14443A)
		return (card->nti.nai.btSak & SAK_ISO_DEP) != 0;
	return (card->nti.nbi.abtProtocolInfo[1] & PROTOCOL_ISO_DEP) != 0;
}

/* What is in the field: smart cards of all types, and things that are none. */
struct census {
	unsigned cards, others;
	nfc_modulation type; /* of the last card */
};

/* Where a device knows no type B, there is none. */
static int count(nfc_device *device, const nfc_modulation *type, struct census *census)
{
	nfc_target found[CARDS_MAX];
	int number = nfc_initiator_list_passive_targets(device, *type, found, CARDS_MAX);

	if (number == NFC_EDEVNOTSUPP || number == NFC_EINVARG)
		return 0;
	for (int i = 0; i < number; i++) {
		if (!is_smart(&found[i])) {
			census->others++;
			continue;
		}
		census->cards++;
		census->type = *type;
	}
	return number;
}

static int none(const struct census *census, nfc_device *device, char *detail)
{
	const char *name = nfc_device_get_connstring(device);

	if (census->others > 0)
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "what lies on %s is a tag, not a smart card (ISO/IEC 14443-4); put the "
			 "card there",
			 name);
	else
		snprintf(detail, SIMTIE_DETAIL_MAX,
			 "no card lies on %s: put it flat on the antenna, without metal near by",
			 name);
	return SIMTIE_ERR_NO_CARD;
}

/* Counting sends cards to sleep one by one, so the one that is meant is woken by a new field. */
int nfc_card_find(nfc_device *device, nfc_target *card, char *detail)
{
	struct census census = {0};
	int result = start(device);

	for (size_t i = 0; i < TYPES && result >= 0; i++)
		result = count(device, &types[i], &census);
	if (result < 0)
		return failed(device, detail);
	if (census.cards == 0)
		return none(&census, device, detail);
	if (census.cards > 1) {
		snprintf(detail, SIMTIE_DETAIL_MAX, "two cards lie on %s: take one away",
			 nfc_device_get_connstring(device));
		return SIMTIE_ERR_AMBIGUOUS;
	}
	result = start(device);
	if (result >= 0)
		result = nfc_initiator_select_passive_target(device, census.type, NULL, 0, card);
	if (result < 0)
		return failed(device, detail);
	census.others = 0;
	return result == 0 || !is_smart(card) ? none(&census, device, detail) : 0;
}

/* Historical bytes of type A; for type B what PC/SC puts in their place: application data, protocol
 * info and the maximum buffer length index, which libnfc does not tell. */
static size_t history(const nfc_target *card, uint8_t out[static HISTORY_MAX])
{
	nfc_iso14443a_info a = card->nti.nai;
	const nfc_iso14443b_info *b = &card->nti.nbi;
	const uint8_t *bytes;
	size_t len = 0;

	if (card->nm.nmt == NMT_ISO14443A) {
		if (a.szAtsLen > sizeof a.abtAts)
			return 0;
		bytes = iso14443a_locate_historical_bytes(a.abtAts, a.szAtsLen, &len);
		if (len > HISTORY_MAX)
			len = HISTORY_MAX;
		if (len > 0)
			memcpy(out, bytes, len);
		return len;
	}
	memcpy(out, b->abtApplicationData, sizeof b->abtApplicationData);
	len = sizeof b->abtApplicationData;
	memcpy(out + len, b->abtProtocolInfo, sizeof b->abtProtocolInfo);
	len += sizeof b->abtProtocolInfo;
	out[len++] = 0;
	return len;
}

size_t nfc_card_atr(const nfc_target *card, uint8_t atr[static SIMTIE_ATR_MAX])
{
	uint8_t bytes[HISTORY_MAX], sum = 0;
	size_t len = history(card, bytes), used = 4;

	atr[0] = 0x3B;
	atr[1] = (uint8_t)(0x80 | len);
	atr[2] = 0x80; /* T=0, and */
	atr[3] = 0x01; /* T=1: PC/SC's way to say contactless */
	memcpy(atr + used, bytes, len);
	used += len;
	for (size_t i = 1; i < used; i++)
		sum ^= atr[i];
	atr[used++] = sum;
	return used;
}

bool nfc_card_same(const nfc_target *a, const nfc_target *b)
{
	const nfc_iso14443a_info *x = &a->nti.nai, *y = &b->nti.nai;

	if (a->nm.nmt != b->nm.nmt)
		return false;
	if (a->nm.nmt != NMT_ISO14443A) /* a PUPI may be made up each time, and does not say so */
		return true;
	if (x->szUidLen != y->szUidLen || x->szUidLen > sizeof x->abtUid)
		return false;
	if (x->szUidLen == 4 && x->abtUid[0] == UID_RANDOM && y->abtUid[0] == UID_RANDOM)
		return true;
	return memcmp(x->abtUid, y->abtUid, x->szUidLen) == 0;
}
