/*
 * The engine: what is told done is committed, whoever fails beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "engine.h"
#include "store_place.h"

#define BOUND_S 20

/* A row that a job writes, and how often it fails before it does not. */
struct row_job {
	struct job job;
	int64_t id;
	int fail_with;     /* 0: never */
	unsigned fail_for; /* so many runs; UINT_MAX: always */
	atomic_uint runs;
	unsigned last_tries_left;
	sem_t *told;
	int result;
	int64_t rows_at_done; /* as another connection saw it */
	struct db *witness;
};

static int write_row(struct work *work, struct job *job)
{
	struct row_job *row = (struct row_job *)job;
	unsigned run = atomic_fetch_add(&row->runs, 1);
	int result = db_run(work->db, "INSERT INTO jobs (id) VALUES ($1)",
			    DB_VALUES(db_int(row->id)), NULL);

	row->last_tries_left = work->tries_left;
	assert_non_null(work->chain);
	assert_true(work->waited_ms >= 0);
	if (result == DB_OK && row->fail_with && run < row->fail_for)
		return row->fail_with;
	return result;
}

static void told(struct job *job, int result)
{
	struct row_job *row = (struct row_job *)job;

	row->result = result;
	if (row->witness)
		row->rows_at_done = store_place_number(row->witness, "SELECT COUNT(*) FROM jobs");
	sem_post(row->told);
}

struct place {
	const struct store_place *store;
	struct db *db;
	struct engine *engine;
	sem_t told;
};

static void start(void **state, struct place *place, unsigned workers, unsigned queue_max,
		  const struct task *tasks, size_t task_count)
{
	struct engine_settings settings = {
		.name = "test",
		.workers = workers,
		.batch_max = 8,
		.queue_max = queue_max,
		.tasks = tasks,
		.task_count = task_count,
	};
	char detail[DB_DETAIL_MAX];

	memset(place, 0, sizeof(*place));
	place->store = store_place(state);
	place->db = store_place_open(place->store);
	assert_int_equal(
		db_run(place->db, "CREATE TABLE jobs (id INTEGER PRIMARY KEY)", DB_NONE, NULL),
		DB_OK);
	sem_init(&place->told, 0, 0);
	settings.where = place->store->where;
	assert_int_equal(engine_start(&place->engine, NULL, &settings, detail), DB_OK);
}

static void stop(struct place *place)
{
	engine_stop(&place->engine);
	assert_null(place->engine);
	db_close(&place->db);
	sem_destroy(&place->told);
}

static void await(struct place *place, unsigned count)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += BOUND_S;
	while (count--)
		assert_int_equal(sem_timedwait(&place->told, &until), 0);
}

static void fill(struct place *place, struct row_job *jobs, size_t count)
{
	memset(jobs, 0, count * sizeof(*jobs));
	for (size_t i = 0; i < count; i++) {
		jobs[i].job.run = write_row;
		jobs[i].job.done = told;
		jobs[i].id = (int64_t)i + 1;
		jobs[i].told = &place->told;
	}
}

/* Holds the queue: a job that waits until all others stand behind it. */
struct gate {
	struct job job;
	sem_t open, reached, *told;
};

static int gate_run(struct work *work, struct job *job)
{
	struct gate *gate = (struct gate *)job;

	(void)work;
	sem_post(&gate->reached);
	sem_wait(&gate->open);
	return DB_OK;
}

static void gate_done(struct job *job, int result)
{
	assert_int_equal(result, DB_OK);
	sem_post(((struct gate *)job)->told);
}

/* All of them in one batch, behind a gate. */
static void submit_together(struct place *place, struct row_job *jobs, size_t count)
{
	struct gate gate = {.job = {.run = gate_run, .done = gate_done}, .told = &place->told};

	sem_init(&gate.open, 0, 0);
	sem_init(&gate.reached, 0, 0);
	assert_true(engine_submit(place->engine, &gate.job));
	sem_wait(&gate.reached);
	for (size_t i = 0; i < count; i++)
		assert_true(engine_submit(place->engine, &jobs[i].job));
	sem_post(&gate.open);
	await(place, (unsigned)count + 1);
	sem_destroy(&gate.open);
	sem_destroy(&gate.reached);
}

static int64_t rows(struct place *place)
{
	return store_place_number(place->db, "SELECT COUNT(*) FROM jobs");
}

static void a_batch_is_committed_before_it_is_told(void **state)
{
	struct row_job jobs[8];
	struct place place;

	start(state, &place, 1, 100, NULL, 0);
	fill(&place, jobs, 8);
	jobs[0].witness = place.db;
	submit_together(&place, jobs, 8);
	/* One transaction: when the first was told all eight were there. */
	assert_int_equal(jobs[0].rows_at_done, 8);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(jobs[i].result, DB_OK);
		assert_int_equal(jobs[i].runs, 1);
	}
	assert_true(engine_ready(place.engine));
	stop(&place);
}

