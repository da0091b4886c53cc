#include "access.h"
#include "command.h"
#include "log.h"
#include "pin.h"

static const uint8_t state_personalised = LIFECYCLE_PERSONALISED;
static const uint8_t state_terminated = LIFECYCLE_TERMINATED;

static uint16_t personalise(struct applet *applet)
{
	const struct journal_write write = {RECORD_LIFECYCLE, {&state_personalised, 1}};

	if (!journal_has(&applet->journal, RECORD_KEY) ||
	    !journal_has(&applet->journal, RECORD_PIN) ||
	    !journal_has(&applet->journal, RECORD_PUK))
		return SW_CONDITIONS;
	if (journal_commit(&applet->journal, &write, 1) != JOURNAL_OK)
		return SW_MEMORY_FAILURE;
	applet->lifecycle = LIFECYCLE_PERSONALISED;
	return SW_OK;
}

/* One commit moves the state and removes everything else; then the old values are erased. */
static uint16_t terminate(struct applet *applet)
{
	struct journal_write writes[JOURNAL_IDS];
	size_t count = 0;

	for (uint8_t id = 0; id < JOURNAL_IDS; id++)
		if (id != RECORD_LIFECYCLE && journal_has(&applet->journal, id))
			writes[count++] = (struct journal_write){id, {NULL, 0}};
	writes[count++] = (struct journal_write){RECORD_LIFECYCLE, {&state_terminated, 1}};
	if (journal_commit(&applet->journal, writes, count) != JOURNAL_OK)
		return SW_MEMORY_FAILURE;
	applet->lifecycle = LIFECYCLE_TERMINATED;
	applet->counter = 0;
	return journal_scrub(&applet->journal) == JOURNAL_OK ? SW_OK : SW_MEMORY_FAILURE;
}

uint16_t cmd_set_status(struct applet *applet, struct command *command)
{
	if (!access_personalise(applet))
		return SW_NOT_SATISFIED;
	return command->p2 == LIFECYCLE_TERMINATED ? terminate(applet) : personalise(applet);
}
