/*
 * Calls of ours to others, against our own server: answers, refusals, bounds, and the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs.h"
#include "server.h"
#include "store_place.h"

#define BIG (3 << 20)

static int echo(struct work *work, const struct request *request, struct reply *reply)
{
	(void)work;
	return reply_json(reply, 200,
			  json_pack("{s:s#, s:s, s:s}", "body", (const char *)request->body.ptr,
				    (int)request->body.len, "peer", request->peer.name, "key",
				    request->idempotency));
}

static int big(struct work *work, const struct request *request, struct reply *reply)
{
	(void)work;
	(void)request;
	reply->text = malloc(BIG + 1);
	assert_non_null(reply->text);
	memset(reply->text, 'x', BIG);
	reply->text[BIG] = 0;
	reply->status = 200;
	return DB_OK;
}

static int never(struct work *work, const struct request *request, struct reply *reply)
{
	(void)work;
	(void)request;
	reply_json(reply, 200, json_object());
	reply->hold = true;
	return DB_OK;
}

static const struct route routes[] = {
	{"POST", "/echo", LISTEN_PEERS, PEER_OPERATOR, 0, 0, echo},
	{"GET", "/big", LISTEN_PEERS, PEER_OPERATOR, 0, 0, big},
	{"GET", "/never", LISTEN_PEERS, PEER_OPERATOR, 0, 0, never},
	{"GET", "/admin", LISTEN_PEERS, PEER_ADMIN, 0, 0, echo},
};

static int open_role(struct service *service, void **state)
{
	*state = service;
	return 0;
}

static void close_role(void *state)
{
	(void)state;
}

static const struct role role = {
	.name = "operator",
	.routes = routes,
	.route_count = sizeof(routes) / sizeof(routes[0]),
	.open = open_role,
	.close = close_role,
};

struct place {
	const struct store_place *store;
	struct service service;
	char base[64];
	pthread_t loop;
};

static void *run_loop(void *argument)
{
	server_run(argument);
	return NULL;
}

static void make_certificates(const char *folder)
{
	const struct certs_request ca = {
		.name = "ca", .usage = "critical, keyCertSign", .authority = true, .days = 1};
	const struct certs_request own = {
		.name = "me",
		.alt = "IP:127.0.0.1, URI:urn:x-simtie:operator:me",
		.usage = "critical, digitalSignature",
		.extended = "serverAuth, clientAuth",
		.days = 1,
	};
	struct certs_pair root, pair;

	assert_true(certs_make(NULL, &ca, &root));
	assert_true(certs_make(&root, &own, &pair));
	assert_true(certs_write(folder, "ca", &root));
	assert_true(certs_write(folder, "own", &pair));
	certs_clear(&root);
	certs_clear(&pair);
}

/* A port that is free now. */
static unsigned short free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static void start(void **state, struct place *place)
{
	struct engine_settings settings = {
		.name = "test", .workers = 1, .batch_max = 8, .queue_max = 100};
	char path[128], keys[128], detail[DB_DETAIL_MAX];
	unsigned short port = free_port();
	FILE *file;

	memset(place, 0, sizeof(*place));
	place->store = store_place(state);
	make_certificates(place->store->folder);
	snprintf(keys, sizeof(keys), "%s/keys", place->store->folder);
	assert_int_equal(vault_create(keys), VAULT_OK);
	snprintf(path, sizeof(path), "%s/conf", place->store->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"store = \"%s\"; keys = \"%s\"; listen = { peers = \"127.0.0.1:%u\"; };\n"
		"tls = { certificate = \"%s/own.pem\"; key = \"%s/own.key\";\n"
		"client_ca = \"%s/ca.pem\"; }; limits = { rate = 0; }; operator = {};\n",
		place->store->where, keys, port, place->store->folder, place->store->folder,
		place->store->folder);
	fclose(file);
	assert_int_equal(service_open(&place->service, &role, path), 0);
	assert_int_equal(server_open(&place->service, &place->service.server), 0);
	settings.where = place->store->where;
	assert_int_equal(engine_start(&place->service.engine, &place->service, &settings, detail),
			 DB_OK);
	snprintf(place->base, sizeof(place->base), "https://127.0.0.1:%u", port);
	pthread_create(&place->loop, NULL, run_loop, place->service.server);
}

static void stop(struct place *place)
{
	kill(getpid(), SIGTERM);
	pthread_join(place->loop, NULL);
	engine_stop(&place->service.engine);
	server_close(&place->service.server);
	service_close(&place->service);
}

/* What came of a call. */
struct outcome {
	sem_t there;
	int status;
	char *body;
	char error[160];
};

static void done(void *context, const struct outgoing_answer *answer)
{
	struct outcome *outcome = context;

	outcome->status = answer->status;
	outcome->body =
		strndup(answer->body.len ? (const char *)answer->body.ptr : "", answer->body.len);
	snprintf(outcome->error, sizeof(outcome->error), "%s", answer->error ? answer->error : "");
	sem_post(&outcome->there);
}

