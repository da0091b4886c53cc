/*
 * What a request's head says: where it goes, whether it may, what may follow.
 */
#include "server_internal.h"

#include "monotonic.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

/* A header's value into the request, when each character may stand there. */
static bool copy(struct bytes value, char *out, size_t size, const char *others)
{
	if (value.len >= size)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr(others, c))))
			return false;
	}
	if (value.len > 0)
		memcpy(out, value.ptr, value.len);
	out[value.len] = 0;
	return true;
}

/* CAMARA: ^[a-zA-Z0-9-_:;.\/<>{}]{0,256}$ */
static bool read_correlator(struct exchange *exchange, const struct http_head *head)
{
	struct request *request = &exchange->request;

	if (copy(head->correlator, request->correlator, sizeof(request->correlator), "-_:;./<>{}"))
		return true;
	exchange_refuse(exchange, 400, "x-correlator has over 256 or other characters than it may");
	return false;
}

/* ?wait=SECONDS, bounded; the rest of the query is the handler's. */
static bool read_query(struct exchange *exchange, struct bytes query)
{
	const struct config *config = exchange->server->service->config;
	struct request *request = &exchange->request;
	const char *at = request->query;
	char *end;

	if (query.len >= sizeof(request->query)) {
		exchange_refuse(exchange, 400, "the query is over 128 bytes");
		return false;
	}
	if (query.len > 0)
		memcpy(request->query, query.ptr, query.len);
	while (at && strncmp(at, "wait=", 5) != 0) {
		at = strchr(at, '&');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return true;
	request->wait_ms = strtol(at + 5, &end, 10);
	if (at[5] < '0' || at[5] > '9' || end - at > 9 || (*end && *end != '&')) {
		exchange_refuse(exchange, 400, "wait is not a number of seconds");
		return false;
	}
	if (request->wait_ms > config->limits.wait_max_s)
		request->wait_ms = config->limits.wait_max_s;
	request->wait_ms *= 1000;
	exchange->wait_until_ms = monotonic_ms() + request->wait_ms;
	return true;
}

static bool read_type(struct exchange *exchange, struct bytes type)
{
	static const struct {
		const char *name;
		enum body_type type;
	} types[] = {
		{"application/json", BODY_JSON},
		{"application/x-ndjson", BODY_LINES},
		{"application/secevent+jwt", BODY_NOTICE},
	};
	size_t len = 0;

	while (len < type.len && type.ptr[len] != ';' && type.ptr[len] != ' ')
		len++;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (len != strlen(types[i].name) ||
		    strncasecmp((const char *)type.ptr, types[i].name, len) != 0)
			continue;
		exchange->request.type = types[i].type;
		return true;
	}
	exchange_refuse(exchange, 415, "send application/json");
	return false;
}

/* What a client is counted by: its certificate's name, else its address (of IPv6 the first 64 bits,
 * of which each has as many addresses as it likes). */
static bool within_quota(struct exchange *exchange)
{
	struct connection *connection = exchange->connection;
	const struct peer *peer = &connection->peer;
	uint8_t client[1 + sizeof(peer->name)];
	struct bytes by = bytes_of(connection->address, 8);
	unsigned wait_s;

	if (!exchange->server->quota)
		return true;
	if (peer->role != PEER_NONE) {
		client[0] = (uint8_t)peer->role;
		memcpy(client + 1, peer->name, strlen(peer->name));
		by = bytes_of(client, 1 + strlen(peer->name));
	}
	wait_s = quota_take(exchange->server->quota, by, monotonic_us());
	if (wait_s == 0)
		return true;
	exchange_refuse(exchange, 429, "too many requests: ask again later");
	exchange->reply.retry_after_s = wait_s;
	return false;
}

static bool find_route(struct exchange *exchange, const struct http_head *head)
{
	const struct role *role = exchange->server->service->role;
	struct route_match match;

	route_find(role->routes, role->route_count, exchange->connection->listener, head->method,
		   head->path, &match);
	if (!match.route) {
		memcpy(exchange->allow, match.allow, sizeof(match.allow));
		if (match.allow[0])
			exchange_refuse(exchange, 405, "this path has other methods: see Allow");
		else
			exchange_refuse(exchange, 404, "there is nothing at this path");
		return false;
	}
	memcpy(exchange->request.segment, match.segment, sizeof(match.segment));
	if (!route_allows(match.route, &exchange->request.peer, &exchange->reply))
		return false;
	exchange->route = match.route;
	return true;
}

static bool still_valid(struct exchange *exchange)
{
	if (exchange->connection->peer_until > time(NULL))
		return true;
	exchange_refuse(exchange, 401, "your certificate has ended since you connected");
	exchange->keep_alive = false;
	return false;
}

/* Everything that can be said before the body. */
static bool accept_head(struct exchange *exchange, const struct http_head *head)
{
	struct request *request = &exchange->request;
	bool has_body = head->chunked || head->content_length > 0;

	if (!read_correlator(exchange, head) || !still_valid(exchange) || !within_quota(exchange) ||
	    exchange_builtin(exchange, head) || !find_route(exchange, head) ||
	    !read_query(exchange, head->query))
		return false;
	if (!copy(head->idempotency, request->idempotency, sizeof(request->idempotency),
		  "-_:;./<>{}=+,@")) {
		exchange_refuse(exchange, 400,
				"Idempotency-Key has over 64 or other characters than it may");
		return false;
	}
	return !has_body || read_type(exchange, head->content_type);
}

struct exchange *exchange_new(struct connection *connection)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	exchange->server = connection->server;
	exchange->connection = connection;
	exchange->request.peer = connection->peer;
	exchange->started_us = monotonic_us();
	return exchange;
}

void exchange_head(struct exchange *exchange, const struct http_head *head)
{
	struct connection *connection = exchange->connection;

	exchange->keep_alive = head->keep_alive;
	exchange->old = head->old;
	exchange->head_only = bytes_equal(head->method, bytes_of((const uint8_t *)"HEAD", 4));
	connection->body_max = exchange->server->service->config->limits.body_max;
	if (!accept_head(exchange, head))
		exchange->route = NULL;
	else if (exchange->route->body_max > 0)
		connection->body_max = exchange->route->body_max;
	if (head->content_length > connection->body_max) {
		exchange->route = NULL;
		exchange->keep_alive = false;
		exchange_refuse(exchange, 413, "the body is too big");
	}
}

void exchange_body(struct exchange *exchange, struct bytes body)
{
	if (!exchange->route || body.len == 0)
		return;
	exchange->body = malloc(body.len);
	if (!exchange->body) {
		exchange->route = NULL;
		exchange_refuse(exchange, 503, "out of memory: try again later");
		return;
	}
	memcpy(exchange->body, body.ptr, body.len);
	exchange->request.body = bytes_of(exchange->body, body.len);
}

void exchange_begin(struct exchange *exchange)
{
	exchange->whole_ms = monotonic_ms();
	if (exchange->route)
		exchange_submit(exchange);
	else
		exchange_answered(exchange);
}

void exchange_free(struct exchange *exchange)
{
	if (exchange->held)
		exchange->server->held_count--;
	if (exchange->body)
		bytes_wipe(exchange->body, exchange->request.body.len);
	free(exchange->body);
	free(exchange->out);
	reply_clear(&exchange->reply);
	free(exchange);
}
