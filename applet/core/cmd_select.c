#include "command.h"
#include "pin.h"

static const uint8_t aid[] = APPLET_AID;
static const uint8_t version[] = {APPLET_VERSION_MAJOR, APPLET_VERSION_MINOR, APPLET_VERSION_PATCH};

static void put_fci(const struct applet *applet, struct writer *out)
{
	size_t fci = ber_open(out, TAG_FCI);

	ber_put(out, TAG_FCI_AID, bytes_of(aid, sizeof aid));
	ber_put_u8(out, TAG_FCI_LIFECYCLE, (uint8_t)applet->lifecycle);

	size_t proprietary = ber_open(out, TAG_FCI_PROPRIETARY);

	ber_put(out, TAG_FCI_VERSION, bytes_of(version, sizeof version));
	ber_put_u8(out, TAG_FCI_PIN_TRIES, pin_tries_left(applet, PIN_HOLDER));
	ber_put_u8(out, TAG_FCI_PUK_TRIES, pin_tries_left(applet, PIN_UNBLOCK));
	ber_close(out, proprietary);
	ber_close(out, fci);
}

uint16_t cmd_select(struct applet *applet, struct command *command)
{
	if (!bytes_equal(command->data, bytes_of(aid, sizeof aid)))
		return SW_NOT_FOUND;
	command->channel->selected = true;
	command->channel->verified = false;
	if (command->p2 == SELECT_ANSWER_FCI)
		put_fci(applet, &command->out);
	return applet->lifecycle == LIFECYCLE_TERMINATED ? SW_TERMINATED : SW_OK;
}
