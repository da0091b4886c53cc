/*
 * Mounting: what of the memory counts. All of it is decided by reading; nothing is ever repaired
 * in place, so a cut during a mount changes nothing and an image that is refused stays as it was.
 */
#include "journal_layout.h"

/* Whether bytes `from` to `end` of a page are blank. */
static enum journal_result mount_blank(const struct port *port, uint16_t page, uint32_t from,
				       uint32_t end, bool *blank)
{
	uint8_t staging[JOURNAL_STAGING];
	bool ok = true;

	port->alive(port->context);
	*blank = true;
	while (ok && *blank && from < end) {
		size_t some = end - from;

		if (some > sizeof(staging))
			some = sizeof(staging);
		ok = port->read(port->context, journal_page_offset(port, page) + from, staging,
				some);
		for (size_t i = 0; ok && i < some; i++)
			*blank = *blank && staging[i] == 0xFF;
		from += (uint32_t)some;
	}
	bytes_wipe(staging, sizeof(staging));
	return ok ? JOURNAL_OK : JOURNAL_IO;
}

/* Takes the records of a whole frame over into at[]. */
static enum journal_result mount_frame(struct journal *journal, uint32_t at,
				       const struct journal_frame *frame)
{
	const struct port *port = journal->port;
	uint32_t end = at + JOURNAL_FRAME_HEADER + frame->body;
	uint8_t header[JOURNAL_RECORD_HEADER];

	for (at += JOURNAL_FRAME_HEADER; at < end;) {
		bool removed;
		uint16_t len;

		if (!port->read(port->context, at, header, sizeof(header)))
			return JOURNAL_IO;
		removed = header[1] == JOURNAL_REMOVED;
		len = get_be16(header + 2);
		if (header[0] >= JOURNAL_IDS || len > JOURNAL_VALUE_MAX ||
		    journal_record_size(len) > end - at)
			return JOURNAL_CORRUPT;
		if (removed ? len != 0 || frame->kind == JOURNAL_COPY : header[1] != JOURNAL_VALUE)
			return JOURNAL_CORRUPT;
		journal->at[header[0]] = removed ? 0 : (uint16_t)(at / 4);
		at += journal_record_size(len);
	}
	return JOURNAL_OK;
}

/* Takes the frames of a page over, from its first (which must be there) to `limit`, or to the first
 * that is not whole. *end: of the last whole one. */
static enum journal_result mount_page(struct journal *journal, uint32_t sequence, uint32_t limit,
				      uint32_t *end)
{
	const struct port *port = journal->port;
	uint16_t page = (uint16_t)(sequence % port->page_count);
	enum journal_kind expected = JOURNAL_COPY;
	enum journal_result result;
	struct journal_frame frame;

	port->alive(port->context);
	*end = JOURNAL_PAGE_FRAMES;
	do {
		if (!journal_frame_read(port, page, sequence, *end, &frame))
			return JOURNAL_IO;
		if (!frame.whole && expected == JOURNAL_COMMIT)
			return JOURNAL_OK;
		if (!frame.whole || frame.kind != expected)
			return JOURNAL_CORRUPT;
		result = mount_frame(journal, journal_page_offset(port, page) + *end, &frame);
		if (result != JOURNAL_OK)
			return result;
		*end += frame.size;
		expected = JOURNAL_COMMIT;
	} while (*end < limit);
	return JOURNAL_OK;
}

/*
 * What follows the last whole frame of the head page, from `end` on, must be what a cut during the
 * next frame leaves. A frame is on its way alone, and in order: behind one whose header is whole
 * nothing can stand, and behind one whose header is not, no whole frame can. (Its body can, on
 * memory that loses what was not synchronised in any order.)
 */
static enum journal_result mount_torn(const struct port *port, uint32_t sequence, uint32_t end,
				      bool *blank)
{
	uint16_t page = (uint16_t)(sequence % port->page_count);
	enum journal_result result;
	struct journal_frame frame;
	bool rest_blank;

	result = mount_blank(port, page, end, port->page_size, blank);
	if (result != JOURNAL_OK || *blank)
		return result;
	if (!journal_frame_read(port, page, sequence, end, &frame))
		return JOURNAL_IO;
	if (frame.intact) {
		result = mount_blank(port, page, end + frame.size, port->page_size, &rest_blank);
		return result == JOURNAL_OK && !rest_blank ? JOURNAL_CORRUPT : result;
	}
	while (end += PORT_PROGRAM_UNIT, end < port->page_size) {
		if (!journal_frame_read(port, page, sequence, end, &frame))
			return JOURNAL_IO;
		if (frame.whole)
			return JOURNAL_CORRUPT;
	}
	return JOURNAL_OK;
}

/* Whether a page is open: a copy frame under this sequence number makes it so. */
static enum journal_result mount_opened(const struct port *port, uint32_t sequence, bool *opened)
{
	uint16_t page = (uint16_t)(sequence % port->page_count);
	struct journal_frame frame;

	if (!journal_frame_read(port, page, sequence, JOURNAL_PAGE_FRAMES, &frame))
		return JOURNAL_IO;
	*opened = frame.whole;
	return JOURNAL_OK;
}

/*
 * No page was ever open after this one: it does not bear the mark of a successor, and what follows
 * it is not a page that has only lost its header (which was durable before the rest).
 */
static enum journal_result mount_last(const struct port *port, uint32_t sequence)
{
	enum journal_result result;
	bool unmarked, opened;

