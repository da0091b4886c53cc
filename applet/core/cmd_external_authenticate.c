#include "key_set.h"
#include "secure.h"

/* Bits of i that a level needs: 20 for a response MAC, 40 for response encryption as well. */
static bool level_offered(uint8_t level, uint8_t options)
{
	uint8_t needs = 0;

	if (level == SECURITY_LEVEL_C_MAC_R_MAC || level == SECURITY_LEVEL_C_MAC_ENC_R_MAC)
		needs = 0x20;
	if (level == SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC)
		needs = 0x60;
	return (options & needs) == needs;
}

static uint16_t authenticate(struct applet *applet, const struct command *command)
{
	const struct secure *session = &applet->secure;
	uint8_t slot = session->key_set;

	if (session->state != SECURE_STARTED || session->channel != command->channel_number ||
	    !level_offered(command->p1, session->options))
		return SW_CONDITIONS;
	if (command->data.len != 2u * session->messaging.mac_len)
		return SW_WRONG_LENGTH;
	if (!key_set_count(applet, slot, (uint8_t)(key_set_failures(applet, slot) + 1)))
		return SW_MEMORY_FAILURE;
	if (!secure_authenticate(applet, command))
		return SW_AUTHENTICATION_FAILED;
	return key_set_count(applet, slot, 0) ? SW_OK : SW_MEMORY_FAILURE;
}

uint16_t cmd_external_authenticate(struct applet *applet, struct command *command)
{
	uint16_t sw = authenticate(applet, command);

	if (sw != SW_OK)
		secure_end(applet);
	return sw;
}
