/*
 * What client.c and client_line.c share: calls, and the lines that they go over.
 */
#ifndef SIMTIE_SERVICE_CLIENT_INTERNAL_H
#define SIMTIE_SERVICE_CLIENT_INTERNAL_H

#include "client.h"
#include "server_internal.h"

#include <event2/dns.h>
#include <event2/http.h>

#define CLIENT_LINES_MAX  4    /* connections of one origin */
#define CLIENT_CALLS_MAX  1024 /* under way or waiting */
#define CLIENT_ANSWER_MAX (1 << 20)
#define CLIENT_HEADER_MAX 16384
#define CLIENT_IDLE_MS    3000 /* a line is not used again after this: others close at 5 s */

/* One request on its way. */
struct call {
	struct call *next;
	struct client *client;
	char *method, *host, *path, *content_type, *idempotency, *correlator;
	unsigned short port;
	uint8_t *body;
	size_t body_len;
	unsigned timeout_ms;
	void (*done)(void *context, const struct client_answer *answer);
	void *context;
	struct event timer; /* from client_send() on, also while it waits for a line */
	struct line *line;  /* NULL: it waits */
	struct evhttp_request *request;
	const char *error;
};

/* One connection. */
struct line {
	struct line *next;
	struct client *client;
	char *host;
	unsigned short port;
	SSL *ssl; /* the connection's own */
	struct evhttp_connection *connection;
	struct call *call; /* under way; NULL: idle */
	int64_t idle_since_ms;
	unsigned generation;
	bool dead; /* to be freed once libevent is out of its callbacks */
};

struct client {
	struct server *server;
	struct evdns_base *names;
	struct line *lines;
	struct call *waiting, **waiting_tail;
	struct call *sent, **sent_tail; /* from other threads, under the server's mutex */
	unsigned count;                 /* of calls, under the server's mutex */
	bool reaping;
};

/* A line to the call's origin that is idle, or a new one. NULL: all are busy, or out of memory
 * (*failed). */
struct line *client_line(struct client *client, const struct call *call, bool *failed);
/* Sends the call over it. Ends the call when that fails. */
void client_line_send(struct line *line, struct call *call);
void client_line_free(struct line *line);

/* Ends a call: tells it, frees it. `body` is borrowed. */
void client_end(struct call *call, int status, const char *error, struct bytes body);
/* Frees dead lines and starts calls that wait, soon. */
void client_go_on(struct client *client);

#endif