static void one_that_fails_leaves_the_others(void **state)
{
	struct row_job jobs[6];
	struct place place;

	start(state, &place, 1, 100, NULL, 0);
	fill(&place, jobs, 6);
	jobs[3].fail_with = DB_ERR_SQL;
	jobs[3].fail_for = UINT32_MAX;
	submit_together(&place, jobs, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(jobs[i].result, i == 3 ? DB_ERR_SQL : DB_OK);
	assert_int_equal(rows(&place), 5);
	/* Those before it ran twice, those behind it once. */
	assert_int_equal(jobs[0].runs, 2);
	assert_int_equal(jobs[5].runs, 1);
	stop(&place);
}

static void two_with_one_key_are_one_row_and_one_conflict(void **state)
{
	struct row_job jobs[4];
	struct place place;

	start(state, &place, 1, 100, NULL, 0);
	fill(&place, jobs, 4);
	jobs[2].id = jobs[1].id;
	submit_together(&place, jobs, 4);
	assert_int_equal(jobs[1].result == DB_OK, jobs[2].result != DB_OK);
	assert_int_equal(jobs[1].result + jobs[2].result, DB_ERR_CONFLICT);
	assert_int_equal(jobs[0].result, DB_OK);
	assert_int_equal(jobs[3].result, DB_OK);
	assert_int_equal(rows(&place), 3);
	stop(&place);
}

static void many_that_fail_do_not_make_a_batch_run_for_ever(void **state)
{
	struct row_job jobs[8];
	struct place place;

	start(state, &place, 1, 100, NULL, 0);
	fill(&place, jobs, 8);
	for (unsigned i = 1; i < 8; i++) {
		jobs[i].fail_with = DB_ERR_SQL;
		jobs[i].fail_for = UINT32_MAX;
	}
	submit_together(&place, jobs, 8);
	/* The good one stands before them all, and runs again with each of them. */
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(jobs[i].result, i > 0 ? DB_ERR_SQL : DB_OK);
		assert_true(jobs[i].runs <= 4);
	}
	stop(&place);
}

static void a_lock_is_waited_for_a_few_times(void **state)
{
	struct row_job jobs[3];
	struct place place;

	start(state, &place, 1, 100, NULL, 0);
	fill(&place, jobs, 3);
	jobs[0].fail_with = jobs[1].fail_with = DB_ERR_BUSY;
	jobs[0].fail_for = 3;
	jobs[1].fail_for = UINT32_MAX;
	submit_together(&place, jobs, 3);
	assert_int_equal(jobs[0].result, DB_OK);
	assert_int_equal(jobs[1].result, DB_ERR_BUSY);
	/* It knew of its last try. */
	assert_int_equal(jobs[1].last_tries_left, 0);
	assert_true(jobs[1].runs < 12);
	assert_int_equal(jobs[2].result, DB_OK);
	assert_int_equal(rows(&place), 2);
	assert_true(engine_ready(place.engine));
	stop(&place);
}

static void a_full_queue_refuses(void **state)
{
	struct gate gate = {.job = {.run = gate_run, .done = gate_done}};
	struct row_job jobs[4];
	struct place place;
	unsigned waiting;
	int64_t oldest;

	start(state, &place, 1, 3, NULL, 0);
	fill(&place, jobs, 4);
	gate.told = &place.told;
	sem_init(&gate.open, 0, 0);
	sem_init(&gate.reached, 0, 0);
	assert_true(engine_submit(place.engine, &gate.job));
	sem_wait(&gate.reached);
	for (unsigned i = 0; i < 3; i++)
		assert_true(engine_submit(place.engine, &jobs[i].job));
	assert_false(engine_submit(place.engine, &jobs[3].job));
	engine_load(place.engine, &waiting, &oldest);
	assert_int_equal(waiting, 3);
	assert_true(oldest >= 0);
	sem_post(&gate.open);
	await(&place, 4);
	assert_int_equal(jobs[3].runs, 0);
	sem_destroy(&gate.open);
	sem_destroy(&gate.reached);
	stop(&place);
}

static void stopping_works_off_the_queue(void **state)
{
	enum { JOBS = 50 };
	struct row_job jobs[JOBS];
	struct db *db;
	struct place place;

	start(state, &place, 2, 100, NULL, 0);
	fill(&place, jobs, JOBS);
	for (unsigned i = 0; i < JOBS; i++)
		assert_true(engine_submit(place.engine, &jobs[i].job));
	engine_stop(&place.engine);
	for (unsigned i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].result, DB_OK);
	assert_int_equal(rows(&place), JOBS);
	assert_false(engine_submit(NULL, &jobs[0].job));
	db = place.db;
	db_close(&db);
	sem_destroy(&place.told);
}

/* Something to be found out before the transaction. */
struct prepared_job {
	struct row_job row; /* first */
	atomic_uint prepared;
};

static void prepare_row(struct work *work, struct job *job)
{
	struct prepared_job *prepared = (struct prepared_job *)job;

	assert_int_equal(atomic_load(&prepared->row.runs), 0);
	atomic_fetch_add(&prepared->prepared, 1);
	/* It may read, and is in a transaction that others do not wait for. */
	assert_true(store_place_number(work->db, "SELECT COUNT(*) FROM jobs") >= 0);
	assert_int_equal(db_begin(work->db), DB_ERR_SQL);
}

