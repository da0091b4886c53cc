/*
 * Text of HTTP: addresses and answers.
 */
#include "https.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_host(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr(".-:", text[i]))
			return false;
	return len > 0 && len <= HTTPS_HOST_MAX;
}

static bool is_base(const char *text)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("/._~-", *text))
			return false;
	return true;
}

static bool read_port(const char *text, size_t len, struct https_server *server)
{
	if (len == 0 || len >= sizeof(server->port) || strspn(text, "0123456789") < len)
		return false;
	memcpy(server->port, text, len);
	server->port[len] = '\0';
	return atoi(server->port) > 0 && atoi(server->port) < 65536;
}

bool https_server_read(const char *url, struct https_server *server)
{
	static const char scheme[] = "https://";
	const char *host = url + sizeof(scheme) - 1, *end, *rest;
	size_t base_len;

	if (strncasecmp(url, scheme, sizeof(scheme) - 1) != 0)
		return false;
	if (*host == '[') {
		host++;
		end = strchr(host, ']');
		rest = end ? end + 1 : NULL;
	} else {
		end = rest = host + strcspn(host, ":/");
	}
	if (!end || !is_host(host, (size_t)(end - host)))
		return false;
	memcpy(server->host, host, (size_t)(end - host));
	server->host[end - host] = '\0';
	snprintf(server->port, sizeof(server->port), "443");
	if (*rest == ':') {
		const size_t len = strcspn(rest + 1, "/");

		if (!read_port(rest + 1, len, server))
			return false;
		rest += 1 + len;
	}
	base_len = strlen(rest);
	while (base_len > 0 && rest[base_len - 1] == '/')
		base_len--;
	if ((*rest && *rest != '/') || base_len >= sizeof(server->base) || !is_base(rest))
		return false;
	memcpy(server->base, rest, base_len);
	server->base[base_len] = '\0';
	return true;
}

/* ---- Answers ---- */

static bool wrong(struct https_answer *answer, const char *what)
{
	answer->status = 0;
	snprintf(answer->error, sizeof(answer->error), "%s", what);
	return false;
}

/* The value of Content-Length in a head; -1: there is none; -2: it is no number, or twice. Of
 * Transfer-Encoding there can be none: the request says HTTP/1.0. */
static long content_length(const char *head, const char *end)
{
	static const char name[] = "content-length:";
	long length = -1;

	for (const char *line = head; line < end; line = strstr(line, "\r\n") + 2) {
		const char *value = line + sizeof(name) - 1;
		char *after;

		if (strncasecmp(line, name, sizeof(name) - 1) != 0)
			continue;
		value += strspn(value, " \t");
		if (length != -1 || !isdigit((unsigned char)*value) ||
		    strspn(value, "0123456789") > 9)
			return -2;
		length = strtol(value, &after, 10);
		if (after[0] != '\r')
			return -2;
	}
	return length;
}

bool https_answer_read(const char *text, size_t len, struct https_answer *answer)
{
	const char *end = memchr(text, 0, len) ? NULL : strstr(text, "\r\n\r\n"), *body;
	long length;
	size_t body_len;

	if (!end || strncmp(text, "HTTP/1.", 7) != 0 || len < 13 || text[8] != ' ' ||
	    strspn(text + 9, "0123456789") != 3)
		return wrong(answer, "the server's answer is cut short, or no HTTP/1");
	answer->status = atoi(text + 9);
	body = end + 4;
	body_len = len - (size_t)(body - text);
	length = content_length(text, end + 2);
	if (length == -2 || (length >= 0 && (size_t)length != body_len))
		return wrong(answer, "the server's answer has not the length that it says");
	if (body_len == 0)
		return true;
	answer->body = json_loadb(body, body_len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(answer->body)) {
		json_decref(answer->body);
		answer->body = NULL;
	}
	return true;
}
