/* The journal and a port whose calls fail while power stays on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "journal_bench.h"

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
	for (size_t run = 0; run < BENCH_RUNS; run++) {
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

/* Opens the memory as often as that takes reads, with another one failing each time. */
static void open_in_spite_of_reads(struct flash_sim *sim)
{
	struct flash_sim_image *image = flash_sim_snapshot(sim);
	enum journal_result result = JOURNAL_IO;
	struct journal journal;

	for (unsigned long n = 1; result == JOURNAL_IO; n++) {
		assert_true(flash_sim_unchanged(sim, image));
		flash_sim_fail(sim, FLASH_SIM_READ, n, 1, FLASH_SIM_UNDONE);
		result = journal_open(&journal, &sim->port);
	}
	assert_int_equal(result, JOURNAL_OK);
	flash_sim_restore(sim, image);
	flash_sim_image_free(image);
}

/* Commits as often as that takes reads. No read that fails does harm: nothing is lost, nothing is
 * taken for absent, and the next commit finds its way. */
static void commit_in_spite_of_reads(struct bench *bench)
{
	struct flash_sim_image *image = flash_sim_snapshot(&bench->sim);
	struct journal before = bench->journal;

	for (unsigned long n = 1;; n++) {
		enum journal_result result;

		flash_sim_restore(&bench->sim, image);
		bench->journal = before;
		flash_sim_fail(&bench->sim, FLASH_SIM_READ, n, 1, FLASH_SIM_UNDONE);
		result = bench_commit(bench);
		flash_sim_fail(&bench->sim, 0, 0, 0, FLASH_SIM_UNDONE);
		if (result == JOURNAL_OK)
			break;
		assert_int_equal(result, JOURNAL_IO);
		assert_true(model_matches(&bench->model, &bench->journal));
		assert_int_equal(bench_commit(bench), JOURNAL_OK);
		assert_true(model_matches(&bench->after, &bench->journal));
		assert_true(bench_reopen(bench));
	}
	flash_sim_image_free(image);
}

static void test_failing_read(void **state)
{
	static struct bench bench;

	(void)state;
	for (size_t run = 0; run < BENCH_RUNS; run++) {
		flash_sim_init(&bench.sim, 2048, 3);
		open_in_spite_of_reads(&bench.sim);
		flash_sim_free(&bench.sim);
		bench_init(&bench, run, 400 + run);
		for (unsigned i = 0; i < 20; i++) {
			bench_draw(&bench, run);
			commit_in_spite_of_reads(&bench);
			bench.model = bench.after;
			open_in_spite_of_reads(&bench.sim);
			bench_draw(&bench, run);
			flash_sim_cut(&bench.sim, 1 + i % 8, FLASH_SIM_TORN_BITS);
			(void)bench_commit(&bench);
			if (bench_reopen(&bench))
				bench.model = bench.after;
			open_in_spite_of_reads(&bench.sim);
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
		cmocka_unit_test(test_failing_port),
		cmocka_unit_test(test_failing_read),
		cmocka_unit_test(test_failing_read_of_a_value),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
