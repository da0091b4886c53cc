/*
 * The operator's role: its settings, its keys, and what its handlers share.
 *
 * Owns the group "operator" of the configuration:
 *
 *   name = "mno.example";            audience of attestations to the operator, issuer of notices
 *   issuer_certificate, issuer_key   issues service credentials (P-256)
 *   signer_certificate, signer_key   signs status lists and notices
 *   sealing_certificate, sealing_key opens sealed numbers
 *   base_url = "https://...";        where others reach this service: links, status lists
 *   deadline_s = 1200;               after it a verification is EXPIRED
 *   answer_within_ms = 1000;         what waits so long is answered PENDING; 0: all is
 *   backlog_batch = 200;             0: this daemon decides no backlog
 *   refusal_ms = 25;                 a no is not sent before this
 *   retention_days = 180; verification_days = 30; credential_days = 365;
 *   clone_days = 90;                 how long a counter value used twice is found to be a clone
 *   subscriber_days = 180;           of a subscriber whose contract has ended; longer while a
 *                                    registration of hers has not outlived its own time
 *   status_list_size = 1048576;      bits
 *   status_tick_s = 60;              a status list changes at multiples of this
 *   cache_size = 65536;              service keys kept
 *   allow_virtual = false;           for development: virtual cards may register
 *   messengers = ( { audience = "chat.example"; notify = "https://.../v1/notices"; }, ... );
 *
 * Refuses to start with any of the six files missing or not fitting, or a key that everybody can
 * read. Only keys and certificates are read anew on SIGHUP; other settings want a restart.
 */
#ifndef SIMTIE_SERVICE_OPERATOR_H
#define SIMTIE_SERVICE_OPERATOR_H

#include "service.h"
#include "simtie-service.h"
#include "subscriber.h"

struct operator_messenger {
	const char *audience;
	const char *notify; /* or NULL: it is told nothing */
};

struct operator_state {
	struct service *service;
	const char *name;
	const char *base_url;
	/* Read each once per use: SIGHUP puts others in their place, and frees the old ones only
	 * long after no handler can hold them. */
	struct simtie_service_key *_Atomic issuer;
	struct simtie_service_key *_Atomic signer;
	struct simtie_service_key *_Atomic sealing;
	struct operator_keys *keys; /* operator_keys.c */
	long deadline_s, answer_within_ms, backlog_batch, refusal_ms;
	long retention_days, verification_days, credential_days, clone_days, subscriber_days;
	long status_list_size, status_tick_s, cache_size;
	bool allow_virtual;
	struct operator_messenger *messengers;
	size_t messenger_count;
	struct operator_cache *cache;         /* service keys already derived (operator_cache.c) */
	struct operator_guess *guess;         /* numbers tried for a challenge (operator_guess.c) */
	struct operator_backlog *backlog;     /* how far it has come (operator_backlog.c) */
	struct operator_outbox *outbox;       /* notices under way (operator_outbox.c) */
	struct operator_status_maker *status; /* what status lists cost (operator_status_list.c) */
};

static inline struct operator_state *operator_of(const struct work *work)
{
	return work->service->state;
}

/* Why a verification is not VERIFIED; stored, and part of the answer. The same one stands for an
 * unknown number, a SIM that did not sign, and a card or subscriber that may not: who asks learns
 * nothing about the person. */
#define VERIFICATION_REASONS(X)                                                                    \
	X(NONE, "")                                                                                \
	X(NOT_CONFIRMED,                                                                           \
	  "this number and this SIM do not belong together, or may not register now")              \
	X(TOKEN_USED, "this attestation was presented before")                                     \
	X(OLD_COUNTER, "this attestation is older than one already seen: send a fresh challenge")  \
	X(TOKEN_REFUSED, "the attestation is not valid for this audience and challenge")           \
	X(DEADLINE, "the deadline passed before an answer was found")

enum verification_reason {
#define VERIFICATION_REASON_ENUM(name, text) REASON_##name,
	VERIFICATION_REASONS(VERIFICATION_REASON_ENUM)
#undef VERIFICATION_REASON_ENUM
};

