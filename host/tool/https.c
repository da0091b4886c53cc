/*
 * One request: connect, handshake, send, read to the end, each within one deadline.
 */
#include "https.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 15 /* for connecting, and for sending and the answer's way back */
#define ANSWER_MAX (512 * 1024)

struct call {
	const struct https_server *server;
	struct https_answer *answer;
	int64_t until_ms;
	int fd;
	SSL_CTX *context;
	SSL *ssl;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool wrong(struct call *call, const char *format, const char *what)
{
	call->answer->status = 0;
	snprintf(call->answer->error, sizeof(call->answer->error), format, what);
	return false;
}

/* Until the socket can be read or written. False: the deadline has passed. */
static bool wait_for(struct call *call, short events)
{
	struct pollfd fd = {.fd = call->fd, .events = events};
	int64_t left;
	int ready;

	do {
		left = call->until_ms - now_ms();
		ready = left > 0 ? poll(&fd, 1, (int)left) : 0;
	} while (ready < 0 && errno == EINTR);
	return ready > 0 || wrong(call, "%s", "there was no answer in time");
}

/* ---- Connecting ---- */

static bool connect_one(struct call *call, const struct addrinfo *address)
{
	int error = 0;
	socklen_t size = sizeof(error);

	call->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (call->fd < 0)
		return wrong(call, "no socket: %s", strerror(errno));
	if (connect(call->fd, address->ai_addr, address->ai_addrlen) == 0)
		return true;
	if (errno != EINPROGRESS)
		return wrong(call, "it cannot be reached: %s", strerror(errno));
	if (!wait_for(call, POLLOUT))
		return false;
	if (getsockopt(call->fd, SOL_SOCKET, SO_ERROR, &error, &size) || error)
		return wrong(call, "it cannot be reached: %s", strerror(error ? error : errno));
	return true;
}

static bool connect_to(struct call *call)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	const int error = getaddrinfo(call->server->host, call->server->port, &hints, &list);
	bool connected = false;

	if (error)
		return wrong(call, "its name is not found: %s", gai_strerror(error));
	for (const struct addrinfo *at = list; at && !connected; at = at->ai_next) {
		connected = connect_one(call, at);
		if (!connected && call->fd >= 0)
			close(call->fd);
		if (!connected)
			call->fd = -1;
	}
	freeaddrinfo(list);
	return connected;
}

/* ---- TLS ---- */

static bool tls_make(struct call *call)
{
	const char *host = call->server->host, *ca = call->server->ca;
	unsigned char ignored[sizeof(struct in6_addr)];
	const bool number =
		inet_pton(AF_INET, host, ignored) == 1 || inet_pton(AF_INET6, host, ignored) == 1;

	call->context = SSL_CTX_new(TLS_client_method());
	if (!call->context || !SSL_CTX_set_min_proto_version(call->context, TLS1_3_VERSION))
		return wrong(call, "%s", "OpenSSL failed");
	if (ca ? !SSL_CTX_load_verify_file(call->context, ca)
	       : !SSL_CTX_set_default_verify_paths(call->context))
		return wrong(call, "%s cannot be read, or holds no certificate",
			     ca ? ca : "the system's list of authorities");
	SSL_CTX_set_verify(call->context, SSL_VERIFY_PEER, NULL);
	call->ssl = SSL_new(call->context);
	if (!call->ssl || !SSL_set_fd(call->ssl, call->fd) ||
	    !(number ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(call->ssl), host)
		     : SSL_set1_host(call->ssl, host) && SSL_set_tlsext_host_name(call->ssl, host)))
		return wrong(call, "%s", "OpenSSL failed");
	return true;
}

/* After a call of OpenSSL that did not go through: whether to try again. */
static bool tls_again(struct call *call, int result)
{
	switch (SSL_get_error(call->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(call, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(call, POLLOUT);
	}
	return wrong(call, "%s", "the connection broke");
}

static bool tls_shake_hands(struct call *call)
{
	int result;

	while ((result = SSL_connect(call->ssl)) != 1) {
		const long verdict = SSL_get_verify_result(call->ssl);

		if (tls_again(call, result))
			continue;
		if (verdict != X509_V_OK)
			return wrong(call, "its certificate is not trusted: %s",
				     X509_verify_cert_error_string(verdict));
		return false;
	}
	return true;
}

static bool tls_send(struct call *call, const char *text, size_t len)
{
	size_t sent;

	while (len > 0) {
		if (SSL_write_ex(call->ssl, text, len, &sent)) {
			text += sent;
			len -= sent;
		} else if (!tls_again(call, 0)) {
			return false;
		}
	}
	return true;
}

/* To the end that the server gives the connection; `text` gets a terminator. */
static bool tls_receive(struct call *call, char *text, size_t *len)
{
	size_t got;

	for (*len = 0; *len < ANSWER_MAX;) {
		if (SSL_read_ex(call->ssl, text + *len, ANSWER_MAX - *len, &got))
			*len += got;
		else if (SSL_get_error(call->ssl, 0) == SSL_ERROR_ZERO_RETURN)
			break;
		else if (!tls_again(call, 0))
			return false;
	}
	text[*len] = '\0';
	return *len < ANSWER_MAX || wrong(call, "%s", "the server's answer is over 512 KiB");
}

/* ---- The request ---- */

/* malloc()ed, NULL: out of memory. */
static char *request_text(const struct https_server *server, const char *method, const char *path,
			  const json_t *body, size_t *len)
{
	char *json = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const size_t json_len = json ? strlen(json) : 0;
	char *text = NULL;
	int size;

	if (!body || json) {
		const bool v6 = strchr(server->host, ':') != NULL;

		size = asprintf(
			&text,
			"%s %s%s HTTP/1.0\r\nHost: %s%s%s:%s\r\nAccept: application/json\r\n"
			"%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
			method, server->base, path, v6 ? "[" : "", server->host, v6 ? "]" : "",
			server->port, json ? "Content-Type: application/json\r\n" : "", json_len,
			json ? json : "");
		if (size < 0)
			text = NULL;
		else
			*len = (size_t)size;
	}
	if (json)
		OPENSSL_cleanse(json, json_len);
	free(json);
	return text;
}

static bool talk(struct call *call, const char *request, size_t request_len, unsigned wait_s)
{
	char *text = malloc(ANSWER_MAX + 1);
	size_t len;
	bool done = text || wrong(call, "%s", "out of memory");

	done = done && connect_to(call) && tls_make(call) && tls_shake_hands(call) &&
	       tls_send(call, request, request_len);
	call->until_ms = now_ms() + (PATIENCE_S + (int64_t)wait_s) * 1000;
	done = done && tls_receive(call, text, &len) && https_answer_read(text, len, call->answer);
	free(text);
	return done;
}

bool https_call(const struct https_server *server, const char *method, const char *path,
		const json_t *body, unsigned wait_s, struct https_answer *answer)
{
	struct call call = {
		.server = server,
		.answer = answer,
		.until_ms = now_ms() + PATIENCE_S * 1000,
		.fd = -1,
	};
	size_t len = 0;
	char *text = request_text(server, method, path, body, &len);
	bool done;

	memset(answer, 0, sizeof(*answer));
	done = text ? talk(&call, text, len, wait_s) : wrong(&call, "%s", "out of memory");
	SSL_free(call.ssl);
	SSL_CTX_free(call.context);
	if (call.fd >= 0)
		close(call.fd);
	ERR_clear_error();
	if (text)
		OPENSSL_cleanse(text, len);
	free(text);
	return done;
}
