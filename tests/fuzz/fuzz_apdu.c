/*
 * Fuzzes the card's core: a run of APDUs against a card, the code that ships over simulated flash.
 *
 * Input: one byte that chooses the card (bit 0: personalised, bit 1: T=0, bit 2: the domain is
 * selected, bits 3 to 5: in a session, at one of the five levels, and what can be wrapped then is),
 * then APDUs, each after a length byte. What must hold: no crash, every status word is in the
 * contract, a refusal writes nothing, an answer is no longer than was asked for, and one of the
 * session unwraps.
 */
#include <stdlib.h>

#include "core_card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t levels[] = {SECURITY_LEVEL_C_MAC, SECURITY_LEVEL_C_MAC_ENC,
				 SECURITY_LEVEL_C_MAC_R_MAC, SECURITY_LEVEL_C_MAC_ENC_R_MAC,
				 SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC};
#define LEVELS (sizeof levels)

#define PERSONALISED 0x01
#define T0           0x02
#define DOMAIN       0x04
#define LEVEL_SHIFT  3
#define STARTS       64 /* what the bits above T0 and below bit 6 can say, and bit 0 */

/* Prepared once, and copied for each input: opening a card tests its crypto, which takes long. */
static struct start {
	struct core_card card;
	struct flash_sim_image *image;
} * starts[STARTS];

static struct start *start_of(uint8_t mode)
{
	size_t level = mode >> LEVEL_SHIFT & 7;
	struct start **start = &starts[mode & (STARTS - 1) & ~T0];

	if (*start)
		return *start;
	*start = malloc(sizeof **start);
	core_card_init(&(*start)->card);
	if (mode & PERSONALISED)
		core_card_personalise_any(&(*start)->card);
	if (mode & DOMAIN)
		core_card_send(&(*start)->card, "00 A4 04 00 00");
	if (level >= 1 && level <= LEVELS)
		core_card_secure(&(*start)->card, levels[level - 1]);
	(*start)->image = flash_sim_snapshot(&(*start)->card.sim);
	return *start;
}

static bool may_write(uint16_t sw)
{
	return sw == SW_OK || sw == SW_AUTHENTICATION_FAILED || (sw & 0xFFF0) == SW_TRIES_LEFT ||
	       (sw & 0xFF00) == SW_BYTES_AVAILABLE || (sw & 0xFF00) == SW_WRONG_LE;
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

/* One command, in an allocation of its own: a sanitizer sees every over-read. */
static struct answer transmit(struct core_card *card, struct applet *applet, struct bytes bytes)
{
	uint8_t *command = malloc(bytes.len ? bytes.len : 1);
	struct answer answer;

	if (bytes.len)
		memcpy(command, bytes.ptr, bytes.len);
	flash_sim_reset_counts(&card->sim);
	answer = applet_transmit(applet, bytes_of(command, bytes.len));
	free(command);
	check(card, &answer);
	return answer;
}

/* Wraps the command if it can be, and takes the card's answer as the host would. */
static void transmit_secure(struct core_card *card, struct applet *applet, struct scp03 *scp,
			    struct bytes command)
{
	uint8_t wrapped[512], plain[LIMIT_RESPONSE_DATA];
	struct answer answer;
	size_t len;

	if (scp03_wrap(scp, command, wrapped, sizeof wrapped, &len) != SCP03_OK) {
		transmit(card, applet, command);
		return;
	}
	answer = transmit(card, applet, bytes_of(wrapped, len));
	if ((answer.sw & 0xFF00) == SW_BYTES_AVAILABLE || applet->secure.state != SECURE_OPEN)
		scp03_end(scp); /* the rest is for raw commands */
	else if (scp03_unwrap(scp, answer.data, answer.sw, plain, sizeof plain, &len) != SCP03_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct start *start;
	struct applet applet;
	struct scp03 scp;
	size_t at = 1;

	if (size == 0)
		return 0;
	start = start_of(data[0]);
	applet = start->card.applet;
	scp = start->card.scp;
	applet.protocol = data[0] & T0 ? APPLET_T0 : APPLET_T1;
	flash_sim_restore(&start->card.sim, start->image);
	while (at < size) {
		size_t len = data[at++];

		if (len > size - at)
			len = size - at;
		transmit_secure(&start->card, &applet, &scp, bytes_of(data + at, len));
		at += len;
	}
	return 0;
}
