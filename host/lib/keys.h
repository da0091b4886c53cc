/*
 * Key sets for SCP03: where they come from, and how a card's own are derived from masters.
 *
 * Owns nothing beyond a call: a key set lies in the caller's struct until keys_wipe(). Refuses a
 * file that others can get at, and one that is not exactly of the format in keys-file.md. No error
 * says anything of what a file contains but the number of a line.
 */
#ifndef SIMTIE_LIB_KEYS_H
#define SIMTIE_LIB_KEYS_H

#include "scp03.h"

#define KEYS_FILE_MAX        4096 /* bytes */
#define KEYS_DIVERSIFIER_LEN 10   /* bytes of an ICCID, and of a card's key diversification data */

/* What the keys of a set are. */
enum keys_kind {
	KEYS_OF_CARD,          /* a card's own: used as they are */
	KEYS_MASTER_FOR_KDD,   /* masters; each card's come from its key diversification data */
	KEYS_MASTER_FOR_ICCID, /* masters; each card's come from its ICCID */
};

struct keys {
	enum keys_kind kind;
	struct scp03_keys set;
};

enum keys_result {
	KEYS_OK,
	KEYS_NO_FILE,    /* it cannot be opened or read; errno says why */
	KEYS_NOT_A_FILE, /* a folder, a device or a socket */
	KEYS_EXPOSED,    /* group or others have rights on it */
	KEYS_TOO_LONG,   /* over KEYS_FILE_MAX bytes */
	KEYS_BAD_WORD,   /* the line's first word is none of the format, or nothing follows it */
	KEYS_TWICE,   /* the line says again what a line before it said, `key` and `enc` together */
	KEYS_BAD_HEX, /* not pairs of hexadecimal digits */
	KEYS_BAD_LENGTH,  /* a key not of 16, 24 or 32 bytes, or not as long as the one before */
	KEYS_BAD_VERSION, /* not 01 to 7F or FF */
	KEYS_BAD_KIND,    /* derive is from `kdd` or `iccid` */
	KEYS_MISSING,     /* neither `key` nor all three of `enc`, `mac` and `dek` */
	KEYS_NO_ICCID,    /* these keys are derived from an ICCID, and there is none */
	KEYS_FAILED,      /* the crypto library failed */
};

/* What happened and what to do. Static; never NULL; names no secret. */
const char *keys_text(enum keys_result result);

/*
 * Reads a key set from a file, or from a descriptor that the caller opened, up to its end. A
 * regular file or a pipe, on which group and others have no rights. *line gets the number of the
 * line that is wrong, from 1, or 0 when it is none. On a failure `keys` is wiped.
 */
enum keys_result keys_read_file(const char *path, struct keys *keys, unsigned *line);
enum keys_result keys_read_fd(int fd, struct keys *keys, unsigned *line);

/* The same from text in memory: everything but KEYS_NO_FILE, KEYS_NOT_A_FILE and KEYS_EXPOSED. */
enum keys_result keys_parse(const char *text, size_t len, struct keys *keys, unsigned *line);

/*
 * A card's own keys: those of the set, or derived from its masters. `kdd` is from the answer to
 * INITIALIZE UPDATE; `iccid` is as in EF.ICCID (TS 102 221 §13.2) and may be NULL when it is not
 * known. KEYS_NO_ICCID, KEYS_FAILED; `card` is then wiped.
 */
enum keys_result keys_for_card(const struct keys *keys,
			       const uint8_t kdd[static KEYS_DIVERSIFIER_LEN], const uint8_t *iccid,
			       struct scp03_keys *card);

/*
 * The keys that belong to `diversifier` under a master set: NIST SP 800-108 in counter mode with
 * AES-CMAC, as GlobalPlatform tools know it by the name of KDF3. Each key is as long as its master,
 * and comes from blocks of CMAC over: counter from 1 (1 byte), 00 00 00, number of the key (01 ENC,
 * 02 MAC, 03 DEK), 00, diversifier. False: the library failed; `derived` is then wiped. It may be
 * `masters`.
 */
bool keys_derive(const struct scp03_keys *masters,
		 const uint8_t diversifier[static KEYS_DIVERSIFIER_LEN],
		 struct scp03_keys *derived);

/*
 * Whether one of the three is no secret: published as a test key, or so regular that nobody drew
 * it. That is a key that repeats itself within 8 bytes (all bytes equal, for one); one whose bytes
 * go up or down by the same step within each 8 (GlobalPlatform's 40 41 42..., 00 01 02... of GSMA
 * TS.48's test profile, 0123456789ABCDEF...); a published sample key, begun anew where it has to
 * fill 24 or 32 bytes. Keys derived from masters look random: ask about the masters.
 */
bool keys_are_known_test(const struct scp03_keys *keys);

void keys_wipe(struct keys *keys);

#endif
