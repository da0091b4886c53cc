/*
 * The tray as a list: which SIMs shall be provisioned, read from a CSV file (RFC 4180).
 *
 * Owns the rows. Of the file's columns it keeps `iccid` alone. Refuses, naming the line, whatever
 * is not strictly of that form: a tray is checked in whole before a card is touched.
 */
#ifndef SIMTIE_TOOL_PROVISION_TRAY_H
#define SIMTIE_TOOL_PROVISION_TRAY_H

#include "provision.h"

#define PROVISION_ROWS_MAX   100000
#define PROVISION_TRAY_BYTES (64u << 20)

/* How far a card has come; the journal tells it. In order. */
enum provision_state {
	PROVISION_STATE_FRESH,        /* nothing was done with it */
	PROVISION_STATE_ASSIGNED,     /* the row belongs to a card, which knows nothing of it yet */
	PROVISION_STATE_ROTATING,     /* its keys may be the vendor's or the operator's */
	PROVISION_STATE_GENERATED,    /* record and PIN are on disk; the card may have them */
	PROVISION_STATE_PERSONALISED, /* the card has all of it, and is in its holder's hands */
	PROVISION_STATE_PROVED,       /* an attestation of it was verified */
	PROVISION_STATE_LOCKING,      /* the card may be locked */
	PROVISION_STATE_RECORDED,     /* its record is among the records: done */
};

struct provision_row {
	char iccid[PROVISION_ICCID_SIZE];
	unsigned line; /* of the file */
	_Atomic enum provision_state state;
	bool earlier;  /* an earlier run has begun it */
	bool busy;     /* a worker has it under way */
	bool failed;   /* in this run, and not done since */
	bool has_name; /* the card that it was assigned to: */
	uint8_t name[SIMTIE_DIVERSIFICATION_SIZE];
};

struct provision_tray {
	struct provision_row *rows; /* as in the file */
	struct provision_row **sorted;
	size_t count;
};

/* Reads a tray. TOOL_DONE, or TOOL_IO: `wrong` says why. To be freed by provision_tray_free(),
 * whatever comes back. */
int provision_tray_read(const char *path, struct provision_tray *tray,
			char wrong[static PROVISION_TEXT_MAX]);

/* The row of an ICCID, or NULL. */
struct provision_row *provision_tray_find(const struct provision_tray *tray, const char *iccid);

void provision_tray_free(struct provision_tray *tray);

#endif
