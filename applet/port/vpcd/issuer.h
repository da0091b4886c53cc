/*
 * What the maker of a virtual card gives it: keys from a file, an ICCID, a name of its own.
 *
 * Owns the keys of one card until issuer_wipe(). The file has the format of the host's key files
 * (one word and one value a line: version, key or enc, mac and dek, derive kdd or iccid), and one
 * word more: scp, the i of SCP03.
 */
#ifndef SIMTIE_VPCD_ISSUER_H
#define SIMTIE_VPCD_ISSUER_H

#include "../../core/bytes.h"
#include "../../core/port.h"

#define ISSUER_KEY_MAX    32
#define ISSUER_ICCID_SIZE 10
#define ISSUER_DIGITS_MAX 20

enum issuer_derive {
	ISSUER_PLAIN,     /* the keys are each card's own */
	ISSUER_FROM_NAME, /* masters; a card's come from its key diversification data */
	ISSUER_FROM_ICCID,
};

struct issuer {
	struct port_issuer port; /* points at the keys below; the struct must not move */
	enum issuer_derive derive;
	uint8_t master[3][ISSUER_KEY_MAX]; /* ENC, MAC, DEK as the file has them */
	uint8_t key[3][ISSUER_KEY_MAX];    /* as the card has them */
};

/* The test issuer: well-known keys, no ICCID, a name of zeros. */
void issuer_start(struct issuer *issuer);

/* Copies all of it; what points at keys points at the copy's. */
void issuer_copy(struct issuer *issuer, const struct issuer *from);

/* Reads a key file. NULL, or what is wrong with it; errno is 0 unless the system said so. */
const char *issuer_read(struct issuer *issuer, const char *path);

/*
 * Makes it the issuer of one card: ICCID (18 to 20 digits, or "": none), key diversification data
 * from it, keys of its own if they are derived. False: the crypto failed.
 */
bool issuer_of_card(struct issuer *issuer, const char *iccid);

/* Whether the text is an ICCID. */
bool issuer_iccid_valid(const char *iccid);

void issuer_wipe(struct issuer *issuer);

#endif
