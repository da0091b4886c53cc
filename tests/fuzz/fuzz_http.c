/*
 * Fuzzes the reader of requests.
 *
 * Input: one byte (how many bytes come at a time), then what a client sends. What must hold: no
 * crash; however the bytes are cut, the same is read; what is read lies within what was sent; a
 * request has one way to end, and a body stays within its room.
 */
#include <stdlib.h>

#include "http.h"

#define ROOM 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

static void within(struct bytes part, struct bytes whole)
{
	need(part.len == 0 ||
	     (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

/* The same, byte by byte or in pieces: bytes of the head, 0 or -1. */
static long scan(struct bytes bytes, size_t piece)
{
	struct http_scan state = {0};
	long len = 0;

	for (size_t end = piece; len == 0; end += piece) {
		bool last = end >= bytes.len;

		len = http_scan(&state, bytes_of(bytes.ptr, last ? bytes.len : end));
		if (last)
			break;
	}
	return len;
}

/* Status, and what was decoded and taken, of a body that comes in pieces. */
static unsigned decode(struct bytes raw, size_t piece, uint8_t out[static ROOM], size_t *have,
		       size_t *at)
{
	struct http_chunks chunks = {0};
	unsigned status = 0;

	*have = *at = 0;
	while (!status && *at < raw.len && chunks.state != CHUNK_DONE) {
		size_t n = raw.len - *at < piece ? raw.len - *at : piece, written, taken;
		uint8_t *copy = malloc(n);

		need(copy != NULL);
		memcpy(copy, raw.ptr + *at, n);
		status = http_chunks(&chunks, bytes_of(copy, n), copy, ROOM - *have, &written,
				     &taken);
		need(written <= n && taken <= n && *have + written <= ROOM);
		memcpy(out + *have, copy, written);
		*have += written;
		*at += taken;
		free(copy);
	}
	return status ? status : chunks.state == CHUNK_DONE ? 0 : 1;
}

static void check_chunks(struct bytes raw, size_t piece)
{
	uint8_t one[ROOM], other[ROOM];
	size_t have_one, have_other, at_one, at_other;
	unsigned status = decode(raw, piece, one, &have_one, &at_one);

	need(status == decode(raw, 1, other, &have_other, &at_other));
	if (status == 0)
		need(have_one == have_other && at_one == at_other &&
		     memcmp(one, other, have_one) == 0);
}

static void check_head(struct bytes whole)
{
	struct http_head head;
	const char *why = NULL;
	unsigned status = http_head(whole, &head, &why);

	if (status) {
		need(why != NULL && status >= 400 && status <= 505);
		return;
	}
	within(head.method, whole);
	within(head.path, whole);
	within(head.query, whole);
	within(head.content_type, whole);
	within(head.correlator, whole);
	within(head.idempotency, whole);
	need(!(head.chunked && head.content_length) && !(head.chunked && head.old));
	need(head.path.len > 0 && *head.path.ptr == '/' && head.content_length <= 999999999);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size > 0 ? 1 + data[0] % 64 : 1;
	struct bytes sent = bytes_of(data + 1, size > 0 ? size - 1 : 0);
	long len;

	if (size == 0)
		return 0;
	len = scan(sent, piece);
	need(len == scan(sent, 1) && len <= (long)sent.len);
	if (len > 0) {
		check_head(bytes_of(sent.ptr, (size_t)len));
		sent = bytes_of(sent.ptr + len, sent.len - (size_t)len);
	}
	check_chunks(sent, piece);
	return 0;
}
