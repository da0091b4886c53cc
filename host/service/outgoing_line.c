/*
 * Lines: libevent's HTTP client over TLS, one request at a time.
 */
#include "outgoing_internal.h"

#include "monotonic.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* libevent bounds headers and bodies but not the line of a chunk's size. */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *argument)
{
	struct line *line = argument;
	evutil_socket_t fd;

	(void)info;
	if (evbuffer_get_length(input) <= OUTGOING_ANSWER_MAX + OUTGOING_HEADER_MAX)
		return;
	fd = bufferevent_getfd(evhttp_connection_get_bufferevent(line->connection));
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

/* libevent would connect again with a TLS state that has had its end. */
static void on_close(struct evhttp_connection *connection, void *argument)
{
	struct line *line = argument;

	(void)connection;
	line->dead = true;
	outgoing_go_on(line->outgoing);
}

static bool connect_line(struct line *line)
{
	struct server *server = line->outgoing->server;
	struct bufferevent *events;

	line->ssl = tls_connect(server->tls, line->host);
	if (!line->ssl)
		return false;
	events = bufferevent_openssl_socket_new(server->base, -1, line->ssl,
						BUFFEREVENT_SSL_CONNECTING,
						BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!events) {
		SSL_free(line->ssl);
		return false;
	}
	/* An answer has its length: its end is not the connection's. */
	bufferevent_openssl_set_allow_dirty_shutdown(events, 1);
	line->connection = evhttp_connection_base_bufferevent_new(
		server->base, line->outgoing->names, events, line->host, line->port);
	if (!line->connection) {
		bufferevent_free(events);
		return false;
	}
	evbuffer_add_cb(bufferevent_get_input(events), on_input, line);
	evhttp_connection_set_max_headers_size(line->connection, OUTGOING_HEADER_MAX);
	evhttp_connection_set_max_body_size(line->connection, OUTGOING_ANSWER_MAX);
	evhttp_connection_set_closecb(line->connection, on_close, line);
	return true;
}

static struct line *new_line(struct outgoing *outgoing, const struct call *call)
{
	struct line *line = calloc(1, sizeof(*line));

	if (!line)
		return NULL;
	line->outgoing = outgoing;
	line->host = strdup(call->host);
	line->port = call->port;
	line->generation = outgoing->server->generation;
	if (!line->host || !connect_line(line)) {
		free(line->host);
		free(line);
		return NULL;
	}
	line->next = outgoing->lines;
	outgoing->lines = line;
	return line;
}

struct line *outgoing_line(struct outgoing *outgoing, const struct call *call, bool *failed)
{
	unsigned count = 0;
	struct line *line;

	for (line = outgoing->lines; line; line = line->next) {
		if (line->port != call->port || strcmp(line->host, call->host) != 0)
			continue;
		if (!line->dead && !line->call)
			return line;
		count++;
	}
	if (count >= OUTGOING_LINES_MAX)
		return NULL;
	line = new_line(outgoing, call);
	*failed = !line;
	return line;
}

void outgoing_line_free(struct line *line)
{
	evhttp_connection_set_closecb(line->connection, NULL, NULL);
	evhttp_connection_free(line->connection);
	free(line->host);
	free(line);
}

/* Before on_answer(NULL): why there is none. */
static void on_error(enum evhttp_request_error error, void *argument)
{
	struct call *call = argument;

	switch (error) {
	case EVREQ_HTTP_TIMEOUT:
		call->error = "there was no answer in time";
		break;
	case EVREQ_HTTP_EOF:
		call->error = "the connection ended before the answer";
		break;
	case EVREQ_HTTP_INVALID_HEADER:
		call->error = "the answer is not HTTP";
		break;
	case EVREQ_HTTP_BUFFER_ERROR:
		call->error = "it could not be reached, or refused us";
		break;
	case EVREQ_HTTP_REQUEST_CANCEL:
		call->error = "it was cancelled";
		break;
	case EVREQ_HTTP_DATA_TOO_LONG:
		call->error = "the answer is too big";
		break;
	}
}

/* Why the other's certificate does not hold; NULL: it does. */
static const char *distrust(const SSL *ssl)
{
	const long result = SSL_get_verify_result(ssl);

	if (result == X509_V_OK)
		return NULL;
	if (result == X509_V_ERR_CERT_REVOKED)
		return "its certificate is revoked";
	if (result == X509_V_ERR_CRL_HAS_EXPIRED || result == X509_V_ERR_UNABLE_TO_GET_CRL)
		return "the revocation list for its certificate is out of date, or missing";
	return "its certificate is not one that we trust for this name";
}

static void on_answer(struct evhttp_request *request, void *argument)
{
	struct call *call = argument;
	struct line *line = call->line;
	struct evbuffer *input;
	int status = request ? evhttp_request_get_response_code(request) : 0;
	struct bytes body = {NULL, 0};

	line->call = NULL;
	line->idle_since_ms = monotonic_ms();
	outgoing_go_on(line->outgoing);
	if (status == 0) {
		line->dead = true;
		if (distrust(line->ssl))
			call->error = distrust(line->ssl);
		outgoing_end(call, 0, call->error ? call->error : "it could not be reached", body);
		return;
	}
	input = evhttp_request_get_input_buffer(request);
	body.len = evbuffer_get_length(input);
	body.ptr = evbuffer_pullup(input, -1);
	outgoing_end(call, status, NULL, body);
}

static bool add_headers(struct evhttp_request *request, const struct call *call)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	bool six = strchr(call->host, ':') != NULL;
	char host[300];

	snprintf(host, sizeof(host), "%s%s%s:%u", six ? "[" : "", call->host, six ? "]" : "",
		 call->port);
	return evhttp_add_header(headers, "Host", host) == 0 &&
	       evhttp_add_header(headers, "Accept", "application/json") == 0 &&
	       (!call->content_type ||
		evhttp_add_header(headers, "Content-Type", call->content_type) == 0) &&
	       (!call->idempotency ||
		evhttp_add_header(headers, "Idempotency-Key", call->idempotency) == 0) &&
	       (!call->correlator ||
		evhttp_add_header(headers, "x-correlator", call->correlator) == 0);
}

static enum evhttp_cmd_type method_of(const char *name)
{
	if (strcmp(name, "POST") == 0)
		return EVHTTP_REQ_POST;
	if (strcmp(name, "PUT") == 0)
		return EVHTTP_REQ_PUT;
	return strcmp(name, "DELETE") == 0 ? EVHTTP_REQ_DELETE : EVHTTP_REQ_GET;
}

void outgoing_line_send(struct line *line, struct call *call)
{
	struct evhttp_request *request = evhttp_request_new(on_answer, call);

	call->line = line;
	call->request = request;
	line->call = call;
	if (request) {
		evhttp_request_set_error_cb(request, on_error);
		if (add_headers(request, call) &&
		    evbuffer_add(evhttp_request_get_output_buffer(request), call->body,
				 call->body_len) == 0) {
			/* Takes the request over; when it cannot connect at once it says so here
			 * and calls nobody. */
			if (evhttp_make_request(line->connection, request, method_of(call->method),
						call->path) == 0)
				return;
		} else {
			evhttp_request_free(request);
		}
	}
	line->call = NULL;
	line->dead = true;
	outgoing_end(call, 0, "it could not be reached", bytes_of(NULL, 0));
	outgoing_go_on(line->outgoing);
}
