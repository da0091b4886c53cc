#include "log.h"

static uint8_t record_of(uint32_t counter)
{
	return (uint8_t)(RECORD_LOG + counter % LIMIT_LOG_ENTRIES);
}

bool log_counter(const struct applet *applet, uint32_t *counter)
{
	uint8_t entry[LOG_SIZE_MAX];
	size_t len;

	*counter = 0;
	for (uint8_t id = RECORD_LOG; id < RECORD_LOG + LIMIT_LOG_ENTRIES; id++) {
		enum journal_result result =
			journal_read(&applet->journal, id, entry, sizeof entry, &len);

		if (result == JOURNAL_ABSENT)
			continue;
		if (result != JOURNAL_OK || len < LOG_AT_AUDIENCE)
			return false;
		if (get_be32(entry + LOG_AT_COUNTER) > *counter)
			*counter = get_be32(entry + LOG_AT_COUNTER);
	}
	return true;
}

struct journal_write log_write(uint32_t counter, struct bytes entry)
{
	return (struct journal_write){record_of(counter), entry};
}

size_t log_entry(uint8_t entry[static LOG_SIZE_MAX], uint32_t counter, uint8_t purpose,
		 uint8_t consent, uint8_t flags, struct bytes audience,
		 const uint8_t hash[static LIMIT_LOG_HASH_SIZE])
{
	size_t kept = audience.len < LIMIT_LOG_AUDIENCE_MAX ? audience.len : LIMIT_LOG_AUDIENCE_MAX;

	put_be32(entry + LOG_AT_COUNTER, counter);
	entry[LOG_AT_PURPOSE] = purpose;
	entry[LOG_AT_CONSENT] = consent;
	entry[LOG_AT_FLAGS] = flags;
	memcpy(entry + LOG_AT_HASH, hash, LIMIT_LOG_HASH_SIZE);
	memcpy(entry + LOG_AT_AUDIENCE, audience.ptr, kept);
	return LOG_AT_AUDIENCE + kept;
}

bool log_read(const struct applet *applet, uint32_t counter, uint8_t entry[static LOG_SIZE_MAX],
	      size_t *len)
{
	return journal_read(&applet->journal, record_of(counter), entry, LOG_SIZE_MAX, len) ==
		       JOURNAL_OK &&
	       *len >= LOG_AT_AUDIENCE && get_be32(entry + LOG_AT_COUNTER) == counter;
}
