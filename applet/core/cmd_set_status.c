#include "access.h"
#include "lifecycle.h"
#include "records.h"

static const uint8_t state_personalised = LIFECYCLE_PERSONALISED;

static uint16_t personalise(struct applet *applet)
{
	uint16_t sw;

	if (!journal_has(&applet->journal, RECORD_KEY) ||
	    !journal_has(&applet->journal, RECORD_PIN) ||
	    !journal_has(&applet->journal, RECORD_PUK))
		return SW_CONDITIONS;
	sw = record_put(applet, RECORD_LIFECYCLE, &state_personalised, 1);
	if (sw == SW_OK)
		applet->lifecycle = LIFECYCLE_PERSONALISED;
	return sw;
}

uint16_t cmd_set_status(struct applet *applet, struct command *command)
{
	if (command->p2 == LIFECYCLE_TERMINATED)
		return access_terminate(command) ? lifecycle_terminate(applet, false)
						 : SW_NOT_SATISFIED;
	return access_personalise(applet, command) ? personalise(applet) : SW_NOT_SATISFIED;
}
