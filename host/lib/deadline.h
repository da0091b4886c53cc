/*
 * Deadlines, and a thread for calls that may never return.
 *
 * A reader driver can hang, and a PC/SC call on it then never comes back. So such calls are made by
 * a worker: when one does not return in time its owner goes on, and the worker, abandoned, cleans
 * up what the call used once it does return. Owns the thread and the clock. Refuses to interrupt a
 * call: nothing can do that safely.
 */
#ifndef SIMTIE_LIB_DEADLINE_H
#define SIMTIE_LIB_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* A point of CLOCK_MONOTONIC, in microseconds. */
struct deadline {
	int64_t at_us;
};

int64_t deadline_now_us(void);
struct deadline deadline_after(unsigned ms);

/* The earlier of `deadline` and `ms` from now. */
struct deadline deadline_within(struct deadline deadline, unsigned ms);

/* Milliseconds that are left, rounded up; 0 once it has passed. */
unsigned deadline_left_ms(struct deadline deadline);

static inline bool deadline_passed(struct deadline deadline)
{
	return deadline_left_ms(deadline) == 0;
}

/* One thread that makes one call at a time for one owner. */
struct worker;

/*
 * Starts a worker for calls that work on `job` and on nothing else. `cleanup` releases the job; the
 * worker calls it, in its own thread, if it is abandoned. False: no memory or no thread to be had.
 */
bool worker_start(struct worker **worker, void *job, void (*cleanup)(void *job));

/*
 * Makes call(job) and waits for it. False: it did not return by the deadline. *worker is then NULL,
 * and job and all that it points to belong to the abandoned thread: they must not be touched again.
 */
bool worker_run(struct worker **worker, void (*call)(void *job), struct deadline deadline);

/* Ends an idle worker and clears the pointer. The job stays its owner's. NULL is fine. */
void worker_stop(struct worker **worker);

#endif