enum verification_state {
	VERIFICATION_PENDING = 1,
	VERIFICATION_VERIFIED = 2,
	VERIFICATION_NOT_VERIFIED = 3,
	VERIFICATION_EXPIRED = 4,
};

enum registration_state {
	REGISTRATION_STANDS = 1,
	REGISTRATION_ENDED = 2,          /* by the messenger */
	REGISTRATION_ENDED_BY_EVENT = 3, /* with the contract */
	REGISTRATION_REPLACED = 4,       /* by a newer one of the same messenger */
	REGISTRATION_OF_EARLIER = 5,     /* of who had the number before: shown to nobody */
};

/* ---- Handlers, each in the file of its name ---- */

request_handler operator_verification_post; /* operator_verification.c */
/* What of it needs no transaction; NULL: the handler says why. */
struct prepared *operator_verification_prepare(struct work *work, const struct request *request);
request_handler operator_verification_get;
request_handler operator_registration_put; /* operator_registration.c */
request_handler operator_registration_delete;
request_handler operator_sim_swap_check; /* operator_sim_swap.c */
request_handler operator_sim_swap_date;
request_handler operator_me_challenge; /* operator_me.c */
request_handler operator_me_registrations;
request_handler operator_event_post;   /* operator_event.c */
request_handler operator_records_post; /* operator_records.c */
request_handler operator_status_get;   /* operator_status_list.c: why its cost is bounded */
request_handler operator_sealing_get;  /* operator_keys.c: the sealing certificate */

/* ---- What they share ---- */

/* Draws an index from the open status list, opening another when that one is half full. */
int operator_status_draw(struct work *work, int64_t *list, int64_t *index);
/* Outside a transaction: draws one that nobody has yet; *list is 0 when there is none to be had so.
 * Then, within one, takes it, unless somebody did or the list was closed (*taken). */
int operator_status_look(struct work *work, int64_t *list, int64_t *index);
int operator_status_take(struct work *work, int64_t list, int64_t index, bool *taken);
/* Sets a credential's bit; it shows from the next tick on. */
int operator_status_revoke(struct work *work, int64_t list, int64_t index);
/* Sets those of all credentials that a subscriber's verifications and registrations have. */
int operator_status_revoke_all(struct work *work, const struct vault_index *subscriber);
/* "BASE/v1/status/LIST". False: the base is too long. */
bool operator_status_uri(const struct operator_state *op, int64_t list,
			 char uri[static SIMTIE_STATUS_URI_MAX + 1]);
/* Opens the next list before draws begin to meet what is drawn. */
int operator_status_run(struct work *work, bool *more);
/* Makes the list that is asked for before the transaction; NULL: it need not, or cannot now. */
struct prepared *operator_status_prepare(struct work *work, const struct request *request);
struct operator_status_maker *operator_status_new(void);
void operator_status_free(struct operator_status_maker **maker);

/* Reads the six files into op: 0, or -1 with a sentence on standard error, op as before. */
int operator_keys_read(struct operator_state *op);
void operator_keys_free(struct operator_state *op);

/* Has pending verifications decided, oldest deadline first (operator_backlog.c). */
int operator_backlog_run(struct work *work, bool *more);
struct operator_backlog *operator_backlog_new(void);
void operator_backlog_free(struct operator_backlog **backlog);
/* Deletes what has outlived its time (operator_retention.c). */
int operator_retention_run(struct work *work, bool *more);
/* Its part of subscribers whose contract has ended (operator_ended.c), by a clock that is believed;
 * and all counters of one: for who cannot come back. */
int operator_ended_purge(struct work *work, bool *more);
int operator_ended_counters(struct work *work, const struct vault_index *subscriber);

/* Sends what is due from the outbox (operator_outbox.c). */
int operator_outbox_run(struct work *work, bool *more);
struct operator_outbox *operator_outbox_new(size_t messengers);
void operator_outbox_free(struct operator_outbox **outbox);

#endif
