#include "provision_work.h"

#include "contract.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MICROS 1000000

/* ---- Time ---- */

static uint32_t micros_since(const struct timespec *then)
{
	struct timespec now;
	int64_t passed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	passed = (int64_t)(now.tv_sec - then->tv_sec) * MICROS +
		 (now.tv_nsec - then->tv_nsec) / 1000;
	return passed < UINT32_MAX ? (uint32_t)passed : UINT32_MAX;
}

void provision_work_end(struct provision_work *work)
{
	uint32_t *taken = &work->result->micros[work->result->step];

	*taken += micros_since(&work->step_began);
	if (*taken == 0)
		*taken = 1; /* 0 would say that it was not taken */
	clock_gettime(CLOCK_MONOTONIC, &work->step_began);
}

void provision_work_step(struct provision_work *work, enum provision_step step)
{
	if (work->result->step != PROVISION_WAIT)
		provision_work_end(work);
	clock_gettime(CLOCK_MONOTONIC, &work->step_began);
	work->result->step = step;
	progress_step(work->run->progress, work->reader, work->result->iccid, step);
}

void provision_work_call(struct provision_work *work)
{
	clock_gettime(CLOCK_MONOTONIC, &work->call_began);
}

void provision_work_called(struct provision_work *work)
{
	work->result->card_micros[work->result->step] += micros_since(&work->call_began);
}

/* ---- Failing ---- */

bool provision_work_failed(struct provision_work *work, const char *remedy, const char *format, ...)
{
	struct provision_card *result = work->result;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(result->reason, sizeof(result->reason), format, arguments);
	va_end(arguments);
	snprintf(result->remedy, sizeof(result->remedy), "%s", remedy);
	result->outcome = PROVISION_FAILED;
	return false;
}

bool provision_work_card_failed(struct provision_work *work, int error)
{
	if (error == SIMTIE_ERR_CARD)
		return provision_work_failed(work, PROVISION_ASIDE, "the card refused (%04X): %s",
					     simtie_status_word(work->session),
					     simtie_sw_text(simtie_status_word(work->session)));
	if (error == SIMTIE_ERR_SECURE)
		return provision_work_failed(work, PROVISION_AGAIN, "%s",
					     simtie_secure_text(work->session));
	return provision_work_failed(work, PROVISION_AGAIN, "%s", simtie_strerror(error));
}

/* Without its files the run cannot go on: no card is begun any more. */
bool provision_work_file_failed(struct provision_work *work, const char *file)
{
	const int cause = errno;

	pthread_mutex_lock(&work->run->mutex);
	work->run->broken = true;
	pthread_mutex_unlock(&work->run->mutex);
	return provision_work_failed(work, "make room or mend the folder, and run this again",
				     "%s cannot be written: %s", file, strerror(cause));
}

/* ---- Channels ---- */

bool provision_work_domain(struct provision_work *work)
{
	const uint8_t select[] = {CLA_SELECT, INS_SELECT, SELECT_BY_AID, SELECT_ANSWER_NOTHING};
	uint8_t none;
	size_t len;
	int error;

	provision_work_call(work);
	error = simtie_transmit(work->session, select, sizeof(select), &none, 0, &len);
	provision_work_called(work);
	if (!error && simtie_status_word(work->session) != SIMTIE_SW_OK)
		error = SIMTIE_ERR_CARD;
	return error ? provision_work_card_failed(work, error) : true;
}

int provision_work_begin(struct provision_work *work, uint8_t version)
{
	int error;

	provision_work_call(work);
	error = simtie_secure_begin(work->session, version, &work->card);
	provision_work_called(work);
	return error;
}

bool provision_work_finish(struct provision_work *work, const struct keys *keys, uint8_t level,
			   struct simtie_keys *used)
{
	const bool operators = keys == &work->run->operator;
	const uint8_t *iccid = operators || work->info.has_iccid ? work->iccid : NULL;
	struct simtie_keys own;
	const char *remedy, *why;
	int error;

	if (!provision_keys_of(keys, &work->card, iccid, &own, &why))
		return provision_work_failed(work, "mend the key file", "%s", why);
	provision_work_call(work);
	error = simtie_secure_finish(work->session, &own, level);
	provision_work_called(work);
	if (used)
		*used = own;
	explicit_bzero(&own, sizeof(own));
	if (!error)
		return true;
	remedy = provision_keys_explain(work->session, error, work->result->reason);
	snprintf(work->result->remedy, sizeof(work->result->remedy), "%s", remedy);
	work->result->outcome = PROVISION_FAILED;
	return false;
}

bool provision_work_secure(struct provision_work *work, uint8_t level)
{
	int error = provision_work_begin(work, work->run->operator.set.version);

	if (error)
		return provision_work_card_failed(work, error);
	return provision_work_finish(work, &work->run->operator, level, NULL);
}
