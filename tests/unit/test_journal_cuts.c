/* The journal and power: cut at every operation, in every manner, and what failed calls leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "journal_model.h"

/* A journal, the memory under it and what it must hold. */
struct bench {
	struct flash_sim sim;
	struct journal journal;
	struct model model;
	struct model after; /* the model once `commit` is carried out */
	struct model_commit commit;
};

static const struct {
	uint32_t page_size;
	uint16_t page_count;
	struct model_shape shape;
	unsigned commits;
} runs[] = {
	/* The smallest memory, kept near its capacity: nearly each commit turns pages. */
	{2048, 3, {7, 3, 260, 900}, 60},    {2048, 3, {16, 4, 40, 200}, 160},
	{2048, 4, {9, 2, 320, 1280}, 60},   {4096, 3, {24, 6, 90, 600}, 80},
	{2048, 7, {40, 6, 120, 1280}, 100},
};

#define RUNS (sizeof(runs) / sizeof(runs[0]))

static void bench_init(struct bench *bench, size_t run, uint64_t seed)
{
	flash_sim_init(&bench->sim, runs[run].page_size, runs[run].page_count);
	flash_sim_seed(&bench->sim, seed);
	memset(&bench->model, 0, sizeof(bench->model));
	assert_int_equal(journal_open(&bench->journal, &bench->sim.port), JOURNAL_OK);
}

/* Draws the next commit that fits. */
static void bench_draw(struct bench *bench, size_t run)
{
	do {
		model_draw(&bench->commit, &bench->sim, &runs[run].shape);
	} while (!model_fits(&bench->model, &bench->sim.port, bench->commit.writes,
			     bench->commit.count));
	bench->after = bench->model;
	model_apply(&bench->after, bench->commit.writes, bench->commit.count);
}

static enum journal_result bench_commit(struct bench *bench)
{
	return journal_commit(&bench->journal, bench->commit.writes, bench->commit.count);
}

/* Power returns: the image mounts without being written to, and is all old or all new. Tells
 * whether it is new. */
static bool bench_reopen(struct bench *bench)
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

/* One cut at operation n of the drawn commit; false if the commit has fewer. */
static bool bench_cut(struct bench *bench, unsigned long n, enum flash_sim_torn torn)
{
	flash_sim_cut(&bench->sim, n, torn);
	if (bench_commit(bench) == JOURNAL_OK) {
		assert_false(flash_sim_is_off(&bench->sim));
		return false;
	}
	assert_true(flash_sim_is_off(&bench->sim));
	return true;
}

/*
 * A long random life; before each of its commits goes through, it is cut at every operation, in
 * every manner, with and without the loss of what was not synchronised. After each cut the commit
 * is done again, and must then stay.
 */
static void test_cut_at_every_operation(void **state)
{
	static struct bench bench;
	unsigned long cuts = 0, olds = 0, news = 0;

	(void)state;
	for (size_t run = 0; run < RUNS; run++) {
		bench_init(&bench, run, run);
		for (unsigned i = 0; i < runs[run].commits; i++) {
			struct flash_sim_image *image = flash_sim_snapshot(&bench.sim);
			struct journal before = bench.journal;

			bench_draw(&bench, run);
			for (unsigned manner = 0; manner < 2 * FLASH_SIM_TORN_COUNT; manner++) {
				bench.sim.lose_unsynced = manner >= FLASH_SIM_TORN_COUNT;
				for (unsigned long n = 1;; n++) {
					bool new;

					flash_sim_restore(&bench.sim, image);
					bench.journal = before;
					if (!bench_cut(&bench, n, manner % FLASH_SIM_TORN_COUNT))
						break;
					new = bench_reopen(&bench);
					cuts++;
					*(new ? &news : &olds) += 1;
					assert_int_equal(bench_commit(&bench), JOURNAL_OK);
					assert_true(bench_reopen(&bench));
				}
			}
			flash_sim_image_free(image);
			bench.model = bench.after;
		}
		flash_sim_free(&bench.sim);
	}
	print_message("# %lu cuts: %lu old, %lu new\n", cuts, olds, news);
	assert_true(olds > 1000 && news > 1000);
}

