/*
 * What may be an audience: a messenger's identifier, UTF-8 (RFC 3629) without control characters.
 */
#ifndef SIMTIE_CORE_AUDIENCE_H
#define SIMTIE_CORE_AUDIENCE_H

#include "bytes.h"

/* Whether the bytes are one: in length, as UTF-8, and free of C0, DEL and C1. */
bool audience_valid(struct bytes audience);

#endif
