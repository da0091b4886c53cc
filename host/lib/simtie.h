/*
 * libsimtie: sessions with a simtie card through any reader, and the card's commands as calls.
 *
 * Owns the way to the card (PC/SC reader or in-process virtual card), the 61xx/6Cxx and chaining
 * rules, their bounds and the trace. Refuses to keep a PIN or a key longer than one call.
 *
 * A function returns 0 or a negative enum simtie_error. After SIMTIE_ERR_CARD the card's own status
 * word stands in simtie_status_word(). Several threads may work at once, each with its own session.
 */
#ifndef SIMTIE_H
#define SIMTIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simtie-contract.h"
#include "simtie-token.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong. simtie_strerror() gives a sentence that says what to do. */
enum simtie_error {
	SIMTIE_OK = 0,
	SIMTIE_ERR_ARGUMENT = -1,  /* a value out of its documented range */
	SIMTIE_ERR_MEMORY = -2,    /* out of memory, or the caller's buffer is too small */
	SIMTIE_ERR_SERVICE = -3,   /* the PC/SC service does not answer: pcscd is not running */
	SIMTIE_ERR_ACCESS = -4,    /* the PC/SC service refuses this user */
	SIMTIE_ERR_NO_READER = -5, /* no reader at all, or none of that name */
	SIMTIE_ERR_AMBIGUOUS = -6, /* several readers, and none or too little of a name was given */
	SIMTIE_ERR_NO_CARD = -7,   /* the reader is empty */
	SIMTIE_ERR_BUSY = -8,      /* another program holds the card or the state file */
	SIMTIE_ERR_MUTE = -9,      /* a card is there but does not answer to power-on */
	SIMTIE_ERR_GONE = -10,     /* reader, card or service vanished during the session */
	SIMTIE_ERR_TIMEOUT = -11,  /* no answer within the bound; the session is dead */
	SIMTIE_ERR_TRANSPORT = -12, /* the reader reported a fault of the line */
	SIMTIE_ERR_PROTOCOL = -13,  /* the card's answer breaks its standard or the contract */
	SIMTIE_ERR_ENDLESS = -14,   /* the card asked for over SIMTIE_EXCHANGES_MAX exchanges */
	SIMTIE_ERR_NO_APPLET = -15, /* the card does not carry the simtie applet */
	SIMTIE_ERR_CARD = -16,      /* the card refused; see simtie_status_word() */
	SIMTIE_ERR_STATE = -17,     /* a virtual card's state file was refused */
	SIMTIE_ERR_FILE = -18,      /* a file could not be read or written; see errno */
	SIMTIE_ERR_FORMAT = -19,    /* a file's content is not what its format asks for */
	SIMTIE_ERR_SECURE = -20,    /* the secure channel: see simtie_secure_text() */
};

/* Text for an error above: what happened and what to do. Static; never NULL. */
SIMTIE_API const char *simtie_strerror(int error);

/* Text and advice for a card's status word, from the contract; "unknown status word" if it is not
 * there. Static; never NULL. */
SIMTIE_API const char *simtie_sw_text(uint16_t sw);

/* Version of this library, "major.minor.patch". Static. */
SIMTIE_API const char *simtie_version(void);

/* Bounds of one command, whatever the card says. */
#define SIMTIE_EXCHANGES_MAX 64
#define SIMTIE_TIMEOUT_MS    5000

/* ---- Readers ---- */

#define SIMTIE_READER_NAME_MAX 128 /* bytes, terminator included */
#define SIMTIE_ATR_MAX         33  /* bytes (ISO/IEC 7816-3 §8.2.1) */

struct simtie_reader {
	char name[SIMTIE_READER_NAME_MAX];
	bool card; /* a card is in it */
	bool mute; /* it does not answer to power-on */
	bool busy; /* another program holds it exclusively */
	uint8_t atr[SIMTIE_ATR_MAX];
	size_t atr_len;
	uint32_t events; /* rises by one whenever a card is put in or taken out */
};

