#include "journal_layout.h"

/* Whether the port is complete and its geometry within bounds. */
static bool journal_usable(const struct port *port)
{
	return port != NULL && port->read != NULL && port->program != NULL && port->erase != NULL &&
	       port->sync != NULL && port->random != NULL && port->alive != NULL &&
	       port->page_size >= PORT_PAGE_SIZE_MIN && port->page_size <= PORT_PAGE_SIZE_MAX &&
	       (port->page_size & (port->page_size - 1)) == 0 &&
	       port->page_count >= PORT_PAGE_COUNT_MIN &&
	       port->page_count <= PORT_MEMORY_MAX / port->page_size;
}

enum journal_result journal_open(struct journal *journal, const struct port *port)
{
	enum journal_result result;

	*journal = (struct journal){.port = port};
	if (!journal_usable(port))
		return JOURNAL_UNUSABLE;
	result = journal_mount(journal);
	return result == JOURNAL_ABSENT ? journal_format(journal) : result;
}

bool journal_has(const struct journal *journal, uint8_t id)
{
	return id < JOURNAL_IDS && journal->at[id] != 0;
}

enum journal_result journal_read(const struct journal *journal, uint8_t id, uint8_t *out,
				 size_t size, size_t *len)
{
	const struct port *port = journal->port;
	uint32_t at;

	if (!journal_has(journal, id))
		return JOURNAL_ABSENT;
	if (!journal_value_len(journal, id, len))
		return JOURNAL_IO;
	if (*len > size)
		return JOURNAL_TOO_SMALL;
	at = (uint32_t)journal->at[id] * 4 + JOURNAL_RECORD_HEADER;
	if (*len > 0 && !port->read(port->context, at, out, *len))
		return JOURNAL_IO;
	return JOURNAL_OK;
}