	result = mount_blank(port, (uint16_t)(sequence % port->page_count), JOURNAL_PAGE_HEADER,
			     JOURNAL_PAGE_FRAMES, &unmarked);
	if (result == JOURNAL_OK)
		result = mount_opened(port, sequence + 1, &opened);
	if (result == JOURNAL_OK && (!unmarked || opened))
		return JOURNAL_CORRUPT;
	return result;
}

/* The newest page header. JOURNAL_ABSENT: there is none. */
static enum journal_result mount_newest(const struct port *port, uint32_t *newest)
{
	enum journal_result found = JOURNAL_ABSENT;
	struct journal_page header;

	for (uint16_t page = 0; page < port->page_count; page++) {
		enum journal_result result = journal_page_read(port, page, &header);

		if (result == JOURNAL_ABSENT)
			continue;
		if (result != JOURNAL_OK)
			return result;
		if (header.sequence % port->page_count != page || header.sequence == UINT32_MAX)
			found = JOURNAL_CORRUPT; /* unless a later page is JOURNAL_UNKNOWN */
		if (found == JOURNAL_ABSENT || (found == JOURNAL_OK && header.sequence > *newest)) {
			*newest = header.sequence;
			found = JOURNAL_OK;
		}
	}
	return found;
}

/* The header of a page that must be there. */
static enum journal_result mount_header(const struct port *port, uint32_t sequence,
					struct journal_page *header)
{
	enum journal_result result;

	result = journal_page_read(port, (uint16_t)(sequence % port->page_count), header);
	if (result == JOURNAL_IO)
		return JOURNAL_IO;
	return result == JOURNAL_OK && header->sequence == sequence ? JOURNAL_OK : JOURNAL_CORRUPT;
}

/*
 * Takes over all pages that count, the oldest first; the head's number is known. Each page but the
 * head holds whole frames to just where its successor says that it ended.
 */
static enum journal_result mount_pages(struct journal *journal)
{
	const struct port *port = journal->port;
	uint32_t counting = port->page_count - 1u;
	uint32_t sequence = journal->sequence < counting ? 0 : journal->sequence - counting + 1;
	enum journal_result result;
	struct journal_page header;

	result = mount_header(port, sequence, &header);
	for (; result == JOURNAL_OK && sequence < journal->sequence; sequence++) {
		uint32_t end;

		result = mount_header(port, sequence + 1, &header);
		if (result != JOURNAL_OK)
			break;
		result = mount_page(journal, sequence, header.previous_end, &end);
		if (result == JOURNAL_OK && end != header.previous_end)
			result = JOURNAL_CORRUPT;
	}
	if (result != JOURNAL_OK)
		return result;
	return mount_page(journal, sequence, port->page_size, &journal->head_end);
}

/* Without a page header: is this memory as it came, or as a cut during journal_format() left it?
 * JOURNAL_ABSENT if so. */
static enum journal_result mount_first(const struct port *port)
{
	uint8_t expected[JOURNAL_PAGE_HEADER];
	uint8_t header[JOURNAL_PAGE_HEADER];
	uint32_t from = JOURNAL_PAGE_FRAMES + JOURNAL_FRAME_MIN;

	journal_page_encode(port, &(struct journal_page){0}, expected);
	if (!port->read(port->context, 0, header, sizeof(header)))
		return JOURNAL_IO;
	for (size_t i = 0; i < sizeof(header); i++) {
		if ((header[i] & expected[i]) != expected[i])
			return JOURNAL_CORRUPT;
	}
	for (uint16_t page = 0; page < port->page_count; page++) {
		bool blank;
		enum journal_result result = mount_blank(port, page, from, port->page_size, &blank);

		if (result != JOURNAL_OK)
			return result;
		if (!blank)
			return JOURNAL_CORRUPT;
		from = 0;
	}
	return JOURNAL_ABSENT;
}

/* Sums up what the newest values take. */
static enum journal_result mount_live(struct journal *journal)
{
	for (uint8_t id = 0; id < JOURNAL_IDS; id++) {
		size_t len;

		if (journal->at[id] == 0)
			continue;
		if (!journal_value_len(journal, id, &len))
			return JOURNAL_IO;
		journal->live += journal_record_size(len);
	}
	return JOURNAL_OK;
}

enum journal_result journal_mount(struct journal *journal)
{
	const struct port *port = journal->port;
	enum journal_result result;
	bool opened, blank;
	bool cut = false;

	result = mount_newest(port, &journal->sequence);
	if (result == JOURNAL_ABSENT)
		return mount_first(port);
	if (result == JOURNAL_OK)
		result = mount_opened(port, journal->sequence, &opened);
	if (result == JOURNAL_OK && !opened) {
		/* Power went while this page was being opened: the one before is still the head. */
		result = mount_torn(port, journal->sequence, JOURNAL_PAGE_FRAMES, &blank);
		if (result == JOURNAL_OK && journal->sequence == 0)
			return mount_first(port);
		journal->sequence--;
		cut = true;
	}
	if (result == JOURNAL_OK)
		result = mount_pages(journal);
	if (result == JOURNAL_OK)
		result = mount_torn(port, journal->sequence, journal->head_end, &blank);
	if (result != JOURNAL_OK)
		return result;
	journal->head = (uint16_t)(journal->sequence % port->page_count);
	journal->head_used = blank && !cut ? journal->head_end : port->page_size;
	result = mount_last(port, journal->sequence);
	return result == JOURNAL_OK ? mount_live(journal) : result;
}
