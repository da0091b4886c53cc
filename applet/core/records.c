#include "records.h"

#include "applet.h"

bool record_read(const struct applet *applet, uint8_t id, uint8_t *out, size_t size)
{
	size_t len;

	return journal_read(&applet->journal, id, out, size, &len) == JOURNAL_OK && len == size;
}

uint8_t record_byte(const struct applet *applet, uint8_t id, uint8_t absent, uint8_t unreadable)
{
	uint8_t value;

	if (!journal_has(&applet->journal, id))
		return absent;
	return record_read(applet, id, &value, 1) ? value : unreadable;
}

uint16_t record_answer(const struct applet *applet, uint8_t id, uint16_t tag, struct writer *out)
{
	size_t template = ber_open(out, tag);
	size_t len;

	if (!journal_has(&applet->journal, id))
		return SW_DATA_NOT_FOUND;
	if (journal_read(&applet->journal, id, out->out + out->used, out->size - out->used, &len) !=
	    JOURNAL_OK)
		return SW_MEMORY_FAILURE;
	out->used += len;
	ber_close(out, template);
	return SW_OK;
}

uint16_t record_commit(struct applet *applet, const struct journal_write *writes, size_t count)
{
	return journal_commit(&applet->journal, writes, count) == JOURNAL_OK ? SW_OK
									     : SW_MEMORY_FAILURE;
}

uint16_t record_put(struct applet *applet, uint8_t id, const uint8_t *value, size_t len)
{
	const struct journal_write write = {.id = id, .value = {value, len}};

	return record_commit(applet, &write, 1);
}
