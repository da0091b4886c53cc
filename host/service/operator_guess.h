/*
 * How many numbers one challenge was tried with.
 *
 * A messenger to whom a number was sealed holds a token that is good for that number alone: by
 * trying the token with number after number it could find the sealed one out. A token answers one
 * challenge, so that a bound on numbers for each challenge is a bound on guesses for each PIN that
 * a holder gives.
 *
 * Owns a table of bounded size, in memory: what was tried longest ago is forgotten first, and each
 * daemon counts for itself. Refuses to look at answers: it counts alike whether a guess was right.
 *
 * Any number of threads may use one table.
 */
#ifndef SIMTIE_SERVICE_OPERATOR_GUESS_H
#define SIMTIE_SERVICE_OPERATOR_GUESS_H

#include "vault.h"

/* Numbers that a challenge may come with: one, and some for whoever mistyped it. */
#define OPERATOR_GUESS_MAX 3

struct operator_guess;

/* NULL: out of memory. */
struct operator_guess *operator_guess_new(void);
void operator_guess_free(struct operator_guess **guess);

/* Notes that a challenge came with this number. False: it has come with OPERATOR_GUESS_MAX others.
 * The same pair again changes nothing. */
bool operator_guess_allowed(struct operator_guess *guess, const struct vault_index *challenge,
			    const struct vault_index *number);

#endif
