/*
 * The states of a registration: their names, their ends, and how long a step may take.
 */
#include "messenger_row.h"

#include <string.h>

#define DAY_MS 86400000LL

const char *messenger_state_name(enum messenger_state state)
{
	switch (state) {
	case MESSENGER_PENDING:
		return "PENDING";
	case MESSENGER_REGISTERED:
		return "REGISTERED";
	case MESSENGER_REFUSED:
		return "REFUSED";
	case MESSENGER_EXPIRED:
		return "EXPIRED";
	case MESSENGER_REVERIFICATION_REQUIRED:
		break;
	}
	return "REVERIFICATION_REQUIRED";
}

static const char *const codes[] = {
#define MESSENGER_REASON_CODE(name, text) #name,
	MESSENGER_REASONS(MESSENGER_REASON_CODE)
#undef MESSENGER_REASON_CODE
};

const char *messenger_reason_code(enum messenger_reason reason)
{
	return codes[reason];
}

const char *messenger_reason_text(enum messenger_reason reason)
{
	static const char *const texts[] = {
#define MESSENGER_REASON_TEXT(name, text) text,
		MESSENGER_REASONS(MESSENGER_REASON_TEXT)
#undef MESSENGER_REASON_TEXT
	};

	return texts[reason];
}

enum messenger_reason messenger_reason_read(const char *code)
{
	for (int i = 1; code && i < MESSENGER_REASON_COUNT; i++) {
		if (strcmp(codes[i], code) == 0)
			return (enum messenger_reason)i;
	}
	return MESSENGER_REASON_REQUEST_REFUSED;
}

int64_t messenger_row_left(const struct messenger *messenger, const struct messenger_row *row)
{
	int64_t allowed = 0, left;

	switch (row->step) {
	case STEP_NONE:
		break;
	case STEP_ATTEST:
		allowed = messenger->challenge_s * 1000LL;
		break;
	case STEP_ASK:
	case STEP_WAIT:
	case STEP_REPORT:
		allowed = messenger->deadline_s * 1000LL;
		break;
	case STEP_WITHDRAW:
		allowed = messenger->deadline_s * 1000LL + DAY_MS;
		break;
	}
	left = allowed - clock_since(&row->from);
	return left > 0 ? left : 0;
}

void messenger_row_forget(struct messenger_row *row)
{
	struct messenger_secret *secret = &row->secret;

	bytes_wipe(secret->number, sizeof(secret->number));
	bytes_wipe(secret->sealed, sizeof(secret->sealed));
	bytes_wipe(secret->token, sizeof(secret->token));
	bytes_wipe(secret->nonce, sizeof(secret->nonce));
	secret->sealed_len = secret->token_len = secret->nonce_len = 0;
}

void messenger_row_settle(struct messenger_row *row, enum messenger_state state,
			  enum messenger_reason reason)
{
	if (state != row->state)
		row->changed_at = clock_wall_ms();
	row->state = state;
	row->reason = reason;
	row->step = STEP_NONE;
	row->due_at = 0;
	row->attempts = 0;
	/* Code and credential are the registration itself; the rest was the way to it. */
	messenger_row_forget(row);
	if (state != MESSENGER_REGISTERED) {
		bytes_wipe(&row->secret, sizeof(row->secret));
		row->status_uri[0] = '\0';
	}
}

void messenger_row_expire(struct messenger_row *row)
{
	const bool reported = row->step == STEP_REPORT;

	if (row->step == STEP_WITHDRAW)
		messenger_row_settle(row, row->state, row->reason);
	else
		messenger_row_settle(row, MESSENGER_EXPIRED,
				     row->step == STEP_ATTEST ? MESSENGER_REASON_CHALLENGE_EXPIRED
							      : MESSENGER_REASON_NO_ANSWER);
	if (reported) {
		row->step = STEP_WITHDRAW;
		row->due_at = clock_wall_ms();
	}
}
