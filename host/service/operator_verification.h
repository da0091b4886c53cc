/*
 * What the handlers of verifications and registrations share.
 *
 * Owns the rule that a messenger sees its own verifications alone. Refuses to tell another's from
 * one that never was.
 */
#ifndef SIMTIE_SERVICE_OPERATOR_VERIFICATION_H
#define SIMTIE_SERVICE_OPERATOR_VERIFICATION_H

#include "operator_row.h"

/* Finds the one that the path names. *found false: `reply` has the 404, or the result is an error.
 */
int operator_verification_find(struct work *work, const struct request *request, struct row *row,
			       struct reply *reply, bool *found);

/* The label of simtied_verifications_total. */
const char *operator_verification_outcome(const struct decision *decision);

#endif
