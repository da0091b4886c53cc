/*
 * Whether the purge believes the wall clock: two moments in the store, for all daemons on it.
 */
#include "purge.h"

#include <stdio.h>
#include <string.h>

#define RENEW_MS 3600000LL /* how far back in one boot the believed moment may lie */

enum what { BELIEVED = 1, DOUBTED = 2 };

static int moment_read(struct db *db, enum what what, struct clock_moment *moment, bool *found)
{
	static const char look[] =
		"SELECT wall_at, boot, boot_ms FROM purge_clock WHERE what = $1 FOR UPDATE";
	struct bytes boot;
	int result = db_query(db, look, DB_VALUES(db_int(what)));

	if (result == DB_OK)
		result = db_next(db);
	*found = result == DB_ROW;
	if (!*found)
		return result;
	boot = db_column_bytes(db, 1);
	result = boot.len == CLOCK_BOOT_SIZE ? DB_OK : DB_ERR_DAMAGED;
	if (result == DB_OK) {
		moment->wall_ms = db_column_int(db, 0);
		memcpy(moment->boot, boot.ptr, CLOCK_BOOT_SIZE);
		moment->boot_ms = db_column_int(db, 2);
	}
	db_end(db);
	return result;
}

static int moment_write(struct db *db, enum what what, const struct clock_moment *moment)
{
	static const char upsert[] =
		"INSERT INTO purge_clock (what, wall_at, boot, boot_ms) VALUES ($1, $2, $3, $4)"
		" ON CONFLICT (what) DO UPDATE SET wall_at = excluded.wall_at,"
		" boot = excluded.boot, boot_ms = excluded.boot_ms";

	return db_run(db, upsert,
		      DB_VALUES(db_int(what), db_int(moment->wall_ms),
				db_bytes(bytes_of(moment->boot, CLOCK_BOOT_SIZE)),
				db_int(moment->boot_ms)),
		      NULL);
}

/* Believes it. The moment is written anew seldom: within a boot an old one says as much. */
static int believe(struct db *db, const struct clock_moment *last, const struct clock_moment *now)
{
	static const char end[] = "DELETE FROM purge_clock WHERE what = $1";
	int result = db_run(db, end, DB_VALUES(db_int(DOUBTED)), NULL);

	if (result == DB_OK &&
	    (!last || !clock_same_boot(last, now) || now->boot_ms - last->boot_ms >= RENEW_MS))
		result = moment_write(db, BELIEVED, now);
	return result;
}

/* It has leapt. *believed: and has gone on evenly for long enough since. */
static int doubt(struct db *db, const struct clock_moment *now, bool *believed)
{
	struct clock_moment since;
	int64_t gain;
	bool found;
	int result = moment_read(db, DOUBTED, &since, &found);

	*believed = false;
	if (result != DB_OK)
		return result;
	gain = found ? clock_gain(&since, now) : 0;
	if (!found || !clock_same_boot(&since, now) || gain > PURGE_LEAP_MS ||
	    gain < -PURGE_LEAP_MS) {
		fputs("simtied: the clock has leapt ahead: nothing is purged for a day; is it "
		      "right?\n",
		      stderr);
		return moment_write(db, DOUBTED, now);
	}
	*believed = now->boot_ms - since.boot_ms >= PURGE_DOUBT_MS;
	return *believed ? believe(db, NULL, now) : DB_OK;
}

int purge_clock(struct work *work, bool *believed)
{
	const struct clock_moment now = clock_now();
	struct clock_moment last;
	bool found;
	int result = moment_read(work->db, BELIEVED, &last, &found);

	*believed = true;
	if (result == DB_OK && found && clock_gain(&last, &now) > PURGE_LEAP_MS)
		result = doubt(work->db, &now, believed);
	else if (result == DB_OK)
		result = believe(work->db, found ? &last : NULL, &now);
	if (result == DB_OK)
		metrics_gauge(work->service->metrics, "purge_paused", "", !*believed);
	return result;
}