/*
 * Lists the PC/SC readers, in the service's order: an index counts along it. *readers is the
 * caller's, to be freed with free(); NULL when there are none (still 0).
 * SIMTIE_ERR_SERVICE (also when the service does not answer within SIMTIE_TIMEOUT_MS),
 * SIMTIE_ERR_ACCESS, SIMTIE_ERR_MEMORY.
 */
SIMTIE_API int simtie_readers(struct simtie_reader **readers, size_t *count);

/*
 * Waits until the list or the state of a reader differs from `known` (as simtie_readers() gave it),
 * at most timeout_ms. SIMTIE_ERR_TIMEOUT when nothing changed; else as simtie_readers().
 */
SIMTIE_API int simtie_readers_wait(const struct simtie_reader *known, size_t count,
				   unsigned timeout_ms);

/* ---- Sessions ---- */

struct simtie_session;

/* Transmission protocols (ISO/IEC 7816-3). */
enum simtie_protocol {
	SIMTIE_PROTOCOL_ANY, /* as card and reader agree; T=0 for "loop:", like a SIM */
	SIMTIE_PROTOCOL_T0,
	SIMTIE_PROTOCOL_T1,
};

#define SIMTIE_DETAIL_MAX 512 /* bytes, terminator included */

/* Zeroed, it asks for the only reader, no trace and the default bound. */
struct simtie_options {
	/*
	 * Which card. "loop:" is a new virtual card in this process, gone with the session;
	 * "loop:FILE" keeps its state in a file that simtie-card can use as well, one at a time.
	 * "at:PORT[,SPEED][,csim|cgla]" is the SIM in a modem, by its AT commands at a serial port,
	 * at 115200 bits a second unless told otherwise, with +CCHO and +CGLA where the modem has
	 * them, else +CSIM; it does not tell the answer to reset, whose length is then 0.
	 * "nfc:DEVICE" is the contactless card on an NFC device by libnfc's name for it
	 * ("nfc:pn532_uart:/dev/ttyUSB0"), "nfc:" on the only one that libnfc finds. One exchange
	 * carries 262 bytes out, which matters to simtie_transmit_raw() alone.
	 * Anything else is a PC/SC reader, the first rule that fits counts:
	 *   - NULL or "": the only reader; of several, the only one with a card in it;
	 *   - decimal digits: an index into simtie_readers(), if there are that many readers;
	 *   - the whole name of a reader, or of exactly one in either case (ASCII);
	 *   - part of the name of exactly one reader, in either case.
	 */
	const char *reader;

	/* File that the exchanges are appended to; *.pcapng for Wireshark. NULL: none. It is made
	 * with mode 0600; a symbolic link, or what is no regular file, is refused. */
	const char *trace;

	/* PINs and keys go into the trace in clear; the file says so. Refused for a file that
	 * others may read. */
	bool trace_secrets;

	enum simtie_protocol protocol; /* SIMTIE_ERR_MUTE when the card cannot do it */
	unsigned timeout_ms;           /* for one command; 0 means SIMTIE_TIMEOUT_MS */

	/* NULL, or a variable that holds the session from simtie_open() to simtie_close(), and NULL
	 * else, so that a signal handler finds it for simtie_abandon(). Signals wait meanwhile. */
	struct simtie_session *volatile *guard;

	/* Room for SIMTIE_DETAIL_MAX bytes, or NULL: gets one sentence on why simtie_open() failed
	 * where there is more to say than simtie_strerror() does, else "". */
	char *detail;
};

/*
 * Connects to the card in a reader, resets it, and holds it for this session alone until
 * simtie_close(). `options` may be NULL. Errors: every one of enum simtie_error from SERVICE to
 * TRANSPORT, STATE, FILE, MEMORY, ARGUMENT. Waits while another program is at the card, and gives
 * SIMTIE_ERR_BUSY when that outlasts the bound of one command.
 */
SIMTIE_API int simtie_open(const struct simtie_options *options, struct simtie_session **session);

/* Ends the session, resets the card, so that no PIN given in it outlives it, and clears the
 * caller's pointer. NULL, or a pointer to NULL, is fine. */
SIMTIE_API void simtie_close(struct simtie_session **session);

