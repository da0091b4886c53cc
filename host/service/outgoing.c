/*
 * Calls: from any thread into the event loop, over a line, and back to who asked.
 */
#include "outgoing_internal.h"

#include "monotonic.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static void free_call(struct call *call)
{
	free(call->method);
	free(call->host);
	free(call->path);
	free(call->content_type);
	free(call->idempotency);
	free(call->correlator);
	if (call->body)
		bytes_wipe(call->body, call->body_len);
	free(call->body);
	free(call);
}

void outgoing_end(struct call *call, int status, const char *error, struct bytes body)
{
	const struct outgoing_answer answer = {status, error, body};
	struct outgoing *outgoing = call->outgoing;

	evtimer_del(&call->timer);
	pthread_mutex_lock(&outgoing->server->mutex);
	outgoing->count--;
	pthread_mutex_unlock(&outgoing->server->mutex);
	call->done(call->context, &answer);
	free_call(call);
}

/* A copy that may be NULL of a text that may be. False: out of memory. */
static bool copy(char **out, const char *text)
{
	*out = text ? strdup(text) : NULL;
	return !text || *out;
}

static bool read_url(struct call *call, const char *text)
{
	struct evhttp_uri *url = evhttp_uri_parse(text);
	const char *scheme = url ? evhttp_uri_get_scheme(url) : NULL;
	const char *host = url ? evhttp_uri_get_host(url) : NULL;
	const char *path = url ? evhttp_uri_get_path(url) : NULL;
	const char *query = url ? evhttp_uri_get_query(url) : NULL;
	bool good = scheme && strcasecmp(scheme, "https") == 0 && host && *host &&
		    !evhttp_uri_get_userinfo(url) && evhttp_uri_get_port(url) != 0;
	size_t size;

	if (good) {
		size = strlen(path) + (query ? strlen(query) : 0) + 3;
		call->port = evhttp_uri_get_port(url) < 0
				     ? 443
				     : (unsigned short)evhttp_uri_get_port(url);
		call->path = malloc(size);
		good = copy(&call->host, host) && call->path;
		if (good)
			snprintf(call->path, size, "%s%s%s", *path ? path : "/", query ? "?" : "",
				 query ? query : "");
	}
	/* [::1] is written without its brackets everywhere but in a URL. */
	if (good && *call->host == '[') {
		memmove(call->host, call->host + 1, strlen(call->host));
		call->host[strcspn(call->host, "]")] = 0;
	}
	if (url)
		evhttp_uri_free(url);
	return good;
}

static struct call *new_call(struct outgoing *outgoing, const struct outgoing_request *request)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->outgoing = outgoing;
	call->timeout_ms = request->timeout_ms;
	call->done = request->done;
	call->context = request->context;
	if (request->body.len > 0) {
		call->body_len = request->body.len;
		call->body = malloc(call->body_len);
		if (call->body)
			memcpy(call->body, request->body.ptr, call->body_len);
	}
	if (!read_url(call, request->url) || !copy(&call->method, request->method) ||
	    !copy(&call->content_type, request->content_type) ||
	    !copy(&call->idempotency, request->idempotency) ||
	    !copy(&call->correlator, request->correlator) || (call->body_len && !call->body)) {
		free_call(call);
		return NULL;
	}
	return call;
}

/* Nobody answered in time. */
static void on_timeout(evutil_socket_t fd, short what, void *argument)
{
	struct call *call = argument;
	struct outgoing *outgoing = call->outgoing;
	struct line *line = call->line;

	(void)fd;
	(void)what;
	if (line) {
		line->call = NULL;
		line->dead = true;
		evhttp_cancel_request(call->request);
	} else {
		struct call **at = &outgoing->waiting;

		while (*at != call)
			at = &(*at)->next;
		*at = call->next;
		if (!*at)
			outgoing->waiting_tail = at;
	}
	outgoing_end(call, 0, "there was no answer in time", bytes_of(NULL, 0));
	outgoing_go_on(outgoing);
}

static void reap(struct outgoing *outgoing)
{
	struct line **at = &outgoing->lines;

	while (*at) {
		struct line *line = *at;

		if (!line->dead && !line->call &&
		    (monotonic_ms() - line->idle_since_ms > OUTGOING_IDLE_MS ||
		     line->generation != outgoing->server->generation))
			line->dead = true;
		if (line->dead && !line->call) {
			*at = line->next;
			outgoing_line_free(line);
		} else {
			at = &line->next;
		}
	}
}

