/*
 * Deletes what has outlived its time: registrations that came to nothing or have ended, challenges
 * that nobody answered, notices that no operator sends any more. A little at a time.
 */
#include "messenger.h"

#define ROWS           500 /* of one transaction and table */
#define DAY_MS         86400000LL
#define UNANSWERED_MS  3600000LL
#define NOTICE_KEEP_MS (7 * DAY_MS) /* well over SIMTIE_NOTICE_AGE_MAX */

int messenger_retention_run(struct work *work, bool *more)
{
	static const char ended[] =
		"DELETE FROM registrations WHERE (hi, lo) IN (SELECT hi, lo FROM registrations"
		" WHERE state > 2 AND step = 0 AND changed_at <= $1 LIMIT 500)";
	static const char unanswered[] =
		"DELETE FROM registrations WHERE (hi, lo) IN (SELECT hi, lo FROM registrations"
		" WHERE state > 2 AND digest IS NULL AND changed_at <= $1 LIMIT 500)";
	static const char notices[] =
		"DELETE FROM notices WHERE (operator, id) IN (SELECT operator, id FROM notices"
		" WHERE received_at <= $1 LIMIT 500)";
	const int64_t now = clock_wall_ms();
	const struct {
		const char *sql;
		int64_t before;
		const char *labels;
	} purges[] = {
		{ended, now - messenger_of(work)->retention_days * DAY_MS,
		 "table=\"registrations\""},
		{unanswered, now - UNANSWERED_MS, "table=\"registrations\""},
		{notices, now - NOTICE_KEEP_MS, "table=\"notices\""},
	};

	*more = false;
	for (size_t i = 0; i < sizeof(purges) / sizeof(purges[0]); i++) {
		int64_t gone = 0;
		int result =
			db_run(work->db, purges[i].sql, DB_VALUES(db_int(purges[i].before)), &gone);

		if (result)
			return result;
		*more |= gone == ROWS;
		metrics_count(work->service->metrics, "purged", purges[i].labels, (uint64_t)gone);
	}
	return DB_OK;
}
