/*
 * The card by radio: what picc.h asks of a card.
 */
#include <stdio.h>

#include "../nfc/picc.h"
#include "card_internal.h"

/* How long another program may take to let go of the device. */
#define NFC_WAIT_MS 5000

static struct answer air_command(void *card, struct bytes body)
{
	return card_carry_out(card, body);
}

static void air_reset(void *argument)
{
	struct card *card = argument;

	applet_reset(&card->applet, APPLET_T1);
	if (card->options->verbose)
		card_say("reader near, or gone");
}

enum next card_air_serve(struct card *card)
{
	const struct picc_card air = {card, air_command, air_reset, card_say};

	return picc_serve(card->claim.device, &air, card->signals) == PICC_SIGNAL
		       ? card_signal_came(card)
		       : BREAK_OFF;
}

bool card_air_open(struct card *card)
{
	char text[CLAIM_TEXT_MAX];

	if (claim_open(&card->claim, card->options->nfc, NFC_WAIT_MS, text) == CLAIM_OK) {
		fprintf(stderr, "simtie-card: card offered by %s\n", card->claim.name);
		return true;
	}
	card_say(text);
	return false;
}
