/*
 * Calls: from any thread into the event loop, over a line, and back to who asked.
 */
#include "client_internal.h"

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

void client_end(struct call *call, int status, const char *error, struct bytes body)
{
	const struct client_answer answer = {status, error, body};
	struct client *client = call->client;

	evtimer_del(&call->timer);
	pthread_mutex_lock(&client->server->mutex);
	client->count--;
	pthread_mutex_unlock(&client->server->mutex);
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

static struct call *new_call(struct client *client, const struct client_request *request)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->client = client;
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
	struct client *client = call->client;
	struct line *line = call->line;

	(void)fd;
	(void)what;
	if (line) {
		line->call = NULL;
		line->dead = true;
		evhttp_cancel_request(call->request);
	} else {
		struct call **at = &client->waiting;

		while (*at != call)
			at = &(*at)->next;
		*at = call->next;
		if (!*at)
			client->waiting_tail = at;
	}
	client_end(call, 0, "there was no answer in time", bytes_of(NULL, 0));
	client_go_on(client);
}

static void reap(struct client *client)
{
	struct line **at = &client->lines;

	while (*at) {
		struct line *line = *at;

		if (!line->dead && !line->call &&
		    (monotonic_ms() - line->idle_since_ms > CLIENT_IDLE_MS ||
		     line->generation != client->server->generation))
			line->dead = true;
		if (line->dead && !line->call) {
			*at = line->next;
			client_line_free(line);
		} else {
			at = &line->next;
		}
	}
}

/* Each call that finds a line goes; those of other origins do not wait for one that is slow. */
static void start_waiting(struct client *client)
{
	struct call **at = &client->waiting;

	while (*at) {
		struct call *call = *at;
		bool failed = false;
		struct line *line = client_line(client, call, &failed);

		if (!line && !failed) {
			at = &call->next;
			continue;
		}
		*at = call->next;
		if (line)
			client_line_send(line, call);
		else
			client_end(call, 0, "out of memory", bytes_of(NULL, 0));
	}
	client->waiting_tail = at;
}

/* Takes over what other threads have sent. */
static void take_sent(struct client *client)
{
	struct call *calls;

	pthread_mutex_lock(&client->server->mutex);
	calls = client->sent;
	client->sent = NULL;
	client->sent_tail = &client->sent;
	pthread_mutex_unlock(&client->server->mutex);
	while (calls) {
		struct call *call = calls;
		struct timeval time = {call->timeout_ms / 1000, call->timeout_ms % 1000 * 1000};

		calls = call->next;
		call->next = NULL;
		evtimer_assign(&call->timer, client->server->base, on_timeout, call);
		evtimer_add(&call->timer, &time);
		*client->waiting_tail = call;
		client->waiting_tail = &call->next;
	}
}

static void go_on(void *context)
{
	struct client *client = context;

	client->reaping = false;
	take_sent(client);
	reap(client);
	start_waiting(client);
}

void client_go_on(struct client *client)
{
	if (!client->reaping)
		client->reaping = post_later(client->server, 0, go_on, client);
}

bool client_send(struct service *service, const struct client_request *request)
{
	struct client *client = service->server->client;
	struct call *call = new_call(client, request);
	bool room;

	if (!call)
		return false;
	pthread_mutex_lock(&client->server->mutex);
	room = client->count < CLIENT_CALLS_MAX;
	if (room) {
		client->count++;
		*client->sent_tail = call;
		client->sent_tail = &call->next;
	}
	pthread_mutex_unlock(&client->server->mutex);
	if (!room)
		free_call(call);
	else
		post_later(client->server, 0, go_on, client);
	return room;
}

int client_open(struct server *server)
{
	struct client *client = calloc(1, sizeof(*client));

	server->client = client;
	if (!client)
		return -1;
	client->server = server;
	client->waiting_tail = &client->waiting;
	client->sent_tail = &client->sent;
	client->names = evdns_base_new(server->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
							     EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	/* Without a resolver there are still numbers and /etc/hosts. */
	if (!client->names) {
		client->names = evdns_base_new(server->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
		if (client->names)
			evdns_base_load_hosts(client->names, "/etc/hosts");
	}
	return client->names ? 0 : -1;
}

void client_close(struct server *server)
{
	struct client *client = server->client;

	if (!client)
		return;
	take_sent(client);
	for (struct line *line = client->lines; line; line = line->next) {
		struct call *call = line->call;

		line->call = NULL;
		line->dead = true;
		if (call) {
			evhttp_cancel_request(call->request);
			client_end(call, 0, "the daemon ended", bytes_of(NULL, 0));
		}
	}
	while (client->waiting) {
		struct call *call = client->waiting;

		client->waiting = call->next;
		client_end(call, 0, "the daemon ended", bytes_of(NULL, 0));
	}
	client->waiting_tail = &client->waiting;
	reap(client);
	if (client->names)
		evdns_base_free(client->names, 0);
	free(client);
	server->client = NULL;
}
