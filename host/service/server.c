/*
 * Start, reload and end.
 */
#include "server_internal.h"

#include "monotonic.h"
#include "notify.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define BACKLOG      1024
#define DRAIN_MS     15000 /* what is not answered by then is not */
#define FILES_BESIDE 128   /* descriptors for other things than connections */

struct event_base *server_base(struct server *server)
{
	return server->base;
}

const struct tls *server_tls(const struct server *server)
{
	return server->tls;
}

static enum listener which(const struct server *server, const struct evconnlistener *listener)
{
	return listener == server->listeners[0] ? LISTEN_PEERS : LISTEN_PUBLIC;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		      int len, void *argument)
{
	struct server *server = argument;

	(void)len;
	connection_accept(server, which(server, listener), fd, address);
}

/* Out of descriptors: those that wait stay in the kernel's queue until the next sweep. */
static void on_accept_error(struct evconnlistener *listener, void *argument)
{
	struct server *server = argument;

	evconnlistener_disable(listener);
	if (!server->refused)
		fprintf(stderr, "simtied: accept: %s\n", strerror(errno));
	server->refused = true;
}

static int address_of(const struct config_listener *at, struct sockaddr_storage *address,
		      socklen_t *len)
{
	struct sockaddr_in *four = (struct sockaddr_in *)address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, at->address, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(at->port);
		*len = sizeof(*four);
		return 0;
	}
	if (inet_pton(AF_INET6, at->address, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(at->port);
		*len = sizeof(*six);
		return 0;
	}
	return -1;
}

static int listen_at(struct server *server, const struct config_listener *at, unsigned i)
{
	struct sockaddr_storage address;
	socklen_t len;

	if (address_of(at, &address, &len))
		return -1;
	server->listeners[i] =
		evconnlistener_new_bind(server->base, on_accept, server,
					LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
						LEV_OPT_REUSEABLE | LEV_OPT_DISABLED,
					BACKLOG, (struct sockaddr *)&address, (int)len);
	if (!server->listeners[i]) {
		fprintf(stderr, "simtied: %s port %u: %s\n", at->address, at->port,
			strerror(errno));
		return -1;
	}
	evconnlistener_set_error_cb(server->listeners[i], on_accept_error);
	return 0;
}

/* "peers https://127.0.0.1:8443" */
static void say_where(const struct server *server, unsigned i)
{
	static const char *const names[] = {"peers", "public"};
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char text[INET6_ADDRSTRLEN] = "";
	bool six;

	if (!server->listeners[i] || getsockname(evconnlistener_get_fd(server->listeners[i]),
						 (struct sockaddr *)&address, &len))
		return;
	six = address.ss_family == AF_INET6;
	inet_ntop(address.ss_family,
		  six ? (void *)&((struct sockaddr_in6 *)&address)->sin6_addr
		      : (void *)&((struct sockaddr_in *)&address)->sin_addr,
		  text, sizeof(text));
	printf("%s https://%s%s%s:%u\n", names[i], six ? "[" : "", text, six ? "]" : "",
	       ntohs(six ? ((struct sockaddr_in6 *)&address)->sin6_port
			 : ((struct sockaddr_in *)&address)->sin_port));
}

/* As many descriptors as connections may be there. */
static void raise_files(const struct config *config)
{
	rlim_t wanted = config->limits.connections_max + FILES_BESIDE;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < wanted)
		fprintf(stderr,
			"simtied: %llu file descriptors do not do for connections_max: raise "
			"LimitNOFILE\n",
			(unsigned long long)limit.rlim_cur);
}

