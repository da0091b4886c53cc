#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "journal_bench.h"

const struct bench_run bench_runs[BENCH_RUNS] = {
	/* The smallest memory, kept near its capacity: nearly each commit turns pages. */
	{2048, 3, {7, 3, 260, 900}, 60},    {2048, 3, {16, 4, 40, 200}, 160},
	{2048, 4, {9, 2, 320, 1280}, 60},   {4096, 3, {24, 6, 90, 600}, 80},
	{2048, 7, {40, 6, 120, 1280}, 100},
};

void bench_init(struct bench *bench, size_t run, uint64_t seed)
{
	flash_sim_init(&bench->sim, bench_runs[run].page_size, bench_runs[run].page_count);
	flash_sim_seed(&bench->sim, seed);
	memset(&bench->model, 0, sizeof(bench->model));
	assert_int_equal(journal_open(&bench->journal, &bench->sim.port), JOURNAL_OK);
}

void bench_draw(struct bench *bench, size_t run)
{
	do {
		model_draw(&bench->commit, &bench->sim, &bench_runs[run].shape);
	} while (!model_fits(&bench->model, &bench->sim.port, bench->commit.writes,
			     bench->commit.count));
	bench->after = bench->model;
	model_apply(&bench->after, bench->commit.writes, bench->commit.count);
}

enum journal_result bench_commit(struct bench *bench)
{
	return journal_commit(&bench->journal, bench->commit.writes, bench->commit.count);
}

bool bench_reopen(struct bench *bench)
{
	bool old, new;

	flash_sim_power_on(&bench->sim);
	flash_sim_reset_counts(&bench->sim);
	assert_int_equal(journal_open(&bench->journal, &bench->sim.port), JOURNAL_OK);
	assert_int_equal(bench->sim.counts.operations, 0);
	old = model_matches(&bench->model, &bench->journal);
	new = model_matches(&bench->after, &bench->journal);
	assert_true(old || new);
	return new;
}
