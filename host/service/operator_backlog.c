/*
 * The backlog: what was accepted and not decided, oldest deadline first, by any number of daemons.
 *
 * A row is held from when it is taken until the decision is committed; others pass over it. Nor
 * does the backlog wait for a subscriber whose row a request holds, or for one of hers that does
 * not open: it passes over them, so that nobody waits in a circle and no subscriber stops another.
 *
 * Round by round it goes on behind what it passed over, to the end of what is pending; then it
 * begins at the front again. That is a pass. Where the end does not come, because as much comes in
 * as is decided, a pass is over when it has decided more than it passed over.
 */
#include "operator_backlog.h"

#include "operator_verification.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pass that meets no end has at least so many rounds' worth of decisions. */
#define PASS_ROUNDS 10

struct operator_backlog {
	atomic_bool under_way;
	/* Of the pass; one round at a time touches them. */
	struct row_mark after;
	uint64_t decided, passed, unopened;
	bool said; /* that some do not open */
};

enum fate { FATE_PASSED, FATE_UNOPENED, FATE_DECIDED };

struct ahead {
	uint8_t id[VAULT_ID_SIZE];
	struct decide_ahead decide;
};

struct backlog_round {
	struct job job; /* first: the engine knows no more of it */
	struct service *service;
	size_t room, count, ahead_count;
	struct ahead *ahead; /* NULL: nothing was done ahead */
	int64_t age_ms;      /* of the first */
	enum fate *fates;
	struct row rows[];
};

static struct operator_backlog *backlog_of(const struct backlog_round *round)
{
	return ((struct operator_state *)round->service->state)->backlog;
}

static struct decide_request request_of(const struct row *row)
{
	return (struct decide_request){
		.audience = row->request.audience,
		.number = row->request.number,
		.nonce = bytes_of(row->request.nonce, row->request.nonce_len),
		.token = bytes_of(row->request.token, row->request.token_len),
	};
}

static bool opens(const struct row *row)
{
	return row->request.token_len > 0;
}

/* ---- Ahead ---- */

static bool decide_ahead(struct work *work, const struct row *row, struct ahead *ahead)
{
	const struct decide_request request = request_of(row);
	bool known;

	if (!opens(row) || operator_row_late(row) ||
	    operator_decide_token(operator_of(work), &request) != SIMTIE_ACCEPTED ||
	    db_begin_read(work->db) != DB_OK)
		return false;
	known = operator_decide_ahead(work, &request, &ahead->decide);
	db_rollback(work->db);
	memcpy(ahead->id, row->id, sizeof(ahead->id));
	return known;
}

void operator_backlog_ahead(struct work *work, struct backlog_round *round)
{
	const int result = operator_row_take(work, &backlog_of(round)->after, round->rows,
					     round->room, &round->count);

	db_rollback(work->db);
	if (result == DB_OK && round->count > 0)
		round->ahead = malloc(round->count * sizeof(*round->ahead));
	for (size_t i = 0; round->ahead && i < round->count; i++)
		round->ahead_count +=
			decide_ahead(work, &round->rows[i], &round->ahead[round->ahead_count]);
}

/* What was done ahead for a row; NULL: nothing. */
static const struct decide_ahead *ahead_of(const struct backlog_round *round, const struct row *row)
{
	for (size_t i = 0; i < round->ahead_count; i++)
		if (memcmp(round->ahead[i].id, row->id, sizeof(row->id)) == 0)
			return &round->ahead[i].decide;
	return NULL;
}

/* ---- Within the transaction ---- */

static int exists(struct db *db, const char *sql, const struct vault_index *subscriber, bool *is)
{
	int result = db_query(db, sql, DB_VALUES(db_int(subscriber->hi), db_int(subscriber->lo)));

	if (result == DB_OK)
		result = db_next(db);
	*is = result == DB_ROW;
	db_end(db);
	return result == DB_ROW ? DB_OK : result;
}

