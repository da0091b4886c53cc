/*
 * Who may personalise: the one place that decides it.
 *
 * Until the card has a secure channel, possession decides: a card in FACTORY may be personalised by
 * whoever holds it, and no other card by anybody.
 */
#ifndef SIMTIE_CORE_ACCESS_H
#define SIMTIE_CORE_ACCESS_H

#include "applet.h"

/* Whether GENERATE, STORE DATA and SET STATUS are allowed now. */
static inline bool access_personalise(const struct applet *applet)
{
	return applet->lifecycle == LIFECYCLE_FACTORY;
}

#endif
