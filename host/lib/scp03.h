/*
 * The host's side of GlobalPlatform's Secure Channel Protocol 03 (Amendment D v1.2), as pure code:
 * APDUs go in and come out, and somebody else carries them.
 *
 * Owns the session keys, the MAC chaining value and the encryption counter of one secure channel,
 * until scp03_end() or the first check that fails wipes them. Refuses to go on after such a
 * failure, commands out of turn, levels that the card does not offer, and a plain channel: level 00
 * does not exist here. Keeps no static key: they are lent to one call.
 *
 * The order of the calls, for one channel:
 *
 *	scp03_begin()           writes INITIALIZE UPDATE
 *	scp03_answered()        reads its answer, from which diversified keys can be derived
 *	scp03_authenticate()    checks the card, writes EXTERNAL AUTHENTICATE
 *	scp03_authenticated()   reads its answer; the channel is open
 *	scp03_wrap(), scp03_unwrap()   for each command, in turn
 *	scp03_end()
 *
 * Nothing is allocated but what mbedTLS needs while it computes a CMAC. A struct scp03 belongs to
 *one thread at a time.
 */
#ifndef SIMTIE_LIB_SCP03_H
#define SIMTIE_LIB_SCP03_H

#include "bytes.h"

#define SCP03_KEY_MAX              32
#define SCP03_MAC_MAX              16 /* bytes of challenge, cryptogram and MAC: 8 in S8, 16 in S16 */
#define SCP03_DIVERSIFICATION_SIZE 10
#define SCP03_SEQUENCE_SIZE        3
#define SCP03_AID_MIN              5
#define SCP03_AID_MAX              16
#define SCP03_KCV_SIZE             3
#define SCP03_CHANNELS             20 /* ISO/IEC 7816-4 §5.4.1 */

#define SCP03_VERSION_FIRST   0x00 /* whichever key set comes first */
#define SCP03_VERSION_MAX     0x7F /* of a key set that is put on a card */
#define SCP03_VERSION_FACTORY 0xFF /* of the initial keys of many cards */

/* The static keys of one key set. */
struct scp03_keys {
	uint8_t version; /* SCP03_VERSION_FIRST fits any */
	size_t len;      /* bytes of each key: 16, 24 or 32 */
	uint8_t enc[SCP03_KEY_MAX];
	uint8_t mac[SCP03_KEY_MAX];
	uint8_t dek[SCP03_KEY_MAX]; /* enciphers keys that go to the card */
};

/* Bits of the parameter i (Amendment D table 5-1). */
enum scp03_option {
	SCP03_OPTION_S16 = 0x01,           /* challenges, cryptograms and MACs of 16 bytes */
	SCP03_OPTION_PSEUDO_RANDOM = 0x10, /* the card derives its challenge from a counter */
	SCP03_OPTION_R_MAC = 0x20,
	SCP03_OPTION_R_ENC = 0x40, /* only with SCP03_OPTION_R_MAC */
};

/* Bits of a security level. The levels are 01, 03, 11, 13 and 33 (Amendment D §7.1.2). */
enum scp03_level {
	SCP03_LEVEL_C_MAC = 0x01,
	SCP03_LEVEL_C_ENC = 0x02,
	SCP03_LEVEL_R_MAC = 0x10,
	SCP03_LEVEL_R_ENC = 0x20,
};

enum scp03_result {
	SCP03_OK,
	SCP03_ARGUMENT,  /* a value out of its documented range, or no plain command APDU */
	SCP03_ORDER,     /* not this call's turn, or the channel has ended */
	SCP03_ROOM,      /* the buffer given is too small */
	SCP03_TOO_LONG,  /* the command's data, padding and MAC are more than Lc can say */
	SCP03_REFUSED,   /* the card refused; its status word says why */
	SCP03_MALFORMED, /* the card's answer is not what the standard says */
	SCP03_PROTOCOL, /* the card answers for another protocol or an option of no known meaning */
	SCP03_VERSION,  /* the card answers for another key set than asked for */
	SCP03_LEVEL,    /* the card does not offer this security level */
	SCP03_CRYPTOGRAM,  /* these are not the card's keys, or it is not this card */
	SCP03_CHALLENGE,   /* the card's challenge does not follow from its counter */
	SCP03_BAD_MAC,     /* an answer was changed, replayed, cut or forged */
	SCP03_BAD_PADDING, /* an answer with the right MAC deciphers to nonsense */
	SCP03_KEY_CHECK,   /* the card's check values are not those of the keys put on it */
	SCP03_FAILED,      /* the crypto library or the random source failed */
	/* Of SCP11b (scp11.h) alone: */
	SCP03_RECEIPT, /* the card does not have the key that it should, or the line was altered */
	SCP03_POINT,   /* the card's key is no point on the curve */
	SCP03_CERTIFICATE,    /* the card's certificate does not hold, or not under this root */
	SCP03_NO_CERTIFICATE, /* the card has none, and no key was pinned */
};

