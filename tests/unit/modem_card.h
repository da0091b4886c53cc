/*
 * The simulated modem's SIM: what goes to the card's core, and what a guest should not have sent.
 *
 * For modem_*.c alone; tests use modem_sim.h.
 */
#ifndef SIMTIE_TESTS_MODEM_CARD_H
#define SIMTIE_TESTS_MODEM_CARD_H

#include "modem_sim.h"

#define MODEM_ANSWER_MAX 258 /* bytes of a response, status word included */

/* One command, after the time that the SIM takes. */
struct answer modem_card_ask(struct modem *modem, struct bytes command);

/* MANAGE CHANNEL on the basic channel; the status word. `opened` (or NULL) gets the new channel. */
uint16_t modem_card_manage(struct modem *modem, uint8_t action, uint8_t channel, uint8_t *opened);

/* Counts what the guest has no business with: the basic channel, and those that the phone opened
 * first. The command has at least a header. */
void modem_card_watch(struct modem *modem, const uint8_t *command);

/* Puts a response into out, its length is returned; with `fetches` also what 61xx says is left. */
size_t modem_card_respond(struct modem *modem, struct bytes command,
			  uint8_t out[static MODEM_ANSWER_MAX]);

#endif
