/*
 * The connection to vpcd, kept up for as long as it is wanted.
 *
 * Owns the socket, the waiting between attempts and the frames on their way. Driven by poll():
 * never blocks, never sleeps. Knows nothing of cards. Refuses nothing that comes in; a peer that
 * does not take its answer is asked nothing more until it has.
 */
#ifndef SIMTIE_VPCD_LINK_H
#define SIMTIE_VPCD_LINK_H

#include <netdb.h>
#include <poll.h>

#include "frame.h"

/* What a step of the link came to. */
enum link_event {
	LINK_QUIET,
	LINK_WAITING, /* nobody listens there; trying again. Told once until something changes */
	LINK_HEARD,   /* connected, and the first bytes came: the card is in a reader */
	LINK_UNHEARD, /* connected, but nothing came for a while: somebody else's card is in there
		       */
	LINK_LOST,    /* the connection ended after LINK_HEARD; trying again */
};

struct link {
	struct addrinfo *addresses;
	struct addrinfo *next; /* the address to try */
	int fd;                /* -1: none, waiting */
	bool connected;
	bool heard;
	bool told;        /* LINK_WAITING or LINK_UNHEARD */
	int64_t deadline; /* when poll() has to return, ms on CLOCK_MONOTONIC; INT64_MAX: never */
	int64_t pause;    /* ms to wait before the next attempt */
	struct frame_in in;
	struct frame_out out;
};

/* Finds the addresses of the host. 0, or an error for gai_strerror(). The link is to be closed. */
int link_open(struct link *link, const char *host, const char *port);

/* What to wait for. `timeout` is for poll(), in ms. */
void link_wants(const struct link *link, struct pollfd *wanted, int *timeout);

/* Goes on after poll() filled in `wanted`. */
enum link_event link_step(struct link *link, const struct pollfd *wanted);

/* The next frame that came in; false: none, or the answer before has not left yet. As frame_take().
 */
bool link_take(struct link *link, struct bytes *body);

/* Sends a frame of two parts. A connection that ended is noticed by the next link_step(). */
void link_answer(struct link *link, struct bytes first, struct bytes second);

/* Ends the connection, if there is one; the next link_step() tries again at once. */
void link_restart(struct link *link);

/* The same, and tries again no earlier than in `ms`. */
void link_leave(struct link *link, int64_t ms);

void link_close(struct link *link);

#endif
