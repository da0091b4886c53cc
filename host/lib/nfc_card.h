/*
 * The card in an NFC device's field: found, told apart from others, and described.
 *
 * Owns the search for ISO/IEC 14443-4 cards of type A and B, one of which may be there. Refuses
 * two, since nobody could say which one is meant, and tags that are no smart card. All of these
 * block for as long as the device does: they are for a worker's thread alone.
 */
#ifndef SIMTIE_LIB_NFC_CARD_H
#define SIMTIE_LIB_NFC_CARD_H

#include <nfc/nfc.h>

#include "simtie.h"

/*
 * Drops the field, so that every card in it starts afresh, and selects the one that is there.
 * SIMTIE_ERR_NO_CARD, SIMTIE_ERR_AMBIGUOUS (two), SIMTIE_ERR_TRANSPORT (the device failed);
 * `detail` (SIMTIE_DETAIL_MAX bytes) then has a sentence, without a full stop.
 */
int nfc_card_find(nfc_device *device, nfc_target *card, char *detail);

/* The answer to reset that PC/SC gives a contactless card (PC/SC part 3 §3.1.3.2.3); its length. */
size_t nfc_card_atr(const nfc_target *card, uint8_t atr[static SIMTIE_ATR_MAX]);

/* Whether both can be the same card. One that makes up its identifier each time can be any. */
bool nfc_card_same(const nfc_target *a, const nfc_target *b);

#endif