static void send_to(struct place *place, const char *base, const char *path, const char *body,
		    struct outcome *outcome)
{
	char url[128];
	const struct outgoing_request request = {
		.method = body ? "POST" : "GET",
		.url = url,
		.content_type = body ? "application/json" : NULL,
		.body = bytes_of((const uint8_t *)body, body ? strlen(body) : 0),
		.idempotency = body ? "key-1" : NULL,
		.timeout_ms = 1500,
		.done = done,
		.context = outcome,
	};

	memset(outcome, 0, sizeof(*outcome));
	sem_init(&outcome->there, 0, 0);
	snprintf(url, sizeof(url), "%s%s", base, path);
	assert_true(outgoing_send(&place->service, &request));
}

static void clear(struct outcome *outcome)
{
	free(outcome->body);
	sem_destroy(&outcome->there);
}

static void expect(struct place *place, const char *base, const char *path, const char *body,
		   int status, const char *text)
{
	struct outcome outcome;

	send_to(place, base, path, body, &outcome);
	sem_wait(&outcome.there);
	assert_int_equal(outcome.status, status);
	if (!strstr(status ? outcome.body : outcome.error, text))
		fail_msg("%s: %.200s%s", path, outcome.body, outcome.error);
	clear(&outcome);
}

static void answers_come_back(void **state)
{
	struct place place;

	start(state, &place);
	for (unsigned i = 0; i < 5; i++)
		expect(&place, place.base, "/echo", "{\"a\":1}", 200,
		       "{\"body\":\"{\\\"a\\\":1}\",\"peer\":\"me\",\"key\":\"key-1\"}");
	expect(&place, place.base, "/admin", NULL, 403, "PERMISSION_DENIED");
	expect(&place, place.base, "/nothing?x=1", NULL, 404, "NOT_FOUND");
	stop(&place);
}

static void many_at_once_are_each_answered(void **state)
{
	enum { CALLS = 60 };
	struct outcome outcomes[CALLS];
	struct place place;
	char body[32], expected[64];

	start(state, &place);
	for (int i = 0; i < CALLS; i++) {
		snprintf(body, sizeof(body), "{\"n\":%d}", i);
		send_to(&place, place.base, "/echo", body, &outcomes[i]);
	}
	for (int i = 0; i < CALLS; i++) {
		sem_wait(&outcomes[i].there);
		snprintf(expected, sizeof(expected), "{\\\"n\\\":%d}", i);
		assert_int_equal(outcomes[i].status, 200);
		assert_non_null(strstr(outcomes[i].body, expected));
		clear(&outcomes[i]);
	}
	stop(&place);
}

static void what_does_not_come_or_is_too_big_is_said(void **state)
{
	struct place place;
	char base[64];

	start(state, &place);
	expect(&place, place.base, "/never?wait=30", NULL, 0, "no answer in time");
	expect(&place, place.base, "/big", NULL, 0, "too big");
	snprintf(base, sizeof(base), "https://127.0.0.1:%u", free_port());
	expect(&place, base, "/echo", "{}", 0, "could not be reached");
	/* The certificate names 127.0.0.1 alone. */
	snprintf(base, sizeof(base), "https://localhost%s", strrchr(place.base, ':'));
	expect(&place, base, "/echo", "{}", 0, "its certificate");
	expect(&place, place.base, "/echo", "{}", 200, "me");
	stop(&place);
}

static void other_urls_are_not_called(void **state)
{
	static const char *const urls[] = {"http://127.0.0.1/", "https://", "ftp://x/",    "",
					   "https://user@x/",   "/echo",    "https://x:0/"};
	struct outgoing_request request = {.method = "GET", .done = done, .timeout_ms = 100};
	struct place place;

	start(state, &place);
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		request.url = urls[i];
		assert_false(outgoing_send(&place.service, &request));
	}
	stop(&place);
}

static void the_end_tells_who_still_waits(void **state)
{
	struct outcome outcomes[8];
	struct place place;

	start(state, &place);
	for (unsigned i = 0; i < 8; i++)
		send_to(&place, place.base, "/never?wait=1", NULL, &outcomes[i]);
	stop(&place);
	for (unsigned i = 0; i < 8; i++) {
		sem_wait(&outcomes[i].there);
		clear(&outcomes[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_come_back, store_place_sqlite,
						store_place_tear_down),
		cmocka_unit_test_setup_teardown(many_at_once_are_each_answered, store_place_sqlite,
						store_place_tear_down),
		cmocka_unit_test_setup_teardown(what_does_not_come_or_is_too_big_is_said,
						store_place_sqlite, store_place_tear_down),
		cmocka_unit_test_setup_teardown(other_urls_are_not_called, store_place_sqlite,
						store_place_tear_down),
		cmocka_unit_test_setup_teardown(the_end_tells_who_still_waits, store_place_sqlite,
						store_place_tear_down),
	};

	signal(SIGPIPE, SIG_IGN); /* as service_run() does */
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
