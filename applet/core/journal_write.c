/*
 * Writing: frames to the head page, and the move to the next page when the head is full. The order
 * of the sync() calls is what makes it safe; journal.md gives the argument.
 */
#include "journal_layout.h"

/* What goes along to the page about to be opened. */
struct write_moves {
	uint32_t body;            /* bytes of all the records that move */
	uint16_t to[JOURNAL_IDS]; /* 0: it stays; else it moves, and once copied: as in at[] */
};

/* What the records of a frame may take that has a page to itself. */
static uint32_t write_room(const struct port *port)
{
	return port->page_size - JOURNAL_PAGE_FRAMES - JOURNAL_FRAME_HEADER - JOURNAL_CRC_SIZE;
}

/* How many pages the newest value of an id lies behind the head. */
static uint32_t write_age(const struct journal *journal, uint8_t id)
{
	uint32_t page = (uint32_t)journal->at[id] * 4 / journal->port->page_size;

	return page <= journal->head ? journal->head - page
				     : journal->head + journal->port->page_count - page;
}

/* Adds all values of at least this age, as far as the records fit in `room` bytes. */
static bool write_choose(const struct journal *journal, uint32_t age, uint32_t room,
			 struct write_moves *moves)
{
	for (uint8_t id = 0; id < JOURNAL_IDS; id++) {
		size_t len;

		if (journal->at[id] == 0 || moves->to[id] != 0 || write_age(journal, id) < age)
			continue;
		if (!journal_value_len(journal, id, &len))
			return false;
		if (moves->body + journal_record_size(len) > room)
			continue;
		moves->to[id] = 1;
		moves->body += journal_record_size(len);
	}
	return true;
}

/*
 * Decides what moves to the next page: what the page that drops out of the count holds. If that
 * leaves no room for a frame of `need` bytes, the page is filled up with values that are at least
 * `age` pages old, so that the pages after it have less to take along.
 */
static bool write_plan(const struct journal *journal, uint32_t need, uint32_t age,
		       struct write_moves *moves)
{
	const struct port *port = journal->port;
	uint32_t room = write_room(port);

	memset(moves, 0, sizeof(*moves));
	if (!write_choose(journal, port->page_count - 2u, UINT32_MAX, moves))
		return false;
	/* They stood in one page; if they are more now, the memory has changed underneath. */
	if (moves->body > room)
		return false;
	if (JOURNAL_PAGE_FRAMES + journal_frame_size(moves->body) + need > port->page_size)
		return write_choose(journal, age, room, moves);
	return true;
}

/* Writes the copy frame of a new page, and notes where each value stands in it. */
static bool write_copies(const struct journal *journal, uint16_t page, uint32_t sequence,
			 struct write_moves *moves)
{
	uint32_t at = journal_page_offset(journal->port, page) + JOURNAL_PAGE_FRAMES +
		      JOURNAL_FRAME_HEADER;
	struct journal_writer writer;

	journal_frame_begin(&writer, journal->port, page, sequence, JOURNAL_PAGE_FRAMES,
			    JOURNAL_COPY, moves->body);
	for (uint8_t id = 0; id < JOURNAL_IDS; id++) {
		size_t len;

		if (moves->to[id] == 0)
			continue;
		if (!journal_value_len(journal, id, &len)) {
			writer.ok = false;
			break;
		}
		journal_frame_copy(&writer, (uint32_t)journal->at[id] * 4,
				   journal_record_size(len));
		moves->to[id] = (uint16_t)(at / 4);
		at += journal_record_size(len);
	}
	return journal_frame_end(&writer);
}

/*
 * Opens the next page of the ring and makes it the head. The page holds nothing that counts. Until
 * its copy frame is durable a mount sees the old head; from then on the new one, and the oldest
 * page no longer counts. Whatever fails, the old head takes no more frames: the new page's header
 * says where it ended.
 */
