/*
 * /healthz and /metrics: for this machine, and for whoever has the scope.
 */
#include "server_internal.h"

static bool is(struct bytes text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

/* Alive is who answers. Ready is who can commit and does not leave: "?ready" asks for that. */
static void health(struct exchange *exchange, bool wants_ready)
{
	struct server *server = exchange->server;
	bool ready = engine_ready(server->service->engine) && !server->draining;

	reply_json(&exchange->reply, wants_ready && !ready ? 503 : 200,
		   json_pack("{s:b, s:b}", "live", 1, "ready", ready));
}

static void metrics(struct exchange *exchange)
{
	struct server *server = exchange->server;
	struct metrics *all = server->service->metrics;
	int64_t oldest_ms;
	unsigned waiting;

	engine_load(server->service->engine, &waiting, &oldest_ms);
	metrics_gauge(all, "queue_jobs", "", waiting);
	metrics_gauge(all, "queue_oldest_ms", "", oldest_ms);
	metrics_gauge(all, "connections", "", server->connection_count);
	metrics_gauge(all, "long_polls", "", server->held_count);
	metrics_gauge(all, "ready", "", engine_ready(server->service->engine));
	exchange->reply.text = metrics_text(all);
	exchange->reply.content_type = "text/plain; version=0.0.4";
	exchange->reply.status = exchange->reply.text ? 200 : 503;
}

bool exchange_builtin(struct exchange *exchange, const struct http_head *head)
{
	const struct peer *peer = &exchange->request.peer;
	bool healthz = is(head->path, "/healthz");

	if (!healthz && !is(head->path, "/metrics"))
		return false;
	if (!peer->loopback && !(peer->scopes & SCOPE_METRICS))
		reply_error(&exchange->reply, 403, "PERMISSION_DENIED",
			    "this is for the machine itself, and for the scope metrics");
	else if (!is(head->method, "GET") && !is(head->method, "HEAD"))
		exchange_refuse(exchange, 405, "only GET and HEAD are known here");
	else if (healthz)
		health(exchange, is(head->query, "ready"));
	else
		metrics(exchange);
	if (exchange->reply.status == 405)
		memcpy(exchange->allow, "GET, HEAD", sizeof("GET, HEAD"));
	return true;
}