/* What happened and what to do. Static; never NULL; names no secret. */
const char *scp03_text(enum scp03_result result);

enum scp03_state {
	SCP03_STATE_NONE, /* as zeroed, and after the end */
	SCP03_STATE_INITIALIZING,
	SCP03_STATE_ANSWERED,
	SCP03_STATE_AUTHENTICATING,
	SCP03_STATE_OPEN,
	SCP03_STATE_CALLING, /* a wrapped command is out */
};

/* What the card says of itself and its key set in answer to INITIALIZE UPDATE. No MAC vouches for
 * it: ask for the level that the work needs, not for the best that i claims. */
struct scp03_card {
	uint8_t diversification[SCP03_DIVERSIFICATION_SIZE];
	uint8_t version;
	uint8_t i;                             /* bits of enum scp03_option */
	uint8_t sequence[SCP03_SEQUENCE_SIZE]; /* big-endian; 0 without SCP03_OPTION_PSEUDO_RANDOM
						*/
};

/* A secure channel. Zeroed, it is one that has not begun. */
struct scp03 {
	enum scp03_state state;
	uint8_t channel;        /* logical channel, 0 to 19 */
	uint8_t version;        /* of the key set asked for */
	uint8_t level;          /* bits of enum scp03_level, from scp03_authenticate() on */
	size_t mac_size;        /* 8 or 16 */
	size_t key_len;         /* bytes of each session key */
	uint64_t counter;       /* commands since the channel opened (Amendment D §6.2.6) */
	struct scp03_card card; /* from scp03_answered() on */
	uint8_t host_challenge[SCP03_MAC_MAX];
	uint8_t card_challenge[SCP03_MAC_MAX];
	uint8_t card_cryptogram[SCP03_MAC_MAX];
	uint8_t chain[16]; /* the MAC chaining value */
	uint8_t enc[SCP03_KEY_MAX];
	uint8_t mac[SCP03_KEY_MAX];
	uint8_t rmac[SCP03_KEY_MAX];
};

/* Draws a host challenge from the system's random source: `len` bytes. SCP03_FAILED. */
enum scp03_result scp03_draw(uint8_t *challenge, size_t len);

#define SCP03_INITIALIZE_MAX (5 + SCP03_MAC_MAX + 1)

/*
 * Begins a channel anew, whatever `scp` was before, on logical channel 0 to 19, with the key set of
 * that version (SCP03_VERSION_FIRST: the card's first). `challenge` is fresh random bytes: 8, or 16
 * for a card in S16 mode. Writes the INITIALIZE UPDATE command. SCP03_ARGUMENT.
 */
enum scp03_result scp03_begin(struct scp03 *scp, uint8_t channel, uint8_t version,
			      struct bytes challenge, uint8_t command[static SCP03_INITIALIZE_MAX],
			      size_t *len);

/*
 * Reads the answer, status word apart: scp->card is then filled in. SCP03_REFUSED for a status word
 * other than 9000; SCP03_MALFORMED; SCP03_PROTOCOL (another SCP, S8 where S16 was asked for or the
 * other way round, reserved bits of i); SCP03_VERSION; SCP03_ORDER. Each but the last ends it.
 */
enum scp03_result scp03_answered(struct scp03 *scp, struct bytes answer, uint16_t sw);

#define SCP03_AUTHENTICATE_MAX (5 + 2 * SCP03_MAC_MAX)

/*
 * Derives the session keys from `keys`, checks in constant time that the card has the same, and
 * writes the EXTERNAL AUTHENTICATE command. Nothing has to be sent when it fails, so that wrong
 * keys found here cost no try of a card that counts at EXTERNAL AUTHENTICATE.
 *
 * `aid` is the security domain's, 5 to 16 bytes: a challenge that the card says to be pseudo-random
 * must then follow from its sequence counter. Empty: not checked.
 *
 * SCP03_ARGUMENT, SCP03_LEVEL and SCP03_ORDER leave all as it was; SCP03_VERSION (the keys are of
 * another), SCP03_CRYPTOGRAM, SCP03_CHALLENGE and SCP03_FAILED end it.
 */
