/*
 * The list of PINs and PUKs for whoever prints the letters: a CSV that its recipient alone can
 * read.
 *
 * A list is written in two files. PATH.journal gets a row, flushed, the moment it is known, and
 * PATH is made of all rows at the end, whole or not at all:
 *
 *   PATH          a CMS AuthEnvelopedData (RFC 5083, RFC 5084) in PEM: AES-256-GCM, its key for the
 *                 recipient alone (ECDH with SHA-256, or RSA-OAEP with SHA-256). In it is the CSV:
 * a line "iccid,pin,puk", then a row a SIM, lines ending with a line feed. `openssl cms -decrypt
 * -inform PEM -in PATH -inkey KEY -recip CERTIFICATE` opens it. PATH.journal  a line "simtie-pins/1
 * FINGERPRINT", with the SHA-256 of the recipient's certificate in 64 hexadecimal digits of lower
 * case; then for each row such a CMS of its own,
 *                 "-----BEGIN CMS-----" to "-----END CMS-----", with the one line of the CSV in it.
 *                 Each has two recipients: the same certificate, and a key that the caller derives
 *                 each time from a secret it has (RFC 5652 §6.2.3, AES-256 key wrap; ca_derive()).
 *
 * So a list that was killed before its end goes on where it was, and ends as one file; and if it
 * never does, its recipient can open the journal, row by row. No plain PIN is ever on a disk, and
 * no key that would open one. Both files have mode 0600.
 *
 * With `plain`, which is the caller's to ask for, both hold the rows as they are; the journal's
 * first line is "simtie-pins/1 plain".
 *
 * Rows may repeat an ICCID, since a SIM may be begun twice: the last one counts, alone.
 *
 * Owns the two files, a lock on the journal (flock), and what it derives from the secret. Refuses
 * recipients whose keys are too weak, whose certificates do not allow encryption or are not valid
 * now, and to go on with a list that was made for another.
 *
 * Any number of threads may share a list: each call takes its mutex. A function returns 0 or a
 * negative enum pinmail_error; OpenSSL's error queue of the thread is left as it was.
 */
#ifndef SIMTIE_HOST_PINMAIL_H
#define SIMTIE_HOST_PINMAIL_H

#include "bytes.h"

#define PINMAIL_SECRET_SIZE 32
#define PINMAIL_ICCID_SIZE  21 /* 18 to 20 digits and the terminator */
#define PINMAIL_DIGITS_SIZE 9  /* 4 to 8 digits and the terminator */

/* What the secret is derived for: ca_derive(ca, PINMAIL_LABEL, secret). */
#define PINMAIL_LABEL "simtie/1 pin journal"

enum pinmail_error {
	PINMAIL_OK = 0,
	PINMAIL_ERR_ARGUMENT = -1,    /* a row that is none, or settings that contradict */
	PINMAIL_ERR_LIBRARY = -2,     /* out of memory, or OpenSSL failed */
	PINMAIL_ERR_FILE = -3,        /* a file could not be read or written; see errno */
	PINMAIL_ERR_CERTIFICATE = -4, /* the recipient's file holds no X.509 certificate in PEM */
	PINMAIL_ERR_KEY = -5,      /* its key is neither RSA of 2048 bits or more nor EC of 256, or
				    * its key usage does not allow encryption */
	PINMAIL_ERR_EXPIRED = -6,  /* it is not valid now */
	PINMAIL_ERR_FINISHED = -7, /* PATH is there and has no journal: it was finished */
	PINMAIL_ERR_OTHER = -8,    /* the journal was begun for another recipient, or plain */
	PINMAIL_ERR_SECRET = -9,   /* the journal was begun with another secret */
	PINMAIL_ERR_DAMAGED = -10, /* the journal is not what it should be */
	PINMAIL_ERR_BUSY = -11,    /* another process writes this list */
	PINMAIL_ERR_NO_ROW = -12,  /* the list has no such ICCID */
};

/* What happened and what to do, for an error above. Static; never NULL. */
const char *pinmail_strerror(int error);

struct pinmail_settings {
	const char *path;
	const char *certificate; /* the recipient's, a PEM file; NULL if plain */
	const uint8_t *secret;   /* PINMAIL_SECRET_SIZE bytes; NULL if plain */
	bool plain;
};

/* One SIM. Whoever has one wipes it after use. */
struct pinmail_row {
	char iccid[PINMAIL_ICCID_SIZE];
	char pin[PINMAIL_DIGITS_SIZE]; /* 4 to 8 digits */
	char puk[PINMAIL_DIGITS_SIZE]; /* 8 digits */
};

struct pinmail;

/*
 * Begins a list, or goes on with one that was not finished, all of whose rows are read to see that
 * they can be. What a writer that died left half done at its end is cut off.
 * Every error but NO_ROW.
 */
int pinmail_open(const struct pinmail_settings *settings, struct pinmail **list);

/* Closes the files, wipes what it has and clears the caller's pointer. The journal stays. NULL, or
 * a pointer to NULL, is fine. */
void pinmail_close(struct pinmail **list);

/* Adds a row: on return it outlasts the process and the power. PINMAIL_ERR_ARGUMENT, _FILE,
 * _LIBRARY: it is not there, or, when the flush failed, no one knows, and the list takes no more.
 */
int pinmail_append(struct pinmail *list, const struct pinmail_row *row);

/* The last row of an ICCID: for a SIM whose personalisation is taken up again. PINMAIL_ERR_NO_ROW,
 * _FILE, _LIBRARY, _DAMAGED. */
int pinmail_find(struct pinmail *list, const char *iccid, struct pinmail_row *row);

/*
 * Writes PATH from all rows so far, in the place of what is there. With `complete` the journal is
 * then removed, and the list takes no more; else it may go on, and be finished again. *count (may
 * be NULL) gets the number of SIMs in it. PINMAIL_ERR_FILE, _LIBRARY, _DAMAGED.
 */
int pinmail_finish(struct pinmail *list, bool complete, size_t *count);

#endif
