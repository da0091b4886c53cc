/*
 * One connection: handshake, request, reply, and again.
 *
 * Its event is edge-triggered and stays as it is: each step goes on until the socket has no more to
 * give or take. While a request is worked on nothing is read, so a peer that sends on and on fills
 * the kernel's buffers and not ours.
 */
#include "server_internal.h"

#include "monotonic.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS_MAX   32    /* of one connection before others have their turn */
#define LINGER_MS   1000  /* for a peer to read why it was refused */
#define WRITE_SHARE 65536 /* bytes of a reply, or a body, that take no longer than idle_ms */

static const struct config *settings(const struct connection *connection)
{
	return connection->server->service->config;
}

void connection_allow_time(struct connection *connection, size_t bytes)
{
	connection->deadline_ms = monotonic_ms() + (int64_t)settings(connection)->limits.idle_ms *
							   (int64_t)(1 + bytes / WRITE_SHARE);
}

static enum progress progress_of(struct connection *connection, int result)
{
	int error = SSL_get_error(connection->ssl, result);

	ERR_clear_error();
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? PROGRESS_WAIT
									     : PROGRESS_END;
}

void connection_free(struct connection *connection)
{
	struct server *server = connection->server;

	if (connection->exchange)
		connection->exchange->connection = NULL;
	event_del(&connection->event);
	if (connection->state != CONNECTION_HANDSHAKE && connection->state != CONNECTION_LINGER) {
		ERR_clear_error();
		SSL_shutdown(connection->ssl);
		ERR_clear_error();
	}
	SSL_free(connection->ssl);
	close(connection->fd);
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	server->connection_count--;
	server->public_count -= connection->listener == LISTEN_PUBLIC;
	if (connection->in)
		bytes_wipe(connection->in, connection->in_len);
	free(connection->in);
	free(connection->out);
	free(connection);
}

static enum progress handshake(struct connection *connection)
{
	int result = SSL_accept(connection->ssl);
	enum progress progress;

	if (result == 1) {
		/* A session that is resumed may be of a certificate that has ended. */
		if (!tls_peer(connection->ssl, &connection->peer, &connection->peer_until))
			return PROGRESS_END;
		connection->state = CONNECTION_HEAD;
		connection_allow_time(connection, 0);
		return PROGRESS;
	}
	progress = progress_of(connection, result);
	if (progress == PROGRESS_END)
		metrics_count(connection->server->service->metrics, "handshakes_failed", "", 1);
	return progress;
}

/* What has come goes behind what is there. */
enum progress connection_fill(struct connection *connection)
{
	uint8_t *scratch = connection->server->scratch;
	int got = SSL_read(connection->ssl, scratch, SERVER_READ_SIZE);

	if (got <= 0)
		return progress_of(connection, got);
	if (connection->in_len == 0 && connection->state == CONNECTION_HEAD)
		connection_allow_time(connection, 0);
	if (connection->in_size - connection->in_len < (size_t)got) {
		size_t size = connection->in_len + (size_t)got;
		uint8_t *in;

		/* Up to what a body may have at once: a few copies, not one for each read. */
		if (connection->in)
			size += size / 2;
		in = realloc(connection->in, size);
		if (!in)
			return PROGRESS_END;
		connection->in = in;
		connection->in_size = size;
	}
	memcpy(connection->in + connection->in_len, scratch, (size_t)got);
	connection->in_len += (size_t)got;
	return PROGRESS;
}

static enum progress flush(struct connection *connection)
{
	int sent = SSL_write(connection->ssl, connection->out + connection->out_at,
			     (int)(connection->out_len - connection->out_at));

	if (sent <= 0)
		return progress_of(connection, sent);
	connection->out_at += (size_t)sent;
	if (connection->out_at < connection->out_len)
		return PROGRESS;
	free(connection->out);
	connection->out = NULL;
	if (!connection->close_after) {
		connection->state = CONNECTION_HEAD;
		connection_allow_time(connection, 0);
		return PROGRESS;
	}
	/* What the peer still sends is taken, so that it gets our answer and no reset. */
	SSL_shutdown(connection->ssl);
	ERR_clear_error();
	shutdown(connection->fd, SHUT_WR);
	connection->state = CONNECTION_LINGER;
	connection->deadline_ms = monotonic_ms() + LINGER_MS;
	return PROGRESS;
}

