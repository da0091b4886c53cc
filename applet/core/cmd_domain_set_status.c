#include "access.h"
#include "lifecycle.h"
#include "records.h"

static const uint8_t state_secured = CARD_STATE_SECURED;

uint16_t cmd_domain_set_status(struct applet *applet, struct command *command)
{
	if (!access_issuer(applet, command))
		return SW_NOT_SATISFIED;
	if (command->p2 == CARD_STATE_TERMINATED)
		return lifecycle_terminate(applet, true);
	if (journal_has(&applet->journal, RECORD_CARD_STATE)) /* no way back, none needed */
		return SW_OK;
	return record_put(applet, RECORD_CARD_STATE, &state_secured, 1);
}
