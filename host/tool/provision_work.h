/*
 * One card under way: its session, its row, its clock, and how it fared.
 *
 * Owns the session and the measure of time: what a call to the card takes is the card's, all else
 * the host's. The functions that fail a card write the reason once and return false.
 */
#ifndef SIMTIE_TOOL_PROVISION_WORK_H
#define SIMTIE_TOOL_PROVISION_WORK_H

#include "provision_run.h"

struct provision_work {
	struct provision_run *run;
	size_t reader;
	struct provision_card *result;
	struct provision_row *row; /* NULL until it is known */
	struct simtie_session *session;
	struct simtie_info info;
	struct simtie_secure_card card;   /* as the last channel's beginning said */
	uint8_t iccid[SIMTIE_ICCID_SIZE]; /* the row's, as on the card */
	bool secure;                      /* a channel with the applet is open */
	struct timespec step_began, call_began;
};

/* What to do when it may go better next time, and when it will not. */
#define PROVISION_AGAIN "put the card back in; it goes on where it was"
#define PROVISION_ASIDE "put the card aside and look at it with `simtie info`"

/* Goes on to a step; and ends the last one. */
void provision_work_step(struct provision_work *work, enum provision_step step);
void provision_work_end(struct provision_work *work);

/* Before and after a call to the card. */
void provision_work_call(struct provision_work *work);
void provision_work_called(struct provision_work *work);

/* Failing. Each returns false. */
bool provision_work_failed(struct provision_work *work, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool provision_work_card_failed(struct provision_work *work, int error);
bool provision_work_file_failed(struct provision_work *work, const char *file);

/* Selects the domain, with nothing of it in the answer. */
bool provision_work_domain(struct provision_work *work);

/* Opens a channel with what is selected, in two steps. begin: 0 or an error that is not told yet.
 * `used` may be NULL; else to be wiped. */
int provision_work_begin(struct provision_work *work, uint8_t version);
bool provision_work_finish(struct provision_work *work, const struct keys *keys, uint8_t level,
			   struct simtie_keys *used);

/* Both, with the operator's keys. */
bool provision_work_secure(struct provision_work *work, uint8_t level);

#endif