/* Each call that finds a line goes; those of other origins do not wait for one that is slow. */
static void start_waiting(struct outgoing *outgoing)
{
	struct call **at = &outgoing->waiting;

	while (*at) {
		struct call *call = *at;
		bool failed = false;
		struct line *line = outgoing_line(outgoing, call, &failed);

		if (!line && !failed) {
			at = &call->next;
			continue;
		}
		*at = call->next;
		if (line)
			outgoing_line_send(line, call);
		else
			outgoing_end(call, 0, "out of memory", bytes_of(NULL, 0));
	}
	outgoing->waiting_tail = at;
}

/* Takes over what other threads have sent. */
static void take_sent(struct outgoing *outgoing)
{
	struct call *calls;

	pthread_mutex_lock(&outgoing->server->mutex);
	calls = outgoing->sent;
	outgoing->sent = NULL;
	outgoing->sent_tail = &outgoing->sent;
	pthread_mutex_unlock(&outgoing->server->mutex);
	while (calls) {
		struct call *call = calls;
		struct timeval time = {call->timeout_ms / 1000, call->timeout_ms % 1000 * 1000};

		calls = call->next;
		call->next = NULL;
		evtimer_assign(&call->timer, outgoing->server->base, on_timeout, call);
		evtimer_add(&call->timer, &time);
		*outgoing->waiting_tail = call;
		outgoing->waiting_tail = &call->next;
	}
}

static void go_on(void *context)
{
	struct outgoing *outgoing = context;

	outgoing->reaping = false;
	take_sent(outgoing);
	reap(outgoing);
	start_waiting(outgoing);
}

void outgoing_go_on(struct outgoing *outgoing)
{
	if (!outgoing->reaping)
		outgoing->reaping = post_later(outgoing->server, 0, go_on, outgoing);
}

bool outgoing_send(struct service *service, const struct outgoing_request *request)
{
	struct outgoing *outgoing = service->server->outgoing;
	struct call *call = new_call(outgoing, request);
	bool room;

	if (!call)
		return false;
	pthread_mutex_lock(&outgoing->server->mutex);
	room = outgoing->count < OUTGOING_CALLS_MAX;
	if (room) {
		outgoing->count++;
		*outgoing->sent_tail = call;
		outgoing->sent_tail = &call->next;
	}
	pthread_mutex_unlock(&outgoing->server->mutex);
	if (!room)
		free_call(call);
	else
		post_later(outgoing->server, 0, go_on, outgoing);
	return room;
}

int outgoing_open(struct server *server)
{
	struct outgoing *outgoing = calloc(1, sizeof(*outgoing));

	server->outgoing = outgoing;
	if (!outgoing)
		return -1;
	outgoing->server = server;
	outgoing->waiting_tail = &outgoing->waiting;
	outgoing->sent_tail = &outgoing->sent;
	outgoing->names = evdns_base_new(server->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
							       EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	/* Without a resolver there are still numbers and /etc/hosts. */
	if (!outgoing->names) {
		outgoing->names = evdns_base_new(server->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
		if (outgoing->names)
			evdns_base_load_hosts(outgoing->names, "/etc/hosts");
	}
	return outgoing->names ? 0 : -1;
}

void outgoing_close(struct server *server)
{
	struct outgoing *outgoing = server->outgoing;

	if (!outgoing)
		return;
	take_sent(outgoing);
	for (struct line *line = outgoing->lines; line; line = line->next) {
		struct call *call = line->call;

		line->call = NULL;
		line->dead = true;
		if (call) {
			evhttp_cancel_request(call->request);
			outgoing_end(call, 0, "the daemon ended", bytes_of(NULL, 0));
		}
	}
	while (outgoing->waiting) {
		struct call *call = outgoing->waiting;

		outgoing->waiting = call->next;
		outgoing_end(call, 0, "the daemon ended", bytes_of(NULL, 0));
	}
	outgoing->waiting_tail = &outgoing->waiting;
	reap(outgoing);
	if (outgoing->names)
		evdns_base_free(outgoing->names, 0);
	free(outgoing);
	server->outgoing = NULL;
}
