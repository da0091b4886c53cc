/*
 * The session of the card's secure channel, SCP03 (GlobalPlatform Amendment D v1.2) or SCP11b
 * (Amendment F v1.3): opened, used, ended.
 *
 * One session at a time, on the channel on which it was begun. Owns the session keys; they are
 * wiped when it ends, and it ends with a failed check, a command in clear, SELECT on its channel,
 * the channel's close, reset, and the next
 * INITIALIZE UPDATE or INTERNAL AUTHENTICATE of SCP11b.
 */
#ifndef SIMTIE_CORE_SECURE_H
#define SIMTIE_CORE_SECURE_H

#include "command.h"

/* Bit of a level: the issuer proved that it has the keys. SCP11b does not set it. */
#define SECURE_ISSUER 0x80

/* Opens the session whose keys stand in it already. */
void secure_opened(struct applet *applet, uint8_t channel_number, uint8_t level);

/* Ends the session, if there is one. */
void secure_end(struct applet *applet);

/* The same, if it is on this channel. */
void secure_end_on(struct applet *applet, uint8_t channel_number);

/* Whether a session is open on this channel. */
bool secure_on(const struct applet *applet, uint8_t channel_number);

/*
 * INITIALIZE UPDATE: derives the session from a key set and the host's challenge and answers to
 * `out`. SW_OK, or the refusal's status word; nothing is then begun.
 */
uint16_t secure_begin(struct applet *applet, uint8_t slot, uint8_t channel_number,
		      struct bytes host_challenge, struct writer *out);

/* Checks EXTERNAL AUTHENTICATE's cryptogram and MAC and opens the session at its level. False: they
 * are wrong, or the crypto failed and the card is shut; it is the caller's to end the session. */
bool secure_authenticate(struct applet *applet, const struct command *command);

/*
 * Checks the MAC of a command of the session and decrypts its data in place. `header` is the
 * command's as sent, `data` what followed Lc; `data` must be writable and its plain length goes to
 * *len. False: MAC or padding is wrong, at one and the same cost, or the crypto failed and the card
 * is shut; the session has then ended.
 */
bool secure_unwrap(struct applet *applet, const uint8_t header[static 4], uint8_t *data,
		   size_t *len);

/*
 * Encrypts and MACs a response of `*len` bytes in place (room for `size`) as the level asks, `sw`
 * included. False: the crypto failed, or it does not fit, which nothing in the contract brings
 * about; the card is shut and the session has ended.
 */
bool secure_wrap(struct applet *applet, uint16_t sw, uint8_t *data, size_t size, size_t *len);

#endif
