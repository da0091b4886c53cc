/*
 * A batch of jobs: one transaction when all goes well, and as few as it takes when not.
 *
 * One bad job is taken out and run by itself, the others go on together; after a few such ones each
 * runs by itself, so that nobody can make a batch run more than a few times over.
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

/* All of them in one transaction. *bad is the one that failed, or count: the store did. *known is
 * false when they may be committed nevertheless. */
static int run_together(struct engine_thread *thread, struct job **jobs, size_t count, size_t *bad,
			bool *known)
{
	int result = db_begin(thread->db);

	*bad = count;
	*known = true;
	if (result != DB_OK) {
		engine_note(thread, result);
		return result;
	}
	for (size_t i = 0; i < count; i++) {
		result = run(thread, jobs[i], ENGINE_TRIES);
		if (result != DB_OK) {
			db_rollback(thread->db);
			*bad = i;
			return result;
		}
	}
	result = commit(thread);
	*known = result != DB_ERR_GONE;
	return result;
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

static void run_all(struct engine_thread *thread, struct job **jobs, size_t count,
		    struct told *told)
{
	unsigned regroups = 0;

	while (count > 1 && regroups < ENGINE_REGROUPS) {
		bool known;
		size_t bad;
		int result = run_together(thread, jobs, count, &bad, &known);

		if (result == DB_OK || !known) {
			for (size_t i = 0; i < count; i++)
				tell(told, jobs[i], result);
			return;
		}
		regroups++;
		if (bad == count) {
			engine_back_off(thread, regroups);
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
	engine_turn_give(thread->engine);
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
