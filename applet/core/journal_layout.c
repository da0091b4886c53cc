#include "journal_layout.h"

#define MAGIC 0x73544A4Cu /* "sTJL" */

/* Four bits at a time: 64 bytes of table, and half the steps of none. */
uint32_t journal_crc(uint32_t crc, const uint8_t *bytes, size_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
		0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
		0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
	};

	crc = ~crc;
	while (len--) {
		crc ^= *bytes++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

bool journal_value_len(const struct journal *journal, uint8_t id, size_t *len)
{
	const struct port *port = journal->port;
	uint8_t header[JOURNAL_RECORD_HEADER];

	if (!port->read(port->context, (uint32_t)journal->at[id] * 4, header, sizeof(header)))
		return false;
	*len = get_be16(header + 2);
	return header[0] == id && header[1] == JOURNAL_VALUE && *len <= JOURNAL_VALUE_MAX;
}

void journal_page_encode(const struct port *port, const struct journal_page *page,
			 uint8_t out[static JOURNAL_PAGE_HEADER])
{
	put_be32(out, MAGIC);
	put_be16(out + 4, JOURNAL_VERSION);
	put_be16(out + 6, port->page_count);
	put_be32(out + 8, port->page_size);
	put_be32(out + 12, page->sequence);
	put_be32(out + 16, page->previous_end);
	put_be32(out + 20, journal_crc(0, out, 20));
}

enum journal_result journal_page_read(const struct port *port, uint16_t page,
				      struct journal_page *out)
{
	uint8_t header[JOURNAL_PAGE_HEADER];

	port->alive(port->context);
	if (!port->read(port->context, journal_page_offset(port, page), header, sizeof(header)))
		return JOURNAL_IO;
	if (get_be32(header) != MAGIC || get_be32(header + 20) != journal_crc(0, header, 20))
		return JOURNAL_ABSENT;
	if (get_be16(header + 4) != JOURNAL_VERSION || get_be16(header + 6) != port->page_count ||
	    get_be32(header + 8) != port->page_size)
		return JOURNAL_UNKNOWN;
	out->sequence = get_be32(header + 12);
	out->previous_end = get_be32(header + 16);
	return JOURNAL_OK;
}

/* A frame's CRC starts with where the frame belongs, so that no other place makes it right. */
static uint32_t frame_place(uint32_t sequence, uint32_t offset)
{
	uint8_t place[8];

	put_be32(place, sequence);
	put_be32(place + 4, offset);
	return journal_crc(0, place, sizeof(place));
}

/* The length stands twice, once inverted: programming only clears bits, so no half-programmed
 * header can pass for one. */
static void frame_header(uint8_t out[static JOURNAL_FRAME_HEADER], enum journal_kind kind,
			 uint32_t body)
{
	uint32_t word = (uint32_t)kind << 16 | body;

	put_be32(out, word);
	put_be32(out + 4, ~word);
}

bool journal_frame_read(const struct port *port, uint16_t page, uint32_t sequence, uint32_t offset,
			struct journal_frame *out)
{
	uint32_t at = journal_page_offset(port, page) + offset;
	uint8_t staging[JOURNAL_STAGING];
	uint32_t crc = frame_place(sequence, offset);
	uint32_t left;
	bool ok = true;

	*out = (struct journal_frame){0};
	if (offset + JOURNAL_FRAME_MIN > port->page_size)
		return true;
	if (!port->read(port->context, at, staging, JOURNAL_FRAME_HEADER))
		return false;
	out->kind = get_be16(staging);
	out->body = get_be16(staging + 2);
	out->size = journal_frame_size(out->body);
	out->intact = get_be32(staging) == ~get_be32(staging + 4) &&
		      (out->kind == JOURNAL_COPY || out->kind == JOURNAL_COMMIT) &&
		      out->body % 4 == 0 && out->size <= port->page_size - offset;
	if (!out->intact)
		return true;
	for (left = out->size - JOURNAL_CRC_SIZE; ok && left > 0;) {
		size_t some = left < sizeof(staging) ? left : sizeof(staging);

		ok = port->read(port->context, at, staging, some);
		if (ok)
			crc = journal_crc(crc, staging, some);
		at += (uint32_t)some;
		left -= (uint32_t)some;
	}
	ok = ok && port->read(port->context, at, staging, JOURNAL_CRC_SIZE);
	out->whole = ok && get_be32(staging) == crc;
	bytes_wipe(staging, sizeof(staging));
	return ok;
}

static void writer_flush(struct journal_writer *writer)
{
	const struct port *port = writer->port;

	port->alive(port->context);
	writer->ok = writer->ok &&
		     port->program(port->context, writer->offset, writer->staging, writer->staged);
	writer->offset += (uint32_t)writer->staged;
	writer->staged = 0;
}

void journal_frame_begin(struct journal_writer *writer, const struct port *port, uint16_t page,
			 uint32_t sequence, uint32_t offset, enum journal_kind kind, uint32_t body)
{
	uint8_t header[JOURNAL_FRAME_HEADER];

	writer->port = port;
	writer->offset = journal_page_offset(port, page) + offset;
	writer->crc = frame_place(sequence, offset);
	writer->staged = 0;
	writer->ok = true;
	frame_header(header, kind, body);
	journal_frame_put(writer, header, sizeof(header));
}

void journal_frame_put(struct journal_writer *writer, const uint8_t *bytes, size_t len)
{
	writer->crc = journal_crc(writer->crc, bytes, len);
	while (len > 0) {
		size_t room = sizeof(writer->staging) - writer->staged;
		size_t some = len < room ? len : room;

		memcpy(writer->staging + writer->staged, bytes, some);
		writer->staged += some;
		bytes += some;
		len -= some;
		if (writer->staged == sizeof(writer->staging))
			writer_flush(writer);
	}
}

void journal_frame_copy(struct journal_writer *writer, uint32_t from, uint32_t len)
{
	const struct port *port = writer->port;
	uint8_t staging[JOURNAL_STAGING];

	while (writer->ok && len > 0) {
		size_t some = len < sizeof(staging) ? len : sizeof(staging);

		writer->ok = port->read(port->context, from, staging, some);
		if (writer->ok)
			journal_frame_put(writer, staging, some);
		from += (uint32_t)some;
		len -= (uint32_t)some;
	}
	bytes_wipe(staging, sizeof(staging));
}

bool journal_frame_end(struct journal_writer *writer)
{
	static const uint8_t padding[4];
	uint8_t crc[JOURNAL_CRC_SIZE];
	bool ok;

	if (writer->staged % PORT_PROGRAM_UNIT == 0)
		journal_frame_put(writer, padding, sizeof(padding));
	put_be32(crc, writer->crc);
	journal_frame_put(writer, crc, sizeof(crc));
	if (writer->staged > 0)
		writer_flush(writer);
	ok = writer->ok;
	bytes_wipe(writer, sizeof(*writer));
	return ok;
}
