/*
 * How often each client may ask: a token bucket for each, by certificate or address.
 *
 * Owns a table of fixed size, where the longest silent client of a few makes room for a new one.
 * Refuses to grow. For one thread.
 */
#ifndef SIMTIE_SERVICE_QUOTA_H
#define SIMTIE_SERVICE_QUOTA_H

#include "bytes.h"

struct quota;

/* `rate` requests a second, `burst` at once. NULL: out of memory. */
struct quota *quota_new(unsigned rate, unsigned burst);
void quota_free(struct quota **quota);

/* Takes one request of `client` (what it is known by) at this moment. 0: it may; else after how
 * many seconds it may again. */
unsigned quota_take(struct quota *quota, struct bytes client, int64_t now_us);

#endif
