/*
 * What the files of the virtual card share: the card that is served, in a reader or by radio.
 */
#ifndef SIMTIE_VPCD_CARD_INTERNAL_H
#define SIMTIE_VPCD_CARD_INTERNAL_H

#include "../nfc/claim.h"
#include "card.h"
#include "link.h"

enum next { GO_ON, END, BREAK_OFF };

struct card {
	const struct card_options *options;
	struct posix_port posix;
	struct applet applet;
	struct issuer issuer;
	struct tray_card current;
	struct link link;
	struct nfc_claim claim; /* the device, when it is NFC */
	int signals;            /* descriptor */
	int64_t stays;  /* until then (ms, CLOCK_MONOTONIC), when the card is done; 0: it is not */
	bool done;      /* it goes; the next one of the tray goes in */
	unsigned looks; /* of pcscd's since the card came, before it gave power */
	bool powered;   /* it did */
};

/* One line on stderr. */
void card_say(const char *text);

/* Puts a command to the applet; in the time that --sign-ms says, and with a line if wanted. */
struct answer card_carry_out(struct card *card, struct bytes body);

/* Takes a signal that has come. */
enum next card_signal_came(struct card *card);

/* ---- card_air.c ---- */

/* Takes the NFC device. False: said why. */
bool card_air_open(struct card *card);

/* Offers the card by it until a signal comes. */
enum next card_air_serve(struct card *card);

#endif
