/*
 * The PIN of a card that somebody owns: what was taken is given back, and no try is risked that its
 * holder could miss.
 */
#include "conformance.h"

#include <stdio.h>

#define TRIES_LEAST 2 /* with fewer left, none is taken */

int conformance_pin_settle(struct conformance *conf, char *text)
{
	struct simtie_pin_state state;
	unsigned tries = 0;
	int error = simtie_pin_status(conf->session, &state);

	conf->no_pin[0] = '\0';
	conf->no_tries[0] = '\0';
	if (error)
		return error;
	if (!conf->pin_given)
		snprintf(conf->no_pin, sizeof conf->no_pin,
			 "needs the card's PIN: give --pin-file");
	else if (state.pin_tries < TRIES_LEAST)
		snprintf(conf->no_pin, sizeof conf->no_pin,
			 "the card has %u PIN tries left, too few to take one", state.pin_tries);
	else
		error = simtie_pin_verify(conf->session, conf->pin, &tries);
	if (error == SIMTIE_ERR_CARD)
		snprintf(text, CONFORMANCE_TEXT_MAX,
			 "the card refused the PIN, %u tries are left and no more are taken; see "
			 "to the PIN and give all tries back with `simtie pin verify`",
			 tries);
	if (!error && conf->no_pin[0] && state.pin_tries < state.pin_tries_max)
		snprintf(conf->no_tries, sizeof conf->no_tries,
			 "the card has %u of %u PIN tries left; give them back with `simtie pin "
			 "verify` first",
			 state.pin_tries, state.pin_tries_max);
	return error;
}

/* The PIN as it should be, or as an example that stopped half way left it. */
static bool restore_by_pin(struct conformance *conf, struct simtie_pin_state *state)
{
	if (state->pin_tries < TRIES_LEAST)
		return false;
	if (simtie_pin_verify(conf->session, conf->pin, NULL) == 0)
		return true;
	if (simtie_pin_status(conf->session, state) || state->pin_tries < TRIES_LEAST)
		return false;
	return simtie_pin_change(conf->session, conf->new_pin, conf->pin, NULL) == 0;
}

static bool restore_by_puk(struct conformance *conf, const struct simtie_pin_state *state)
{
	return (conf->puk_given || conf->ours) && state->puk_tries >= TRIES_LEAST &&
	       simtie_pin_unblock(conf->session, conf->puk, conf->pin, NULL) == 0;
}

int conformance_pin_give_back(struct conformance *conf, bool doubtful, char *text)
{
	struct simtie_pin_state state;
	int error = simtie_pin_status(conf->session, &state);

	if (error)
		return error;
	if (conf->no_pin[0] || (state.pin_tries == state.pin_tries_max && !doubtful))
		return 0;
	if (restore_by_pin(conf, &state) || restore_by_puk(conf, &state))
		return 0;
	snprintf(text, CONFORMANCE_TEXT_MAX,
		 "the card's PIN tries could not be given back: %u are left; `simtie pin verify` "
		 "or `simtie pin unblock` does it, the PIN is the one given or one whose first "
		 "digit is one higher",
		 state.pin_tries);
	return SIMTIE_ERR_CARD;
}
