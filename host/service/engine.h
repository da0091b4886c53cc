/*
 * The threads that work on the store, and the grouping of commits.
 *
 * Owns worker threads, each with a connection of its own, and one queue of jobs for all. A worker
 * takes what has queued up, at most `batch_max` jobs, runs them in one transaction, commits, and
 * only then tells each that it is done: under load one flush to the disk serves many. Where one
 * transaction at a time may write (SQLite), what needs no transaction is done before: workers
 * prepare jobs while another of them writes. With SQLite it keeps the store's log short besides.
 * When one of the group fails, it rolls back and runs each by itself, so that none suffers for
 * another. Refuses a job when the queue is full: memory is bounded.
 *
 * A job's run() may be called more than once; what it wrote into memory the last time counts.
 */
#ifndef SIMTIE_SERVICE_ENGINE_H
#define SIMTIE_SERVICE_ENGINE_H

#include "db.h"

struct service;
struct engine;
struct prepared;

/* What a job or a task works with. */
struct work {
	struct service *service;
	struct db *db;     /* in a transaction; while a job is prepared in one that only reads */
	const char *chain; /* this connection's audit chain, "NAME/1" */
	int64_t waited_ms; /* how long the job stood in the queue */
	/* How often the job is run again if it gives DB_ERR_BUSY now: with 0 it is the last time.
	 * UINT_MAX for tasks. */
	unsigned tries_left;
	struct prepared *prepared; /* request.h: of a request that was prepared; or NULL */
};

struct job {
	/* Once, or not at all, before the first run() and outside its transaction, in any worker's
	 * thread; with SQLite alone, elsewhere it would save nobody a wait. What it saw may be out
	 * of date when run() is. It may end its transaction early, by db_rollback(). May be NULL.
	 */
	void (*prepare)(struct work *work, struct job *job);
	/* DB_OK: commit. Anything negative: roll back. DB_ERR_BUSY is tried again by itself, a few
	 * times. */
	int (*run)(struct work *work, struct job *job);
	/* Once, in the worker's thread, after the commit: `result` as run() or the commit gave it.
	 */
	void (*done)(struct job *job, int result);
	int64_t queued_ms; /* engine's own */
	struct job *next;  /* engine's own */
};

/* Something done again and again, in a thread and with a connection of its own. */
struct task {
	const char *name;
	unsigned interval_ms;
	/* One transaction's worth. *more: there is more to do at once. Errors as run() above. */
	int (*run)(struct work *work, bool *more);
};

struct engine_settings {
	const char *where;  /* of db_open() */
	const char *name;   /* of this daemon: the audit chains' */
	unsigned workers;   /* 1 to 16; SQLite writes with one at a time whatever this says */
	unsigned batch_max; /* jobs of one transaction */
	unsigned queue_max; /* jobs that may wait */
	const struct task *tasks;
	size_t task_count;
};

/* Connects and starts; `detail` as db_open(). */
int engine_start(struct engine **engine, struct service *service,
		 const struct engine_settings *settings, char *detail);

/* Queues a job; false: the queue is full, or the engine stops, or has (NULL). The job is the
 * engine's until done(). */
bool engine_submit(struct engine *engine, struct job *job);

/* Has a task run now, from any thread. */
void engine_wake(struct engine *engine, const char *task);

/* Jobs that wait, and how long the oldest has, ms. */
void engine_load(struct engine *engine, unsigned *waiting, int64_t *oldest_ms);

/* Whether the last transaction of any worker went well: readiness. */
bool engine_ready(struct engine *engine);

/* Works off what is queued, stops the tasks, joins all threads, frees. */
void engine_stop(struct engine **engine);

#endif