/* Cuts that come one after another, before the harm of the last is mended, for a long time. */
static void test_cut_again_and_again(void **state)
{
	static struct bench bench;

	(void)state;
	for (size_t run = 0; run < RUNS; run++) {
		unsigned cuts = 0, commits = 0;

		bench_init(&bench, run, 100 + run);
		for (unsigned i = 0; i < 1500; i++) {
			uint32_t most = 3u << flash_sim_chance(&bench.sim, 7);
			unsigned long n = 1 + flash_sim_chance(&bench.sim, most);
			enum flash_sim_torn torn =
				flash_sim_chance(&bench.sim, FLASH_SIM_TORN_COUNT);
			bool new = true;

			bench.sim.lose_unsynced = flash_sim_chance(&bench.sim, 2);
			bench_draw(&bench, run);
			if (bench_cut(&bench, n, torn)) {
				new = bench_reopen(&bench);
				cuts++;
			}
			flash_sim_cut(&bench.sim, 0, torn);
			if (new) {
				bench.model = bench.after;
				commits++;
			}
			assert_true(model_matches(&bench.model, &bench.journal));
		}
		print_message("# %u cuts, %u commits\n", cuts, commits);
		assert_true(cuts > 250 && commits > 250);
		flash_sim_free(&bench.sim);
	}
}

/* The first image is the one thing that opening writes: cut that too, several times over. */
static void test_cut_during_the_first_opening(void **state)
{
	static const uint8_t value[] = "first";
	const struct journal_write write = {1, {value, sizeof(value)}};
	struct flash_sim sim;
	struct journal journal;
	uint8_t out[sizeof(value)];
	size_t len;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	for (unsigned first = 0; first < 7 * FLASH_SIM_TORN_COUNT; first++) {
		for (unsigned second = 0; second < 7 * FLASH_SIM_TORN_COUNT; second++) {
			const unsigned cuts[] = {first, second, second, first};

			flash_sim_free(&sim);
			flash_sim_init(&sim, 2048, 3);
			flash_sim_seed(&sim, first * 64 + second);
			sim.lose_unsynced = (first + second) % 2;
			for (size_t i = 0; i < 4; i++) {
				flash_sim_cut(&sim, 1 + cuts[i] / FLASH_SIM_TORN_COUNT,
					      cuts[i] % FLASH_SIM_TORN_COUNT);
				if (journal_open(&journal, &sim.port) != JOURNAL_OK)
					assert_true(flash_sim_is_off(&sim));
				flash_sim_power_on(&sim);
			}
			assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
			assert_int_equal(journal_read(&journal, 1, out, sizeof(out), &len),
					 JOURNAL_ABSENT);
			assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
			assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
			assert_int_equal(journal_read(&journal, 1, out, sizeof(out), &len),
					 JOURNAL_OK);
		}
	}
	flash_sim_free(&sim);
}

/* A scrub that is cut loses nothing, and done again leaves nothing stale. */
static void test_cut_during_scrub(void **state)
{
	static const uint8_t secret[] = "a secret that was replaced";
	const struct journal_write put = {60, {secret, sizeof(secret)}};
	const struct journal_write removal = {60, {NULL, 0}};
	static struct bench bench;

	(void)state;
	for (size_t run = 0; run < RUNS; run++) {
		struct flash_sim_image *image;
		struct journal before;

		bench_init(&bench, run, 200 + run);
		for (unsigned i = 0; i < 30; i++) {
			bench_draw(&bench, run);
			assert_int_equal(bench_commit(&bench), JOURNAL_OK);
			bench.model = bench.after;
		}
		assert_int_equal(journal_commit(&bench.journal, &put, 1), JOURNAL_OK);
		assert_int_equal(journal_commit(&bench.journal, &removal, 1), JOURNAL_OK);
		before = bench.journal;
		image = flash_sim_snapshot(&bench.sim);
		for (unsigned manner = 0; manner < 2 * FLASH_SIM_TORN_COUNT; manner++) {
			bench.sim.lose_unsynced = manner >= FLASH_SIM_TORN_COUNT;
			for (unsigned long n = 1;; n++) {
				flash_sim_restore(&bench.sim, image);
				bench.journal = before;
				flash_sim_cut(&bench.sim, n, manner % FLASH_SIM_TORN_COUNT);
				if (journal_scrub(&bench.journal) == JOURNAL_OK)
					break;
				assert_true(bench_reopen(&bench));
				assert_int_equal(journal_scrub(&bench.journal), JOURNAL_OK);
				assert_true(bench_reopen(&bench));
				assert_false(
					flash_sim_contains(&bench.sim, secret, sizeof(secret)));
			}
		}
		flash_sim_image_free(image);
		flash_sim_free(&bench.sim);
	}
}

/*
 * Calls of the port that fail while power stays on. A commit that says JOURNAL_IO leaves the old
 * values readable; later commits go on from there. After a mount, what such a commit would have
 * written is there whole or not at all, and not if a later commit went through.
 */
