/*
 * The virtual card in a virtual reader: serves vpcd until a signal ends it.
 *
 * Owns the applet, its platform and the link for as long as it serves, and what it says on stderr.
 * Refuses to go on with a card whose memory it could not take back to factory.
 */
#ifndef SIMTIE_VPCD_CARD_H
#define SIMTIE_VPCD_CARD_H

#include "../posix/posix.h"
#include "atr.h"
#include "tray.h"

struct card_options {
	const char *state; /* file; NULL: a volatile card */
	const char *host;
	const char *port;
	const char *nfc; /* libnfc's name of a device that is to be the card; NULL: vpcd's reader */
	struct atr atr;
	struct bytes seed;           /* empty: the system's random source */
	bool reset;                  /* back to factory before it starts */
	const struct issuer *issuer; /* what the maker gives; each card gets a copy of its own */
	const char *iccid;           /* of the only card; "" if it has none */
	struct tray *tray;           /* cards to feed one by one; NULL: the only one */
	unsigned sign_ms;            /* how long a signature or a key pair seems to take */
	bool verbose;                /* a line for each exchange: header and lengths, never data */
};

/*
 * Serves until SIGTERM, SIGINT or SIGHUP, or until the tray is empty; SIGUSR1 puts a factory-fresh
 * card in the place of this one. True: ended by that. False: the card could not be opened, or no
 * longer be used; the reason stands on stderr.
 */
bool card_serve(const struct card_options *options);

#endif
