/*
 * The steps that need the operator's keys on the card. Each tells its failure and returns false.
 */
#ifndef SIMTIE_TOOL_PROVISION_CARD_H
#define SIMTIE_TOOL_PROVISION_CARD_H

#include "provision_work.h"

/* provision_load.c. Makes keys, certificate, PIN and PUK, and moves the lifecycle on. */
bool provision_load(struct provision_work *work);

/* Has the card attest with the PIN of the list, and verifies it with the record. */
bool provision_load_prove(struct provision_work *work);

#endif
