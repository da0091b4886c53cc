/*
 * Methods, paths, roles and scopes.
 */
#include "route.h"

#include <stdio.h>

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* A segment without its percent signs. False: too long, empty, or what no name has: control
 * characters, slashes that were hidden. */
static bool decode(struct bytes text, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int c = text.ptr[i];

		if (c == '%') {
			if (text.len - i < 3 || digit(text.ptr[i + 1]) < 0 ||
			    digit(text.ptr[i + 2]) < 0)
				return false;
			c = digit(text.ptr[i + 1]) << 4 | digit(text.ptr[i + 2]);
			i += 2;
		}
		if (c < ' ' || c == 0x7f || c == '/' || len + 1 == size)
			return false;
		out[len++] = (char)c;
	}
	out[len] = 0;
	return len > 0;
}

/* Up to the next slash; *path goes on after it. */
static struct bytes segment(struct bytes *path)
{
	size_t len = 0;
	struct bytes out;

	while (len < path->len && path->ptr[len] != '/')
		len++;
	out = bytes_of(path->ptr, len);
	*path = bytes_of(path->ptr + len, path->len - len);
	return out;
}

static bool matches(const char *pattern, struct bytes path, struct route_match *match)
{
	struct bytes rest = bytes_of((const uint8_t *)pattern, strlen(pattern));
	unsigned filled = 0;

	while (rest.len > 0 && path.len > 0 && *rest.ptr == '/' && *path.ptr == '/') {
		struct bytes wanted, given;

		rest = bytes_of(rest.ptr + 1, rest.len - 1);
		path = bytes_of(path.ptr + 1, path.len - 1);
		wanted = segment(&rest);
		given = segment(&path);
		if (wanted.len > 0 && *wanted.ptr == '{') {
			if (filled == REQUEST_SEGMENTS ||
			    !decode(given, match->segment[filled], sizeof(match->segment[0])))
				return false;
			filled++;
		} else if (!bytes_equal(wanted, given)) {
			return false;
		}
	}
	return rest.len == 0 && path.len == 0;
}

static void add_allow(char *allow, const char *method)
{
	size_t len = strlen(allow);

	snprintf(allow + len, ROUTE_ALLOW_SIZE - len, "%s%s", len ? ", " : "", method);
}

void route_find(const struct route *routes, size_t count, enum listener listener,
		struct bytes method, struct bytes path, struct route_match *match)
{
	memset(match, 0, sizeof(*match));
	for (size_t i = 0; i < count; i++) {
		const struct route *route = &routes[i];

		if (!(route->listeners & listener) || !matches(route->path, path, match))
			continue;
		add_allow(match->allow, route->method);
		if (method.len == strlen(route->method) &&
		    memcmp(method.ptr, route->method, method.len) == 0) {
			match->route = route;
			return;
		}
	}
}

bool route_allows(const struct route *route, const struct peer *peer, struct reply *reply)
{
	if (route->roles != PEER_NONE && peer->role == PEER_NONE) {
		reply_error(reply, 401, "UNAUTHENTICATED", "come with a client certificate");
		return false;
	}
	if ((route->roles != PEER_NONE && !(route->roles & peer->role)) ||
	    (peer->scopes & route->scopes) != route->scopes) {
		reply_error(reply, 403, "PERMISSION_DENIED",
			    "your certificate has not the role or scope that this needs");
		return false;
	}
	return true;
}
