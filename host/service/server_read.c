/*
 * A connection's request: its head, its body, and what is wrong with them.
 */
#include "server_internal.h"

#include <openssl/err.h>
#include <stdlib.h>

/* Forgets the first `len` bytes; what is behind is the next request. */
static void consume(struct connection *connection, size_t len)
{
	connection->in_len -= len;
	if (connection->in_len > 0) {
		memmove(connection->in, connection->in + len, connection->in_len);
	} else {
		bytes_wipe(connection->in, len);
		free(connection->in);
		connection->in = NULL;
		connection->in_size = 0;
	}
	memset(&connection->scan, 0, sizeof(connection->scan));
	memset(&connection->chunks, 0, sizeof(connection->chunks));
	connection->head_len = connection->body_len = 0;
}

void connection_refuse(struct connection *connection, unsigned status, const char *why)
{
	struct exchange *exchange = connection->exchange;

	if (!exchange)
		exchange = connection->exchange = exchange_new(connection);
	connection->state = CONNECTION_WORKING;
	if (!exchange) {
		connection_answer(connection, NULL, 0, true);
		return;
	}
	exchange->route = NULL;
	exchange->keep_alive = false;
	exchange->allow[0] = 0;
	exchange_refuse(exchange, status, why);
	exchange_answered(exchange);
}

static void say_continue(struct connection *connection)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

	/* Nothing else is being written, so it fits; a peer that gets none sends its body anyway.
	 */
	SSL_write(connection->ssl, line, sizeof(line) - 1);
	ERR_clear_error();
}

enum progress connection_read_head(struct connection *connection)
{
	unsigned header_max = connection->server->service->config->limits.header_max;
	struct bytes in = bytes_of(connection->in, connection->in_len);
	const char *why = "this is not HTTP/1.1";
	struct http_head head;
	unsigned status;
	long len;

	if (in.len > header_max)
		in.len = header_max;
	len = http_scan(&connection->scan, in);
	if (len == 0 && connection->in_len < header_max)
		return connection_fill(connection);
	if (len <= 0) {
		connection_refuse(connection, len < 0 ? 400 : 431,
				  len < 0 ? why : "the headers are too big");
		return PROGRESS;
	}
	status = http_head(bytes_of(in.ptr, (size_t)len), &head, &why);
	if (status) {
		connection_refuse(connection, status, why);
		return PROGRESS;
	}
	connection->exchange = exchange_new(connection);
	if (!connection->exchange)
		return PROGRESS_END;
	exchange_head(connection->exchange, &head);
	connection->head_len = (size_t)len;
	connection->chunked = head.chunked;
	connection->content_length = head.content_length;
	connection->state = CONNECTION_BODY;
	if (connection->content_length > 0)
		connection_allow_time(connection, connection->content_length);
	else if (connection->chunked)
		connection_allow_time(connection, connection->body_max);
	if (!head.expects_continue)
		return PROGRESS;
	if (connection->exchange->reply.status)
		connection->exchange->keep_alive = false;
	else if (connection->in_len == connection->head_len)
		say_continue(connection);
	return PROGRESS;
}

/* What of the body has come. *whole: all of it. False: it is refused. */
static bool take_body(struct connection *connection, bool *whole)
{
	size_t at = connection->head_len + connection->body_len, written, taken;
	size_t there = connection->in_len - at;
	unsigned status;

	if (!connection->chunked) {
		connection->body_len += there < connection->content_length - connection->body_len
						? there
						: connection->content_length - connection->body_len;
		*whole = connection->body_len == connection->content_length;
		return true;
	}
	status = http_chunks(&connection->chunks, bytes_of(connection->in + at, there),
			     connection->in + at, connection->body_max - connection->body_len,
			     &written, &taken);
	if (status) {
		connection_refuse(connection, status,
				  status == 413 ? "the body is too big"
						: "the chunks are not in order");
		return false;
	}
	connection->body_len += written;
	memmove(connection->in + at + written, connection->in + at + taken, there - taken);
	connection->in_len -= taken - written;
	*whole = connection->chunks.state == CHUNK_DONE;
	return true;
}

enum progress connection_read_body(struct connection *connection)
{
	struct exchange *exchange = connection->exchange;
	bool whole;

	/* Refused for good: the rest is not waited for. */
	if (exchange->reply.status && !exchange->keep_alive) {
		connection->state = CONNECTION_WORKING;
		exchange_answered(exchange);
		return PROGRESS;
	}
	if (!take_body(connection, &whole))
		return PROGRESS;
	if (!whole)
		return connection_fill(connection);
	connection->state = CONNECTION_WORKING;
	connection->deadline_ms = INT64_MAX;
	exchange_body(exchange,
		      bytes_of(connection->in + connection->head_len, connection->body_len));
	consume(connection, connection->head_len + connection->body_len);
	exchange_begin(exchange);
	return PROGRESS;
}