/* For a handler of a signal that is about to end the process, in the thread that uses the session
 * or while none does: does what must not be left undone outside this process, which is to close the
 * logical channel that a modem has open. At most some seconds. The session is then good for
 * simtie_close() alone. NULL is fine. */
SIMTIE_API void simtie_abandon(const struct simtie_session *session);

/* Resets the card. Everything volatile in it is gone; the applet has to be selected again, and the
 * calls below go to the basic channel. A SIM in a modem gets a new logical channel instead, which
 * comes to the same for what the applet keeps; the phone's own work on it goes on. */
SIMTIE_API int simtie_reset(struct simtie_session *session);

/* Name of the reader, answer to reset (both belong to the session) and protocol, never ANY. */
SIMTIE_API const char *simtie_session_reader(const struct simtie_session *session);
SIMTIE_API const uint8_t *simtie_session_atr(const struct simtie_session *session, size_t *len);
SIMTIE_API enum simtie_protocol simtie_session_protocol(const struct simtie_session *session);

/* Whether the card is reached by radio (NFC), where whoever is near can listen: a PIN in clear is
 * then no secret any more. */
SIMTIE_API bool simtie_session_over_the_air(const struct simtie_session *session);

/* Status word of the last command answered on this session; 0 before the first. */
SIMTIE_API uint16_t simtie_status_word(const struct simtie_session *session);

/* Totals of the session so far; those of one command are the difference. `bytes` is what a T=0 line
 * would carry: headers, procedure bytes, data, status words and GET RESPONSE (ISO/IEC 7816-3 §10.3,
 * §12.2), whatever the protocol. Data of a refused command counts as sent. */
struct simtie_line {
	unsigned exchanges;
	unsigned long bytes;
};
SIMTIE_API struct simtie_line simtie_session_line(const struct simtie_session *session);

/*
 * Sends one command APDU and gathers its whole answer: 61xx is followed by GET RESPONSE, 6Cxx by
 * the command with the right Le, both bounded. While a secure channel is open (below), commands on
 * its logical channel go through it. A command whose data is over 255 bytes goes as a
 * chain (ISO/IEC 7816-4 §5.1.1.1), since not every line carries extended lengths; a refusal in its
 * middle is the answer. At T=0 a command with data and Le goes without Le (ISO/IEC 7816-3 §12.2).
 * out (room for `size` bytes) gets the response data without status word.
 *
 * Returns 0 whatever the status word is; see simtie_status_word(). SIMTIE_ERR_ARGUMENT for a
 * malformed command, or one whose chain would take over SIMTIE_EXCHANGES_MAX exchanges;
 * SIMTIE_ERR_MEMORY for too small an `out`, which does not undo what the card did; and the
 * session's errors: GONE, TIMEOUT, TRANSPORT, PROTOCOL, ENDLESS, and FILE when the trace cannot be
 * written (an answer that is in is still given; the next command is then not sent). After GONE and
 * TIMEOUT the session is dead: every later call gives the same again.
 */
SIMTIE_API int simtie_transmit(struct simtie_session *session, const uint8_t *command,
			       size_t command_len, uint8_t *out, size_t size, size_t *out_len);

/* The same, past a secure channel that is open, to see what a card does then: most refuse, and end
 * the channel on their side. */
SIMTIE_API int simtie_transmit_clear(struct simtie_session *session, const uint8_t *command,
				     size_t command_len, uint8_t *out, size_t size,
				     size_t *out_len);

/*
 * The same with neither 61xx, 6Cxx, chaining nor a secure channel done for you: one exchange, the
 * answer as it came, its status word apart.
 */
SIMTIE_API int simtie_transmit_raw(struct simtie_session *session, const uint8_t *command,
				   size_t command_len, uint8_t *out, size_t size, size_t *out_len);

/* ---- The secure channel: SCP03 (GlobalPlatform Amendment D) ---- */

#define SIMTIE_KEY_MAX 32 /* bytes of an AES key */

