/*
 * What the handlers of a registration share.
 *
 * Owns the answer about a registration. Refuses to tell a wrong id from one that never was.
 */
#ifndef SIMTIE_SERVICE_MESSENGER_REGISTRATION_H
#define SIMTIE_SERVICE_MESSENGER_REGISTRATION_H

#include "messenger_row.h"

/* Finds the one that the path names; one whose deadline has passed is EXPIRED by then, and written.
 * *found false: `reply` has the 404, or the result is an error. The row is the caller's to wipe. */
int messenger_registration_find(struct work *work, const struct request *request,
				struct messenger_row *row, struct reply *reply, bool *found);

/* {registrationId, state, since, reason?, message?}. */
int messenger_registration_answer(const struct request *request, const struct messenger_row *row,
				  unsigned status, struct reply *reply);

#endif