static enum progress linger(struct connection *connection)
{
	ssize_t got =
		recv(connection->fd, connection->server->scratch, SERVER_READ_SIZE, MSG_DONTWAIT);

	if (got > 0)
		return PROGRESS;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? PROGRESS_WAIT : PROGRESS_END;
}

static enum progress step(struct connection *connection)
{
	switch (connection->state) {
	case CONNECTION_HANDSHAKE:
		return handshake(connection);
	case CONNECTION_HEAD:
		return connection_read_head(connection);
	case CONNECTION_BODY:
		return connection_read_body(connection);
	case CONNECTION_WORKING:
		return PROGRESS_WAIT;
	case CONNECTION_WRITING:
		return flush(connection);
	case CONNECTION_LINGER:
		return linger(connection);
	}
	return PROGRESS_END;
}

/* As far as it goes. May free it. */
static void steps(struct connection *connection)
{
	enum progress progress = PROGRESS;

	connection->stepping = true;
	for (unsigned i = 0; i < STEPS_MAX && progress == PROGRESS; i++)
		progress = step(connection);
	connection->stepping = false;
	if (progress == PROGRESS)
		event_active(&connection->event, EV_READ, 0);
	else if (progress == PROGRESS_END)
		connection_free(connection);
}

static void on_event(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	steps(argument);
}

void connection_answer(struct connection *connection, uint8_t *out, size_t len, bool last)
{
	connection->out = out;
	connection->out_len = out ? len : 0;
	connection->out_at = 0;
	connection->close_after = last;
	connection->state = CONNECTION_WRITING;
	connection_allow_time(connection, len);
	if (!connection->stepping)
		steps(connection);
}

static bool is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;

	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
	return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static void set_address(struct connection *connection, const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		memcpy(connection->address, &((const struct sockaddr_in *)address)->sin_addr, 4);
	else
		memcpy(connection->address, &((const struct sockaddr_in6 *)address)->sin6_addr,
		       sizeof(connection->address));
	connection->peer.loopback = is_loopback(address);
}

/* Half of the room at most is for those whom nobody knows. */
static bool has_room(const struct server *server, enum listener listener)
{
	unsigned max = server->service->config->limits.connections_max;

	return server->connection_count < max &&
	       (listener == LISTEN_PEERS || server->public_count < (max + 1) / 2);
}

void connection_accept(struct server *server, enum listener listener, int fd,
		       const struct sockaddr *address)
{
	struct connection *connection =
		has_room(server, listener) ? calloc(1, sizeof(*connection)) : NULL;
	const int on = 1;

	if (!connection) {
		metrics_count(server->service->metrics, "connections_refused", "", 1);
		close(fd);
		return;
	}
	connection->server = server;
	connection->listener = listener;
	connection->generation = server->generation;
	connection->fd = fd;
	set_address(connection, address);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connection->ssl = tls_accept(server->tls, listener, fd, connection->peer.loopback);
	if (!connection->ssl ||
	    event_assign(&connection->event, server->base, fd,
			 EV_READ | EV_WRITE | EV_ET | EV_PERSIST, on_event, connection) ||
	    event_add(&connection->event, NULL)) {
		SSL_free(connection->ssl);
		close(fd);
		free(connection);
		return;
	}
	connection->next = server->connections;
	connection->link = &server->connections;
	if (connection->next)
		connection->next->link = &connection->next;
	server->connections = connection;
	server->connection_count++;
	server->public_count += listener == LISTEN_PUBLIC;
	connection_allow_time(connection, 0);
	steps(connection);
}

void connection_sweep(struct connection *connection, int64_t now_ms)
{
	bool idle = connection->state == CONNECTION_HEAD && connection->in_len == 0;
	bool leaves = connection->server->draining ||
		      connection->generation != connection->server->generation;

	if (idle && (leaves || now_ms >= connection->deadline_ms)) {
		connection_free(connection);
	} else if (now_ms >= connection->deadline_ms) {
		if (connection->state == CONNECTION_HEAD || connection->state == CONNECTION_BODY)
			connection_refuse(connection, 408, "the request took too long to come");
		else
			connection_free(connection);
	}
}
