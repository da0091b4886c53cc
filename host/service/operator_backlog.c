/*
 * The backlog: what was accepted and not decided, oldest deadline first, by any number of daemons.
 *
 * A row is held from when it is taken until the decision is committed; others pass over it. Nor
 * does the backlog wait for a subscriber whose row a request holds: it passes over her and comes
 * back, so that nobody waits in a circle and one busy subscriber stops no other.
 */
#include "operator_verification.h"

#include <stdlib.h>

static int exists(struct db *db, const char *sql, const struct vault_index *subscriber, bool *is)
{
	int result = db_query(db, sql, DB_VALUES(db_int(subscriber->hi), db_int(subscriber->lo)));

	if (result == DB_OK)
		result = db_next(db);
	*is = result == DB_ROW;
	db_end(db);
	return result == DB_ROW ? DB_OK : result;
}

/* Holds the subscriber's row, unless another does. *busy. An unknown number is free. */
static int hold(struct work *work, const struct vault_index *subscriber, bool *busy)
{
	static const char take[] = "SELECT 1 FROM subscribers WHERE hi = $1 AND lo = $2"
				   " FOR UPDATE SKIP LOCKED";
	static const char look[] = "SELECT 1 FROM subscribers WHERE hi = $1 AND lo = $2";
	bool taken;
	int result;

	*busy = false;
	if (db_engine(work->db) == DB_SQLITE) /* this transaction is the only writer */
		return DB_OK;
	result = exists(work->db, take, subscriber, &taken);
	if (result != DB_OK || taken)
		return result;
	return exists(work->db, look, subscriber, busy);
}

/* *decided: false when it was passed over. */
static int decide(struct work *work, struct row *row, bool *decided)
{
	const struct decide_request request = {
		.audience = row->request.audience,
		.number = row->request.number,
		.nonce = bytes_of(row->request.nonce, row->request.nonce_len),
		.token = bytes_of(row->request.token, row->request.token_len),
	};
	bool busy;
	int result;

	*decided = false;
	if (operator_row_late(row)) {
		operator_row_expire(row);
	} else {
		if (row->request.token_len == 0) /* it does not open: until its deadline */
			return DB_OK;
		result = hold(work, &row->subscriber, &busy);
		if (result != DB_OK || busy)
			return result;
		result = operator_decide(work, &request, NULL, &row->decision);
		/* Her row does not open. Nothing was written; the others need not wait. */
		if (result == DB_ERR_DAMAGED && row->decision.reason == REASON_NONE)
			return DB_OK;
		if (result != DB_OK)
			return result;
	}
	result = operator_row_decide(work, row, decided);
	if (result == DB_OK && *decided)
		metrics_count(work->service->metrics, "verifications",
			      operator_verification_outcome(&row->decision), 1);
	return result;
}

int operator_backlog_run(struct work *work, bool *more)
{
	const size_t room = (size_t)operator_of(work)->backlog_batch;
	struct row *rows;
	size_t count = 0, decisions = 0;
	bool decided, cloned = false;
	int result;

	*more = false;
	if (room == 0)
		return DB_OK;
	rows = malloc(room * sizeof(*rows));
	if (!rows)
		return DB_ERR_MEMORY;
	result = operator_row_take(work, rows, room, &count);
	metrics_gauge(work->service->metrics, "backlog_age_ms", "",
		      result == DB_OK && count > 0 ? clock_since(&rows[0].accepted) : 0);
	for (size_t i = 0; result == DB_OK && i < count; i++) {
		result = decide(work, &rows[i], &decided);
		decisions += decided;
		cloned |= rows[i].decision.cloned;
	}
	*more = result == DB_OK && count == room && decisions > 0;
	if (result == DB_OK && cloned)
		engine_wake(work->service->engine, "outbox");
	bytes_wipe(rows, count * sizeof(*rows));
	free(rows);
	return result;
}