/* The static keys of one key set. The caller's, to be wiped. */
struct simtie_keys {
	uint8_t version; /* 01 to 7F, FF; 00 fits any */
	size_t len;      /* bytes of each key: 16, 24 or 32 */
	uint8_t enc[SIMTIE_KEY_MAX];
	uint8_t mac[SIMTIE_KEY_MAX];
	uint8_t dek[SIMTIE_KEY_MAX];
};

/* What the card says of itself when a channel begins. */
struct simtie_secure_card {
	uint8_t diversification[SIMTIE_DIVERSIFICATION_SIZE]; /* tells this card from others */
	uint8_t version; /* of the key set that the card chose */
	uint8_t options; /* the parameter i (Amendment D table 5-1) */
};

/*
 * Opens a secure channel with what is selected on the session's logical channel, at a level (enum
 * simtie_security_level); a channel that was open ends. The keys are not kept. Until the channel
 * ends, simtie_transmit() and every call on it wraps commands and unwraps answers.
 *
 * It ends by simtie_secure_close(), SELECT on its logical channel, that channel's end, and
 * simtie_reset(). It breaks by a check that fails, on either side, and by a command that gets no
 * answer: from then on commands to that logical channel give SIMTIE_ERR_SECURE, so that nothing
 * meant for the secure channel goes in clear, until one of the above or another
 * simtie_secure_open().
 *
 * SIMTIE_ERR_SECURE, of which simtie_secure_text() says more: these are not the card's keys (found
 * out before the card is asked to check the host, so that no try is used up), or the card does not
 * offer that level or SCP03. SIMTIE_ERR_CARD: SIMTIE_SW_DATA_NOT_FOUND, no key set of that
 * version; SIMTIE_SW_BLOCKED, too many failures in a row; SIMTIE_SW_AUTHENTICATION_FAILED, the
 * card refused the host, which used up a try. SIMTIE_ERR_ARGUMENT; the session's errors.
 */
SIMTIE_API int simtie_secure_open(struct simtie_session *session, const struct simtie_keys *keys,
				  uint8_t level);

/* The same in two steps, for keys that are derived from what the card says of itself: the first
 * asks for the key set of that version, 00 being the card's first. `card` may be NULL. */
SIMTIE_API int simtie_secure_begin(struct simtie_session *session, uint8_t version,
				   struct simtie_secure_card *card);
SIMTIE_API int simtie_secure_finish(struct simtie_session *session, const struct simtie_keys *keys,
				    uint8_t level);

/* Whom to take the card for when it proves itself. All zero: for nobody in particular. */
struct simtie_card_trust {
	const uint8_t *root; /* the operator's certificate, DER or PEM; or NULL */
	size_t root_len;
	const uint8_t *point; /* SIMTIE_POINT_SIZE bytes: the card's key of SCP11b itself, as noted
				 when it was personalised; or NULL. It comes before the root. */
};

/*
 * Opens a secure channel with the applet in which the card proves itself and the host needs no key:
 * SCP11b (GlobalPlatform Amendment F), both ways encrypted and under MAC. It is meant for PINs over
 * the air, and allows nothing that needs the issuer's keys; it ends and breaks as one of
 * simtie_secure_open() does.
 *
 * *verified says whether the card's key was held against `trust`. When not, nobody who listens
 * learns anything, but whoever stands between may be who answers: tell the holder. The certificate
 * is not looked up in a revocation list.
 *
 * SIMTIE_ERR_SECURE, of which simtie_secure_text() says more: the card has no certificate and no
 * key was pinned, the certificate does not hold under the root, or the card does not have the key.
 * SIMTIE_ERR_CARD: SIMTIE_SW_DATA_NOT_FOUND, the card has no key of SCP11b. The session's errors.
 */
SIMTIE_API int simtie_secure_open_card(struct simtie_session *session,
				       const struct simtie_card_trust *trust, bool *verified);

/* Ends the channel on the host's side. The card ends it with the next command in clear, which it
 * refuses unless it is a SELECT. */
SIMTIE_API void simtie_secure_close(struct simtie_session *session);

SIMTIE_API bool simtie_secure_is_open(const struct simtie_session *session);

