/*
 * Operators' status lists: what a notice that never came would have said.
 *
 * Owns the schedule by which each list that a registration names is fetched, whole: once, by one
 * daemon, and anew when it says that it may be kept no longer. Nothing of it is kept: when it comes
 * all registrations that name it are looked up. An operator sees that somebody fetches a list, and
 * of whom there is none to be told from it. Refuses to end anything by a list that does not verify,
 * is too old, or is another's.
 */
#ifndef SIMTIE_SERVICE_MESSENGER_STATUS_H
#define SIMTIE_SERVICE_MESSENGER_STATUS_H

#include "messenger_row.h"

/* Has the list that a registration names fetched, soon, if it is not known yet. */
int messenger_status_note(struct work *work, const struct messenger_row *row);

/* A list on its way through the registrations. */
struct messenger_list {
	char operator_name[SIMTIE_AUDIENCE_MAX + 1];
	char uri[SIMTIE_STATUS_URI_MAX + 1];
	const struct simtie_service_key *signer; /* NULL: no agreement with it any more */
	char *jwt;                               /* malloc()ed; NULL: it could not be had */
	size_t jwt_len;
	bool verified;
	uint8_t *bits; /* of a verified one, malloc()ed */
	uint32_t size; /* bits */
	int64_t until; /* seconds: when to fetch it anew */
	/* What was looked up so far, and what the last transaction added, or found revoked. */
	int64_t done, reached, ended;
	bool over;
};

/* Takes the list that is due longest for `lease_ms`; meanwhile nobody else gets it. *found. One
 * that no registration names now is not fetched, and looked at again in a minute. */
int messenger_status_claim(struct work *work, unsigned lease_ms, struct messenger_list *list,
			   bool *found);

/* Looks up the next registrations, within a transaction, as many as one may take; at the end sets
 * when the list is due again (list->over). Again from list->done when that was rolled back. */
int messenger_status_apply(struct work *work, struct messenger_list *list);

void messenger_status_clear(struct messenger_list *list);

#endif
