/*
 * Chunked bodies: a state for each byte, so that they may come in any pieces.
 */
#include "http.h"

#define OVERHEAD_MAX 1024 /* bytes of extensions and trailers, which nobody here reads */
#define DIGITS_MAX   7

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_text(uint8_t c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

static unsigned size_byte(struct http_chunks *chunks, uint8_t c)
{
	int digit = hex(c);

	if (digit >= 0) {
		if (++chunks->digits > DIGITS_MAX)
			return 413;
		chunks->left = chunks->left << 4 | (unsigned)digit;
		return 0;
	}
	if (chunks->digits == 0)
		return 400;
	if (c == '\r')
		chunks->state = CHUNK_SIZE_END;
	else if (c == ';')
		chunks->state = CHUNK_EXTENSION;
	else
		return 400;
	return 0;
}

static unsigned expect(struct http_chunks *chunks, uint8_t c, uint8_t wanted,
		       enum http_chunk_state next)
{
	if (c != wanted)
		return 400;
	chunks->state = next;
	return 0;
}

/* A byte that nobody reads, or the end of its line. */
static unsigned skip(struct http_chunks *chunks, uint8_t c, enum http_chunk_state at_end)
{
	if (c == '\r') {
		chunks->state = at_end;
		return 0;
	}
	if (++chunks->overhead > OVERHEAD_MAX)
		return 431;
	return is_text(c) ? 0 : 400;
}

/* One byte that is not data. */
static unsigned step(struct http_chunks *chunks, uint8_t c)
{
	switch (chunks->state) {
	case CHUNK_SIZE:
		return size_byte(chunks, c);
	case CHUNK_EXTENSION:
		return skip(chunks, c, CHUNK_SIZE_END);
	case CHUNK_SIZE_END:
		return expect(chunks, c, '\n', chunks->left > 0 ? CHUNK_DATA : CHUNK_TRAILER);
	case CHUNK_DATA_CR:
		return expect(chunks, c, '\r', CHUNK_DATA_LF);
	case CHUNK_DATA_LF:
		chunks->digits = 0;
		return expect(chunks, c, '\n', CHUNK_SIZE);
	case CHUNK_TRAILER:
		if (c == '\r') {
			chunks->state = CHUNK_LAST;
			return 0;
		}
		chunks->state = CHUNK_TRAILER_LINE;
		return skip(chunks, c, CHUNK_TRAILER_END);
	case CHUNK_TRAILER_LINE:
		return skip(chunks, c, CHUNK_TRAILER_END);
	case CHUNK_TRAILER_END:
		return expect(chunks, c, '\n', CHUNK_TRAILER);
	case CHUNK_LAST:
		return expect(chunks, c, '\n', CHUNK_DONE);
	case CHUNK_DATA:
	case CHUNK_DONE:
		break;
	}
	return 400;
}

unsigned http_chunks(struct http_chunks *chunks, struct bytes raw, uint8_t *out, size_t room,
		     size_t *written, size_t *taken)
{
	unsigned status = 0;
	size_t at = 0;

	*written = 0;
	while (!status && at < raw.len && chunks->state != CHUNK_DONE) {
		size_t n = raw.len - at;

		if (chunks->state != CHUNK_DATA) {
			status = step(chunks, raw.ptr[at++]);
			/* Said at once, not when the data is there. */
			if (chunks->left > room - *written)
				status = 413;
			continue;
		}
		if (n > chunks->left)
			n = chunks->left;
		memmove(out + *written, raw.ptr + at, n);
		*written += n;
		at += n;
		chunks->left -= n;
		if (chunks->left == 0)
			chunks->state = CHUNK_DATA_CR;
	}
	*taken = at;
	return status;
}
