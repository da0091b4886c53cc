/*
 * A reply as bytes.
 */
#include "server_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *code_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *code;
	} codes[] = {
		{400, "INVALID_ARGUMENT"},
		{401, "UNAUTHENTICATED"},
		{404, "NOT_FOUND"},
		{405, "METHOD_NOT_ALLOWED"},
		{408, "REQUEST_TIMEOUT"},
		{413, "PAYLOAD_TOO_LARGE"},
		{415, "UNSUPPORTED_MEDIA_TYPE"},
		{417, "EXPECTATION_FAILED"},
		{429, "TOO_MANY_REQUESTS"},
		{431, "REQUEST_HEADER_FIELDS_TOO_LARGE"},
		{500, "INTERNAL"},
		{501, "NOT_IMPLEMENTED"},
		{503, "UNAVAILABLE"},
		{505, "HTTP_VERSION_NOT_SUPPORTED"},
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].status == status)
			return codes[i].code;
	}
	return "INVALID_ARGUMENT";
}

void exchange_refuse(struct exchange *exchange, unsigned status, const char *why)
{
	reply_error(&exchange->reply, status, code_of(status), "%s", why);
}

/* A value that a handler gave may hold what it got: no line of its own. */
static bool is_line(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

/* The head as it grows; full when it does not fit. */
struct text {
	char bytes[1280];
	size_t len;
	bool full;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->bytes) - text->len;
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(text->bytes + text->len, room, format, arguments);
	va_end(arguments);
	if (len < 0 || (size_t)len >= room)
		text->full = true;
	else
		text->len += (size_t)len;
}

static void add_head(struct text *text, const struct exchange *exchange, size_t body_len)
{
	const struct reply *reply = &exchange->reply;
	const char *type = reply->content_type ? reply->content_type : "application/json";
	time_t now = time(NULL);
	struct tm fields;
	char date[40];

	gmtime_r(&now, &fields);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &fields);
	add(text, "HTTP/1.1 %u %s\r\nDate: %s\r\nCache-Control: no-store\r\n", reply->status,
	    http_reason(reply->status), date);
	if (reply->status != 204)
		add(text, "Content-Length: %zu\r\n", body_len);
	if (body_len > 0 && is_line(type))
		add(text, "Content-Type: %s\r\n", type);
	if (exchange->request.correlator[0])
		add(text, "x-correlator: %s\r\n", exchange->request.correlator);
	if (reply->location[0] && is_line(reply->location))
		add(text, "Location: %s\r\n", reply->location);
	if (reply->retry_after_s)
		add(text, "Retry-After: %u\r\n", reply->retry_after_s);
	if (exchange->allow[0])
		add(text, "Allow: %s\r\n", exchange->allow);
	if (!exchange->keep_alive)
		add(text, "Connection: close\r\n");
	else if (exchange->old)
		add(text, "Connection: keep-alive\r\n");
	add(text, "\r\n");
}

bool exchange_render(struct exchange *exchange)
{
	const struct reply *reply = &exchange->reply;
	char *json = reply->body && !reply->text ? json_dumps(reply->body, JSON_COMPACT) : NULL;
	const char *body = reply->text ? reply->text : json;
	size_t body_len = body ? strlen(body) : 0;
	struct text text = {.len = 0};

	add_head(&text, exchange, body_len);
	if (exchange->head_only || reply->status == 204)
		body_len = 0;
	if (!text.full && (body || !reply->body))
		exchange->out = malloc(text.len + body_len);
	if (exchange->out) {
		memcpy(exchange->out, text.bytes, text.len);
		if (body_len > 0)
			memcpy(exchange->out + text.len, body, body_len);
		exchange->out_len = text.len + body_len;
	}
	free(json);
	return exchange->out != NULL;
}
