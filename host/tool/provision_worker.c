/*
 * A worker a reader: waits for a card, takes it through, waits for the next.
 *
 * A card is taken once each time it is put in: by the reader's count of events, which rises with
 * every card. A card or a reader that goes is that card's failure; the worker waits on.
 */
#include "provision_run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest wait between two looks at whether the run shall end. */
#define LOOK_MS 200

#define MICROS 1000000

struct worker {
	pthread_t thread;
	struct provision_run *run;
	size_t reader;
	bool gone; /* its reader is, for now */
	bool seen; /* a card was taken at: */
	uint32_t events;
	struct timespec waiting; /* since when */
};

static uint32_t micros_since(const struct timespec *then)
{
	struct timespec now;
	int64_t passed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	passed = (int64_t)(now.tv_sec - then->tv_sec) * MICROS +
		 (now.tv_nsec - then->tv_nsec) / 1000;
	return passed <= 0 ? 1 : passed < UINT32_MAX ? (uint32_t)passed : UINT32_MAX;
}

size_t provision_worker_left(struct provision_run *run)
{
	size_t left = 0;

	pthread_mutex_lock(&run->mutex);
	for (size_t i = 0; i < run->tray.count; i++) {
		const struct provision_row *row = &run->tray.rows[i];

		left += row->state < PROVISION_STATE_LOCKING && !row->failed;
	}
	pthread_mutex_unlock(&run->mutex);
	return left;
}

static void set_gone(struct worker *worker, bool gone)
{
	struct provision_run *run = worker->run;

	if (worker->gone == gone)
		return;
	worker->gone = gone;
	pthread_mutex_lock(&run->mutex);
	run->gone += gone ? 1 : (size_t)-1;
	pthread_mutex_unlock(&run->mutex);
}

/* Whether no worker shall begin another card. */
static bool is_over(struct provision_run *run)
{
	bool over;

	pthread_mutex_lock(&run->mutex);
	over = run->broken || run->gone == run->plan.reader_count;
	pthread_mutex_unlock(&run->mutex);
	return over || atomic_load(&run->stop);
}

static const struct simtie_reader *find(const struct simtie_reader *readers, size_t count,
					const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(readers[i].name, name) == 0)
			return &readers[i];
	return NULL;
}

static void take(struct worker *worker)
{
	struct provision_run *run = worker->run;
	struct provision_card card = {.outcome = PROVISION_FAILED};

	strcpy(card.reader, run->plan.readers[worker->reader]);
	clock_gettime(CLOCK_REALTIME, &card.began);
	card.micros[PROVISION_WAIT] = micros_since(&worker->waiting);
	card.card_micros[PROVISION_WAIT] = card.micros[PROVISION_WAIT];
	provision_card_run(run, worker->reader, &card);
	progress_card(run->progress, worker->reader, &card);
	pthread_mutex_lock(&run->mutex);
	struct provision_card *cards =
		reallocarray(run->cards, run->card_count + 1, sizeof(*cards));

	if (cards) {
		run->cards = cards;
		cards[run->card_count++] = card;
	}
	pthread_mutex_unlock(&run->mutex);
	clock_gettime(CLOCK_MONOTONIC, &worker->waiting);
}

/* Takes a card that is new in the reader. False: there is none. */
static bool take_new(struct worker *worker, const struct simtie_reader *reader)
{
	if (!reader->card || (worker->seen && worker->events == reader->events))
		return false;
	worker->seen = true;
	worker->events = reader->events;
	take(worker);
	progress_step(worker->run->progress, worker->reader, "", PROVISION_WAIT);
	return true;
}

/* One look at the readers, and a wait for something to change. False: the run is over. */
static bool look(struct worker *worker)
{
	struct provision_run *run = worker->run;
	struct simtie_reader *readers = NULL;
	const struct simtie_reader *reader = NULL;
	size_t count = 0;
	bool going = true;
	int error;

	if (is_over(run))
		return false;
	error = simtie_readers(&readers, &count);
	if (!error)
		reader = find(readers, count, run->plan.readers[worker->reader]);
	set_gone(worker, reader == NULL);
	if (!reader || !take_new(worker, reader)) {
		going = provision_worker_left(run) > 0 && !is_over(run);
		if (going)
			simtie_readers_wait(readers, count, LOOK_MS);
	}
	free(readers);
	return going;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	clock_gettime(CLOCK_MONOTONIC, &worker->waiting);
	progress_step(worker->run->progress, worker->reader, "", PROVISION_WAIT);
	while (look(worker))
		;
	return NULL;
}

int provision_worker_run(struct provision_run *run)
{
	struct worker workers[PROVISION_READERS_MAX];
	sigset_t held, before;
	size_t started = 0;
	int error = 0;

	/* Signals are the main thread's: a call to the card is never broken off by one. */
	sigfillset(&held);
	pthread_sigmask(SIG_BLOCK, &held, &before);
	for (; started < run->plan.reader_count && !error; started++) {
		workers[started] = (struct worker){.run = run, .reader = started};
		error = pthread_create(&workers[started].thread, NULL, work, &workers[started]);
		if (error)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		atomic_store(&run->stop, true);
	for (size_t i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	errno = error;
	return error ? TOOL_IO : TOOL_DONE;
}
