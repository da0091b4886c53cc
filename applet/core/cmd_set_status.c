#include "access.h"
#include "lifecycle.h"
#include "records.h"

static const uint8_t state_personalised = LIFECYCLE_PERSONALISED;

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

uint16_t cmd_set_status(struct applet *applet, struct command *command)
{
	if (command->p2 == LIFECYCLE_TERMINATED)
		return access_terminate(command) ? lifecycle_terminate(applet, false)
						 : SW_NOT_SATISFIED;
	return access_personalise(applet, command) ? personalise(applet) : SW_NOT_SATISFIED;
}
