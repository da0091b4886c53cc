/*
 * Secrets that were replaced or removed leave the memory for good, power cuts or not.
 *
 * The commit that takes a secret out of use carries a mark; erasing its traces takes the mark away.
 * What was cut short is done when the card next gets power. Owns the record RECORD_WIPE.
 */
#ifndef SIMTIE_CORE_WIPE_H
#define SIMTIE_CORE_WIPE_H

#include "journal.h"

/* The mark, for the commit that replaces or removes a secret. */
struct journal_write wipe_mark(void);

/*
 * Erases what the marked commits left behind, if there is a mark. Takes as long as erasing the
 * whole memory. JOURNAL_OK; JOURNAL_IO: the mark stays.
 */
enum journal_result wipe_finish(struct journal *journal);

#endif
