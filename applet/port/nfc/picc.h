/*
 * The virtual card as a contactless one: an NFC device in target mode offers it to whatever reader
 * comes near (ISO/IEC 14443-4 type A).
 *
 * Owns what the card says of itself to a reader, and the wait for one. Refuses to let an answer
 * grow over what the device carries in one exchange: the reader gets 61xx.
 */
#ifndef SIMTIE_NFC_PICC_H
#define SIMTIE_NFC_PICC_H

#include "../../core/applet.h"
#include "claim.h"

/* What the card does, called in the caller's own thread. */
struct picc_card {
	void *card;
	struct answer (*command)(void *card, struct bytes command);
	void (*reset)(void *card);         /* a reader has come, or gone */
	void (*say)(const char *sentence); /* for stderr */
};

/* How serving ended. */
enum picc_end {
	PICC_SIGNAL, /* a signal waits in the descriptor */
	PICC_FAILED, /* the device failed for good; said so */
};

/*
 * Offers the card until a signal can be read from `signals` (of signalfd()), which is left to the
 * caller; the device then offers no card any more. May be called again. The card's identifier is
 * made up anew for every reader, and says so (08 and three random bytes).
 */
enum picc_end picc_serve(nfc_device *device, const struct picc_card *card, int signals);

#endif
