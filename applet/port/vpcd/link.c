#include "link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Milliseconds. vpcd asks for the ATR every 400. */
enum {
	PAUSE_MIN = 50,
	PAUSE_MAX = 1000,
	CONNECT_MAX = 5000,
	UNHEARD_AFTER = 3000,
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int link_open(struct link *link, const char *host, const char *port)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
					      .ai_flags = AI_NUMERICSERV};
	int error;

	link->addresses = NULL;
	link->fd = -1;
	error = getaddrinfo(host, port, &hints, &link->addresses);
	if (error)
		return error;
	link_restart(link);
	return 0;
}

static void disconnect(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	link->connected = link->heard = false;
	frame_forget(&link->in);
	frame_sent(&link->out, link->out.used - link->out.sent);
}

void link_restart(struct link *link)
{
	disconnect(link);
	link->told = false;
	link->next = link->addresses;
	link->pause = PAUSE_MIN;
	link->deadline = now();
}

void link_leave(struct link *link, int64_t ms)
{
	link_restart(link);
	link->deadline += ms;
}

/* The connection, or the attempt at one, has ended. All addresses of the host are tried in a row;
 * after them comes a pause, each time a longer one, until a reader is heard again. */
static enum link_event failed(struct link *link)
{
	bool was_heard = link->heard;
	bool tell;

	disconnect(link);
	if (was_heard) {
		link_restart(link);
		link->deadline += PAUSE_MIN;
		return LINK_LOST;
	}
	link->next = link->next->ai_next;
	link->deadline = now();
	if (link->next)
		return LINK_QUIET;
	link->next = link->addresses;
	link->deadline += link->pause;
	link->pause = link->pause * 2 < PAUSE_MAX ? link->pause * 2 : PAUSE_MAX;
	tell = !link->told;
	link->told = true;
	return tell ? LINK_WAITING : LINK_QUIET;
}

static void connected(struct link *link)
{
	link->connected = true;
	link->deadline = now() + UNHEARD_AFTER;
}

static enum link_event try_connect(struct link *link)
{
	const struct addrinfo *to = link->next;
	int on = 1, idle = 10, interval = 5, probes = 3;

	link->fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
			  to->ai_protocol);
	if (link->fd < 0)
		return failed(link);
	/* A host that vanished without a word is missed after 25 s. */
	setsockopt(link->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(link->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(link->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(link->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	link->deadline = now() + CONNECT_MAX;
	if (connect(link->fd, to->ai_addr, to->ai_addrlen) == 0)
		connected(link);
	else if (errno != EINPROGRESS)
		return failed(link);
	return LINK_QUIET;
}

static enum link_event finish_connect(struct link *link)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0)
		return failed(link);
	connected(link);
	return LINK_QUIET;
}

static bool send_more(struct link *link)
{
	struct bytes rest;

	while ((rest = frame_unsent(&link->out)).len > 0) {
		ssize_t n = send(link->fd, rest.ptr, rest.len, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		frame_sent(&link->out, (size_t)n);
	}
	return true;
}

static enum link_event receive(struct link *link)
{
	size_t room;
	uint8_t *at = frame_room(&link->in, &room);
	ssize_t n = recv(link->fd, at, room, 0);
	int on = 1;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return LINK_QUIET;
	if (n <= 0)
		return failed(link);
	/* vpcd sends length and body apart and waits for the first to be acknowledged before the
	 * second leaves; the kernel would take its time (40 ms), and forgets this with every
	 * receive. */
	setsockopt(link->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	frame_received(&link->in, (size_t)n);
	if (link->heard)
		return LINK_QUIET;
	link->heard = true;
	link->deadline = INT64_MAX;
	return LINK_HEARD;
}

void link_wants(const struct link *link, struct pollfd *wanted, int *timeout)
{
	bool unsent = frame_unsent(&link->out).len > 0;
	int64_t left = link->deadline - now();

	wanted->fd = link->fd;
	wanted->events = !link->connected || unsent ? POLLOUT : POLLIN;
	wanted->revents = 0;
	*timeout = link->deadline == INT64_MAX ? -1 : left > 0 ? (int)left : 0;
}

enum link_event link_step(struct link *link, const struct pollfd *wanted)
{
	bool late = now() >= link->deadline;

	if (link->fd < 0)
		return late ? try_connect(link) : LINK_QUIET;
	if (!link->connected)
		return wanted->revents ? finish_connect(link) : late ? failed(link) : LINK_QUIET;
	if (late) {
		bool tell = !link->told;

		link->deadline = INT64_MAX;
		link->told = true;
		return tell ? LINK_UNHEARD : LINK_QUIET;
	}
	if (wanted->revents == 0)
		return LINK_QUIET;
	if (wanted->events == POLLOUT)
		return send_more(link) ? LINK_QUIET : failed(link);
	return receive(link);
}

bool link_take(struct link *link, struct bytes *body)
{
	return frame_unsent(&link->out).len == 0 && frame_take(&link->in, body);
}

void link_answer(struct link *link, struct bytes first, struct bytes second)
{
	frame_put(&link->out, first, second);
	send_more(link);
}

void link_close(struct link *link)
{
	disconnect(link);
	if (link->addresses)
		freeaddrinfo(link->addresses);
	link->addresses = NULL;
}