static enum journal_result write_advance(struct journal *journal, uint32_t need, uint32_t age)
{
	const struct port *port = journal->port;
	static const uint8_t mark[JOURNAL_PAGE_FRAMES - JOURNAL_PAGE_HEADER];
	uint16_t old = journal->head;
	uint16_t page = journal_page_after(port, old);
	struct journal_page header = {journal->sequence + 1, journal->head_end};
	uint8_t encoded[JOURNAL_PAGE_HEADER];
	struct write_moves moves;

	if (header.sequence == UINT32_MAX)
		return JOURNAL_FULL; /* out of numbers; the memory wears out long before */
	if (!write_plan(journal, need, age, &moves))
		return JOURNAL_IO;
	journal->head_used = port->page_size;
	journal_page_encode(port, &header, encoded);
	port->alive(port->context);
	if (!port->erase(port->context, page) || !port->sync(port->context))
		return JOURNAL_IO;
	if (!port->program(port->context, journal_page_offset(port, page), encoded,
			   sizeof(encoded)) ||
	    !port->sync(port->context))
		return JOURNAL_IO;
	if (!write_copies(journal, page, header.sequence, &moves) || !port->sync(port->context))
		return JOURNAL_IO;
	for (uint8_t id = 0; id < JOURNAL_IDS; id++) {
		if (moves.to[id] != 0)
			journal->at[id] = moves.to[id];
	}
	journal->sequence = header.sequence;
	journal->head = page;
	journal->head_end = JOURNAL_PAGE_FRAMES + journal_frame_size(moves.body);
	journal->head_used = journal->head_end;
	/* From now on the old head without this page is an image that has lost it. */
	if (header.sequence > 0 &&
	    !port->program(port->context, journal_page_offset(port, old) + JOURNAL_PAGE_HEADER,
			   mark, sizeof(mark)))
		return JOURNAL_IO;
	return JOURNAL_OK;
}

enum journal_result journal_format(struct journal *journal)
{
	/* As if the last page of the ring had been the head, with nothing in it: the next one is
	 * page 0, and has number 0. */
	journal->sequence = UINT32_MAX;
	journal->head = (uint16_t)(journal->port->page_count - 1);
	journal->head_end = 0;
	return write_advance(journal, 0, 0);
}

/* What one write does to each record that it is about. */
struct write_step {
	bool removes;
	size_t len;  /* of the new value */
	size_t last; /* the last record's id */
};

static struct write_step write_step(const struct journal_write *write)
{
	const size_t len = write->value.len;

	if (write->value.ptr == NULL)
		return (struct write_step){true, 0, write->id + len};
	return (struct write_step){false, len, write->id};
}

/* What the commit takes, in *body, and what all values would take after it, in *live. */
static enum journal_result write_measure(const struct journal *journal,
					 const struct journal_write *writes, size_t count,
					 uint32_t *body, uint32_t *live)
{
	*body = 0;
	*live = journal->live;
	for (; count > 0; count--, writes++) {
		const struct write_step step = write_step(writes);

		if (step.last >= JOURNAL_IDS)
			return JOURNAL_FULL;
		if (step.len > JOURNAL_VALUE_MAX)
			return JOURNAL_TOO_SMALL;
		if (!step.removes) {
			*body += journal_record_size(step.len);
			*live += journal_record_size(step.len);
		}
		for (size_t id = writes->id; id <= step.last; id++) {
			size_t len;

			if (journal->at[id] == 0)
				continue;
			if (!journal_value_len(journal, (uint8_t)id, &len))
				return JOURNAL_IO;
			*live -= journal_record_size(len);
			if (step.removes)
				*body += JOURNAL_RECORD_HEADER;
		}
	}
	return JOURNAL_OK;
}

/* What all values may take together: as much as surely fits in all pages but two, one being for the
 * commit and one for the copies. In each page but the last, what the greatest value does not fit
 * in may be wasted. */
