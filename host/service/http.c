/*
 * Heads of requests.
 */
#include "http.h"

#include <strings.h>

long http_scan(struct http_scan *scan, struct bytes bytes)
{
	while (scan->at < bytes.len) {
		uint8_t c = bytes.ptr[scan->at++];

		if (scan->carriage) {
			if (c != '\n')
				return -1;
			scan->carriage = false;
			if (scan->line == 0)
				return (long)scan->at;
			scan->line = 0;
		} else if (c == '\r') {
			/* A head does not begin with an empty line. */
			if (scan->at == 1)
				return -1;
			scan->carriage = true;
		} else if ((c < ' ' && c != '\t') || c == 0x7f) {
			return -1;
		} else {
			scan->line++;
		}
	}
	return 0;
}

/* tchar of RFC 9110 §5.6.2 */
static bool is_token(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool all_token(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!is_token(text.ptr[i]))
			return false;
	}
	return text.len > 0;
}

static bool is(struct bytes text, const char *word)
{
	return text.len == strlen(word) && strncasecmp((const char *)text.ptr, word, text.len) == 0;
}

/* Up to `c`, which is taken from `rest` with it. False: it is not there. */
static bool cut(struct bytes *rest, char c, struct bytes *out)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, c, rest->len) : NULL;

	if (!end)
		return false;
	*out = bytes_of(rest->ptr, (size_t)(end - rest->ptr));
	*rest = bytes_of(end + 1, rest->len - out->len - 1);
	return true;
}

/* The next line without its end. http_scan() has seen that each ends in CR LF. */
static struct bytes next_line(struct bytes *rest)
{
	struct bytes line = {NULL, 0};

	if (cut(rest, '\n', &line) && line.len > 0)
		line.len--;
	return line;
}

static struct bytes trimmed(struct bytes text)
{
	while (text.len > 0 && (*text.ptr == ' ' || *text.ptr == '\t'))
		text = bytes_of(text.ptr + 1, text.len - 1);
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static unsigned refuse(unsigned status, const char **why, const char *text)
{
	*why = text;
	return status;
}

static unsigned request_line(struct bytes line, struct http_head *head, const char **why)
{
	struct bytes target;

	if (!cut(&line, ' ', &head->method) || !cut(&line, ' ', &target) ||
	    !all_token(head->method))
		return refuse(400, why, "the request line is not METHOD PATH HTTP/1.1");
	if (line.len != 8 || memcmp(line.ptr, "HTTP/1.", 7) != 0 ||
	    (line.ptr[7] != '1' && line.ptr[7] != '0'))
		return refuse(505, why, "speak HTTP/1.1");
	head->old = line.ptr[7] == '0';
	head->keep_alive = !head->old;
	for (size_t i = 0; i < target.len; i++) {
		if (target.ptr[i] <= ' ' || target.ptr[i] >= 0x7f || target.ptr[i] == '#')
			return refuse(400, why, "the path has a character that paths do not have");
	}
	if (target.len == 0 || *target.ptr != '/')
		return refuse(400, why, "the path does not begin with \"/\"");
	head->query = target;
	if (!cut(&head->query, '?', &head->path)) {
		head->path = target;
		head->query = bytes_of(NULL, 0);
	}
	return 0;
}

/* What is counted while headers are read: of these there is one at most. */
struct seen {
	unsigned host, length, coding, type, correlator, idempotency;
};

static unsigned content_length(struct bytes value, struct http_head *head, const char **why)
{
	if (value.len == 0 || value.len > 9)
		return refuse(value.len ? 413 : 400, why, "the Content-Length is none, or too big");
	head->content_length = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return refuse(400, why, "the Content-Length is not a number");
		head->content_length = head->content_length * 10 + (value.ptr[i] - '0');
	}
	return 0;
}

static void connection(struct bytes value, struct http_head *head)
{
	struct bytes option;

	do {
		if (!cut(&value, ',', &option)) {
			option = value;
			value.len = 0;
		}
		option = trimmed(option);
		if (is(option, "close"))
			head->keep_alive = false;
		else if (is(option, "keep-alive") && head->old)
			head->keep_alive = true;
	} while (value.len > 0);
}

static unsigned header(struct bytes name, struct bytes value, struct http_head *head,
		       struct seen *seen, const char **why)
{
	if (is(name, "Host")) {
		seen->host++;
	} else if (is(name, "Content-Length")) {
		seen->length++;
		return content_length(value, head, why);
	} else if (is(name, "Transfer-Encoding")) {
		seen->coding++;
		if (!is(value, "chunked"))
			return refuse(501, why, "of transfer codings only chunked is known here");
		head->chunked = true;
	} else if (is(name, "Connection")) {
		connection(value, head);
	} else if (is(name, "Expect")) {
		if (!is(value, "100-continue"))
			return refuse(417, why, "of expectations only 100-continue is known here");
		head->expects_continue = true;
	} else if (is(name, "Content-Encoding")) {
		if (!is(value, "identity"))
			return refuse(415, why, "send the body as it is, not compressed");
	} else if (is(name, "Content-Type")) {
		seen->type++;
		head->content_type = value;
	} else if (is(name, "x-correlator")) {
		seen->correlator++;
		head->correlator = value;
	} else if (is(name, "Idempotency-Key")) {
		seen->idempotency++;
		head->idempotency = value;
	}
	return 0;
}

static unsigned framing(const struct http_head *head, const struct seen *seen, const char **why)
{
	if (seen->length > 1 || seen->coding > 1 || seen->host > 1 || seen->type > 1 ||
	    seen->correlator > 1 || seen->idempotency > 1)
		return refuse(400, why, "a header that stands once at most is there twice");
	if (seen->length && seen->coding)
		return refuse(400, why, "there are both Content-Length and Transfer-Encoding");
	if (seen->coding && head->old)
		return refuse(400, why, "HTTP/1.0 has no Transfer-Encoding");
	if (!seen->host && !head->old)
		return refuse(400, why, "there is no Host");
	return 0;
}

unsigned http_head(struct bytes bytes, struct http_head *head, const char **why)
{
	struct seen seen = {0};
	struct bytes line;
	unsigned status, count = 0;

	memset(head, 0, sizeof(*head));
	status = request_line(next_line(&bytes), head, why);
	if (status)
		return status;
	while ((line = next_line(&bytes)).len > 0) {
		struct bytes name;

		if (++count > HTTP_HEADERS_MAX)
			return refuse(431, why, "there are over 64 headers");
		/* A folded line begins with a space: no token. */
		if (!cut(&line, ':', &name) || !all_token(name))
			return refuse(400, why, "a header is not NAME: VALUE on one line");
		status = header(name, trimmed(line), head, &seen, why);
		if (status)
			return status;
	}
	return framing(head, &seen, why);
}

const char *http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} reasons[] = {
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{410, "Gone"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "Other";
}
