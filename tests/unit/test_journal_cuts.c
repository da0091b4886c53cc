/* The journal and power: cut at every operation, in every manner, again and again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "journal_bench.h"

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
	for (size_t run = 0; run < BENCH_RUNS; run++) {
		bench_init(&bench, run, run);
		for (unsigned i = 0; i < bench_runs[run].commits; i++) {
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
	for (size_t run = 0; run < BENCH_RUNS; run++) {
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

/* A head whose successor was being opened takes no more frames, though they would fit: the header
 * of the new page may yet turn up, and says where the old one ended. */
static void test_old_head_is_closed(void **state)
{
	static const uint8_t value[1280] = {1};
	const struct journal_write large = {1, {value, sizeof(value)}};
	const struct journal_write little = {2, {value, 1}};
	struct flash_sim sim;
	struct journal journal;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, &large, 1), JOURNAL_OK);
	flash_sim_cut(&sim, 4, FLASH_SIM_UNDONE); /* erase, sync, header, sync */
	assert_int_equal(journal_commit(&journal, &large, 1), JOURNAL_IO);
	flash_sim_power_on(&sim);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal.sequence, 0);
	assert_int_equal(journal_commit(&journal, &little, 1), JOURNAL_OK);
	assert_int_equal(journal.sequence, 1);
	flash_sim_free(&sim);
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
	for (size_t run = 0; run < BENCH_RUNS; run++) {
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_at_every_operation),
		cmocka_unit_test(test_cut_again_and_again),
		cmocka_unit_test(test_old_head_is_closed),
		cmocka_unit_test(test_cut_during_the_first_opening),
		cmocka_unit_test(test_cut_during_scrub),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