static void test_failing_port(void **state)
{
	static const unsigned kinds[] = {FLASH_SIM_PROGRAM, FLASH_SIM_ERASE, FLASH_SIM_SYNC,
					 FLASH_SIM_PROGRAM | FLASH_SIM_ERASE | FLASH_SIM_SYNC};
	static struct bench bench;
	static struct model doubtful[3];

	(void)state;
	for (size_t run = 0; run < RUNS; run++) {
		size_t doubts = 0;
		unsigned failed = 0, came_back = 0;

		bench_init(&bench, run, 300 + run);
		for (unsigned i = 0; i < 1500; i++) {
			enum journal_result result;

			bench_draw(&bench, run);
			flash_sim_fail(&bench.sim, kinds[flash_sim_chance(&bench.sim, 4)],
				       1 + flash_sim_chance(&bench.sim, 6),
				       1 + flash_sim_chance(&bench.sim, 3),
				       flash_sim_chance(&bench.sim, FLASH_SIM_TORN_COUNT));
			result = bench_commit(&bench);
			flash_sim_fail(&bench.sim, 0, 0, 0, FLASH_SIM_UNDONE);
			if (result == JOURNAL_OK) {
				bench.model = bench.after;
				doubts = 0;
			} else {
				assert_int_equal(result, JOURNAL_IO);
				doubtful[doubts++] = bench.after;
				failed++;
			}
			assert_true(model_matches(&bench.model, &bench.journal));
			if (doubts < 3 && flash_sim_chance(&bench.sim, 4))
				continue;
			assert_int_equal(journal_open(&bench.journal, &bench.sim.port), JOURNAL_OK);
			if (!model_matches(&bench.model, &bench.journal)) {
				size_t d = 0;

				while (d < doubts && !model_matches(&doubtful[d], &bench.journal))
					d++;
				assert_true(d < doubts);
				bench.model = doubtful[d];
				came_back++;
			}
			doubts = 0;
		}
		assert_true(failed > 100 && came_back > 10);
		flash_sim_free(&bench.sim);
	}
}

/* No read that fails does harm: nothing is lost, and nothing is taken for absent. */
static void test_failing_read(void **state)
{
	static struct bench bench;

	(void)state;
	for (size_t run = 0; run < RUNS; run++) {
		bench_init(&bench, run, 400 + run);
		for (unsigned i = 0; i < 30; i++) {
			struct flash_sim_image *image = flash_sim_snapshot(&bench.sim);
			struct journal before = bench.journal;
			struct journal mounted;
			enum journal_result result;
			unsigned long n;

			bench_draw(&bench, run);
			for (n = 1, result = JOURNAL_IO; result == JOURNAL_IO; n++) {
				flash_sim_restore(&bench.sim, image);
				bench.journal = before;
				flash_sim_fail(&bench.sim, FLASH_SIM_READ, n, 1, FLASH_SIM_UNDONE);
				result = bench_commit(&bench);
				flash_sim_fail(&bench.sim, 0, 0, 0, FLASH_SIM_UNDONE);
				if (result == JOURNAL_OK)
					break;
				assert_true(model_matches(&bench.model, &bench.journal));
				assert_int_equal(bench_commit(&bench), JOURNAL_OK);
				assert_true(model_matches(&bench.after, &bench.journal));
				assert_true(bench_reopen(&bench));
			}
			assert_int_equal(result, JOURNAL_OK);
			flash_sim_image_free(image);
			bench.model = bench.after;
			for (n = 1, result = JOURNAL_IO; result == JOURNAL_IO; n++) {
				flash_sim_fail(&bench.sim, FLASH_SIM_READ, n, 1, FLASH_SIM_UNDONE);
				result = journal_open(&mounted, &bench.sim.port);
			}
			flash_sim_fail(&bench.sim, 0, 0, 0, FLASH_SIM_UNDONE);
			assert_int_equal(result, JOURNAL_OK);
		}
		flash_sim_free(&bench.sim);
	}
}

static void test_failing_read_of_a_value(void **state)
{
	static const uint8_t value[] = "value";
	const struct journal_write write = {1, {value, sizeof(value)}};
	struct flash_sim sim;
	struct journal journal;
	uint8_t out[sizeof(value)];
	size_t len;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	for (unsigned long n = 1; n <= 2; n++) {
		flash_sim_fail(&sim, FLASH_SIM_READ, n, 1, FLASH_SIM_UNDONE);
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_IO);
	}
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
	for (unsigned long n = 1; n <= 2; n++) {
		flash_sim_fail(&sim, FLASH_SIM_READ, n, 1, FLASH_SIM_UNDONE);
		assert_int_equal(journal_read(&journal, 1, out, sizeof(out), &len), JOURNAL_IO);
	}
	assert_int_equal(journal_read(&journal, 1, out, sizeof(out), &len), JOURNAL_OK);
	flash_sim_free(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_at_every_operation),
		cmocka_unit_test(test_cut_again_and_again),
		cmocka_unit_test(test_cut_during_the_first_opening),
		cmocka_unit_test(test_cut_during_scrub),
		cmocka_unit_test(test_failing_port),
		cmocka_unit_test(test_failing_read),
		cmocka_unit_test(test_failing_read_of_a_value),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