static uint32_t write_capacity(const struct port *port)
{
	uint32_t room = write_room(port);

	return (port->page_count - 2u) * room - (port->page_count - 3u) * JOURNAL_VALUE_MAX;
}

/* Puts the records of a write at `at`, and notes in places[] where they stand; gives the end. */
static uint32_t write_records(const struct journal_write *write, uint32_t at,
			      uint16_t places[static JOURNAL_IDS], struct journal_writer *writer)
{
	static const uint8_t padding[3];
	const struct write_step step = write_step(write);

	for (size_t id = write->id; id <= step.last; id++) {
		uint8_t header[JOURNAL_RECORD_HEADER] = {(uint8_t)id, step.removes};

		if (step.removes && places[id] == 0)
			continue;
		put_be16(header + 2, (uint16_t)step.len);
		journal_frame_put(writer, header, sizeof(header));
		journal_frame_put(writer, write->value.ptr, step.len);
		journal_frame_put(writer, padding, (0 - step.len) & 3);
		places[id] = step.removes ? 0 : (uint16_t)(at / 4);
		at += journal_record_size(step.len);
	}
	return at;
}

/* Writes the frame of a commit to the head page, where it fits. By itself, so that places[] takes
 * no stack while pages move. */
__attribute__((noinline)) static enum journal_result
write_commit(struct journal *journal, const struct journal_write *writes, size_t count,
	     uint32_t body)
{
	const struct port *port = journal->port;
	uint32_t at =
		journal_page_offset(port, journal->head) + journal->head_end + JOURNAL_FRAME_HEADER;
	uint16_t places[JOURNAL_IDS];
	struct journal_writer writer;

	memcpy(places, journal->at, sizeof(places));
	journal->head_used = port->page_size; /* unless all goes well */
	journal_frame_begin(&writer, port, journal->head, journal->sequence, journal->head_end,
			    JOURNAL_COMMIT, body);
	for (size_t i = 0; i < count; i++)
		at = write_records(&writes[i], at, places, &writer);
	if (!journal_frame_end(&writer) || !port->sync(port->context))
		return JOURNAL_IO;
	memcpy(journal->at, places, sizeof(places));
	journal->head_end += journal_frame_size(body);
	journal->head_used = journal->head_end;
	return JOURNAL_OK;
}

enum journal_result journal_commit(struct journal *journal, const struct journal_write *writes,
				   size_t count)
{
	const struct port *port = journal->port;
	enum journal_result result;
	uint32_t body, live, size;

	if (count == 0)
		return JOURNAL_OK;
	result = write_measure(journal, writes, count, &body, &live);
	if (result != JOURNAL_OK)
		return result;
	size = journal_frame_size(body);
	if (size > port->page_size - JOURNAL_PAGE_FRAMES - JOURNAL_FRAME_MIN ||
	    live > write_capacity(port))
		return JOURNAL_FULL;
	for (uint32_t moved = 0; journal->head_used + size > port->page_size; moved++) {
		/* One round of the ring makes room, unless more is stored than was ever let in. */
		if (moved == port->page_count - 1u)
			return JOURNAL_FULL;
		result = write_advance(journal, size, moved);
		if (result != JOURNAL_OK)
			return result;
	}
	result = write_commit(journal, writes, count, body);
	if (result == JOURNAL_OK)
		journal->live = live;
	return result;
}

enum journal_result journal_scrub(struct journal *journal)
{
	const struct port *port = journal->port;

	/* Once round the ring: every page has then been erased since, but for the last to drop out
	 * of the count. */
	for (uint32_t moved = 0; moved < port->page_count - 1u; moved++) {
		enum journal_result result = write_advance(journal, 0, 0);

		if (result != JOURNAL_OK)
			return result;
	}
	port->alive(port->context);
	if (!port->erase(port->context, journal_page_after(port, journal->head)) ||
	    !port->sync(port->context))
		return JOURNAL_IO;
	return JOURNAL_OK;
}
