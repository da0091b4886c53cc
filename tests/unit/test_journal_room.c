/* The journal's room: what fits, for how long, and what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "journal_model.h"

/*
 * Random commits against the model: each is let in if and only if journal.h says that it fits, a
 * refused one touches nothing, and all is there after each and after each mount.
 */
static void test_long_life_is_as_the_model_says(void **state)
{
	static const struct model_shape shapes[] = {
		{8, 3, 60, 200}, {64, 6, 50, 300}, {12, 2, 300, 1280}, {64, 6, 700, 1280}};
	static struct model model;
	static struct model_commit commit;

	(void)state;
	for (size_t run = 0; run < MODEL_GEOMETRIES * 4; run++) {
		const struct model_shape *shape = &shapes[run % 4];
		unsigned full = 0;
		struct flash_sim sim;
		struct journal journal;

		flash_sim_init(&sim, model_geometries[run / 4].page_size,
			       model_geometries[run / 4].page_count);
		flash_sim_seed(&sim, run);
		memset(&model, 0, sizeof(model));
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
		for (unsigned i = 0; i < 600; i++) {
			bool fits;

			model_draw(&commit, &sim, shape);
			fits = model_fits(&model, &sim.port, commit.writes, commit.count);
			flash_sim_reset_counts(&sim);
			assert_int_equal(journal_commit(&journal, commit.writes, commit.count),
					 fits ? JOURNAL_OK : JOURNAL_FULL);
			full += !fits;
			if (fits)
				model_apply(&model, commit.writes, commit.count);
			else
				assert_int_equal(sim.counts.operations, 0);
			assert_true(sim.counts.erases < sim.port.page_count);
			if (flash_sim_chance(&sim, 8) == 0)
				assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
			if (flash_sim_chance(&sim, 64) == 0)
				assert_int_equal(journal_scrub(&journal), JOURNAL_OK);
			assert_true(model_matches(&model, &journal));
		}
		if (shape->usual == 700 && sim.size < 65536)
			assert_true(full > 0);
		flash_sim_free(&sim);
	}
}

/* Makes a commit as great as it can be and still fit. */
static void shrink_to_fit(struct model_commit *commit, const struct model *model,
			  struct flash_sim *sim)
{
	while (!model_fits(model, &sim->port, commit->writes, commit->count)) {
		struct bytes *value =
			&commit->writes[flash_sim_chance(sim, (uint32_t)commit->count)].value;

		if (value->len > 0)
			value->len--;
		else
			value->ptr = NULL;
	}
}

/* Kept filled to the last byte that journal.h promises, with values of every awkward length and
 * commits as great as a page, the journal still takes every commit. */
static void test_capacity_holds_to_the_last_byte(void **state)
{
	static const struct model_shape shapes[] = {
		{64, 3, 1281, 1280}, {64, 1, 1281, 1280}, {64, 6, 700, 1280}, {12, 2, 1281, 600},
		{64, 6, 200, 1280},  {64, 2, 16, 1280},   {16, 6, 330, 330},  {24, 6, 330, 400}};
	static struct model model;
	static struct model_commit commit;

	(void)state;
	for (size_t run = 0; run < MODEL_GEOMETRIES * 8; run++) {
		struct flash_sim sim;
		struct journal journal;

		flash_sim_init(&sim, model_geometries[run / 8].page_size,
			       model_geometries[run / 8].page_count);
		flash_sim_seed(&sim, run);
		memset(&model, 0, sizeof(model));
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
		for (unsigned i = 0; i < 400; i++) {
			model_draw(&commit, &sim, &shapes[run % 8]);
			shrink_to_fit(&commit, &model, &sim);
			assert_int_equal(journal_commit(&journal, commit.writes, commit.count),
					 JOURNAL_OK);
			model_apply(&model, commit.writes, commit.count);
			assert_true(model_matches(&model, &journal));
		}
		flash_sim_free(&sim);
	}
}

/* The case in which values that this commit has already moved must not be moved again: they would
 * take the place of those that still have to be, turn for turn. */
static void test_moved_values_stay(void **state)
{
	static const uint8_t value[JOURNAL_VALUE_MAX] = {1};
	const struct journal_write second = {62, {value, 200}};
	const struct journal_write third[] = {{63, {value, 200}}, {40, {NULL, 0}}};
	const struct journal_write filling = {40, {value, 400}};
	struct journal_write first[15];
	struct flash_sim sim;
	struct journal journal;

	(void)state;
	for (uint8_t id = 0; id < 15; id++)
		first[id] = (struct journal_write){id, {value, 120}};
	flash_sim_init(&sim, 2048, 4);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, first, 15), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, &second, 1), JOURNAL_OK);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(journal_commit(&journal, &filling, 1), JOURNAL_OK);
	assert_int_equal(journal.sequence, 1);
	assert_int_equal(journal_commit(&journal, third, 2), JOURNAL_OK);
	assert_int_equal(journal.sequence, 2);
	assert_int_equal(journal_commit(&journal, first, 15), JOURNAL_OK);
	assert_int_equal(journal.sequence, 5);
	flash_sim_free(&sim);
}

static void test_wear_is_spread(void **state)
{
	(void)state;
	for (size_t run = 0; run < MODEL_GEOMETRIES; run++) {
		static const struct model_shape shape = {16, 2, 80, 300};
		static struct model_commit commit;
		unsigned long least, most;
		struct flash_sim sim;
		struct journal journal;

		flash_sim_init(&sim, model_geometries[run].page_size,
			       model_geometries[run].page_count);
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
		for (unsigned i = 0; i < 5000; i++) {
			model_draw(&commit, &sim, &shape);
			(void)journal_commit(&journal, commit.writes, commit.count);
			if (i % 100 == 0)
				assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
		}
		least = most = sim.erases[0];
		for (uint16_t page = 1; page < sim.port.page_count; page++) {
			least = sim.erases[page] < least ? sim.erases[page] : least;
			most = sim.erases[page] > most ? sim.erases[page] : most;
		}
		assert_true(most > 1);
		assert_true(most - least <= 1);
		flash_sim_free(&sim);
	}
}

/* What one attestation costs: figures that a change of layout must not spoil unnoticed. */
static void test_costs_are_kept(void **state)
{
	static const uint8_t value[50] = {1};
	static const uint8_t rest[1000] = {2};
	struct flash_sim sim;
	struct journal journal;
	struct journal_write write = {1, {rest, sizeof(rest)}};

	(void)state;
	flash_sim_init(&sim, 4096, 8);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
	flash_sim_reset_counts(&sim);
	for (unsigned i = 0; i < 1000; i++) {
		write = (struct journal_write){(uint8_t)(2 + i % 32), {value, sizeof(value)}};
		assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
	}
	print_message("# 50-byte commits, 1000: %lu bytes, %lu erases, %lu programs, %lu syncs\n",
		      sim.counts.bytes_programmed, sim.counts.erases, sim.counts.programs,
		      sim.counts.syncs);
	assert_true(sim.counts.bytes_programmed <= 1000 * 90);
	assert_true(sim.counts.erases <= 25);
	flash_sim_free(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_life_is_as_the_model_says),
		cmocka_unit_test(test_capacity_holds_to_the_last_byte),
		cmocka_unit_test(test_moved_values_stay),
		cmocka_unit_test(test_wear_is_spread),
		cmocka_unit_test(test_costs_are_kept),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
