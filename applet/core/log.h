/*
 * The log and the counter: one record an attestation, the last LIMIT_LOG_ENTRIES kept.
 *
 * The counter is the newest entry's, so that both move in one atomic write.
 */
#ifndef SIMTIE_CORE_LOG_H
#define SIMTIE_CORE_LOG_H

#include "applet.h"
#include "records.h"

#define LOG_COUNTER_MAX 0xFFFFFFFF /* the card attests no more after this one */

/* Counter of the newest entry to *counter, 0 when there is none. False: the memory failed. */
bool log_counter(const struct applet *applet, uint32_t *counter);

/* The write that logs attestation number `counter`. `entry` must live until the commit. */
struct journal_write log_write(uint32_t counter, struct bytes entry);

/* Lays out an entry; gives its length. The audience's hash is computed by the caller. */
size_t log_entry(uint8_t entry[static LOG_SIZE_MAX], uint32_t counter, uint8_t purpose,
		 uint8_t consent, uint8_t flags, struct bytes audience,
		 const uint8_t hash[static LIMIT_LOG_HASH_SIZE]);

/* Reads the entry of attestation number `counter`. False: it is not kept, or the memory failed. */
bool log_read(const struct applet *applet, uint32_t counter, uint8_t entry[static LOG_SIZE_MAX],
	      size_t *len);

#endif
