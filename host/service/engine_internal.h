/*
 * What the engine's files share.
 */
#ifndef SIMTIE_SERVICE_ENGINE_INTERNAL_H
#define SIMTIE_SERVICE_ENGINE_INTERNAL_H

#include "engine.h"
#include "engine_turn.h"

#include <stdatomic.h>

#define ENGINE_CHAIN_SIZE 80
#define ENGINE_WAIT_MS    250 /* for another's lock, in one statement */
#define ENGINE_TRIES      6   /* of one job that meets locks */
#define ENGINE_REGROUPS   3   /* so often the rest of a group goes on together without a bad one */

struct engine;

struct engine_queue {
	struct job *head, **tail;
	unsigned count;
};

/* A thread with its connection: of a worker, or of a task. */
struct engine_thread {
	struct engine *engine;
	pthread_t id;
	bool started;
	struct db *db;    /* with SQLite one for all that write, who has the turn */
	struct db *reads; /* with SQLite, of a worker: its own, to prepare jobs with */
	char chain[ENGINE_CHAIN_SIZE];
	const struct task *task; /* NULL: a worker */
	bool woken;              /* of a task, under the engine's mutex */
	atomic_bool good;        /* its last transaction went well */
	unsigned seed;           /* of the back-off's jitter */
	struct job **batch;      /* of a worker: batch_max taken, batch_max with a result … */
	int *results;            /* … which stands here */
};

struct engine {
	struct service *service;
	unsigned batch_max, queue_max;
	char name[49];

	pthread_mutex_t mutex; /* the queues, writing, woken, stopping */
	pthread_cond_t jobs, tasks;
	struct engine_queue queued; /* to be prepared */
	struct engine_queue ready;  /* to be run */
	bool writing;               /* a worker has `turn`, or waits for it */
	bool stopping;

	bool one_writer; /* SQLite: `turn` orders all that write */
	struct turn turn;

	struct engine_thread *threads; /* workers, then tasks, then SQLite's housekeeping */
	size_t worker_count, thread_count;
};

/* engine_work.c: the thread of a worker. */
void *engine_work(void *thread);
void engine_queue_put(struct engine_queue *queue, struct job *job);
/* Gives the turn back, and lets another worker write. */
void engine_written(struct engine *engine);

/* engine_batch.c: runs jobs to their ends, each one's done() included. The thread has the turn,
 * which is given back before done(). */
void engine_batch(struct engine_thread *thread, struct job **jobs, size_t count);

/* An empty transaction: whether the store is there again. */
void engine_probe(struct engine_thread *thread);

/* engine_task.c: the thread of a task. */
void *engine_task(void *thread);
/* The task that keeps SQLite's log short. */
extern const struct task engine_settle;

/* Begins and ends a transaction of this thread; take the turn before, give it after. */
void engine_turn_take(struct engine *engine);
void engine_turn_give(struct engine *engine);

/* Notes how a transaction went: readiness, counters, a line on standard error when that changes. */
void engine_note(struct engine_thread *thread, int result);

/* Waits a little, longer each time. */
void engine_back_off(struct engine_thread *thread, unsigned attempt);

#endif
