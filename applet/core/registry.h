/*
 * What can be selected on the card: the contract's applications, in the order of its registry.
 */
#ifndef SIMTIE_CORE_REGISTRY_H
#define SIMTIE_CORE_REGISTRY_H

#include "applet.h"

struct registry_entry {
	struct bytes aid;
	struct bytes load_file;
};

/* By enum application. */
extern const struct registry_entry registry[APPLICATIONS_COUNT];

/* Whether an AID begins with the bytes given. */
bool registry_begins(struct bytes aid, struct bytes name);

/* Lifecycle of the domain (the card's, enum card_state) or of the attestation applet. */
uint8_t registry_lifecycle(const struct applet *applet, enum application application);

#endif
