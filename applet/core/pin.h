/*
 * PIN and PUK: their form, their tries, their comparison, and the three commands that bring one.
 *
 * A try is charged, durably, before anything is compared, so that cutting the power buys no guess.
 * Giving the tries back is the caller's commit, made together with what the right PIN allowed.
 */
#ifndef SIMTIE_CORE_PIN_H
#define SIMTIE_CORE_PIN_H

#include "command.h"

enum pin_id {
	PIN_HOLDER, /* the PIN */
	PIN_UNBLOCK /* the PUK */
};

/* Tries left; 0 when blocked, not yet set, or unreadable. */
uint8_t pin_tries_left(const struct applet *applet, enum pin_id id);

/* Tries after a success. */
uint8_t pin_tries_max(enum pin_id id);

/* Whether the PIN is taken within a secure channel only; also when the memory does not say. */
bool pin_guarded(const struct applet *applet);

/*
 * Tries a guess that came with a command. SW_NOT_SATISFIED: not as it came, in clear, and nothing
 * was charged; SW_OK: it is right, and the tries are still charged: commit pin_tries_back();
 * SW_TRIES_LEFT with their number: it is wrong; SW_BLOCKED: no try was left, and SW_MEMORY_FAILURE:
 * it could not be charged; nothing was then compared.
 */
uint16_t pin_try(struct applet *applet, const struct command *command, enum pin_id id,
		 const uint8_t guess[static LIMIT_PIN_SIZE]);

/*
 * A command that brings a PIN or PUK at the front of its data: tries it and, if it is right, gives
 * the tries back and sets the PIN to `new` (LIMIT_PIN_SIZE bytes in the command; NULL: it stays).
 * The right PIN is then given for the channel. What pin_try() says, or SW_WRONG_DATA: the new one
 * is malformed, and nothing was charged.
 */
uint16_t pin_command(struct applet *applet, struct command *command, enum pin_id id,
		     const uint8_t *new);

/* The write that gives all tries back. */
struct journal_write pin_tries_back(enum pin_id id);

/* The write that sets a PIN; `value` must live until the commit. */
struct journal_write pin_set(enum pin_id id, struct bytes value);

/* Whether the bytes are a PIN (4 to 8 digits padded with FF, TS 102 221 §9.5.1) or a PUK (8
 * digits). */
bool pin_well_formed(enum pin_id id, struct bytes value);

#endif
