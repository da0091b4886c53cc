/*
 * Deleting rows that have outlived their time, a little in each transaction.
 *
 * Owns the loop over a role's statements and the count of what went. Refuses to know what is old.
 */
#ifndef SIMTIE_SERVICE_PURGE_H
#define SIMTIE_SERVICE_PURGE_H

#include "service.h"

#define PURGE_DAY_MS 86400000LL

/* Rows that a statement deletes at most; it says so itself, by a LIMIT of this. */
#define PURGE_ROWS 500

struct purge {
	const char *sql;    /* a literal; $1 is `before` */
	int64_t before;     /* wall ms */
	const char *labels; /* of the metric simtied_purged_total, a literal */
};

/* Runs each once. *more: one of them found as many as it may delete. An error of db.h. */
int purge_run(struct work *work, const struct purge *purges, size_t count, bool *more);

#endif
