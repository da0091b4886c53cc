/*
 * How many challenges wait for an answer.
 *
 * Clients are nobody in particular: each challenge is a row that somebody without a certificate
 * wrote. A count taken every second, and what this daemon adds in between, bounds them; the bound
 * may be passed by what a second's requests of all daemons add.
 */
#include "messenger.h"

int messenger_challenge_run(struct work *work, bool *more)
{
	static const char count[] =
		"SELECT COUNT(*) FROM (SELECT 1 FROM registrations WHERE digest IS NULL LIMIT $1)"
		" AS unanswered";
	struct messenger *messenger = messenger_of(work);
	int result = db_query(work->db, count, DB_VALUES(db_int(messenger->challenges_max)));

	*more = false;
	if (result == DB_OK)
		result = db_next(work->db);
	if (result != DB_ROW)
		return result;
	atomic_store(&messenger->challenges, (long)db_column_int(work->db, 0));
	metrics_gauge(work->service->metrics, "challenges", "", db_column_int(work->db, 0));
	db_end(work->db);
	return DB_OK;
}

bool messenger_challenge_may(struct messenger *messenger)
{
	return atomic_fetch_add(&messenger->challenges, 1) < messenger->challenges_max;
}
