/*
 * Subscribers whose contract has ended: deleted subscriber_days later, and not before the last of
 * their registrations is gone. Verifications do not keep them: those that found no number look like
 * theirs, and come as often as somebody asks.
 *
 * Their counters go with them, and those of the cards that they had. No token counts again for it:
 * the number is nobody's, then somebody's with another card, and the card is nobody's for ever.
 * What says so is its row in the stock, which stays, and has neither number nor chain code: a card
 * that was once given away is given to nobody else, nor to her again.
 */
#include "audit.h"
#include "operator.h"
#include "purge.h"

#define ROWS     100     /* in one transaction */
#define LATER_MS 3600000 /* after what she waits for */

int operator_ended_counters(struct work *work, const struct vault_index *subscriber)
{
	static const char counters[] = "DELETE FROM counters WHERE hi = $1 AND lo = $2";
	static const char attestations[] = "DELETE FROM attestations WHERE hi = $1 AND lo = $2";
	const struct db_value hi = db_int(subscriber->hi), lo = db_int(subscriber->lo);
	const int result = db_run(work->db, counters, DB_VALUES(hi, lo), NULL);

	return result ? result : db_run(work->db, attestations, DB_VALUES(hi, lo), NULL);
}

/* Her registrations, and when the last of them goes. */
static int rest_of(struct work *work, const struct vault_index *subscriber, int64_t *count,
		   int64_t *last_at)
{
	static const char look[] = "SELECT COUNT(*), MAX(purge_at) FROM registrations"
				   " WHERE hi = $1 AND lo = $2";
	int result =
		db_query(work->db, look, DB_VALUES(db_int(subscriber->hi), db_int(subscriber->lo)));

	if (result == DB_OK)
		result = db_next(work->db);
	if (result != DB_ROW)
		return result == DB_OK ? DB_ERR_DAMAGED : result;
	*count = db_column_int(work->db, 0);
	*last_at = db_column_int(work->db, 1);
	db_end(work->db);
	return DB_OK;
}

static int delete (struct work *work, const struct vault_index *subscriber)
{
	static const char row[] = "DELETE FROM subscribers WHERE hi = $1 AND lo = $2";
	const struct audit_line line = {
		.actor = "operator",
		.action = AUDIT_SUBSCRIBER_DELETED,
		.subscriber = subscriber,
	};
	int result = operator_ended_counters(work, subscriber);

	if (result == DB_OK)
		result = audit_write(work->db, work->service->vault, work->chain, &line);
	if (result == DB_OK)
		result = db_run(work->db, row,
				DB_VALUES(db_int(subscriber->hi), db_int(subscriber->lo)), NULL);
	if (result == DB_OK)
		metrics_count(work->service->metrics, "purged", "table=\"subscribers\"", 1);
	return result;
}

/* Deletes one, or puts it off. */
static int look_at(struct work *work, const struct vault_index *subscriber, int64_t now)
{
	static const char later[] =
		"UPDATE subscribers SET purge_at = $3 WHERE hi = $1 AND lo = $2";
	int64_t count, last_at;
	int result = rest_of(work, subscriber, &count, &last_at);

	if (result != DB_OK)
		return result;
	if (count > 0)
		return db_run(work->db, later,
			      DB_VALUES(db_int(subscriber->hi), db_int(subscriber->lo),
					db_int((last_at > now ? last_at : now) + LATER_MS)),
			      NULL);
	return delete (work, subscriber);
}

int operator_ended_purge(struct work *work, bool *more)
{
	/* Held: one that an import makes anew meanwhile is passed over. */
	static const char due[] = "SELECT hi, lo FROM subscribers WHERE purge_at <= $1"
				  " ORDER BY purge_at LIMIT $2 FOR UPDATE SKIP LOCKED";
	const int64_t now = clock_wall_ms();
	struct vault_index found[ROWS];
	size_t count = 0;
	int result = db_query(work->db, due, DB_VALUES(db_int(now), db_int(ROWS)));

	if (result == DB_OK)
		result = db_next(work->db);
	for (; result == DB_ROW && count < ROWS; result = db_next(work->db)) {
		found[count].hi = db_column_int(work->db, 0);
		found[count++].lo = db_column_int(work->db, 1);
	}
	db_end(work->db);
	if (result == DB_ROW)
		result = DB_OK;
	for (size_t i = 0; result == DB_OK && i < count; i++)
		result = look_at(work, &found[i], now);
	*more = count == ROWS;
	return result;
}
