/*
 * What outgoing.c and outgoing_line.c share: calls, and the lines that they go over.
 */
#ifndef SIMTIE_SERVICE_OUTGOING_INTERNAL_H
#define SIMTIE_SERVICE_OUTGOING_INTERNAL_H

#include "outgoing.h"
#include "server_internal.h"

#include <event2/dns.h>
#include <event2/http.h>

#define OUTGOING_LINES_MAX  4    /* connections of one origin */
#define OUTGOING_CALLS_MAX  1024 /* under way or waiting */
#define OUTGOING_ANSWER_MAX (1 << 20)
#define OUTGOING_HEADER_MAX 16384
#define OUTGOING_IDLE_MS    3000 /* a line is not used again after this: others close at 5 s */

/* One request on its way. */
struct call {
	struct call *next;
	struct outgoing *outgoing;
	char *method, *host, *path, *content_type, *idempotency, *correlator;
	unsigned short port;
	uint8_t *body;
	size_t body_len;
	unsigned timeout_ms;
	void (*done)(void *context, const struct outgoing_answer *answer);
	void *context;
	struct event timer; /* from outgoing_send() on, also while it waits for a line */
	struct line *line;  /* NULL: it waits */
	struct evhttp_request *request;
	const char *error;
};

/* One connection. */
struct line {
	struct line *next;
	struct outgoing *outgoing;
	char *host;
	unsigned short port;
	SSL *ssl; /* the connection's own */
	struct evhttp_connection *connection;
	struct call *call; /* under way; NULL: idle */
	int64_t idle_since_ms;
	unsigned generation;
	bool dead; /* to be freed once libevent is out of its callbacks */
};

struct outgoing {
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
struct line *outgoing_line(struct outgoing *outgoing, const struct call *call, bool *failed);
/* Sends the call over it. Ends the call when that fails. */
void outgoing_line_send(struct line *line, struct call *call);
void outgoing_line_free(struct line *line);

/* Ends a call: tells it, frees it. `body` is borrowed. */
void outgoing_end(struct call *call, int status, const char *error, struct bytes body);
/* Frees dead lines and starts calls that wait, soon. */
void outgoing_go_on(struct outgoing *outgoing);

#endif
