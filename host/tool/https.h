/*
 * A client of the services: one request over TLS 1.3, one JSON answer.
 *
 * Owns the connection, the check of the server's certificate and name, and the bounds in time and
 * size. Refuses plain HTTP, redirects, and answers over 512 KiB. Each request has a connection of
 * its own: between two of them a person looks for her PIN.
 */
#ifndef SIMTIE_TOOL_HTTPS_H
#define SIMTIE_TOOL_HTTPS_H

#include <jansson.h>
#include <stdbool.h>

#define HTTPS_HOST_MAX 253

struct https_server {
	char host[HTTPS_HOST_MAX + 1]; /* without the brackets of an IPv6 address */
	char port[6];
	char base[129]; /* what all paths begin with, "" or "/simtie" */
	const char *ca; /* PEM; NULL: those of the system */
};

/* https://HOST[:PORT][/BASE]. False: it is none. */
bool https_server_read(const char *url, struct https_server *server);

struct https_answer {
	int status;      /* HTTP; 0: there was none, and `error` says why */
	json_t *body;    /* NULL: none. The caller's to json_decref() */
	char error[200]; /* one sentence */
};

/* Sends one. `body` (may be NULL) stays the caller's. `wait_s` is how long the server may take over
 * it, beside what connecting and sending take. False: no answer. */
bool https_call(const struct https_server *server, const char *method, const char *path,
		const json_t *body, unsigned wait_s, struct https_answer *answer);

/* ---- What https_call() is made of ---- */

/* Reads a whole answer, head and body, to the end of the connection. False: it is no HTTP, or cut
 * short; `error` says so. */
bool https_answer_read(const char *text, size_t len, struct https_answer *answer);

#endif
