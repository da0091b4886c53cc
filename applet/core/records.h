/*
 * What the card remembers: the journal's records and their layouts. Version JOURNAL_VERSION.
 *
 * A number, once given, keeps its meaning; integers are big-endian.
 */
#ifndef SIMTIE_CORE_RECORDS_H
#define SIMTIE_CORE_RECORDS_H

#include "ber.h"
#include "contract.h"
#include "journal.h"

enum record {
	RECORD_LIFECYCLE = 0,       /* 1 byte: enum lifecycle; absent means FACTORY */
	RECORD_KEY = 1,             /* struct of KEY_*: device key, chain code, flags */
	RECORD_PIN = 2,             /* LIMIT_PIN_SIZE bytes, padded */
	RECORD_PIN_TRIES = 3,       /* 1 byte: tries left; absent means 0 */
	RECORD_PUK = 4,             /* as RECORD_PIN */
	RECORD_PUK_TRIES = 5,       /* as RECORD_PIN_TRIES */
	RECORD_ICCID = 6,           /* LIMIT_ICCID_SIZE bytes */
	RECORD_CERTIFICATE = 7,     /* DER */
	RECORD_CARD_STATE = 8,      /* 1 byte: enum card_state; absent means OP_READY */
	RECORD_DIVERSIFICATION = 9, /* LIMIT_DIVERSIFICATION_SIZE bytes */
	RECORD_ISSUER_NUMBER = 10,
	RECORD_IMAGE_NUMBER = 11,
	RECORD_KEY_SET = 12,  /* and on, LIMIT_KEY_SETS of each: struct of KEY_SET_* */
	RECORD_FAILURES = 15, /* 1 byte: authentications that failed in a row; absent means 0 */
	RECORD_SEQUENCE = 18, /* 4 bytes: sequence counter of the key set; absent means 0 */
	RECORD_SEQUENCE_LAST = RECORD_SEQUENCE + LIMIT_KEY_SETS - 1,
	RECORD_WIPE = 21,                /* 1 byte: traces of secrets are still to be erased */
	RECORD_CHANNEL_KEY = 22,         /* P256_SCALAR_SIZE bytes: private key of SCP11b */
	RECORD_CHANNEL_CERTIFICATE = 23, /* DER */
	RECORD_PIN_POLICY = 24,          /* 1 byte: enum pin_policy; absent means ANYWHERE */
	RECORD_LOG =
		32, /* and on: attestation number c in record RECORD_LOG + c % LIMIT_LOG_ENTRIES */
	RECORD_LOG_LAST = RECORD_LOG + LIMIT_LOG_ENTRIES - 1,
};

_Static_assert(RECORD_LOG_LAST < JOURNAL_IDS, "the log needs more records");
_Static_assert(RECORD_SEQUENCE_LAST < RECORD_WIPE, "the key sets need more records");
_Static_assert(LIMIT_CERTIFICATE_MAX <= JOURNAL_VALUE_MAX, "a certificate is larger than a record");

struct applet;

/* Reads a record of just `size` bytes. False: it is absent or of another size, or the memory
 * failed. */
bool record_read(const struct applet *applet, uint8_t id, uint8_t *out, size_t size);

/* A record of one byte; what to take for it when it is absent, or unreadable. */
uint8_t record_byte(const struct applet *applet, uint8_t id, uint8_t absent, uint8_t unreadable);

/* Appends a record as a data object, read straight into the response: the largest would double on
 * the stack. SW_OK; SW_DATA_NOT_FOUND: it is absent; SW_MEMORY_FAILURE. */
uint16_t record_answer(const struct applet *applet, uint8_t id, uint16_t tag, struct writer *out);

/* Replaces records in one durable step. SW_OK, SW_MEMORY_FAILURE. */
uint16_t record_commit(struct applet *applet, const struct journal_write *writes, size_t count);
uint16_t record_put(struct applet *applet, uint8_t id, const uint8_t *value, size_t len);

/* Offsets in RECORD_KEY. */
enum {
	KEY_DEVICE = 0,
	KEY_CHAIN_CODE = 32,
	KEY_FLAGS = KEY_CHAIN_CODE + LIMIT_CHAIN_CODE_SIZE,
	KEY_SIZE,
};
#define KEY_FLAG_SEEDED 0x01 /* made from a test seed */

/* Offsets in RECORD_KEY_SET; each key takes KEY_SET_KEY_MAX bytes. */
enum {
	KEY_SET_VERSION = 0,
	KEY_SET_OPTIONS = 1, /* i */
	KEY_SET_KEY_LEN = 2,
	KEY_SET_ENC = 3,
	KEY_SET_KEY_MAX = 32,
	KEY_SET_MAC = KEY_SET_ENC + KEY_SET_KEY_MAX,
	KEY_SET_DEK = KEY_SET_MAC + KEY_SET_KEY_MAX,
	KEY_SET_SIZE = KEY_SET_DEK + KEY_SET_KEY_MAX,
};

/* Offsets in a log record; the audience's first bytes take the rest. */
enum {
	LOG_AT_COUNTER = 0,
	LOG_AT_PURPOSE = 4,
	LOG_AT_CONSENT = 5,
	LOG_AT_FLAGS = 6,
	LOG_AT_HASH = 7,
	LOG_AT_AUDIENCE = LOG_AT_HASH + LIMIT_LOG_HASH_SIZE,
	LOG_SIZE_MAX = LOG_AT_AUDIENCE + LIMIT_LOG_AUDIENCE_MAX,
};
#define LOG_FLAG_SEEDED 0x01 /* keys or random numbers from a test seed */

#endif
