/*
 * Fuzzes the card's core: a run of APDUs against a card, the code that ships over simulated flash.
 *
 * Input: one byte that chooses the card (bit 0: personalised, bit 1: T=0), then APDUs, each after a
 * length byte. What must hold: no crash, every status word is in the contract, a refusal writes
 * nothing, an answer is no longer than was asked for.
 */
#include <stdlib.h>

#include "core_card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Prepared once, and copied for each input: opening a card tests its crypto, which takes long. */
static struct core_card prepared[2];
static struct flash_sim_image *images[2];

static void prepare(void)
{
	if (images[0])
		return;
	for (int i = 0; i < 2; i++) {
		core_card_init(&prepared[i]);
		if (i)
			core_card_personalise_any(&prepared[i]);
		images[i] = flash_sim_snapshot(&prepared[i].sim);
	}
}

static bool may_write(uint16_t sw)
{
	return sw == SW_OK || (sw & 0xFFF0) == SW_TRIES_LEFT || (sw & 0xFF00) == SW_BYTES_AVAILABLE ||
	       (sw & 0xFF00) == SW_WRONG_LE;
}

static void check(const struct core_card *card, const struct answer *answer)
{
	bool known = false;

#define KNOWN(name, value, mask, ...) known |= (answer->sw & (mask)) == (value);
	STATUS_WORDS(KNOWN)
#undef KNOWN
	if (!known || answer->data.len > LIMIT_RESPONSE_DATA ||
	    (!may_write(answer->sw) && card->sim.counts.operations > 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct core_card *card;
	struct applet applet;
	size_t at = 1;

	if (size == 0)
		return 0;
	prepare();
	card = &prepared[data[0] & 1];
	applet = card->applet;
	applet.protocol = data[0] & 2 ? APPLET_T0 : APPLET_T1;
	flash_sim_restore(&card->sim, images[data[0] & 1]);
	while (at < size) {
		size_t len = data[at++];
		uint8_t *command;
		struct answer answer;

		if (len > size - at)
			len = size - at;
		command = malloc(len ? len : 1);
		memcpy(command, data + at, len);
		at += len;
		flash_sim_reset_counts(&card->sim);
		answer = applet_transmit(&applet, bytes_of(command, len));
		free(command);
		check(card, &answer);
	}
	return 0;
}
