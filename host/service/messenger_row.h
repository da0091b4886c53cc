/*
 * A registration as a row, and its states.
 *
 * Owns the row's columns, the form of what is sealed in it, its age, and the rule that a change
 * counts only when the row is still as its author saw it. Refuses to keep the registration's id,
 * which is its client's secret: rows are found by an HMAC of it.
 */
#ifndef SIMTIE_SERVICE_MESSENGER_ROW_H
#define SIMTIE_SERVICE_MESSENGER_ROW_H

#include "messenger.h"

enum messenger_state {
	MESSENGER_PENDING = 1,
	MESSENGER_REGISTERED = 2,
	MESSENGER_REFUSED = 3,
	MESSENGER_EXPIRED = 4,
	MESSENGER_REVERIFICATION_REQUIRED = 5,
};

/* What comes next. */
enum messenger_step {
	STEP_NONE = 0,
	STEP_ATTEST = 1,   /* the client has its challenge */
	STEP_ASK = 2,      /* the operator is to be asked */
	STEP_WAIT = 3,     /* it was, and has not decided */
	STEP_REPORT = 4,   /* it said yes: the identification code is to be reported */
	STEP_WITHDRAW = 5, /* too late: what may have been reported is to be taken back */
};

/* Why a registration is not, or no more, REGISTERED. Stored: a new one goes to the end. */
#define MESSENGER_REASONS(X)                                                                       \
	X(NONE, "")                                                                                \
	X(CHALLENGE_EXPIRED, "no attestation came while the challenge was good")                   \
	X(NO_ANSWER, "the operator gave no answer in time")                                        \
	X(NOT_CONFIRMED, "the operator does not confirm that number and SIM belong together")      \
	X(TOKEN_USED, "this attestation was presented before")                                     \
	X(OLD_COUNTER, "the SIM has signed since: take a fresh challenge")                         \
	X(TOKEN_REFUSED, "the operator refuses the attestation as it is")                          \
	X(REQUEST_REFUSED, "the operator refuses the request; a sealed number may not open")       \
	X(CREDENTIAL_REFUSED, "the operator's yes does not hold: its credential does not fit")     \
	X(CHANGED, "the SIM or the subscription changed in between: take a fresh challenge")       \
	X(TERMINATED, "the contract ended")                                                        \
	X(PORTED_OUT, "the number went to another operator")                                       \
	X(SIM_SWAPPED, "the number has another SIM")                                               \
	X(SUSPENDED, "the subscription or the SIM is suspended")                                   \
	X(REVOKED, "the operator vouches for it no more, as its status list says")

enum messenger_reason {
#define MESSENGER_REASON_ENUM(name, text) MESSENGER_REASON_##name,
	MESSENGER_REASONS(MESSENGER_REASON_ENUM) MESSENGER_REASON_COUNT
#undef MESSENGER_REASON_ENUM
};

const char *messenger_state_name(enum messenger_state state);
const char *messenger_reason_code(enum messenger_reason reason);
const char *messenger_reason_text(enum messenger_reason reason);
/* By an operator's code; REQUEST_REFUSED for one that is not known. */
enum messenger_reason messenger_reason_read(const char *code);

#define MESSENGER_ID_SIZE     16 /* random bytes: the client's secret */
#define MESSENGER_NONCE_SIZE  32
#define MESSENGER_DIGEST_SIZE 32
#define MESSENGER_SIM_SIZE    16
#define MESSENGER_CODE_SIZE   23 /* 16 random bytes as base64url, and the terminator */

/* What is sealed in a row, each while it is needed; the caller's to wipe. */
struct messenger_secret {
	char number[SIMTIE_NUMBER_SIZE]; /* "": it comes sealed */
	size_t nonce_len, thumbprint_len, sealed_len, token_len, credential_len; /* 0: none */
	uint8_t nonce[MESSENGER_NONCE_SIZE];
	uint8_t thumbprint[SIMTIE_THUMBPRINT_SIZE];
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX];
	uint8_t token[SIMTIE_TOKEN_MAX];
	uint8_t credential[SIMTIE_CREDENTIAL_MAX];
	char code[MESSENGER_CODE_SIZE]; /* "": none yet */
};

struct messenger_row {
	struct vault_index key;
	enum messenger_state state;
	enum messenger_step step;
	enum messenger_reason reason;
	struct clock_moment from;                    /* what the step's deadline counts from */
	int64_t changed_at;                          /* wall ms: since when it has its state */
	char to[SIMTIE_AUDIENCE_MAX + 1];            /* the operator */
	char verification[SIMTIE_NOTICE_ID_MAX + 1]; /* "": none yet */
	bool has_digest;
	uint8_t digest[MESSENGER_DIGEST_SIZE];
	bool has_sim;
	uint8_t sim[MESSENGER_SIM_SIZE]; /* stands for the service key: which SIM it was */
	char status_uri[SIMTIE_STATUS_URI_MAX + 1]; /* "" unless it stands, or is reported */
	int64_t status_index;
	unsigned attempts;
	int64_t due_at; /* wall ms; 0: never */
	struct messenger_secret secret;
};

/* The row's key by the registration's id as text. False: it is none, or the library failed. */
bool messenger_row_key(const struct vault *vault, const char *id, struct vault_index *key);

int messenger_row_insert(struct work *work, const struct messenger_row *row);

/* *found. An error of db.h; DB_ERR_DAMAGED when it does not open. */
int messenger_row_find(struct work *work, const struct vault_index *key, struct messenger_row *row,
		       bool *found);
int messenger_row_find_verification(struct work *work, const char *operator_name,
				    const char *verification, struct messenger_row *row,
				    bool *found);

/* One that this SIM made and that stands, or may stand already for the operator while its
 * acknowledgement is under way. */
int messenger_row_find_standing(struct work *work, const uint8_t sim[static MESSENGER_SIM_SIZE],
				struct messenger_row *row, bool *found);

/* Takes up to `room` rows that are due; until `lease_ms` have passed nobody else gets them. One
 * that does not open is in STEP_NONE. */
int messenger_row_claim(struct work *work, unsigned lease_ms, struct messenger_row *rows,
			size_t room, size_t *count);

/* Where a row stands. */
struct messenger_at {
	enum messenger_state state;
	enum messenger_step step;
};
static inline struct messenger_at messenger_row_at(const struct messenger_row *row)
{
	return (struct messenger_at){row->state, row->step};
}

/* Writes what `row` has become since it stood at `before`. *changed: false when the stored one does
 * not stand there any more: then nothing was written. */
int messenger_row_update(struct work *work, const struct messenger_row *row,
			 struct messenger_at before, bool *changed);

/* When the step's deadline passes, in milliseconds from now; 0: it has, by the clock that does not
 * jump. */
int64_t messenger_row_left(const struct messenger *messenger, const struct messenger_row *row);

/* What a row becomes when its deadline has passed. */
void messenger_row_expire(struct messenger_row *row);

/* Wipes what was needed on the way alone: number, sealed number, attestation, nonce. */
void messenger_row_forget(struct messenger_row *row);

/* Another state, for this reason, nothing to come; what is not needed any more is wiped. */
void messenger_row_settle(struct messenger_row *row, enum messenger_state state,
			  enum messenger_reason reason);

#endif