/* Holds the subscriber's row, unless another does, or has the one of hers that comes first. *busy.
 * An unknown number is free. */
static int hold(struct work *work, const struct row *row, bool *busy)
{
	static const char take[] = "SELECT 1 FROM subscribers WHERE hi = $1 AND lo = $2"
				   " FOR UPDATE SKIP LOCKED";
	static const char look[] = "SELECT 1 FROM subscribers WHERE hi = $1 AND lo = $2";
	bool taken;
	int result;

	*busy = false;
	if (db_engine(work->db) == DB_SQLITE) /* this transaction is the only writer */
		return DB_OK;
	result = exists(work->db, take, &row->subscriber, &taken);
	if (result == DB_OK && taken)
		return operator_row_earlier(work, row, busy);
	return result == DB_OK ? exists(work->db, look, &row->subscriber, busy) : result;
}

static int decide(struct work *work, const struct decide_ahead *ahead, struct row *row,
		  enum fate *fate)
{
	const struct decide_request request = request_of(row);
	bool busy, decided;
	int result;

	*fate = FATE_PASSED;
	if (operator_row_late(row)) {
		operator_row_expire(row);
	} else {
		*fate = FATE_UNOPENED;
		if (!opens(row)) /* until its deadline */
			return DB_OK;
		result = hold(work, row, &busy);
		if (result != DB_OK || busy) {
			*fate = FATE_PASSED;
			return result;
		}
		result = operator_decide(work, &request, ahead, &row->decision);
		/* Her row does not open. Nothing was written; the others need not wait. */
		if (result == DB_ERR_DAMAGED && row->decision.reason == REASON_NONE)
			return DB_OK;
		if (result != DB_OK)
			return result;
	}
	result = operator_row_decide(work, row, &decided);
	*fate = decided ? FATE_DECIDED : FATE_PASSED;
	return result;
}

int operator_backlog_decide(struct work *work, struct backlog_round *round)
{
	int result = operator_row_take(work, &backlog_of(round)->after, round->rows, round->room,
				       &round->count);

	round->age_ms =
		result == DB_OK && round->count > 0 ? clock_since(&round->rows[0].accepted) : 0;
	for (size_t i = 0; result == DB_OK && i < round->count; i++)
		result = decide(work, ahead_of(round, &round->rows[i]), &round->rows[i],
				&round->fates[i]);
	return result;
}

/* ---- After it ---- */

/* What the round did, into the pass; *cloned: somebody is to be told of it. */
static void count(struct backlog_round *round, uint64_t *passed, bool *cloned)
{
	struct operator_backlog *backlog = backlog_of(round);

	for (size_t i = 0; i < round->count; i++) {
		const struct decision *decision = &round->rows[i].decision;

		if (round->fates[i] == FATE_DECIDED) {
			backlog->decided++;
			*cloned |= decision->cloned;
			metrics_count(round->service->metrics, "verifications",
				      operator_verification_outcome(decision), 1);
			continue;
		}
		++*passed;
		backlog->unopened += round->fates[i] == FATE_UNOPENED;
	}
	backlog->passed += *passed;
}

static void pass_ends(struct operator_backlog *backlog, struct metrics *metrics)
{
	metrics_gauge(metrics, "backlog_unopened", "", (int64_t)backlog->unopened);
	if (backlog->unopened > 0 && !backlog->said)
		fprintf(stderr,
			"simtied: pending verifications that do not open: %llu. Is their key in "
			"the key file? They are passed over, and expire at their deadlines\n",
			(unsigned long long)backlog->unopened);
	backlog->said = backlog->unopened > 0;
	backlog->after = ROW_MARK_START;
	backlog->decided = backlog->passed = backlog->unopened = 0;
}

