#include "deadline.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define US_PER_MS    1000
#define US_PER_S     1000000
#define NS_PER_US    1000
#define WORKER_STACK (256 * 1024)

int64_t deadline_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

struct deadline deadline_after(unsigned ms)
{
	return (struct deadline){deadline_now_us() + (int64_t)ms * US_PER_MS};
}

struct deadline deadline_within(struct deadline deadline, unsigned ms)
{
	struct deadline other = deadline_after(ms);

	return deadline.at_us < other.at_us ? deadline : other;
}

unsigned deadline_left_ms(struct deadline deadline)
{
	int64_t left = deadline.at_us - deadline_now_us();

	return left > 0 ? (unsigned)((left + US_PER_MS - 1) / US_PER_MS) : 0;
}

/* Who owns job and worker is decided by one exchange of `state`: the owner moves it from RUNNING to
 * ABANDONED, or the thread moves it from RUNNING to DONE. */
enum worker_state { WORKER_IDLE, WORKER_RUNNING, WORKER_DONE, WORKER_ABANDONED };

struct worker {
	pthread_t thread;
	sem_t go;
	sem_t done;
	atomic_int state;
	void (*call)(void *job); /* NULL: the thread shall end */
	void (*cleanup)(void *job);
	void *job;
};

static void worker_free(struct worker *worker)
{
	sem_destroy(&worker->go);
	sem_destroy(&worker->done);
	free(worker);
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0)
		continue; /* a signal */
}

static bool wait_until(sem_t *semaphore, struct deadline deadline)
{
	struct timespec at = {.tv_sec = (time_t)(deadline.at_us / US_PER_S),
			      .tv_nsec = (long)(deadline.at_us % US_PER_S) * NS_PER_US};

	while (sem_clockwait(semaphore, CLOCK_MONOTONIC, &at) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	for (;;) {
		wait_for(&worker->go);
		if (!worker->call)
			return NULL;
		worker->call(worker->job);
		if (atomic_exchange(&worker->state, WORKER_DONE) == WORKER_ABANDONED)
			break;
		sem_post(&worker->done);
	}
	worker->cleanup(worker->job);
	worker_free(worker);
	return NULL;
}

/* The program's signal handlers are none of this thread's business. */
static bool start_thread(struct worker *worker)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	bool started;

	if (pthread_attr_init(&attributes) != 0)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_attr_setstacksize(&attributes, WORKER_STACK) == 0 &&
		  pthread_create(&worker->thread, &attributes, worker_main, worker) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return started;
}

bool worker_start(struct worker **out, void *job, void (*cleanup)(void *job))
{
	struct worker *worker = calloc(1, sizeof *worker);

	*out = NULL;
	if (!worker)
		return false;
	worker->job = job;
	worker->cleanup = cleanup;
	sem_init(&worker->go, 0, 0);
	sem_init(&worker->done, 0, 0);
	if (!start_thread(worker)) {
		worker_free(worker);
		return false;
	}
	*out = worker;
	return true;
}

bool worker_run(struct worker **owned, void (*call)(void *job), struct deadline deadline)
{
	struct worker *worker = *owned;
	pthread_t thread = worker->thread;
	int running = WORKER_RUNNING;

	worker->call = call;
	atomic_store(&worker->state, WORKER_RUNNING);
	sem_post(&worker->go);
	if (!wait_until(&worker->done, deadline)) {
		if (atomic_compare_exchange_strong(&worker->state, &running, WORKER_ABANDONED)) {
			pthread_detach(thread);
			*owned = NULL;
			return false;
		}
		wait_for(&worker->done); /* it returned at the last moment */
	}
	atomic_exchange(&worker->state, WORKER_IDLE); /* sees what the call wrote */
	return true;
}

void worker_stop(struct worker **owned)
{
	struct worker *worker = *owned;

	if (!worker)
		return;
	worker->call = NULL;
	sem_post(&worker->go);
	pthread_join(worker->thread, NULL);
	worker_free(worker);
	*owned = NULL;
}
