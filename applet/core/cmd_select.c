#include "pin.h"
#include "registry.h"
#include "secure.h"

#define COMMAND_DATA_SHORT 0xFF /* what one short command carries */

static const uint8_t version[] = {APPLET_VERSION_MAJOR, APPLET_VERSION_MINOR, APPLET_VERSION_PATCH};

static void put_fci(const struct applet *applet, enum application application, struct writer *out)
{
	size_t fci = ber_open(out, TAG_FCI);

	ber_put(out, TAG_FCI_AID, registry[application].aid);
	if (application == APPLICATION_ATTESTATION)
		ber_put_u8(out, TAG_FCI_LIFECYCLE, (uint8_t)applet->lifecycle);

	size_t proprietary = ber_open(out, TAG_FCI_PROPRIETARY);

	if (application == APPLICATION_ATTESTATION) {
		ber_put(out, TAG_FCI_VERSION, bytes_of(version, sizeof version));
		ber_put_u8(out, TAG_FCI_PIN_TRIES, pin_tries_left(applet, PIN_HOLDER));
		ber_put_u8(out, TAG_FCI_PUK_TRIES, pin_tries_left(applet, PIN_UNBLOCK));
	} else {
		ber_put_u8(out, TAG_DOMAIN_FCI_LENGTH, COMMAND_DATA_SHORT);
	}
	ber_close(out, proprietary);
	ber_close(out, fci);
}

/* The first application of that name, or the next one after what is selected; APPLICATIONS_COUNT.
 */
static enum application find(const struct command *command)
{
	unsigned candidate = APPLICATION_DOMAIN;

	if (command->p2 == SELECT_ANSWER_FCI_NEXT)
		candidate = command->channel->selected + 1u;
	while (candidate < APPLICATIONS_COUNT &&
	       !registry_begins(registry[candidate].aid, command->data))
		candidate++;
	return (enum application)candidate;
}

uint16_t cmd_select(struct applet *applet, struct command *command)
{
	enum application found = find(command);

	if (found == APPLICATIONS_COUNT)
		return SW_NOT_FOUND;
	secure_end_on(applet, command->channel_number);
	command->channel->selected = found;
	command->channel->verified = false;
	if (command->p2 != SELECT_ANSWER_NOTHING)
		put_fci(applet, found, &command->out);
	if (found == APPLICATION_ATTESTATION && applet->lifecycle == LIFECYCLE_TERMINATED)
		return SW_TERMINATED;
	return SW_OK;
}