/* Why the last SIMTIE_ERR_SECURE, and what to do. Static; never NULL; names no secret. */
SIMTIE_API const char *simtie_secure_text(const struct simtie_session *session);

/*
 * Puts a key set on the card, in the place of the set of version `replaced`, or beside those there
 * (0). The issuer security domain must be selected and a channel open with it; `current` are the
 * keys that opened it. SIMTIE_ERR_SECURE: no channel, or the card's check values are not those of
 * the keys. SIMTIE_ERR_ARGUMENT: `fresh` is of no version from 01 to 7F. SIMTIE_ERR_CARD; the
 * session's errors, after which either set may be the card's.
 */
SIMTIE_API int simtie_put_keys(struct simtie_session *session, const struct simtie_keys *current,
			       const struct simtie_keys *fresh, uint8_t replaced);

/* Selects the issuer security domain, which every GlobalPlatform card has. */
SIMTIE_API int simtie_select_domain(struct simtie_session *session);

/* What the domain says of a key set. */
struct simtie_key_set {
	uint8_t version;
	uint8_t type; /* of its first key: 88 is AES (Card Specification table 11-16) */
	uint8_t len;  /* bytes of its first key */
};

#define SIMTIE_KEY_SETS_MAX 16 /* that are told apart; cards have three or so */

/* The key sets on the card, by GET DATA of the domain, which must be selected. SIMTIE_ERR_CARD: it
 * does not say. */
SIMTIE_API int simtie_get_key_sets(struct simtie_session *session,
				   struct simtie_key_set sets[SIMTIE_KEY_SETS_MAX], size_t *count);

/* ---- The card's commands: `apdu-specs/gen/reference.md` describes each ---- */

/* What SELECT and the applet information say. */
struct simtie_info {
	uint8_t version[3]; /* major, minor, patch */
	uint8_t lifecycle;  /* enum simtie_lifecycle */
	uint8_t pin_tries;  /* left; 0: blocked, or not yet set */
	uint8_t puk_tries;
	uint8_t debug_status; /* as the attestation will state it */
	bool seeded;          /* keys or random numbers come from a test seed */
	bool has_key;
	bool has_certificate;
	bool has_channel_key; /* of SCP11b */
	bool pin_guarded;     /* the PIN is taken within a secure channel only */
	uint8_t iccid[SIMTIE_ICCID_SIZE];
	bool has_iccid;
};

/*
 * Selects the applet and reads what it says of itself. With `info` NULL it is selected and nothing
 * is read, which is the shortest on the line: an attestation then takes three commands.
 * A terminated card is selected too; simtie_status_word() is SIMTIE_SW_TERMINATED if `info` is
 * NULL. SIMTIE_ERR_NO_APPLET; SIMTIE_ERR_PROTOCOL; SIMTIE_ERR_CARD; the session's errors.
 */
SIMTIE_API int simtie_select(struct simtie_session *session, struct simtie_info *info);

/* PINs and PUKs are strings of decimal digits: 4 to 8, and 8. SIMTIE_ERR_ARGUMENT for others,
 * before anything is sent. *tries gets the tries left after a refusal (SIMTIE_ERR_CARD), else it is
 * not touched; it may be NULL. The applet must be selected. */
SIMTIE_API int simtie_pin_verify(struct simtie_session *session, const char *pin, unsigned *tries);
SIMTIE_API int simtie_pin_change(struct simtie_session *session, const char *pin,
				 const char *new_pin, unsigned *tries);
SIMTIE_API int simtie_pin_unblock(struct simtie_session *session, const char *puk,
				  const char *new_pin, unsigned *tries);

struct simtie_pin_state {
	uint8_t pin_tries, pin_tries_max;
	uint8_t puk_tries, puk_tries_max;
	bool verified; /* on this channel */
};
SIMTIE_API int simtie_pin_status(struct simtie_session *session, struct simtie_pin_state *state);

/* `len` random bytes from the card, 1 to 255. Not through a secure channel, whose commands do not
 * say how many they want: SIMTIE_ERR_CARD. */
SIMTIE_API int simtie_get_challenge(struct simtie_session *session, uint8_t *out, size_t len);

