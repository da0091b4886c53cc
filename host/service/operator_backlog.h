/*
 * One round of the backlog: some pending verifications, in order, in one transaction.
 *
 * Owns the rows that a round took, and how far the pass over all of them has come. A round is a job
 * of the engine's: what costs time is done ahead of its transaction, and what it came to is told
 * after the commit. Refuses to wait: for a row that another daemon holds, for a subscriber that a
 * request is about, for a row that does not open.
 */
#ifndef SIMTIE_SERVICE_OPERATOR_BACKLOG_H
#define SIMTIE_SERVICE_OPERATOR_BACKLOG_H

#include "operator.h"

struct backlog_round;

/* As many rows as the settings say. NULL: out of memory. One at a time of a struct
 * operator_backlog. */
struct backlog_round *operator_backlog_round(struct service *service);

/* Once, or not at all, before the transaction: see operator_decide_ahead(). `work` is in a
 * transaction that only reads, and in none afterwards. */
void operator_backlog_ahead(struct work *work, struct backlog_round *round);

/* Decides, within the transaction; again from the start when that was rolled back. An error of
 * db.h. */
int operator_backlog_decide(struct work *work, struct backlog_round *round);

/* After the commit, or after `result` undid it: counts, and frees. True: there is more to do. */
bool operator_backlog_end(struct backlog_round **round, int result);

#endif
