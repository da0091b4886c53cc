/*
 * What the server's files share.
 */
#ifndef SIMTIE_SERVICE_SERVER_INTERNAL_H
#define SIMTIE_SERVICE_SERVER_INTERNAL_H

#include "http.h"
#include "quota.h"
#include "route.h"
#include "server.h"

#include <event2/event_struct.h>
#include <event2/listener.h>
#include <pthread.h>

#define SERVER_READ_SIZE 17408 /* a TLS record and some */
#define SERVER_SWEEP_MS  200   /* how late a deadline may be seen */
#define SERVER_HOLD_MS   250   /* between two looks of a long poll */

struct outgoing;
struct exchange;

/* Something to be done in the event loop's thread. */
struct post {
	void (*run)(void *context);
	void *context;
	unsigned delay_ms;
	struct server *server;
	struct event event; /* when there is a delay */
	struct post *next, **link;
};

struct server {
	struct service *service;
	struct event_base *base;
	struct tls *tls;
	unsigned generation; /* rises with each reload: older connections end */
	struct evconnlistener *listeners[2];
	struct event *sweep, *wake, *signals[3];
	struct quota *quota; /* NULL: no limit */
	struct connection *connections;
	unsigned connection_count, public_count, held_count;
	struct post *timed; /* those that wait for their time */
	bool refused;       /* a listener rests: no file descriptor, or no room */
	bool draining;
	int64_t drain_until_ms;
	struct outgoing *outgoing; /* outgoing.c's */

	int wake_fd;
	pthread_mutex_t mutex; /* what comes from other threads: */
	struct post *posts, **posts_tail;
	struct exchange *answered, **answered_tail;

	uint8_t scratch[SERVER_READ_SIZE];
};

enum connection_state {
	CONNECTION_HANDSHAKE,
	CONNECTION_HEAD,    /* waits for a request, or its head */
	CONNECTION_BODY,    /* reads its body */
	CONNECTION_WORKING, /* its exchange is under way; nothing is read */
	CONNECTION_WRITING,
	CONNECTION_LINGER, /* said the last word; lets the peer read it */
};

struct connection {
	struct connection *next, **link;
	struct server *server;
	struct event event;
	int fd;
	SSL *ssl;
	enum connection_state state;
	enum listener listener;
	unsigned generation;
	struct peer peer;
	int64_t peer_until; /* seconds since 1970 */
	uint8_t address[16];
	int64_t deadline_ms; /* INT64_MAX: none */

	uint8_t *in; /* NULL while nothing has come */
	size_t in_len, in_size;
	struct http_scan scan;
	struct http_chunks chunks;
	size_t head_len, body_len, body_max; /* of the request that is read */
	size_t content_length;
	bool chunked;

	uint8_t *out;
	size_t out_len, out_at;
	bool close_after; /* what is written now is the last */
	bool stepping;    /* its steps are under way further up the stack */

	struct exchange *exchange;
};

/* A request on its way to its reply. */
struct exchange {
	struct job job;
	struct server *server;
	struct connection *connection; /* NULL: it has gone */
	const struct route *route;     /* NULL: refused already, `reply` says why */
	struct request request;
	struct prepared *prepared; /* while the engine has it; or NULL */
	struct reply reply;
	char allow[ROUTE_ALLOW_SIZE];
	bool keep_alive, head_only, old;
	int64_t started_us;
	int64_t whole_ms; /* when all of it had come */
	int64_t wait_until_ms;
	bool held; /* counted in held_count */
	uint8_t *body;
	uint8_t *out; /* the reply's bytes, once there are any */
	size_t out_len;
	struct exchange *next;
};

/* What a step over the socket came to. */
enum progress { PROGRESS, PROGRESS_WAIT, PROGRESS_END };

/* server_connection.c */
void connection_accept(struct server *server, enum listener listener, int fd,
		       const struct sockaddr *address);
/* Sends this, which it takes over, in answer to the exchange under way. */
void connection_answer(struct connection *connection, uint8_t *out, size_t len, bool last);
void connection_free(struct connection *connection);
/* What its deadline, a reload or the end asks of it. May free it. */
void connection_sweep(struct connection *connection, int64_t now_ms);
/* From now on it has idle_ms, and as much again for each 64 KiB of `bytes`. */
void connection_allow_time(struct connection *connection, size_t bytes);
/* Takes in what has come. */
enum progress connection_fill(struct connection *connection);

/* server_read.c */
enum progress connection_read_head(struct connection *connection);
enum progress connection_read_body(struct connection *connection);
/* Refuses what cannot be read: the last answer on this connection. */
void connection_refuse(struct connection *connection, unsigned status, const char *why);

/* server_exchange.c. NULL: out of memory. */
struct exchange *exchange_new(struct connection *connection);
/* Its head is there: finds the route, or refuses in `reply`. */
void exchange_head(struct exchange *exchange, const struct http_head *head);
/* Its body is there too, copied here. */
void exchange_body(struct exchange *exchange, struct bytes body);
/* Has it done. */
void exchange_begin(struct exchange *exchange);
/* In the event loop's thread, when the engine is done with it. */
void exchange_answered(struct exchange *exchange);
void exchange_free(struct exchange *exchange);
/* The reply is an error that the server itself finds. */
void exchange_refuse(struct exchange *exchange, unsigned status, const char *why);

/* server_work.c: hands it to the engine, which hands it back to exchange_answered(). */
void exchange_submit(struct exchange *exchange);

/* server_reply.c: makes exchange->out of exchange->reply. From any thread. False: no memory. */
bool exchange_render(struct exchange *exchange);
/* server_builtin.c: /healthz and /metrics. Whether it was one of them. */
bool exchange_builtin(struct exchange *exchange, const struct http_head *head);

/* server_post.c: from other threads into the event loop's. */
int post_open(struct server *server);
void post_close(struct server *server);
void post_answered(struct server *server, struct exchange *exchange);
/* From the event loop's thread or any other. False: out of memory. */
bool post_later(struct server *server, unsigned delay_ms, void (*run)(void *context),
		void *context);

/* outgoing.c */
int outgoing_open(struct server *server);
void outgoing_close(struct server *server);

#endif
