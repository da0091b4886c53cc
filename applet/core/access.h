/*
 * Who may do what the issuer alone may: the one place that decides it.
 *
 * The level is that of the SCP03 session in which the command came; 0 in clear.
 */
#ifndef SIMTIE_CORE_ACCESS_H
#define SIMTIE_CORE_ACCESS_H

#include "command.h"
#include "records.h"

/* Whether a level has all that another has. */
static inline bool access_level(const struct command *command, enum security_level needed)
{
	return (command->level & needed) == needed;
}

/* The issuer, in any session, until the card is terminated, which takes its key sets: GET STATUS,
 * PUT KEY and the domain's other commands. */
static inline bool access_issuer(const struct applet *applet, const struct command *command)
{
	return access_level(command, SECURITY_LEVEL_C_MAC) &&
	       journal_has(&applet->journal, RECORD_KEY_SET + applet->secure.key_set);
}

/* The issuer, unheard: ends the applet's life. */
static inline bool access_terminate(const struct command *command)
{
	return access_level(command, SECURITY_LEVEL_C_MAC_ENC);
}

/* Personalisation, of a card that has not been: PINs and identifiers go in. */
static inline bool access_personalise(const struct applet *applet, const struct command *command)
{
	return applet->lifecycle == LIFECYCLE_FACTORY &&
	       access_level(command, SECURITY_LEVEL_C_MAC_ENC);
}

/* The same, with an answer that nobody else may read: the chain code comes out. */
static inline bool access_generate(const struct applet *applet, const struct command *command)
{
	return applet->lifecycle == LIFECYCLE_FACTORY &&
	       access_level(command, SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC);
}

#endif
