#include "lifecycle.h"

#include "records.h"
#include "wipe.h"

static const uint8_t state_terminated = LIFECYCLE_TERMINATED;
static const uint8_t card_terminated = CARD_STATE_TERMINATED;

/* Removes all records from one to another. */
static struct journal_write removal(enum record from, enum record to)
{
	return (struct journal_write){(uint8_t)from, {NULL, (size_t)(to - from)}};
}

/* What stays is the card's name, without which it would take itself for new, and what is the
 * domain's, unless the card ends. */
uint16_t lifecycle_terminate(struct applet *applet, bool card)
{
	const struct journal_write writes[] = {
		{RECORD_LIFECYCLE, {&state_terminated, 1}},
		wipe_mark(),
		removal(RECORD_KEY, RECORD_CERTIFICATE),
		removal(RECORD_CHANNEL_KEY, RECORD_LOG_LAST),
		removal(RECORD_ISSUER_NUMBER, RECORD_SEQUENCE_LAST), /* the rest: `card` */
		{RECORD_CARD_STATE, {&card_terminated, 1}},
	};
	const size_t all = sizeof writes / sizeof *writes;

	if (record_commit(applet, writes, card ? all : all - 2) != SW_OK)
		return SW_MEMORY_FAILURE;
	applet->lifecycle = LIFECYCLE_TERMINATED;
	applet->counter = 0;
	return wipe_finish(&applet->journal) == JOURNAL_OK ? SW_OK : SW_MEMORY_FAILURE;
}
