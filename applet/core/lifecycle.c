#include "lifecycle.h"

#include "records.h"
#include "wipe.h"

static const uint8_t state_terminated = LIFECYCLE_TERMINATED;
static const uint8_t card_terminated = CARD_STATE_TERMINATED;

/* Whether a record outlives the applet: the domain's, unless the card ends, and the card's name,
 * without which it would take itself for new. */
static bool outlives(uint8_t id, bool card)
{
	if (id == RECORD_DIVERSIFICATION || id == RECORD_WIPE)
		return true;
	return !card && id >= RECORD_CARD_STATE && id < RECORD_LOG;
}

uint16_t lifecycle_terminate(struct applet *applet, bool card)
{
	struct journal_write writes[JOURNAL_IDS];
	size_t count = 0;

	writes[count++] = (struct journal_write){RECORD_LIFECYCLE, {&state_terminated, 1}};
	if (card)
		writes[count++] = (struct journal_write){RECORD_CARD_STATE, {&card_terminated, 1}};
	writes[count++] = wipe_mark();
	for (uint8_t id = 0; id < JOURNAL_IDS; id++)
		if (id != RECORD_LIFECYCLE && id != RECORD_CARD_STATE && !outlives(id, card) &&
		    journal_has(&applet->journal, id))
			writes[count++] = (struct journal_write){id, {NULL, 0}};
	if (journal_commit(&applet->journal, writes, count) != JOURNAL_OK)
		return SW_MEMORY_FAILURE;
	applet->lifecycle = LIFECYCLE_TERMINATED;
	applet->counter = 0;
	return wipe_finish(&applet->journal) == JOURNAL_OK ? SW_OK : SW_MEMORY_FAILURE;
}
