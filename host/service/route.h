/*
 * Which handler a request is for.
 *
 * Owns the matching of methods and paths, and the order of refusals: no such path, no such method
 * on it, no certificate, not this role or scope.
 */
#ifndef SIMTIE_SERVICE_ROUTE_H
#define SIMTIE_SERVICE_ROUTE_H

#include "request.h"

#define ROUTE_ALLOW_SIZE 64

/* What there is at a path. */
struct route_match {
	const struct route *route;    /* NULL: nothing by this method */
	char allow[ROUTE_ALLOW_SIZE]; /* the methods that there are, "GET, PUT"; "": no such path */
	char segment[REQUEST_SEGMENTS][129];
};

void route_find(const struct route *routes, size_t count, enum listener listener,
		struct bytes method, struct bytes path, struct route_match *match);

/* Whether this peer may. False: `reply` says why not. */
bool route_allows(const struct route *route, const struct peer *peer, struct reply *reply);

#endif
