/*
 * The talk with an operator, without a network: what a row wants to be sent, and what an answer
 * makes of it.
 *
 * Owns the operator's API as its client sees it, the pauses between tries, and the check of a yes.
 * Refuses to believe a yes whose credential does not fit the attestation.
 */
#ifndef SIMTIE_SERVICE_MESSENGER_ASK_H
#define SIMTIE_SERVICE_MESSENGER_ASK_H

#include "messenger_row.h"

#define MESSENGER_URL_MAX 320

struct messenger_question {
	const char *method;
	char url[MESSENGER_URL_MAX];
	char *body;           /* JSON, malloc()ed; NULL: none. messenger_question_free() */
	char idempotency[65]; /* or "" */
};

/* For a row in STEP_ASK to STEP_WITHDRAW. False: out of memory. */
bool messenger_question_make(const struct vault *vault, const struct messenger_operator *to,
			     const struct messenger_row *row, struct messenger_question *question);
void messenger_question_free(struct messenger_question *question); /* wipes */

/* What an answer makes of a row, in memory. `status` is HTTP's; 0: there was none. Returns whether
 * the operator did its part: false counts as a try that failed. */
bool messenger_answer(const struct messenger *messenger, const struct messenger_operator *to,
		      struct messenger_row *row, int status, struct bytes body);

#endif
