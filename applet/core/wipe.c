#include "wipe.h"

#include "records.h"

struct journal_write wipe_mark(void)
{
	static const uint8_t mark = 1;

	return (struct journal_write){RECORD_WIPE, {&mark, 1}};
}

enum journal_result wipe_finish(struct journal *journal)
{
	const struct journal_write done = {RECORD_WIPE, {NULL, 0}};
	enum journal_result result;

	if (!journal_has(journal, RECORD_WIPE))
		return JOURNAL_OK;
	result = journal_scrub(journal);
	return result == JOURNAL_OK ? journal_commit(journal, &done, 1) : result;
}
