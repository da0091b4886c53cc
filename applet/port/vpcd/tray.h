/*
 * A tray of virtual SIMs: which card goes into a reader next. Several readers, each a process, take
 * from one tray; no card is taken twice.
 *
 * Owns the count that the processes share. The state of card number i is FOLDER/ICCID.state.
 */
#ifndef SIMTIE_VPCD_TRAY_H
#define SIMTIE_VPCD_TRAY_H

#include <stdbool.h>

#include "issuer.h"

#define TRAY_CARDS_MAX 100000
#define TRAY_PATH_MAX  4096

struct tray {
	unsigned count;                    /* cards in it */
	char first[ISSUER_DIGITS_MAX + 1]; /* ICCID of the first; the others count up */
	const char *folder;                /* of the state files; NULL: volatile cards */
	unsigned *taken;                   /* shared between processes */
};

struct tray_card {
	char iccid[ISSUER_DIGITS_MAX + 1];
	char state[TRAY_PATH_MAX]; /* "": volatile */
};

/* Makes the tray; `first` is a valid ICCID that can count up so far, `folder` exists or is made.
 * NULL, or what is wrong. */
const char *tray_open(struct tray *tray, unsigned count, const char *first, const char *folder);

/* The next card. False: the tray is empty. */
bool tray_take(struct tray *tray, struct tray_card *card);

#endif
