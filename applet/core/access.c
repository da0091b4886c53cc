#include "access.h"

#include "records.h"
#include "secure.h"

/* Whether the issuer sent it, at a level that has all that another has. */
static bool access_level(const struct command *command, enum security_level needed)
{
	const unsigned all = (unsigned)needed | SECURE_ISSUER;

	return (command->level & all) == all;
}

bool access_issuer(const struct applet *applet, const struct command *command)
{
	return access_level(command, SECURITY_LEVEL_C_MAC) &&
	       journal_has(&applet->journal, RECORD_KEY_SET + applet->secure.key_set);
}

bool access_terminate(const struct command *command)
{
	return access_level(command, SECURITY_LEVEL_C_MAC_ENC);
}

bool access_personalise(const struct applet *applet, const struct command *command)
{
	return applet->lifecycle == LIFECYCLE_FACTORY &&
	       access_level(command, SECURITY_LEVEL_C_MAC_ENC);
}

bool access_generate(const struct applet *applet, const struct command *command)
{
	return applet->lifecycle == LIFECYCLE_FACTORY &&
	       access_level(command, SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC);
}
