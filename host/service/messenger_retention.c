/*
 * Deletes what has outlived its time: registrations that came to nothing or have ended, challenges
 * that nobody answered, notices that no operator sends any more. A little at a time.
 */
#include "messenger.h"
#include "purge.h"

#define UNANSWERED_MS  300000LL           /* after its end; a client that asks is told so */
#define NOTICE_KEEP_MS (7 * PURGE_DAY_MS) /* well over SIMTIE_NOTICE_AGE_MAX */

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
	const struct purge purges[] = {
		{ended, now - messenger_of(work)->retention_days * PURGE_DAY_MS,
		 "table=\"registrations\""},
		{unanswered, now - UNANSWERED_MS, "table=\"registrations\""},
		{notices, now - NOTICE_KEEP_MS, "table=\"notices\""},
	};

	return purge_run(work, purges, sizeof(purges) / sizeof(purges[0]), more);
}