/* Personalisation goes through the secure channel: the three calls that follow want one at level
 * 03 at least, simtie_generate() at level 33, else the card refuses. */

/* Makes device key and chain code on a card that is not personalised yet; it gives the chain code
 * this once. */
SIMTIE_API int simtie_generate(struct simtie_session *session, struct simtie_card_key *key);

/* Makes the card's key of SCP11b and gives its public point. Repeated, it makes a new one. */
SIMTIE_API int simtie_generate_channel_key(struct simtie_session *session,
					   uint8_t point[SIMTIE_POINT_SIZE]);

/* What personalisation stores; a NULL member is left as it is. All of it or nothing is stored. */
struct simtie_objects {
	const char *pin;
	const char *puk;
	const uint8_t *iccid; /* SIMTIE_ICCID_SIZE bytes, as in EF.ICCID (TS 102 221 §13.2) */
	const uint8_t *certificate;         /* DER */
	size_t certificate_len;             /* up to SIMTIE_CERTIFICATE_MAX */
	const uint8_t *channel_certificate; /* of the key of SCP11b, DER */
	size_t channel_certificate_len;     /* up to SIMTIE_CERTIFICATE_MAX */
	bool guard_pin; /* from now on the PIN is taken within a secure channel only */
};
SIMTIE_API int simtie_store(struct simtie_session *session, const struct simtie_objects *objects);

/* Moves the lifecycle on. There is no way back. */
SIMTIE_API int simtie_set_lifecycle(struct simtie_session *session, enum simtie_lifecycle state);

/* What is to be attested. */
struct simtie_challenge {
	const char *audience; /* UTF-8 without control characters, 1 to 64 bytes */
	const uint8_t *nonce; /* 16 to 64 bytes */
	size_t nonce_len;
	const uint8_t *thumbprint; /* 32 bytes (RFC 9679), or NULL */
	uint8_t purpose;           /* enum simtie_purpose; 0 means registration */
};

/*
 * Has the card attest and writes the token (COSE_Sign1) to `token`, room for SIMTIE_TOKEN_MAX
 * bytes. The PIN goes along in the same command; NULL relies on a simtie_pin_verify() before, which
 * is used up. `full` fetches the token from the card; else it is rebuilt from the compact answer,
 * which halves the bytes on the line and gives the same token.
 */
SIMTIE_API int simtie_attest(struct simtie_session *session,
			     const struct simtie_challenge *challenge, const char *pin, bool full,
			     uint8_t token[SIMTIE_TOKEN_MAX], size_t *token_len, unsigned *tries);

SIMTIE_API int simtie_get_counter(struct simtie_session *session, uint32_t *counter);

/* The card's certificate, DER. SIMTIE_ERR_CARD with SW_DATA_NOT_FOUND when it has none. */
SIMTIE_API int simtie_get_certificate(struct simtie_session *session, uint8_t *out, size_t size,
				      size_t *len);

/* One attestation that the card remembers. */
struct simtie_log_entry {
	uint32_t counter;
	uint8_t purpose;
	uint8_t consent;
	bool seeded;               /* made with keys or random numbers of a test seed */
	uint8_t audience_hash[16]; /* first bytes of SHA-256 of the audience */
	char audience[SIMTIE_LOG_AUDIENCE_MAX + 1]; /* its first bytes */
};

/* Reads the log, newest first. Uses up the PIN given before, as an attestation does. */
SIMTIE_API int simtie_get_log(struct simtie_session *session,
			      struct simtie_log_entry entries[SIMTIE_LOG_ENTRIES], size_t *count);

/* Opens a further logical channel and says its number, 1 to 3; closes one. The applet has to be
 * selected on it anew; simtie_use_channel() (0 to 3) directs the calls above to it. Closing the one
 * in use goes back to channel 0. */
SIMTIE_API int simtie_channel_open(struct simtie_session *session, uint8_t *channel);
SIMTIE_API int simtie_channel_close(struct simtie_session *session, uint8_t channel);
SIMTIE_API int simtie_use_channel(struct simtie_session *session, uint8_t channel);

#ifdef __cplusplus
}
#endif

#endif
