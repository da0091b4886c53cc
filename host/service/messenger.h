/*
 * The messenger's role: its settings, the operators that it has agreements with, and what its
 * handlers share.
 *
 * Owns the group "messenger" of the configuration:
 *
 *   audience = "chat.example";       as operators' certificates for us name it
 *   challenge_s = 300;               so long a challenge is good
 *   deadline_s = 1200;               no yes by then, counted from the attestation: EXPIRED
 *   retention_days = 30;             of registrations that were refused, expired or ended
 *   challenges_max = 100000;         that nobody answered and that are kept; more are refused
 *   allow_virtual = false;           for development: virtual cards may register
 *   operators = ( { name = "mno.example"; url = "https://...";
 *                   prefixes = [ "+4915", ... ];
 *                   issuer_certificate = "FILE"; signer_certificate = "FILE"; }, ... );
 *
 * Refuses to start with two operators of one name or one prefix, or a certificate that cannot be
 * read. Only certificates are read anew on SIGHUP; other settings want a restart.
 */
#ifndef SIMTIE_SERVICE_MESSENGER_H
#define SIMTIE_SERVICE_MESSENGER_H

#include "service.h"
#include "simtie-service.h"

#include <stdatomic.h>

struct messenger_operator {
	const char *name; /* issuer of its notices, and the name in its certificate */
	const char *url;  /* "https://HOST:PORT", without a path's end */
	/* Read each once per use, as those of struct operator_state. */
	struct simtie_service_key *_Atomic issuer; /* credentials */
	struct simtie_service_key *_Atomic signer; /* notices */
};

/* One line of the routing table. */
struct messenger_prefix {
	const char *digits; /* "+4915" */
	const struct messenger_operator *to;
};

struct messenger {
	struct service *service;
	const char *audience;
	long challenge_s, deadline_s, retention_days, challenges_max;
	bool allow_virtual;
	struct messenger_operator *operators;
	size_t operator_count;
	struct messenger_prefix *prefixes; /* in order, for messenger_route() */
	size_t prefix_count;
	struct messenger_retired *retired; /* messenger_keys.c */
	struct messenger_talk *talk;       /* requests under way (messenger_ask.c) */
	struct messenger_status *status; /* the list that is looked through (messenger_status.c) */
	atomic_long challenges;          /* unanswered, about (messenger_challenge.c) */
};

static inline struct messenger *messenger_of(const struct work *work)
{
	return work->service->state;
}

/* ---- Routing (messenger_route.c) ---- */

/* Puts the table in order. False: a prefix is none ("+" and 1 to 15 digits), or is there twice;
 * *wrong is it. */
bool messenger_route_sort(struct messenger *messenger, const char **wrong);

/* The operator of the longest prefix that the number begins with; NULL: there is none. */
const struct messenger_operator *messenger_route(const struct messenger *messenger,
						 const char *number);

/* By name; NULL: no agreement with one of that name. */
const struct messenger_operator *messenger_operator(const struct messenger *messenger,
						    const char *name);

/* ---- Certificates (messenger_keys.c) ---- */

/* Reads all of them: 0, or -1 with a sentence on standard error and all as before. */
int messenger_keys_read(struct messenger *messenger);
void messenger_keys_free(struct messenger *messenger);

/* ---- Handlers, each in the file of its name ---- */

request_handler messenger_registration_post; /* messenger_registration.c */
request_handler messenger_registration_get;
request_handler messenger_attestation_post; /* messenger_attestation.c */
request_handler messenger_notice_post;      /* messenger_notice.c */

/* ---- Tasks ---- */

/* Asks operators what is due to be asked, and lets expire what is late (messenger_ask.c). */
int messenger_ask_run(struct work *work, bool *more);
struct messenger_talk *messenger_talk_new(void);
void messenger_talk_free(struct messenger_talk **talk);

/* Fetches operators' status lists, and ends what they say is revoked (messenger_status.c). */
int messenger_status_run(struct work *work, bool *more);
struct messenger_status *messenger_status_new(void);
void messenger_status_free(struct messenger_status **status);

/* Counts the challenges that nobody has answered; whether one more may be kept
 * (messenger_challenge.c). */
int messenger_challenge_run(struct work *work, bool *more);
bool messenger_challenge_may(struct messenger *messenger);

/* Deletes what has outlived its time (messenger_retention.c). */
int messenger_retention_run(struct work *work, bool *more);

#endif
