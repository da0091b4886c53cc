/*
 * Deleting rows that have outlived their time, a little in each transaction.
 *
 * Owns the loop over a role's statements, the count of what went, and whether the wall clock may
 * be believed with what cannot be brought back. Refuses to know what is old.
 *
 * How old a row is the wall clock alone can say, and that may be wrong: set by hand, or at the
 * start of a machine without a battery. So the last moment that it was believed in is kept in the
 * store. When it has run ahead of the boot clock by more than PURGE_LEAP_MS since then, or at
 * another boot or on another machine by more than that at all, nothing is deleted until it has gone
 * on evenly for PURGE_DOUBT_MS of one boot, longer than a wrong clock should stay unnoticed. A
 * daemon whose clock goes on as before ends the doubt of another's: as long as one such runs, a
 * wrong one deletes nothing. After a true pause of more than PURGE_LEAP_MS rows stay a day longer
 * than they must.
 */
#ifndef SIMTIE_SERVICE_PURGE_H
#define SIMTIE_SERVICE_PURGE_H

#include "service.h"

#define PURGE_DAY_MS   86400000LL
#define PURGE_LEAP_MS  (PURGE_DAY_MS / 4)
#define PURGE_DOUBT_MS PURGE_DAY_MS

/* Rows that a statement deletes at most; it says so itself, by a LIMIT of this. */
#define PURGE_ROWS 500

struct purge {
	const char *sql;    /* a literal; $1 is `before` */
	int64_t before;     /* wall ms */
	const char *labels; /* of simtied_purged_total, a literal; NULL: it deletes none */
};

/* Runs each once, in this order, if the clock is believed. *more: one of them found as many as it
 * may delete. An error of db.h. */
int purge_run(struct work *work, const struct purge *purges, size_t count, bool *more);

/* For who deletes what takes more than a statement: whether the clock is believed, in the caller's
 * transaction (purge_clock.c), and the statements alone. */
int purge_clock(struct work *work, bool *believed);
int purge_rows(struct work *work, const struct purge *purges, size_t count, bool *more);

#endif