enum scp03_result scp03_authenticate(struct scp03 *scp, const struct scp03_keys *keys,
				     struct bytes aid, uint8_t level,
				     uint8_t command[static SCP03_AUTHENTICATE_MAX], size_t *len);

/* Reads the answer to EXTERNAL AUTHENTICATE: 9000 without data opens the channel. SCP03_REFUSED and
 * SCP03_MALFORMED end it; SCP03_ORDER. */
enum scp03_result scp03_authenticated(struct scp03 *scp, struct bytes answer, uint16_t sw);

/* Most bytes of plain data that a short command can carry on this open channel: 223 to 247. */
size_t scp03_data_max(const struct scp03 *scp);

/* Most bytes that wrapping adds to a command: padding and MAC. A short command of 4 bytes gets Lc
 * too, one with an extended Le of 3 bytes keeps one of 2. */
#define SCP03_OVERHEAD_MAX (1 + 16 + SCP03_MAC_MAX)

/*
 * Wraps a plain command APDU at the channel's level (Amendment D §6.2.4, §6.2.6). A short one stays
 * short, an extended one extended, and the class keeps its channel and its chaining bit. An Le
 * there is asks for all there is when answers carry a MAC, since that comes on top of what the
 * plain Le asked for; Le is under no MAC. `command` must not lie in `out`.
 *
 * SCP03_ARGUMENT: no command APDU, one with secure messaging, of a reserved class, or for another
 * logical channel. SCP03_TOO_LONG: see scp03_data_max(); an extended one holds 65535 in all.
 * SCP03_ROOM. SCP03_ORDER. These leave the channel as it was. SCP03_FAILED ends it.
 */
enum scp03_result scp03_wrap(struct scp03 *scp, struct bytes command, uint8_t *out, size_t size,
			     size_t *len);

/*
 * Unwraps the whole answer to the last wrapped command, 61xx and 6Cxx being dealt with. The MAC is
 * checked, in constant time, before anything is deciphered (Amendment D §6.2.5, §6.2.7). `out`,
 * which may be where `answer` is, gets the plain data; it needs room for what `answer` has without
 * its MAC.
 *
 * At a level with R-MAC, 9000, 62xx and 63xx are answers that it covers, status word included; any
 * other is an error, which comes bare and which nobody vouches for: the card may not have said it.
 * Without R-MAC nothing of an answer is vouched for.
 *
 * SCP03_BAD_MAC, SCP03_BAD_PADDING, SCP03_MALFORMED (data with an error) and SCP03_FAILED end the
 * channel. SCP03_ROOM gives nothing and leaves the answer to be unwrapped. SCP03_ORDER.
 */
enum scp03_result scp03_unwrap(struct scp03 *scp, struct bytes answer, uint16_t sw, uint8_t *out,
			       size_t size, size_t *len);

/* Ends the channel and wipes all of it. */
void scp03_end(struct scp03 *scp);

/* ---- Keys on the card (GlobalPlatform Card Specification §11.8, Amendment D §7.2) ---- */

/* Whether a card can be asked for this version: 00 to 7F, FF. */
bool scp03_version_valid(uint8_t version);

/* Whether the version is such a one and the length one of AES. */
bool scp03_keys_valid(const struct scp03_keys *keys);

/* The check value of an AES key: the first bytes of a block of 01, enciphered (Amendment D §7.2.2).
 * False: the library failed, or no such key. */
bool scp03_key_check(struct bytes key, uint8_t check[static SCP03_KCV_SIZE]);

#define SCP03_PUT_KEY_MAX (5 + 1 + 3 * (3 + SCP03_KEY_MAX + 1 + SCP03_KCV_SIZE) + 1)

/*
 * Writes the plain PUT KEY command that adds the three keys of `fresh`, or puts them in the place
 * of the set of version `replaced` (0: adds). They are enciphered under the static DEK of
 * `current`, the set that opened the channel; the command has to be wrapped like any other and
 * wiped. SCP03_ARGUMENT: versions out of 01 to 7F, lengths. SCP03_FAILED.
 */
enum scp03_result scp03_put_key(uint8_t channel, const struct scp03_keys *current,
				const struct scp03_keys *fresh, uint8_t replaced,
				uint8_t command[static SCP03_PUT_KEY_MAX], size_t *len);

/* Checks the plain answer: the version, and the check value of each of the three keys.
 * SCP03_MALFORMED, SCP03_VERSION, SCP03_KEY_CHECK, SCP03_FAILED. */
enum scp03_result scp03_put_key_answered(const struct scp03_keys *fresh, struct bytes answer);

#endif
