/*
 * Requests of ours to others: HTTPS over mutual TLS, from the event loop's thread.
 *
 * Owns connections (kept alive, a few per origin), their bounds in time and size, and the check of
 * the other's certificate and name. Refuses redirects, plain HTTP, and answers over 1 MiB.
 */
#ifndef SIMTIE_SERVICE_OUTGOING_H
#define SIMTIE_SERVICE_OUTGOING_H

#include <stddef.h>

#include "bytes.h"

struct service;
struct outgoing;

struct outgoing_answer {
	int status;        /* HTTP; 0: there was no answer, and `error` says why */
	const char *error; /* one sentence, static or borrowed for the call */
	struct bytes body; /* borrowed for the call */
};

struct outgoing_request {
	const char *method; /* "POST" */
	const char *url;    /* https://HOST[:PORT]/PATH */
	const char *content_type;
	struct bytes body;       /* copied */
	const char *idempotency; /* or NULL */
	const char *correlator;  /* or NULL */
	unsigned timeout_ms;
	/* Called once, in the event loop's thread; when the daemon ends also after its loop and its
	 * engine have: what it submits then is not taken. */
	void (*done)(void *context, const struct outgoing_answer *answer);
	void *context;
};

/* From any thread. False: out of memory, too much is under way, or the URL is none of ours; done()
 * is then not called. */
bool outgoing_send(struct service *service, const struct outgoing_request *request);

#endif
