/*
 * The lock on one NFC device. See claim.h.
 */
#ifndef SIMTIE_NFC_LOCK_H
#define SIMTIE_NFC_LOCK_H

#include <stddef.h>

#include "claim.h"

/* Takes the lock of a device, by libnfc's name for it. *lock is a descriptor, to be closed. */
enum claim_result lock_take(const char *name, unsigned wait_ms, int *lock,
			    char text[static CLAIM_TEXT_MAX]);

/* The file in /dev that is the device, "" if it has none that can be told from its name. */
void lock_node(const char *name, char *node, size_t size);

#endif
