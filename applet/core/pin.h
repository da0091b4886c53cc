/*
 * PIN and PUK: their form, their tries, their comparison.
 *
 * A try is charged, durably, before anything is compared, so that cutting the power buys no guess.
 * Giving the tries back is the caller's commit, made together with what the right PIN allowed.
 */
#ifndef SIMTIE_CORE_PIN_H
#define SIMTIE_CORE_PIN_H

#include "applet.h"

enum pin_id {
	PIN_HOLDER, /* the PIN */
	PIN_UNBLOCK /* the PUK */
};

enum pin_result {
	PIN_RIGHT,     /* the tries are still charged: commit pin_tries_back() */
	PIN_WRONG,     /* a try is gone */
	PIN_BLOCKED,   /* no try was left; nothing was compared */
	PIN_UNCHARGED, /* the memory failed; nothing was compared */
};

/* Tries left; 0 when blocked, not yet set, or unreadable. */
uint8_t pin_tries_left(const struct applet *applet, enum pin_id id);

/* Tries after a success. */
uint8_t pin_tries_max(enum pin_id id);

/* Compares a guess of LIMIT_PIN_SIZE bytes. *left gets the tries left after PIN_WRONG. */
enum pin_result pin_try(struct applet *applet, enum pin_id id, struct bytes guess, uint8_t *left);

/* The write that gives all tries back. */
struct journal_write pin_tries_back(enum pin_id id);

/* The write that sets a PIN; `value` must live until the commit. */
struct journal_write pin_set(enum pin_id id, struct bytes value);

/* Whether the bytes are a PIN (4 to 8 digits padded with FF, TS 102 221 §9.5.1) or a PUK (8
 * digits). */
bool pin_well_formed(enum pin_id id, struct bytes value);

/* The status word of a result that is not PIN_RIGHT. */
uint16_t pin_refusal(enum pin_result result, uint8_t left);

#endif
