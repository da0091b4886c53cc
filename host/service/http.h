/*
 * HTTP/1.1 requests as bytes (RFC 9112): framing, and the few headers that a service goes by.
 *
 * Owns what a request's bytes must be, strictly: whatever another reader might take for something
 * else (two lengths, a length and chunks, a bare line feed, a folded line, a space before a colon)
 * is refused, so that nothing can be smuggled past a proxy. Refuses to allocate, to keep anything,
 * and to know sockets.
 */
#ifndef SIMTIE_SERVICE_HTTP_H
#define SIMTIE_SERVICE_HTTP_H

#include "bytes.h"

#define HTTP_HEADERS_MAX 64

/* Finds a head's end in bytes that come bit by bit: each byte is looked at once. Zero it first. */
struct http_scan {
	size_t at;     /* bytes looked at */
	size_t line;   /* bytes of the line so far */
	bool carriage; /* the last one was a carriage return */
};

/* 0: not all there. Positive: bytes of the head, its empty line included. -1: no head of HTTP. */
long http_scan(struct http_scan *scan, struct bytes bytes);

/* A head. Bytes lie within what was parsed. */
struct http_head {
	struct bytes method, path, query;
	struct bytes content_type, correlator, idempotency; /* ptr NULL: absent */
	size_t content_length;
	bool chunked;
	bool keep_alive;
	bool expects_continue;
	bool old; /* HTTP/1.0 */
};

/* Reads a whole head. 0, or the status to refuse it with: 400, 415, 417, 431, 501, 505. *why gets a
 * sentence, static. */
unsigned http_head(struct bytes bytes, struct http_head *head, const char **why);

/* A chunked body (§7.1), as far as it has come. Zero it first. */
enum http_chunk_state {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_END,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER,
	CHUNK_TRAILER_LINE,
	CHUNK_TRAILER_END,
	CHUNK_LAST,
	CHUNK_DONE,
};

struct http_chunks {
	enum http_chunk_state state;
	size_t left;     /* of the chunk's size, or its data */
	unsigned digits; /* of the size */
	size_t overhead; /* bytes of extensions and trailers */
};

/*
 * Takes `raw`, writes what is body at `out` (which may be where raw begins, or before), at most
 * `room` bytes. *taken gets how many bytes of raw are done with: all, or up to the body's end.
 * Returns 0, or the status to refuse it with: 400, 413 (no room), 431. The body is whole when
 * chunks->state is CHUNK_DONE.
 */
unsigned http_chunks(struct http_chunks *chunks, struct bytes raw, uint8_t *out, size_t room,
		     size_t *written, size_t *taken);

/* "OK" for 200, and so on. */
const char *http_reason(unsigned status);

#endif
