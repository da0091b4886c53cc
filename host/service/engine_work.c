/*
 * What a worker does next: prepare a job, or write all that are ready.
 *
 * One worker at a time writes where only one may; the others prepare meanwhile, and what they have
 * got ready by the end of its commit is the next transaction. A lone worker has nobody to prepare
 * for it, and writes when nothing is left to be prepared.
 */
#include "engine_internal.h"

#include "monotonic.h"

#include <errno.h>

#define PROBE_S 1 /* how often a store that failed is tried while nothing comes */

enum step { STEP_NONE, STEP_END, STEP_PROBE, STEP_PREPARE, STEP_WRITE };

void engine_queue_put(struct engine_queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->tail = job;
	queue->tail = &job->next;
	queue->count++;
}

static struct job *queue_take(struct engine_queue *queue)
{
	struct job *job = queue->head;

	queue->head = job->next;
	if (!queue->head)
		queue->tail = &queue->head;
	queue->count--;
	return job;
}

/* ---- Choosing; the mutex is held ---- */

static bool may_write(const struct engine *engine)
{
	if (engine->ready.count == 0 || engine->writing)
		return false;
	return engine->queued.count == 0 || engine->ready.count >= engine->batch_max ||
	       engine->worker_count > 1;
}

static enum step choose(const struct engine *engine)
{
	if (may_write(engine))
		return STEP_WRITE;
	if (engine->queued.count > 0 && engine->ready.count < engine->batch_max)
		return STEP_PREPARE;
	if (engine->stopping && engine->queued.count == 0 && engine->ready.count == 0)
		return STEP_END;
	return STEP_NONE;
}

/* Waits until there is something. A store that failed the last time is tried when nothing comes. */
static enum step wait(struct engine_thread *thread)
{
	struct engine *engine = thread->engine;
	enum step step = choose(engine);
	struct timespec until;
	int status = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PROBE_S;
	while (step == STEP_NONE && status != ETIMEDOUT) {
		if (atomic_load(&thread->good))
			pthread_cond_wait(&engine->jobs, &engine->mutex);
		else
			status = pthread_cond_timedwait(&engine->jobs, &engine->mutex, &until);
		step = choose(engine);
	}
	return step == STEP_NONE ? STEP_PROBE : step;
}

/* ---- Doing ---- */

static void prepare(struct engine_thread *thread, struct job *job)
{
	struct work work = {
		.service = thread->engine->service,
		.db = thread->reads,
		.chain = thread->chain,
		.waited_ms = monotonic_ms() - job->queued_ms,
	};

	if (db_begin_read(work.db) == DB_OK)
		job->prepare(&work, job);
	db_rollback(work.db);
}

void engine_written(struct engine *engine)
{
	engine_turn_give(engine);
	if (!engine->one_writer)
		return;
	pthread_mutex_lock(&engine->mutex);
	engine->writing = false;
	pthread_cond_signal(&engine->jobs);
	pthread_mutex_unlock(&engine->mutex);
}

static void write_ready(struct engine_thread *thread)
{
	struct engine *engine = thread->engine;
	size_t count = 0;

	/* The turn first: what gets ready while a task writes goes into the same transaction. */
	engine_turn_take(engine);
	pthread_mutex_lock(&engine->mutex);
	while (engine->ready.count > 0 && count < engine->batch_max)
		thread->batch[count++] = queue_take(&engine->ready);
	pthread_mutex_unlock(&engine->mutex);
	engine_batch(thread, thread->batch, count);
}

static void take_and_prepare(struct engine_thread *thread)
{
	struct engine *engine = thread->engine;
	struct job *job = queue_take(&engine->queued);

	pthread_mutex_unlock(&engine->mutex);
	prepare(thread, job);
	pthread_mutex_lock(&engine->mutex);
	engine_queue_put(&engine->ready, job);
}

void *engine_work(void *argument)
{
	struct engine_thread *thread = argument;
	struct engine *engine = thread->engine;
	enum step step;

	pthread_mutex_lock(&engine->mutex);
	while ((step = wait(thread)) != STEP_END) {
		if (step == STEP_PREPARE) {
			take_and_prepare(thread);
			continue;
		}
		if (step == STEP_WRITE)
			engine->writing = engine->one_writer;
		pthread_mutex_unlock(&engine->mutex);
		if (step == STEP_WRITE)
			write_ready(thread);
		else
			engine_probe(thread);
		pthread_mutex_lock(&engine->mutex);
	}
	pthread_mutex_unlock(&engine->mutex);
	return NULL;
}
