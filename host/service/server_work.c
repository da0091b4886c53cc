/*
 * A request's way through the engine, its waits, and its way back.
 */
#include "server_internal.h"

#include "monotonic.h"

#include <stdlib.h>

/* What a handler that gave up comes to. */
static void failed(struct exchange *exchange, int result)
{
	switch (result) {
	case DB_ERR_CONFLICT:
		reply_error(&exchange->reply, 409, "CONFLICT",
			    "another request changed the same at the same time");
		break;
	case DB_ERR_DAMAGED:
	case DB_ERR_SQL:
		exchange_refuse(exchange, 500, "the store is not as it should be");
		break;
	default:
		exchange_refuse(exchange, 503, "the store does not take it now: try again later");
		exchange->reply.retry_after_s = 2;
	}
}

static void prepare(struct work *work, struct job *job)
{
	struct exchange *exchange = (struct exchange *)job;

	exchange->prepared =
		exchange->server->service->role->prepare(work, exchange->route, &exchange->request);
}

static int run(struct work *work, struct job *job)
{
	struct exchange *exchange = (struct exchange *)job;

	work->prepared = exchange->prepared;
	reply_clear(&exchange->reply);
	return exchange->route->run(work, &exchange->request, &exchange->reply);
}

/* In the worker's thread, after the commit. */
static void done(struct job *job, int result)
{
	struct exchange *exchange = (struct exchange *)job;
	struct service *service = exchange->server->service;
	const struct reply *reply = &exchange->reply;

	if (exchange->prepared)
		exchange->prepared->free(exchange->prepared);
	exchange->prepared = NULL;
	if (result == DB_OK) {
		for (unsigned i = 0; i < REPLY_WAKES_MAX; i++) {
			if (reply->wake[i])
				engine_wake(service->engine, reply->wake[i]);
		}
		if (reply->count)
			metrics_count(service->metrics, reply->count,
				      reply->count_labels ? reply->count_labels : "", 1);
	} else {
		failed(exchange, result);
	}
	if (!exchange->reply.hold && exchange->reply.status == 0)
		failed(exchange, DB_ERR_SQL);
	post_answered(exchange->server, exchange);
}

void exchange_submit(struct exchange *exchange)
{
	exchange->job = (struct job){
		.prepare = exchange->server->service->role->prepare ? prepare : NULL,
		.run = run,
		.done = done,
	};
	if (engine_submit(exchange->server->service->engine, &exchange->job))
		return;
	exchange_refuse(exchange, 503, "too much is queued: try again later");
	exchange->reply.retry_after_s = 1;
	exchange_answered(exchange);
}

/* The literal that counts a status. */
static const char *status_label(unsigned status)
{
	switch (status / 100) {
	case 2:
		return "status=\"2xx\"";
	case 4:
		return status == 429 ? "status=\"429\"" : "status=\"4xx\"";
	default:
		return status == 503 ? "status=\"503\"" : "status=\"5xx\"";
	}
}

/* Sends what there is; its connection may have gone. */
static void send_reply(void *context)
{
	struct exchange *exchange = context;
	struct server *server = exchange->server;
	struct metrics *metrics = server->service->metrics;
	struct connection *connection = exchange->connection;
	bool last;

	if (connection) {
		if (server->draining || connection->generation != server->generation)
			exchange->keep_alive = false;
		metrics_count(metrics, "requests", status_label(exchange->reply.status), 1);
		metrics_time(metrics, "request", "", monotonic_us() - exchange->started_us);
		if (!exchange_render(exchange)) {
			exchange_refuse(exchange, 500, "the reply could not be made");
			exchange->keep_alive = false;
			exchange_render(exchange);
		}
		last = !exchange->keep_alive;
		connection->exchange = NULL;
		connection_answer(connection, exchange->out, exchange->out_len, last);
		exchange->out = NULL;
	}
	exchange_free(exchange);
}

/* A long poll looks again. */
static void look_again(void *context)
{
	struct exchange *exchange = context;

	if (exchange->held)
		exchange->server->held_count--;
	exchange->held = false;
	if (!exchange->connection)
		exchange_free(exchange);
	else
		exchange_submit(exchange);
}

/* Whether it shall be held, and is. The more are held the rarer each looks. */
static bool hold(struct exchange *exchange)
{
	struct server *server = exchange->server;
	int64_t left = exchange->wait_until_ms - monotonic_ms();
	unsigned delay = SERVER_HOLD_MS;

	if (!exchange->reply.hold || !exchange->connection || left <= 0 || server->draining)
		return false;
	if (delay < server->held_count)
		delay = server->held_count;
	if (delay > left)
		delay = (unsigned)left;
	exchange->held = true;
	server->held_count++;
	if (post_later(server, delay, look_again, exchange))
		return true;
	exchange->held = false;
	server->held_count--;
	return false;
}

void exchange_answered(struct exchange *exchange)
{
	int64_t early;

	if (hold(exchange))
		return;
	early = exchange->whole_ms + exchange->reply.not_before_ms - monotonic_ms();
	if (early <= 0 || !exchange->connection ||
	    !post_later(exchange->server, (unsigned)early, send_reply, exchange))
		send_reply(exchange);
}