/* With SQLite each is prepared once, whatever becomes of it; elsewhere it would be of no use. */
static void prepared_once_by(unsigned workers, void **state)
{
	enum { JOBS = 40 };
	struct prepared_job jobs[JOBS];
	struct place place;
	unsigned each;

	start(state, &place, workers, 100, NULL, 0);
	each = db_engine(place.db) == DB_SQLITE;
	memset(jobs, 0, sizeof(jobs));
	for (unsigned i = 0; i < JOBS; i++) {
		fill(&place, &jobs[i].row, 1);
		jobs[i].row.id = i + 1;
		jobs[i].row.job.prepare = prepare_row;
	}
	jobs[7].row.fail_with = DB_ERR_BUSY;
	jobs[7].row.fail_for = 2;
	for (unsigned i = 0; i < JOBS; i++)
		assert_true(engine_submit(place.engine, &jobs[i].row.job));
	await(&place, JOBS);
	assert_int_equal(rows(&place), JOBS);
	for (unsigned i = 0; i < JOBS; i++) {
		assert_int_equal(jobs[i].row.result, DB_OK);
		assert_int_equal(jobs[i].prepared, each);
	}
	stop(&place);
}

static void prepared_once_by_one(void **state)
{
	prepared_once_by(1, state);
}

static void prepared_once_by_three(void **state)
{
	prepared_once_by(3, state);
}

/* Threads that submit, against workers that take. */
struct crowd {
	struct place *place;
	struct row_job jobs[100];
};

static void *submit_many(void *argument)
{
	struct crowd *crowd = argument;

	for (unsigned i = 0; i < 100; i++)
		assert_true(engine_submit(crowd->place->engine, &crowd->jobs[i].job));
	return NULL;
}

static void many_threads_lose_nothing(void **state)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];
	struct crowd *crowds;
	struct place place;

	start(state, &place, 3, 1000, NULL, 0);
	crowds = calloc(THREADS, sizeof(*crowds));
	assert_non_null(crowds);
	for (unsigned t = 0; t < THREADS; t++) {
		crowds[t].place = &place;
		fill(&place, crowds[t].jobs, 100);
		for (unsigned i = 0; i < 100; i++)
			crowds[t].jobs[i].id = t * 100 + i;
		pthread_create(&threads[t], NULL, submit_many, &crowds[t]);
	}
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	await(&place, THREADS * 100);
	assert_int_equal(rows(&place), THREADS * 100);
	stop(&place);
	free(crowds);
}

static atomic_uint task_runs;
static sem_t task_ran;

/* Has more to do twice. */
static int task_run(struct work *work, bool *more)
{
	unsigned run = atomic_fetch_add(&task_runs, 1);
	int result = db_run(work->db, "INSERT INTO jobs (id) VALUES ($1)",
			    DB_VALUES(db_int(1000 + run)), NULL);

	assert_string_equal(work->chain, "test/sweep");
	assert_int_equal(work->tries_left, UINT32_MAX);
	*more = run < 2;
	sem_post(&task_ran);
	return result;
}

static void tasks_run_when_woken_and_while_there_is_more(void **state)
{
	static const struct task tasks[] = {{"sweep", 3600000, task_run}};
	struct place place;

	atomic_store(&task_runs, 0);
	sem_init(&task_ran, 0, 0);
	start(state, &place, 1, 10, tasks, 1);
	engine_wake(place.engine, "other");
	engine_wake(place.engine, "sweep");
	for (unsigned i = 0; i < 3; i++)
		sem_wait(&task_ran);
	stop(&place);
	assert_int_equal(atomic_load(&task_runs), 3);
	sem_destroy(&task_ran);
}

static void a_store_that_cannot_be_opened_is_said(void **state)
{
	const struct engine_settings settings = {
		.where = "sqlite:/nonexistent/folder/x.db",
		.name = "test",
		.workers = 2,
		.batch_max = 1,
		.queue_max = 1,
	};
	char detail[DB_DETAIL_MAX] = "";
	struct engine *engine;

	(void)state;
	assert_int_equal(engine_start(&engine, NULL, &settings, detail), DB_ERR_GONE);
	assert_null(engine);
	assert_string_not_equal(detail, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_PLACE_BOTH(a_batch_is_committed_before_it_is_told),
		STORE_PLACE_BOTH(one_that_fails_leaves_the_others),
		STORE_PLACE_BOTH(two_with_one_key_are_one_row_and_one_conflict),
		STORE_PLACE_BOTH(many_that_fail_do_not_make_a_batch_run_for_ever),
		STORE_PLACE_BOTH(a_lock_is_waited_for_a_few_times),
		STORE_PLACE_BOTH(a_full_queue_refuses),
		STORE_PLACE_BOTH(stopping_works_off_the_queue),
		STORE_PLACE_BOTH(prepared_once_by_one),
		STORE_PLACE_BOTH(prepared_once_by_three),
		STORE_PLACE_BOTH(many_threads_lose_nothing),
		STORE_PLACE_BOTH(tasks_run_when_woken_and_while_there_is_more),
		cmocka_unit_test(a_store_that_cannot_be_opened_is_said),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
