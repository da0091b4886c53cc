#include "clients.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX 8192
#define EVENTS     256
#define NS         1000000000LL
#define ANSWER_NS  100000000LL

enum step { STEP_IDLE, STEP_SEND, STEP_RECEIVE, STEP_DEAD };

struct connection {
	int fd;
	SSL *ssl;
	enum step step;
	struct load_request *request;
	size_t sent, got;
	int64_t began_ns;
	char answer[ANSWER_MAX + 1];
};

struct run {
	const struct load_settings *settings;
	struct load_request *requests;
	size_t count, next, answered, alive;
	struct connection *connections;
	SSL_CTX *tls;
	int epoll;
	int64_t start_ns;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS + now.tv_nsec;
}

/* ---- Connecting ---- */

static SSL_CTX *tls_open(const struct load_settings *settings)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls && SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_use_certificate_chain_file(tls, settings->certificate) == 1 &&
	    SSL_CTX_use_PrivateKey_file(tls, settings->key, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_load_verify_file(tls, settings->ca) == 1) {
		SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
					      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		return tls;
	}
	fputs("simtie-load: certificate, key or CA cannot be used\n", stderr);
	SSL_CTX_free(tls);
	return NULL;
}

static int connect_to(const struct load_settings *settings)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int fd = -1, on = 1;

	if (getaddrinfo(settings->host, settings->port, &hints, &found) != 0)
		return -1;
	fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* Connects and shakes hands, blocking; then it does not block any more. */
static bool connection_open(struct run *run, struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = connection}};

	connection->fd = connect_to(run->settings);
	connection->ssl = connection->fd >= 0 ? SSL_new(run->tls) : NULL;
	if (!connection->ssl || SSL_set_fd(connection->ssl, connection->fd) != 1 ||
	    SSL_connect(connection->ssl) != 1)
		return false;
	fcntl(connection->fd, F_SETFL, O_NONBLOCK);
	connection->step = STEP_IDLE;
	run->alive++;
	return epoll_ctl(run->epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0;
}

/* ---- Sending and receiving ---- */

