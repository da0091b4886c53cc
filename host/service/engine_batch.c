/*
 * A batch of jobs: one transaction when all goes well, and as few as it takes when not.
 *
 * One bad job is taken out and run by itself, the others go on together; after a few such ones each
 * runs by itself, so that nobody can make a batch run more than a few times over. A store that
 * cannot be had fails all of them at once: if each waited for it, the last would wait for minutes.
 */
#include "engine_internal.h"

#include "monotonic.h"

static int run(struct engine_thread *thread, struct job *job, unsigned tries_left)
{
	struct work work = {
		.service = thread->engine->service,
		.db = thread->db,
		.chain = thread->chain,
		.waited_ms = monotonic_ms() - job->queued_ms,
		.tries_left = tries_left,
	};

	return job->run(&work, job);
}

static int commit(struct engine_thread *thread)
{
	int result = db_commit(thread->db);

	if (result != DB_OK)
		db_rollback(thread->db);
	engine_note(thread, result);
	return result;
}

/* One job in a transaction of its own. A commit whose outcome is not known is not tried again. */
static int run_alone(struct engine_thread *thread, struct job *job)
{
	bool reconnected = false;
	int result = DB_ERR_BUSY;

	for (unsigned attempt = 0; attempt < ENGINE_TRIES; attempt++) {
		if (attempt > 0)
			engine_back_off(thread, attempt);
		result = db_begin(thread->db);
		if (result == DB_OK) {
			result = run(thread, job, ENGINE_TRIES - 1 - attempt);
			if (result == DB_OK) {
				result = commit(thread);
				if (result != DB_ERR_BUSY)
					return result;
				continue;
			}
			db_rollback(thread->db);
			engine_note(thread, result);
			if (result == DB_ERR_GONE && !reconnected) {
				reconnected = true;
				continue;
			}
		} else {
			engine_note(thread, result);
		}
		if (result != DB_ERR_BUSY)
			return result;
	}
	return result;
}

/* How far a group came. */
enum reached {
	REACHED_NOTHING, /* the store could not be had */
	REACHED_JOB,     /* the one at `bad` failed */
	REACHED_COMMIT,  /* it failed */
	REACHED_END,     /* all are committed, or may be */
};

/* All of them in one transaction. */
static enum reached run_together(struct engine_thread *thread, struct job **jobs, size_t count,
				 size_t *bad, int *result)
{
	*result = db_begin(thread->db);
	if (*result != DB_OK) {
		engine_note(thread, *result);
		return REACHED_NOTHING;
	}
	for (*bad = 0; *bad < count; ++*bad) {
		*result = run(thread, jobs[*bad], ENGINE_TRIES);
		if (*result != DB_OK) {
			db_rollback(thread->db);
			return REACHED_JOB;
		}
	}
	*result = commit(thread);
	return *result == DB_OK || *result == DB_ERR_GONE ? REACHED_END : REACHED_COMMIT;
}

/* Jobs that have their result, told after the turn was given back. */
struct told {
	struct job **jobs;
	int *results;
	size_t count;
};

static void tell(struct told *told, struct job *job, int result)
{
	told->jobs[told->count] = job;
	told->results[told->count++] = result;
}

static void tell_all(struct told *told, struct job **jobs, size_t count, int result)
{
	for (size_t i = 0; i < count; i++)
		tell(told, jobs[i], result);
}

static void run_all(struct engine_thread *thread, struct job **jobs, size_t count,
		    struct told *told)
{
	for (unsigned regroups = 0; count > 1 && regroups < ENGINE_REGROUPS; regroups++) {
		size_t bad;
		int result;
		enum reached reached = run_together(thread, jobs, count, &bad, &result);

		if (reached == REACHED_END ||
		    (reached == REACHED_NOTHING && regroups + 1 == ENGINE_REGROUPS)) {
			tell_all(told, jobs, count, result);
			return;
		}
		if (reached != REACHED_JOB) {
			engine_back_off(thread, regroups + 1);
			continue;
		}
		tell(told, jobs[bad], run_alone(thread, jobs[bad]));
		count--;
		for (size_t i = bad; i < count; i++)
			jobs[i] = jobs[i + 1];
	}
	for (size_t i = 0; i < count; i++)
		tell(told, jobs[i], run_alone(thread, jobs[i]));
}

void engine_batch(struct engine_thread *thread, struct job **jobs, size_t count)
{
	struct told told = {thread->batch + thread->engine->batch_max, thread->results, 0};

	run_all(thread, jobs, count, &told);
	engine_written(thread->engine);
	for (size_t i = 0; i < told.count; i++)
		told.jobs[i]->done(told.jobs[i], told.results[i]);
}

void engine_probe(struct engine_thread *thread)
{
	int result;

	engine_turn_take(thread->engine);
	result = db_begin(thread->db);
	if (result == DB_OK)
		result = commit(thread);
	else
		engine_note(thread, result);
	engine_turn_give(thread->engine);
}
