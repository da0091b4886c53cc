/*
 * The thread of a task: runs it when its time has come, when it is woken, and while there is more.
 */
#include "commands.h"
#include "engine_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Until woken, stopped, or `ms` have passed. False: the engine stops. */
static bool wait(struct engine_thread *thread, unsigned ms)
{
	struct engine *engine = thread->engine;
	struct timespec until;
	bool stopping;
	int status = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&engine->mutex);
	while (!engine->stopping && !thread->woken && status != ETIMEDOUT)
		status = pthread_cond_timedwait(&engine->tasks, &engine->mutex, &until);
	thread->woken = false;
	stopping = engine->stopping;
	pthread_mutex_unlock(&engine->mutex);
	return !stopping;
}

#define SETTLE_MS 20  /* so that there is little to settle each time */
#define IDLE_MS   200 /* when there was nothing */

const struct task engine_settle = {"settle", IDLE_MS, NULL};

/* Beside those who write, without the turn; with it only what they wrote meanwhile, when the log
 * has grown long. What is not settled now is next time; a store that is gone is opened again by an
 * empty transaction. Returns how long to wait before the next time, ms. */
static unsigned settle(struct engine_thread *thread)
{
	struct db_log log;
	int result = db_settle(thread->db, &log);
	const bool used = log.used;

	if (result == DB_OK && log.is_long) {
		engine_turn_take(thread->engine);
		result = db_settle(thread->db, &log);
		engine_turn_give(thread->engine);
	}
	if (result == DB_ERR_LOST) {
		fprintf(stderr, "simtied: %s (%s); this ends here\n", db_strerror(result),
			db_detail(thread->db));
		_exit(COMMAND_IO);
	}
	if (result != DB_OK && result != DB_ERR_BUSY)
		engine_probe(thread);
	return used ? SETTLE_MS : IDLE_MS;
}

/* One transaction. */
static int run(struct engine_thread *thread, bool *more)
{
	struct work work = {
		.service = thread->engine->service,
		.db = thread->db,
		.chain = thread->chain,
		.tries_left = UINT_MAX,
	};
	int result;

	*more = false;
	engine_turn_take(thread->engine);
	result = db_begin(thread->db);
	if (result == DB_OK) {
		result = thread->task->run(&work, more);
		if (result == DB_OK)
			result = db_commit(thread->db);
		if (result != DB_OK)
			db_rollback(thread->db);
	}
	engine_note(thread, result);
	engine_turn_give(thread->engine);
	return result;
}

void *engine_task(void *argument)
{
	struct engine_thread *thread = argument;
	unsigned failures = 0, ms = IDLE_MS;
	bool more = false;

	if (thread->task == &engine_settle) {
		while (wait(thread, ms))
			ms = settle(thread);
		return NULL;
	}
	while (wait(thread, more ? 0 : thread->task->interval_ms)) {
		if (run(thread, &more) == DB_OK) {
			failures = 0;
			continue;
		}
		more = false;
		engine_back_off(thread, failures < ENGINE_TRIES ? failures++ : failures);
	}
	return NULL;
}
