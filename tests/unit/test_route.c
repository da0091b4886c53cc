/*
 * Routes: which handler, and who may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "route.h"

static int nothing(struct work *work, const struct request *request, struct reply *reply)
{
	(void)work;
	(void)request;
	(void)reply;
	return DB_OK;
}

static const struct route routes[] = {
	{"GET", "/v1/a/{id}", LISTEN_PEERS, PEER_MESSENGER, 0, 0, nothing},
	{"PUT", "/v1/a/{id}", LISTEN_PEERS, PEER_MESSENGER | PEER_ADMIN, SCOPE_EVENTS, 0, nothing},
	{"POST", "/v1/a/{id}/b/{other}", LISTEN_PEERS, PEER_MESSENGER, 0, 0, nothing},
	{"GET", "/v1/open", LISTEN_PEERS | LISTEN_PUBLIC, PEER_NONE, 0, 0, nothing},
};

static const struct route *find(enum listener listener, const char *method, const char *path,
				struct route_match *match)
{
	route_find(routes, sizeof(routes) / sizeof(routes[0]), listener,
		   bytes_of((const uint8_t *)method, strlen(method)),
		   bytes_of((const uint8_t *)path, strlen(path)), match);
	return match->route;
}

static void paths_are_matched_whole(void **state)
{
	struct route_match match;

	(void)state;
	assert_ptr_equal(find(LISTEN_PEERS, "GET", "/v1/a/x%41.~", &match), &routes[0]);
	assert_string_equal(match.segment[0], "xA.~");
	assert_ptr_equal(find(LISTEN_PEERS, "POST", "/v1/a/x/b/+49", &match), &routes[2]);
	assert_string_equal(match.segment[1], "+49");
	assert_null(find(LISTEN_PEERS, "GET", "/v1/a", &match));
	assert_string_equal(match.allow, "");
	assert_null(find(LISTEN_PEERS, "GET", "/v1/a/", &match));
	assert_null(find(LISTEN_PEERS, "GET", "/v1/a/x/", &match));
	assert_null(find(LISTEN_PEERS, "GET", "//v1/a/x", &match));
	assert_null(find(LISTEN_PEERS, "GET", "/v1/a/x/b", &match));
	assert_null(find(LISTEN_PEERS, "GET", "/v1/../v1/a/x", &match));
	assert_null(find(LISTEN_PEERS, "GET", "/", &match));
}

static void segments_hide_nothing(void **state)
{
	static const char *const wrong[] = {"/v1/a/x%2fb", "/v1/a/%00", "/v1/a/%0a", "/v1/a/%4",
					    "/v1/a/%zz"};
	struct route_match match;
	char path[200] = "/v1/a/";

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_null(find(LISTEN_PEERS, "GET", wrong[i], &match));
	memset(path + 6, 'x', 128);
	assert_non_null(find(LISTEN_PEERS, "GET", path, &match));
	path[6 + 128] = 'x';
	assert_null(find(LISTEN_PEERS, "GET", path, &match));
}

static void other_methods_are_named(void **state)
{
	struct route_match match;

	(void)state;
	assert_null(find(LISTEN_PEERS, "DELETE", "/v1/a/x", &match));
	assert_string_equal(match.allow, "GET, PUT");
	assert_null(find(LISTEN_PEERS, "get", "/v1/open", &match));
	assert_string_equal(match.allow, "GET");
}

static void listeners_show_what_is_theirs(void **state)
{
	struct route_match match;

	(void)state;
	assert_ptr_equal(find(LISTEN_PUBLIC, "GET", "/v1/open", &match), &routes[3]);
	assert_null(find(LISTEN_PUBLIC, "GET", "/v1/a/x", &match));
	assert_string_equal(match.allow, "");
}

static unsigned status(const struct route *route, enum peer_role role, unsigned scopes)
{
	const struct peer peer = {.role = role, .scopes = scopes};
	struct reply reply = {0};
	unsigned found;

	if (route_allows(route, &peer, &reply))
		return 200;
	found = reply.status;
	reply_clear(&reply);
	return found;
}

static void roles_and_scopes_are_asked_for(void **state)
{
	(void)state;
	assert_int_equal(status(&routes[0], PEER_NONE, 0), 401);
	assert_int_equal(status(&routes[0], PEER_ADMIN, 0), 403);
	assert_int_equal(status(&routes[0], PEER_OPERATOR, ~0U), 403);
	assert_int_equal(status(&routes[0], PEER_MESSENGER, 0), 200);
	assert_int_equal(status(&routes[1], PEER_ADMIN, SCOPE_RECORDS | SCOPE_METRICS), 403);
	assert_int_equal(status(&routes[1], PEER_ADMIN, SCOPE_EVENTS), 200);
	assert_int_equal(status(&routes[3], PEER_NONE, 0), 200);
	assert_int_equal(status(&routes[3], PEER_MONITOR, 0), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_matched_whole),
		cmocka_unit_test(segments_hide_nothing),
		cmocka_unit_test(other_methods_are_named),
		cmocka_unit_test(listeners_show_what_is_theirs),
		cmocka_unit_test(roles_and_scopes_are_asked_for),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
