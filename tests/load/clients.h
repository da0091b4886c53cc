/*
 * Many kept-alive HTTPS clients in one thread: epoll, OpenSSL, requests made beforehand.
 *
 * Owns the connections and the clock. Refuses to hide a wait: with a rate, a request's time counts
 * from when it was due, not from when a connection was free for it.
 */
#ifndef SIMTIE_TESTS_LOAD_CLIENTS_H
#define SIMTIE_TESTS_LOAD_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

struct load_request {
	char *text; /* the whole request */
	size_t len;
	int64_t due_ns;  /* since the run began; 0 without a rate */
	int64_t took_ns; /* the answer's time; -1: there was none */
	unsigned status; /* HTTP; 0: none */
	char word[24];   /* the member "status" of the body, or its "code"; "" for neither */
	char reason[24];
};

struct load_settings {
	const char *host, *port;
	const char *certificate, *key, *ca; /* PEM */
	unsigned connections;
	double rate;        /* a second; 0: as fast as the answers come */
	unsigned timeout_s; /* of the whole run */
};

/* Sends them all. Nanoseconds from the first byte to the last answer; -1 with a sentence on
 * standard error. */
int64_t load_run(const struct load_settings *settings, struct load_request *requests, size_t count);

#endif