static void connection_die(struct run *run, struct connection *connection)
{
	if (connection->request) {
		connection->request->took_ns = -1;
		run->answered++;
	}
	connection->request = NULL;
	connection->step = STEP_DEAD;
	run->alive--;
	epoll_ctl(run->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
}

static void watch(struct run *run, struct connection *connection, bool writing)
{
	struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0),
				    .data = {.ptr = connection}};

	epoll_ctl(run->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static void send_more(struct run *run, struct connection *connection)
{
	struct load_request *request = connection->request;

	while (connection->sent < request->len) {
		int sent = SSL_write(connection->ssl, request->text + connection->sent,
				     (int)(request->len - connection->sent));

		if (sent <= 0) {
			if (SSL_get_error(connection->ssl, sent) != SSL_ERROR_WANT_WRITE)
				connection_die(run, connection);
			else
				watch(run, connection, true);
			return;
		}
		connection->sent += (size_t)sent;
	}
	connection->step = STEP_RECEIVE;
}

/* Copies the string member `name` of a JSON body, without unescaping. */
static void member(const char *body, const char *name, char *out, size_t size)
{
	char pattern[32];
	const char *at;

	snprintf(pattern, sizeof(pattern), "\"%s\":\"", name);
	at = strstr(body, pattern);
	if (at)
		snprintf(out, size, "%.*s", (int)strcspn(at + strlen(pattern), "\""),
			 at + strlen(pattern));
}

/* Whether the answer is whole. */
static bool whole(struct connection *connection)
{
	const char *end = strstr(connection->answer, "\r\n\r\n"), *length;

	if (!end)
		return false;
	length = strcasestr(connection->answer, "content-length:");
	return !length || length > end ||
	       connection->got >= (size_t)(end + 4 - connection->answer) +
					  strtoul(length + strlen("content-length:"), NULL, 10);
}

static void take_answer(struct run *run, struct connection *connection)
{
	struct load_request *request = connection->request;
	const char *body = strstr(connection->answer, "\r\n\r\n");

	request->took_ns = now_ns() - connection->began_ns;
	sscanf(connection->answer, "HTTP/1.1 %u", &request->status);
	member(body, "status", request->word, sizeof(request->word));
	if (!request->word[0])
		member(body, "code", request->word, sizeof(request->word));
	member(body, "reason", request->reason, sizeof(request->reason));
	connection->request = NULL;
	connection->step = STEP_IDLE;
	run->answered++;
}

static void receive_more(struct run *run, struct connection *connection)
{
	int got;

	while ((got = SSL_read(connection->ssl, connection->answer + connection->got,
			       (int)(ANSWER_MAX - connection->got))) > 0) {
		connection->got += (size_t)got;
		connection->answer[connection->got] = '\0';
		if (connection->request && whole(connection)) {
			take_answer(run, connection);
			return;
		}
		if (connection->got == ANSWER_MAX)
			break;
	}
	if (got > 0 || SSL_get_error(connection->ssl, got) != SSL_ERROR_WANT_READ)
		connection_die(run, connection);
}

/* Gives a free connection the next request that is due. Nanoseconds until the next one is; 0: none
 * is left, or none can be taken. */
static int64_t feed(struct run *run, struct connection *connection)
{
	struct load_request *request = &run->requests[run->next];
	const int64_t now = now_ns();

	if (request->due_ns > now - run->start_ns)
		return request->due_ns - (now - run->start_ns);
	run->next++;
	connection->request = request;
	connection->sent = connection->got = 0;
	connection->began_ns = request->due_ns ? run->start_ns + request->due_ns : now;
	connection->step = STEP_SEND;
	send_more(run, connection);
	return 0;
}

/* Nanoseconds until the next request is due, at most ANSWER_NS: an answer may come first. */
static int64_t feed_all(struct run *run)
{
	for (unsigned i = 0; i < run->settings->connections && run->next < run->count; i++) {
		int64_t wait;

		if (run->connections[i].step != STEP_IDLE)
			continue;
		wait = feed(run, &run->connections[i]);
		if (wait > 0)
			return wait < ANSWER_NS ? wait : ANSWER_NS;
	}
	return ANSWER_NS;
}

static void turn(struct run *run)
{
	struct epoll_event events[EVENTS];
	/* To the nanosecond: waiting for whole milliseconds is turning in place when there are more
	 * requests than those, and takes a processor from who is measured. */
	const struct timespec wait = {.tv_nsec = feed_all(run)};
	const int ready = epoll_pwait2(run->epoll, events, EVENTS, &wait, NULL);

	for (int i = 0; i < ready; i++) {
		struct connection *connection = events[i].data.ptr;

		if (connection->step == STEP_SEND && events[i].events & EPOLLOUT) {
			watch(run, connection, false);
			send_more(run, connection);
		}
		if (connection->step != STEP_DEAD && connection->step != STEP_SEND)
			receive_more(run, connection);
	}
}

static void schedule(const struct load_settings *settings, struct load_request *requests,
		     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		requests[i].took_ns = -1;
		requests[i].due_ns =
			settings->rate > 0 ? 1 + (int64_t)((double)i * NS / settings->rate) : 0;
	}
}

static int64_t drive(struct run *run)
{
	const int64_t end = now_ns() + run->settings->timeout_s * NS;

	run->start_ns = now_ns();
	while (run->answered < run->count && run->alive > 0 && now_ns() < end)
		turn(run);
	return now_ns() - run->start_ns;
}

int64_t load_run(const struct load_settings *settings, struct load_request *requests, size_t count)
{
	struct run run = {.settings = settings,
			  .requests = requests,
			  .count = count,
			  .tls = tls_open(settings),
			  .epoll = epoll_create1(EPOLL_CLOEXEC)};
	int64_t took = -1;
	unsigned open = 0;

	run.connections = calloc(settings->connections, sizeof(*run.connections));
	schedule(settings, requests, count);
	while (run.tls && run.connections && open < settings->connections &&
	       connection_open(&run, &run.connections[open]))
		open++;
	if (run.tls && open < settings->connections)
		fprintf(stderr, "simtie-load: connection %u of %u failed\n", open + 1,
			settings->connections);
	else if (run.tls && run.connections)
		took = drive(&run);
	for (unsigned i = 0; run.connections && i < settings->connections; i++) {
		SSL_free(run.connections[i].ssl);
		if (run.connections[i].fd > 0)
			close(run.connections[i].fd);
	}
	free(run.connections);
	close(run.epoll);
	SSL_CTX_free(run.tls);
	return took;
}
