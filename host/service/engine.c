/*
 * The queues, and the engine's start and end.
 */
#include "engine_internal.h"

#include "monotonic.h"
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void engine_turn_take(struct engine *engine)
{
	if (engine->one_writer)
		turn_take(&engine->turn);
}

void engine_turn_give(struct engine *engine)
{
	if (engine->one_writer)
		turn_give(&engine->turn);
}

void engine_back_off(struct engine_thread *thread, unsigned attempt)
{
	long ms = 1 + rand_r(&thread->seed) % (5L << attempt);
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

void engine_note(struct engine_thread *thread, int result)
{
	struct metrics *metrics = thread->engine->service ? thread->engine->service->metrics : NULL;
	bool good = result == DB_OK;

	if (metrics)
		metrics_count(metrics, "transactions",
			      good                    ? "outcome=\"committed\""
			      : result == DB_ERR_BUSY ? "outcome=\"locked\""
						      : "outcome=\"failed\"",
			      1);
	if (result == DB_ERR_BUSY || result == DB_ERR_CONFLICT)
		return;
	if (atomic_exchange(&thread->good, good) != good)
		fprintf(stderr,
			good ? "simtied: %s: the store answers again\n" : "simtied: %s: %s (%s)\n",
			thread->chain, db_strerror(result), db_detail(thread->db));
}

static unsigned waiting_of(const struct engine *engine)
{
	return engine->queued.count + engine->ready.count;
}

bool engine_submit(struct engine *engine, struct job *job)
{
	bool taken;

	if (!engine)
		return false;
	job->queued_ms = monotonic_ms();
	pthread_mutex_lock(&engine->mutex);
	taken = !engine->stopping && waiting_of(engine) < engine->queue_max;
	if (taken) {
		engine_queue_put(
			job->prepare && engine->one_writer ? &engine->queued : &engine->ready, job);
		pthread_cond_signal(&engine->jobs);
	}
	pthread_mutex_unlock(&engine->mutex);
	return taken;
}

void engine_wake(struct engine *engine, const char *task)
{
	pthread_mutex_lock(&engine->mutex);
	for (size_t i = engine->worker_count; i < engine->thread_count; i++) {
		if (strcmp(engine->threads[i].task->name, task) == 0)
			engine->threads[i].woken = true;
	}
	pthread_cond_broadcast(&engine->tasks);
	pthread_mutex_unlock(&engine->mutex);
}

void engine_load(struct engine *engine, unsigned *waiting, int64_t *oldest_ms)
{
	const struct job *heads[2];

	pthread_mutex_lock(&engine->mutex);
	heads[0] = engine->queued.head;
	heads[1] = engine->ready.head;
	*waiting = waiting_of(engine);
	*oldest_ms = 0;
	for (int i = 0; i < 2; i++) {
		const int64_t age = heads[i] ? monotonic_ms() - heads[i]->queued_ms : 0;

		if (age > *oldest_ms)
			*oldest_ms = age;
	}
	pthread_mutex_unlock(&engine->mutex);
}

bool engine_ready(struct engine *engine)
{
	for (size_t i = 0; i < engine->worker_count; i++) {
		if (!atomic_load(&engine->threads[i].good))
			return false;
	}
	return true;
}

static struct engine *create(struct service *service, const struct engine_settings *settings)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	pthread_condattr_t monotonic;

	if (!engine)
		return NULL;
	engine->thread_count = settings->workers + settings->task_count;
	engine->threads = calloc(engine->thread_count + 1, sizeof(*engine->threads));
	if (!engine->threads) {
		free(engine);
		return NULL;
	}
	engine->service = service;
	engine->batch_max = settings->batch_max;
	engine->queue_max = settings->queue_max;
	engine->worker_count = settings->workers;
	engine->queued.tail = &engine->queued.head;
	engine->ready.tail = &engine->ready.head;
	snprintf(engine->name, sizeof(engine->name), "%s", settings->name);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&engine->mutex, NULL);
	pthread_cond_init(&engine->jobs, &monotonic);
	pthread_cond_init(&engine->tasks, &monotonic);
	pthread_condattr_destroy(&monotonic);
	turn_init(&engine->turn);
	return engine;
}