/* Whether there is more to do at once. */
static bool go_on(struct backlog_round *round)
{
	struct operator_backlog *backlog = backlog_of(round);
	const struct row *last = &round->rows[round->count - 1];
	uint64_t passed = 0;
	bool cloned = false;

	count(round, &passed, &cloned);
	if (cloned)
		engine_wake(round->service->engine, "outbox");
	if (round->count < round->room) {
		pass_ends(backlog, round->service->metrics);
		return false;
	}
	if (backlog->decided > backlog->passed + PASS_ROUNDS * round->room) {
		pass_ends(backlog, round->service->metrics);
	} else if (passed > 0) {
		backlog->after.order_at = last->order_at;
		memcpy(backlog->after.id, last->id, sizeof(last->id));
	}
	return true;
}

bool operator_backlog_end(struct backlog_round **end, int result)
{
	struct backlog_round *round = *end;
	const bool more = result == DB_OK && go_on(round);

	*end = NULL;
	metrics_gauge(round->service->metrics, "backlog_age_ms", "",
		      result == DB_OK ? round->age_ms : 0);
	bytes_wipe(round->rows, round->room * sizeof(*round->rows));
	if (round->ahead)
		bytes_wipe(round->ahead, round->ahead_count * sizeof(*round->ahead));
	free(round->ahead);
	free(round->fates);
	free(round);
	return more;
}

struct backlog_round *operator_backlog_round(struct service *service)
{
	const size_t room = (size_t)((const struct operator_state *)service->state)->backlog_batch;
	struct backlog_round *round = calloc(1, sizeof(*round) + room * sizeof(round->rows[0]));

	if (!round)
		return NULL;
	round->service = service;
	round->room = room;
	round->fates = calloc(room, sizeof(*round->fates));
	if (round->fates)
		return round;
	free(round);
	return NULL;
}

/* ---- As a job ---- */

static void prepare(struct work *work, struct job *job)
{
	operator_backlog_ahead(work, (struct backlog_round *)job);
}

static int run(struct work *work, struct job *job)
{
	return operator_backlog_decide(work, (struct backlog_round *)job);
}

static void done(struct job *job, int result)
{
	struct backlog_round *round = (struct backlog_round *)job;
	struct operator_backlog *backlog = backlog_of(round);
	struct engine *engine = round->service->engine;
	const bool more = operator_backlog_end(&round, result);

	atomic_store(&backlog->under_way, false);
	if (more)
		engine_wake(engine, "backlog");
}

static int any_pending(struct db *db, bool *is)
{
	static const char look[] = "SELECT 1 FROM verifications WHERE state = 1 LIMIT 1";
	int result = db_query(db, look, DB_NONE);

	if (result == DB_OK)
		result = db_next(db);
	*is = result == DB_ROW;
	db_end(db);
	return result == DB_ROW ? DB_OK : result;
}

int operator_backlog_run(struct work *work, bool *more)
{
	struct operator_state *op = operator_of(work);
	struct backlog_round *round;
	bool is;
	int result;

	*more = false;
	if (op->backlog_batch == 0 || atomic_load(&op->backlog->under_way))
		return DB_OK;
	result = any_pending(work->db, &is);
	if (result != DB_OK)
		return result;
	if (!is) {
		metrics_gauge(work->service->metrics, "backlog_age_ms", "", 0);
		pass_ends(op->backlog, work->service->metrics);
		return DB_OK;
	}
	round = operator_backlog_round(work->service);
	if (!round)
		return DB_ERR_MEMORY;
	round->job = (struct job){.prepare = prepare, .run = run, .done = done};
	atomic_store(&op->backlog->under_way, true);
	if (engine_submit(work->service->engine, &round->job))
		return DB_OK;
	atomic_store(&op->backlog->under_way, false);
	operator_backlog_end(&round, DB_ERR_BUSY); /* the queue is full: next time */
	return DB_OK;
}

struct operator_backlog *operator_backlog_new(void)
{
	struct operator_backlog *backlog = calloc(1, sizeof(*backlog));

	if (backlog)
		backlog->after = ROW_MARK_START;
	return backlog;
}

void operator_backlog_free(struct operator_backlog **backlog)
{
	free(*backlog);
	*backlog = NULL;
}
