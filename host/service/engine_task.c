/*
 * The thread of a task: runs it when its time has come, when it is woken, and while there is more.
 */
#include "engine_internal.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

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

#define SETTLE_MS 100

const struct task engine_settle = {"settle", SETTLE_MS, NULL};

/* Beside those who write, without the turn; with it only what they wrote meanwhile, when the log
 * has grown long. What is not settled now is next time; a store that is gone is opened again by an
 * empty transaction. */
static int settle(struct engine_thread *thread)
{
	bool long_log;
	int result = db_settle(thread->db, &long_log);

	if (result == DB_OK && long_log) {
		engine_turn_take(thread->engine);
		result = db_settle(thread->db, &long_log);
		engine_turn_give(thread->engine);
	}

	if (result != DB_OK && result != DB_ERR_BUSY)
		engine_probe(thread);
	return DB_OK;
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
	if (!thread->task->run)
		return settle(thread);
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
	unsigned failures = 0;
	bool more = false;

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
