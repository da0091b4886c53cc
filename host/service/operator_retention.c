/*
 * Deletes what has outlived its time: decided verifications, ended registrations, notices that were
 * delivered or given up, counter values too old to tell of a clone, subscribers whose contract
 * ended (operator_ended.c). A little at a time, so that nobody waits for it.
 *
 * An event revokes the credentials that a verification or a registration names. A credential whose
 * verification goes, and that was never registered, no event would find again: it is revoked then.
 */
#include "operator.h"
#include "purge.h"

/* The last credential of a list ends with its day: one more, to be sure. */
#define LIST_OVER "full_at + (credential_days + 1) * 86400000 <= $1"

#define KEEP_MS 604800000LL /* a week: how long a notice that is done with can be looked at */

int operator_retention_run(struct work *work, bool *more)
{
	static const char unregistered[] =
		"UPDATE status_entries SET revoked_at = $1 WHERE revoked_at IS NULL"
		" AND (list, idx) IN (SELECT v.status_list, v.status_index FROM"
		" (SELECT hi, id, state, status_list, status_index FROM verifications"
		" WHERE purge_at <= $1 AND state <> 1 ORDER BY purge_at, hi, id LIMIT 500) v"
		" WHERE v.state = 2 AND NOT EXISTS (SELECT 1 FROM registrations r"
		" WHERE r.hi = v.hi AND r.id = v.id))";
	/* In the same order, so that none goes whose credential was not looked at. */
	static const char verifications[] =
		"DELETE FROM verifications WHERE (hi, id) IN (SELECT hi, id FROM verifications"
		" WHERE purge_at <= $1 AND state <> 1 ORDER BY purge_at, hi, id LIMIT 500)";
	static const char registrations[] =
		"DELETE FROM registrations WHERE (hi, id) IN (SELECT hi, id FROM registrations"
		" WHERE purge_at IS NOT NULL AND purge_at <= $1 LIMIT 500)";
	static const char notices[] =
		"DELETE FROM outbox WHERE (hi, id) IN (SELECT hi, id FROM outbox"
		" WHERE state <> 1 AND created_at <= $1 LIMIT 500)";
	static const char attestations[] =
		"DELETE FROM attestations WHERE (hi, lo, card, counter) IN"
		" (SELECT hi, lo, card, counter FROM attestations WHERE at <= $1 LIMIT 500)";
	static const char entries[] =
		"DELETE FROM status_entries WHERE (list, idx) IN"
		" (SELECT list, idx FROM status_entries WHERE list IN"
		" (SELECT list FROM status_lists WHERE " LIST_OVER ") LIMIT 500)";
	static const char lists[] =
		"DELETE FROM status_lists WHERE list IN"
		" (SELECT list FROM status_lists WHERE " LIST_OVER " AND NOT EXISTS"
		" (SELECT 1 FROM status_entries e WHERE e.list = status_lists.list) LIMIT 500)";
	static const char tokens[] =
		"DELETE FROM status_tokens WHERE list IN"
		" (SELECT list FROM status_tokens WHERE tick_at <= $1 LIMIT 500)";
	const struct operator_state *op = work->service->state;
	const int64_t now = clock_wall_ms();
	const struct purge purges[] = {
		{unregistered, now, NULL},
		{verifications, now, "table=\"verifications\""},
		{registrations, now, "table=\"registrations\""},
		{notices, now - KEEP_MS, "table=\"outbox\""},
		{attestations, now - op->clone_days * PURGE_DAY_MS, "table=\"attestations\""},
		{entries, now, "table=\"status_entries\""},
		{lists, now, "table=\"status_lists\""},
		{tokens, now - PURGE_DAY_MS, "table=\"status_tokens\""},
	};
	bool believed, more_ended = false;
	int result = purge_clock(work, &believed);

	*more = false;
	if (result == DB_OK && believed)
		result = purge_rows(work, purges, sizeof(purges) / sizeof(purges[0]), more);
	if (result == DB_OK && believed)
		result = operator_ended_purge(work, &more_ended);
	*more |= more_ended;
	return result;
}