/*
 * With SQLite all write over one connection, by turns: each would throw away the pages that it has
 * in memory whenever another had written.
 */
static int connect_store(struct engine *engine, struct engine_thread *thread, const char *where,
			 char *detail)
{
	const bool first = thread == engine->threads;
	int error = DB_OK;

	if (first || !engine->one_writer || thread->task == &engine_settle)
		error = db_open(where, true, ENGINE_WAIT_MS, &thread->db, detail);
	else
		thread->db = engine->threads[0].db;
	if (error == DB_OK && first && db_engine(thread->db) == DB_SQLITE) {
		engine->one_writer = true;
		engine->thread_count++;
	}
	if (error == DB_OK && engine->one_writer && !thread->task)
		error = db_open(where, true, ENGINE_WAIT_MS, &thread->reads, detail);
	return error;
}

/* Its connection and its room; the thread itself is started when all of them have theirs. */
static int connect_thread(struct engine *engine, size_t i, const struct engine_settings *settings,
			  char *detail)
{
	struct engine_thread *thread = &engine->threads[i];

	thread->engine = engine;
	thread->seed = (unsigned)(monotonic_us() + (int64_t)i * 7919);
	atomic_init(&thread->good, true);
	if (i < engine->worker_count) {
		snprintf(thread->chain, sizeof(thread->chain), "%s/%zu", engine->name, i + 1);
		thread->batch = calloc(2 * (size_t)engine->batch_max, sizeof(struct job *));
		thread->results = calloc(engine->batch_max, sizeof(int));
		if (!thread->batch || !thread->results)
			return DB_ERR_MEMORY;
	} else {
		thread->task = i < engine->worker_count + settings->task_count
				       ? &settings->tasks[i - engine->worker_count]
				       : &engine_settle;
		snprintf(thread->chain, sizeof(thread->chain), "%s/%s", engine->name,
			 thread->task->name);
	}
	return connect_store(engine, thread, settings->where, detail);
}

int engine_start(struct engine **out, struct service *service,
		 const struct engine_settings *settings, char *detail)
{
	struct engine *engine = create(service, settings);
	int error = engine ? DB_OK : DB_ERR_MEMORY;

	*out = engine;
	for (size_t i = 0; error == DB_OK && i < engine->thread_count; i++)
		error = connect_thread(engine, i, settings, detail);
	for (size_t i = 0; error == DB_OK && i < engine->thread_count; i++) {
		struct engine_thread *thread = &engine->threads[i];

		if (pthread_create(&thread->id, NULL, thread->task ? engine_task : engine_work,
				   thread))
			error = DB_ERR_MEMORY;
		else
			thread->started = true;
	}
	if (error != DB_OK)
		engine_stop(out);
	return error;
}

void engine_stop(struct engine **out)
{
	struct engine *engine = *out;

	if (!engine)
		return;
	pthread_mutex_lock(&engine->mutex);
	engine->stopping = true;
	pthread_cond_broadcast(&engine->jobs);
	pthread_cond_broadcast(&engine->tasks);
	pthread_mutex_unlock(&engine->mutex);
	for (size_t i = 0; i < engine->thread_count; i++) {
		if (engine->threads[i].started)
			pthread_join(engine->threads[i].id, NULL);
	}
	for (size_t i = 0; i < engine->thread_count; i++) {
		struct engine_thread *thread = &engine->threads[i];

		if (i > 0 && thread->db == engine->threads[0].db)
			thread->db = NULL;
		db_close(&thread->reads);
		free(thread->batch);
		free(thread->results);
	}
	for (size_t i = 0; i < engine->thread_count; i++)
		db_close(&engine->threads[i].db);
	turn_destroy(&engine->turn);
	pthread_cond_destroy(&engine->jobs);
	pthread_cond_destroy(&engine->tasks);
	pthread_mutex_destroy(&engine->mutex);
	free(engine->threads);
	free(engine);
	*out = NULL;
}
