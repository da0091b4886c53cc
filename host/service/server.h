/*
 * Listeners and the event loop of one daemon.
 *
 * Owns connections, their bounds in time, size and number, and the passing of requests to the
 * engine and of replies back. Refuses to know what a request is about.
 *
 * All of it runs in one thread, the event loop's; what says "from any thread" may be called from
 * others.
 */
#ifndef SIMTIE_SERVICE_SERVER_H
#define SIMTIE_SERVICE_SERVER_H

#include <event2/event.h>

#include "service.h"
#include "tls.h"

struct server;

/* Binds and prints where it listens; serves from server_run() on. 0, or -1 with a sentence on
 * standard error. */
int server_open(struct service *service, struct server **server);

/* Until SIGTERM or SIGINT, and then until all that was begun is answered, some seconds at most. */
void server_run(struct server *server);

/* After the engine has stopped. */
void server_close(struct server **server);

/* For client.c. */
struct event_base *server_base(struct server *server);
const struct tls *server_tls(const struct server *server);

#endif
