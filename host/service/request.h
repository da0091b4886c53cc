/*
 * One request and its reply, as handlers see them: no sockets, no TLS, no threads.
 *
 * Owns the route table's form and the errors' form (CAMARA: {status, code, message}). A handler
 * runs in a worker's thread within a transaction, possibly more than once, and touches nothing but
 * its arguments.
 */
#ifndef SIMTIE_SERVICE_REQUEST_H
#define SIMTIE_SERVICE_REQUEST_H

#include <jansson.h>

#include "bytes.h"
#include "contract.h"
#include "engine.h"

/* Who is at the other end, by its certificate: the URIs among its subjectAltNames,
 * urn:x-simtie:ROLE:NAME and urn:x-simtie:scope:SCOPE. */
enum peer_role {
	PEER_NONE = 0, /* a public listener asks for no certificate */
	PEER_MESSENGER = 1,
	PEER_OPERATOR = 2, /* of notices, at a messenger */
	PEER_ADMIN = 4,    /* the operator's own systems */
	PEER_MONITOR = 8,  /* reads /metrics from elsewhere */
};

enum peer_scope {
	SCOPE_SIM_SWAP = 1, /* sim-swap */
	SCOPE_EVENTS = 2,   /* events: of an admin */
	SCOPE_RECORDS = 4,  /* records: of an admin */
	SCOPE_METRICS = 8,  /* metrics */
};

struct peer {
	enum peer_role role;
	unsigned scopes;                   /* of enum peer_scope */
	char name[LIMIT_AUDIENCE_MAX + 1]; /* a messenger's audience; of others their name */
	bool loopback;
};

enum listener { LISTEN_PEERS = 1, LISTEN_PUBLIC = 2 };

#define REQUEST_SEGMENTS 2

/* What a body is, by its Content-Type; any other is 415 before a handler runs. */
enum body_type {
	BODY_JSON = 0,   /* application/json, or there is no body */
	BODY_LINES = 1,  /* application/x-ndjson */
	BODY_NOTICE = 2, /* application/secevent+jwt */
};

struct request {
	struct peer peer;
	char segment[REQUEST_SEGMENTS][129]; /* what stood for {…} in the route's path, decoded */
	char correlator[257];                /* x-correlator, or "" */
	char idempotency[65];                /* Idempotency-Key, or "" */
	char query[129];                     /* what follows "?", as it came */
	int64_t wait_ms;                     /* of ?wait=, seconds, bounded by the configuration */
	enum body_type type;
	struct bytes body;
};

#define REPLY_WAKES_MAX 2

struct reply {
	unsigned status; /* HTTP */
	json_t *body;    /* NULL: none; the reply's own */
	char *text;      /* instead of body, malloc()ed: with content_type */
	const char *content_type;
	char location[160];     /* "" for none */
	unsigned retry_after_s; /* 0 for none */
	/* Nothing to say yet: run the handler again when a decision falls or soon, until wait_ms
	 * have passed, then send what it says. */
	bool hold;
	/* Not sent before this many milliseconds since the whole request was there: answers that
	 * must not differ in time. Counted from its head, a client could send its body later by
	 * that much and be told at once. */
	unsigned not_before_ms;
	const char *wake[REPLY_WAKES_MAX]; /* tasks to be woken after the commit */
	/* Counted by metrics_count(), once, after the commit; literals. NULL: nothing. */
	const char *count;
	const char *count_labels;
};

typedef int request_handler(struct work *work, const struct request *request, struct reply *reply);

/* What a request's handler found out before its transaction, for run() in work->prepared. */
struct prepared {
	void (*free)(struct prepared *prepared);
};

struct route {
	const char *method;
	const char *path;   /* "/v1/verifications/{id}" */
	unsigned listeners; /* of enum listener */
	unsigned roles;     /* of enum peer_role that may; PEER_NONE alone: anybody there */
	unsigned scopes;    /* all of these are needed */
	unsigned body_max;  /* bytes; 0: the default, 16 KiB */
	request_handler *run;
};

/* ---- For handlers ---- */

/* Fills in an error; `code` as CAMARA spells it. `format` says what is wrong and what to do, and
 * holds no number, code or token of anybody. Returns DB_OK, so that a handler can return it. */
int reply_error(struct reply *reply, unsigned status, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* 200 (or another) with a body, which it takes over; 500 when `body` is NULL. Returns DB_OK. */
int reply_json(struct reply *reply, unsigned status, json_t *body);

/* Frees what it owns and zeroes it. */
void reply_clear(struct reply *reply);

/* ---- Bodies ---- */

/* One member that a body may have. */
enum field_kind {
	FIELD_TEXT,   /* const char **: UTF-8 of `min` to `max` bytes, borrowed from the root */
	FIELD_PHONE,  /* const char **: E.164, ^\+[1-9][0-9]{4,14}$ */
	FIELD_BASE64, /* struct field_bytes *: base64url without padding, `min` to `max` bytes */
	FIELD_NUMBER, /* json_int_t *: an integer, `min` to `max` */
	FIELD_OBJECT, /* json_t **: borrowed */
};

#define FIELD_BYTES_MAX 2048
struct field_bytes {
	size_t len; /* 0: absent */
	uint8_t bytes[FIELD_BYTES_MAX];
};

struct field {
	const char *name;
	enum field_kind kind;
	void *target; /* untouched when absent */
	bool required;
	size_t min, max;
};

/*
 * Reads a body: one JSON object with these members and no other, no key twice, nested 16 deep at
 * most, valid UTF-8. *root owns what was borrowed; json_decref() it. False: `reply` has a 400
 * INVALID_ARGUMENT (or OUT_OF_RANGE, MISSING_IDENTIFIER by the caller) that names the field, or a
 * 415 when the body is no JSON at all.
 */
bool request_fields(const struct request *request, const struct field *fields, size_t count,
		    json_t **root, struct reply *reply);

#endif