static void listen_more(struct server *server, bool on)
{
	for (unsigned i = 0; i < 2; i++) {
		if (server->listeners[i] && on)
			evconnlistener_enable(server->listeners[i]);
		else if (server->listeners[i])
			evconnlistener_disable(server->listeners[i]);
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *argument)
{
	struct server *server = argument;
	int64_t now_ms = monotonic_ms();
	struct connection *next;

	(void)fd;
	(void)what;
	for (struct connection *at = server->connections; at; at = next) {
		next = at->next;
		connection_sweep(at, now_ms);
	}
	if (server->refused && !server->draining)
		listen_more(server, true);
	server->refused = false;
	if (server->draining && (!server->connections || now_ms >= server->drain_until_ms))
		event_base_loopbreak(server->base);
}

static void on_end(evutil_socket_t fd, short what, void *argument)
{
	struct server *server = argument;

	(void)what;
	if (server->draining)
		return;
	notify_say("STOPPING=1");
	server->draining = true;
	server->drain_until_ms = monotonic_ms() + DRAIN_MS;
	for (unsigned i = 0; i < 2; i++) {
		if (server->listeners[i])
			evconnlistener_free(server->listeners[i]);
		server->listeners[i] = NULL;
	}
	on_sweep(fd, 0, server);
}

static void on_reload(evutil_socket_t fd, short what, void *argument)
{
	struct server *server = argument;
	struct service *service = server->service;
	struct tls *fresh;

	(void)fd;
	(void)what;
	if (tls_open(service->config, &fresh)) {
		fputs("simtied: not reloaded: what was loaded before goes on\n", stderr);
		return;
	}
	tls_close(&server->tls);
	server->tls = fresh;
	server->generation++;
	if (service->role->reload && service->role->reload(service, service->state))
		fputs("simtied: certificates are reloaded, the role's settings are not\n", stderr);
	else
		fputs("simtied: reloaded\n", stderr);
}

static int add_events(struct server *server)
{
	const struct timeval every = {0, SERVER_SWEEP_MS * 1000};

	server->sweep = event_new(server->base, -1, EV_PERSIST, on_sweep, server);
	server->signals[0] = evsignal_new(server->base, SIGTERM, on_end, server);
	server->signals[1] = evsignal_new(server->base, SIGINT, on_end, server);
	server->signals[2] = evsignal_new(server->base, SIGHUP, on_reload, server);
	if (!server->sweep || event_add(server->sweep, &every))
		return -1;
	for (unsigned i = 0; i < 3; i++) {
		if (!server->signals[i] || event_add(server->signals[i], NULL))
			return -1;
	}
	return 0;
}

static int open_all(struct server *server)
{
	const struct config *config = server->service->config;
	struct event_config *needs = event_config_new();

	if (needs && event_config_require_features(needs, EV_FEATURE_ET) == 0)
		server->base = event_base_new_with_config(needs);
	if (needs)
		event_config_free(needs);
	if (!server->base) {
		fputs("simtied: no event loop with edges (epoll) here\n", stderr);
		return -1;
	}
	if (config->limits.rate > 0) {
		server->quota = quota_new(config->limits.rate, config->limits.burst);
		if (!server->quota)
			return -1;
	}
	if (tls_open(config, &server->tls) || post_open(server) || add_events(server) ||
	    outgoing_open(server) || listen_at(server, &config->peers, 0))
		return -1;
	return config->has_public ? listen_at(server, &config->public, 1) : 0;
}

int server_open(struct service *service, struct server **out)
{
	struct server *server = calloc(1, sizeof(*server));

	*out = server;
	if (!server)
		return -1;
	server->service = service;
	server->wake_fd = -1;
	raise_files(service->config);
	if (open_all(server)) {
		server_close(out);
		return -1;
	}
	return 0;
}

void server_run(struct server *server)
{
	say_where(server, 0);
	say_where(server, 1);
	fflush(stdout);
	listen_more(server, true);
	notify_say("READY=1");
	event_base_dispatch(server->base);
	while (server->connections)
		connection_free(server->connections);
}

void server_close(struct server **out)
{
	struct server *server = *out;

	if (!server)
		return;
	outgoing_close(server);
	for (unsigned i = 0; i < 2; i++) {
		if (server->listeners[i])
			evconnlistener_free(server->listeners[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		if (server->signals[i])
			event_free(server->signals[i]);
	}
	if (server->sweep)
		event_free(server->sweep);
	post_close(server);
	tls_close(&server->tls);
	quota_free(&server->quota);
	if (server->base)
		event_base_free(server->base);
	free(server);
	*out = NULL;
}
