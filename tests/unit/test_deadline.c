/* Calls that do not return: who goes on, and who cleans up. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deadline.h"

#define LONG_MS 60000 /* a bound that no test reaches */

/* What a call works on. The semaphores are the test's own, so that they outlive it. */
struct job {
	sem_t *let_go;  /* the call returns once this is posted */
	sem_t *cleaned; /* posted by the clean-up */
	struct deadline until;
	sigset_t mask;
	int value;
};

static void cleanup(void *argument)
{
	struct job *job = argument;
	sem_t *cleaned = job->cleaned;

	free(job);
	sem_post(cleaned);
}

static void call_count(void *argument)
{
	struct job *job = argument;

	job->value++;
}

static void call_hang(void *argument)
{
	struct job *job = argument;

	while (sem_wait(job->let_go) != 0)
		continue;
	job->value++; /* the memory is still there */
}

static void call_until(void *argument)
{
	struct job *job = argument;
	struct timespec at = {.tv_sec = (time_t)(job->until.at_us / 1000000),
			      .tv_nsec = (long)(job->until.at_us % 1000000) * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		continue;
	job->value++;
}

static void call_mask(void *argument)
{
	struct job *job = argument;

	pthread_sigmask(SIG_SETMASK, NULL, &job->mask);
}

static struct job *make_job(sem_t *let_go, sem_t *cleaned)
{
	struct job *job = calloc(1, sizeof *job);

	assert_non_null(job);
	job->let_go = let_go;
	job->cleaned = cleaned;
	return job;
}

static void calls_in_time(void **state)
{
	struct job *job = make_job(NULL, NULL);
	struct worker *worker;

	(void)state;
	assert_true(worker_start(&worker, job, cleanup));
	for (int i = 1; i <= 1000; i++) {
		assert_true(worker_run(&worker, call_count, deadline_after(LONG_MS)));
		assert_int_equal(job->value, i);
	}
	worker_stop(&worker);
	assert_null(worker);
	free(job); /* still ours: a clean-up before would be a double free */
	worker_stop(&worker);
}

static void call_that_hangs_is_left(void **state)
{
	sem_t let_go, cleaned;
	struct worker *worker;
	struct job *job;
	int64_t start, took;

	(void)state;
	sem_init(&let_go, 0, 0);
	sem_init(&cleaned, 0, 0);
	job = make_job(&let_go, &cleaned);
	assert_true(worker_start(&worker, job, cleanup));
	start = deadline_now_us();
	assert_false(worker_run(&worker, call_hang, deadline_after(30)));
	took = deadline_now_us() - start;
	assert_null(worker);
	assert_true(took >= 30000 && took < 5000000);
	assert_int_equal(sem_trywait(&cleaned), -1); /* not while the call is under way */
	sem_post(&let_go);
	assert_int_equal(sem_wait(&cleaned), 0); /* by the worker, once it is back */
	sem_destroy(&let_go);
	sem_destroy(&cleaned);
}

/* Calls that come back just when they are given up: each has exactly one owner afterwards. */
static void call_and_deadline_at_once(void **state)
{
	unsigned kept = 0, left = 0;
	sem_t cleaned;

	(void)state;
	sem_init(&cleaned, 0, 0);
	for (int i = 0; i < 400; i++) {
		struct job *job = make_job(NULL, &cleaned);
		struct deadline deadline = deadline_after(1);
		struct worker *worker;

		job->until.at_us = deadline.at_us - 40 + i % 80;
		assert_true(worker_start(&worker, job, cleanup));
		if (worker_run(&worker, call_until, deadline)) {
			assert_int_equal(job->value, 1);
			worker_stop(&worker);
			free(job);
			kept++;
		} else {
			assert_null(worker);
			left++;
		}
	}
	for (unsigned i = 0; i < left; i++)
		assert_int_equal(sem_wait(&cleaned), 0);
	assert_int_equal(sem_trywait(&cleaned), -1);
	assert_int_equal(kept + left, 400);
	sem_destroy(&cleaned);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
	(void)number;
	alarms++;
}

/* A signal neither cuts the wait short nor reaches the worker. */
static void signals_stay_with_the_caller(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm}, before;
	const struct itimerspec soon = {.it_value.tv_nsec = 5000000};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct job *job = make_job(NULL, NULL);
	struct worker *worker;
	timer_t timer;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_true(worker_start(&worker, job, cleanup));
	assert_true(worker_run(&worker, call_mask, deadline_after(LONG_MS)));
	assert_int_equal(sigismember(&job->mask, SIGALRM), 1);
	assert_int_equal(sigismember(&job->mask, SIGINT), 1);
	job->until = deadline_after(50);
	assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
	assert_true(worker_run(&worker, call_until, deadline_after(LONG_MS)));
	assert_int_equal(job->value, 1);
	assert_int_equal(alarms, 1);
	worker_stop(&worker);
	free(job);
	timer_delete(timer);
	sigaction(SIGALRM, &before, NULL);
}

static void time_that_is_left(void **state)
{
	const struct deadline past = {deadline_now_us() - 1};
	const struct deadline far = deadline_after(UINT_MAX);

	(void)state;
	assert_int_equal(deadline_left_ms(past), 0);
	assert_true(deadline_passed(past));
	assert_true(deadline_left_ms(far) > UINT_MAX - 10000);
	assert_false(deadline_passed(deadline_after(LONG_MS)));
	assert_int_equal(deadline_within(past, LONG_MS).at_us, past.at_us);
	assert_true(deadline_within(far, 100).at_us <= deadline_after(100).at_us);
	/* Rounded up: what is left is never called nothing. */
	assert_true(deadline_left_ms((struct deadline){deadline_now_us() + 999999}) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_in_time),
		cmocka_unit_test(call_that_hangs_is_left),
		cmocka_unit_test(call_and_deadline_at_once),
		cmocka_unit_test(signals_stay_with_the_caller),
		cmocka_unit_test(time_that_is_left),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
