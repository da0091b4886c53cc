/* The journal in peace: what is committed is read, what does not fit is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "journal_model.h"

/* Geometries from the smallest up; every test that depends on one runs on all. */
static const struct {
	uint32_t page_size;
	uint16_t page_count;
} geometries[] = {{2048, 3}, {2048, 4}, {4096, 3}, {2048, 7}, {4096, 16}, {2048, 128}, {32768, 8}};

#define GEOMETRIES (sizeof(geometries) / sizeof(geometries[0]))

static struct journal_write put(uint8_t id, const char *text)
{
	return (struct journal_write){id, bytes_of((const uint8_t *)text, strlen(text))};
}

static void assert_reads(const struct journal *journal, uint8_t id, const char *text)
{
	uint8_t value[JOURNAL_VALUE_MAX];
	size_t len;

	assert_int_equal(journal_read(journal, id, value, sizeof(value), &len), JOURNAL_OK);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(value, text, len);
}

static void assert_absent(const struct journal *journal, uint8_t id)
{
	uint8_t value[1];
	size_t len;

	assert_int_equal(journal_read(journal, id, value, sizeof(value), &len), JOURNAL_ABSENT);
}

static void test_blank_memory_is_laid_out_empty(void **state)
{
	struct flash_sim sim;
	struct journal journal;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	for (unsigned id = 0; id < 256; id++)
		assert_absent(&journal, (uint8_t)id);
	flash_sim_free(&sim);
}

static void test_commit_is_read_and_survives(void **state)
{
	struct flash_sim sim;
	struct journal journal;
	struct journal_write writes[] = {put(0, "zero"), put(63, "last"), put(7, "")};
	struct journal_write changes[] = {put(63, "again"), {0, {NULL, 0}}, {9, {NULL, 0}}};

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, writes, 3), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, writes, 0), JOURNAL_OK);
	for (int reopened = 0; reopened < 2; reopened++) {
		assert_reads(&journal, 0, "zero");
		assert_reads(&journal, 63, "last");
		assert_reads(&journal, 7, "");
		assert_absent(&journal, 1);
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	}
	assert_int_equal(journal_commit(&journal, changes, 3), JOURNAL_OK);
	for (int reopened = 0; reopened < 2; reopened++) {
		assert_absent(&journal, 0);
		assert_reads(&journal, 63, "again");
		assert_reads(&journal, 7, "");
		assert_absent(&journal, 9);
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	}
	flash_sim_free(&sim);
}

static void test_open_writes_only_to_blank_memory(void **state)
{
	struct flash_sim sim;
	struct journal journal;
	struct journal_write write = put(1, "one");

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
		flash_sim_reset_counts(&sim);
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
		assert_int_equal(sim.counts.operations, 0);
	}
	flash_sim_free(&sim);
}

static void test_incomplete_port_is_unusable(void **state)
{
	struct flash_sim sim;
	struct journal journal;
	struct port whole;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	whole = sim.port;
	assert_int_equal(journal_open(&journal, NULL), JOURNAL_UNUSABLE);
#define WITHOUT(member)                                                                            \
	sim.port = whole;                                                                          \
	sim.port.member = NULL;                                                                    \
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_UNUSABLE)
	WITHOUT(read);
	WITHOUT(program);
	WITHOUT(erase);
	WITHOUT(sync);
	WITHOUT(random);
	WITHOUT(alive);
#undef WITHOUT
	assert_int_equal(sim.counts.operations + sim.counts.reads, 0);
	sim.port = whole;
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	flash_sim_free(&sim);
}

static void test_geometry_out_of_bounds_is_unusable(void **state)
{
	static const struct {
		uint32_t page_size;
		uint16_t page_count;
	} bad[] = {{0, 3},    {1024, 8}, {65536, 3},  {2049, 3},  {3072, 4},
		   {2048, 0}, {2048, 2}, {2048, 129}, {32768, 9}, {4096, 65535}};
	struct flash_sim sim;
	struct journal journal;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sim.port.page_size = bad[i].page_size;
		sim.port.page_count = bad[i].page_count;
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_UNUSABLE);
	}
	assert_int_equal(sim.counts.operations + sim.counts.reads, 0);
	flash_sim_free(&sim);
}

static void test_small_buffer_is_told_the_length(void **state)
{
	struct flash_sim sim;
	struct journal journal;
	struct journal_write writes[] = {put(1, "four"), put(2, "")};
	uint8_t value[4];
	size_t len = 0;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, writes, 2), JOURNAL_OK);
	assert_int_equal(journal_read(&journal, 1, value, 3, &len), JOURNAL_TOO_SMALL);
	assert_int_equal(len, 4);
	assert_int_equal(journal_read(&journal, 1, NULL, 0, &len), JOURNAL_TOO_SMALL);
	assert_int_equal(journal_read(&journal, 1, value, 4, &len), JOURNAL_OK);
	assert_int_equal(journal_read(&journal, 2, NULL, 0, &len), JOURNAL_OK);
	assert_int_equal(len, 0);
	flash_sim_free(&sim);
}

/* Everything that a commit may be refused for leaves memory and journal as they were. */
static void test_refused_commit_changes_nothing(void **state)
{
	static uint8_t big[JOURNAL_VALUE_MAX + 1];
	struct flash_sim sim;
	struct flash_sim_image *image;
	struct journal journal;
	struct journal_write too_long[] = {put(1, "new"), {2, {big, sizeof(big)}}};
	struct journal_write no_such_id[] = {put(1, "new"), put(JOURNAL_IDS, "x")};
	struct journal_write too_many[] = {put(1, "new"), {2, {big, 1280}}, {3, {big, 1280}}};
	struct journal_write write = put(1, "old");

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
	assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
	image = flash_sim_snapshot(&sim);
	assert_int_equal(journal_commit(&journal, too_long, 2), JOURNAL_TOO_SMALL);
	assert_int_equal(journal_commit(&journal, no_such_id, 2), JOURNAL_FULL);
	assert_int_equal(journal_commit(&journal, too_many, 3), JOURNAL_FULL);
	assert_true(flash_sim_unchanged(&sim, image));
	assert_reads(&journal, 1, "old");
	assert_absent(&journal, 2);
	too_long[1].value.len--;
	assert_int_equal(journal_commit(&journal, too_long, 2), JOURNAL_OK);
	assert_reads(&journal, 1, "new");
	flash_sim_image_free(image);
	flash_sim_free(&sim);
}

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
	for (size_t run = 0; run < GEOMETRIES * 4; run++) {
		const struct model_shape *shape = &shapes[run % 4];
		unsigned full = 0;
		struct flash_sim sim;
		struct journal journal;

		flash_sim_init(&sim, geometries[run / 4].page_size, geometries[run / 4].page_count);
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

/* Filled to the last byte that journal.h promises, with values of every awkward length, the journal
 * still takes every commit. */
static void test_capacity_holds_to_the_last_byte(void **state)
{
	static struct model model;
	static const uint8_t value[JOURNAL_VALUE_MAX] = {1};

	(void)state;
	for (size_t run = 0; run < GEOMETRIES * 8; run++) {
		struct flash_sim sim;
		struct journal journal;
		struct journal_write write = {0, {value, 0}};

		flash_sim_init(&sim, geometries[run / 8].page_size, geometries[run / 8].page_count);
		flash_sim_seed(&sim, run);
		memset(&model, 0, sizeof(model));
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
		for (write.id = 0; write.id < JOURNAL_IDS; write.id++) {
			write.value.len = flash_sim_chance(&sim, 2)
						  ? JOURNAL_VALUE_MAX - flash_sim_chance(&sim, 700)
						  : flash_sim_chance(&sim, JOURNAL_VALUE_MAX + 1);
			while (write.value.len > 0 && !model_fits(&model, &sim.port, &write, 1))
				write.value.len--;
			if (!model_fits(&model, &sim.port, &write, 1))
				break;
			assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
			model_apply(&model, &write, 1);
		}
		for (unsigned i = 0; i < 200; i++) {
			write.id = (uint8_t)flash_sim_chance(&sim, JOURNAL_IDS);
			write.value.len = model.present[write.id] ? model.len[write.id] : 0;
			write.value.ptr = model.present[write.id] ? value : NULL;
			assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
			model_apply(&model, &write, 1);
			assert_true(model_matches(&model, &journal));
		}
		flash_sim_free(&sim);
	}
}

static void test_wear_is_spread(void **state)
{
	(void)state;
	for (size_t run = 0; run < GEOMETRIES; run++) {
		static const struct model_shape shape = {16, 2, 80, 300};
		static struct model_commit commit;
		unsigned long least, most;
		struct flash_sim sim;
		struct journal journal;

		flash_sim_init(&sim, geometries[run].page_size, geometries[run].page_count);
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

static void test_scrub_leaves_no_stale_byte(void **state)
{
	static const char *const secrets[] = {"a replaced secret", "a removed secret",
					      "a secret cut off", "a failed secret"};
	struct flash_sim sim;
	struct journal journal;
	struct journal_write removal = {2, {NULL, 0}};

	(void)state;
	for (size_t run = 0; run < GEOMETRIES * 3; run++) {
		struct journal_write write = put(1, secrets[0]);

		flash_sim_init(&sim, geometries[run / 3].page_size, geometries[run / 3].page_count);
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
		assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
		write = put(2, secrets[1]);
		assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
		write = put(3, "filling");
		for (unsigned i = 0; i < 120 * (run % 3); i++)
			assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
		write = put(1, "what stays");
		assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
		assert_int_equal(journal_commit(&journal, &removal, 1), JOURNAL_OK);
		write = put(1, secrets[3]);
		flash_sim_fail(&sim, FLASH_SIM_SYNC, 1, 1, FLASH_SIM_DONE);
		assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_IO);
		write = put(1, secrets[2]);
		flash_sim_cut(&sim, 5, FLASH_SIM_UNDONE);
		assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_IO);
		flash_sim_power_on(&sim);
		assert_true(flash_sim_contains(&sim, (const uint8_t *)secrets[3], 15));
		assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
		write = put(1, "what stays");
		assert_int_equal(journal_commit(&journal, &write, 1), JOURNAL_OK);
		assert_int_equal(journal_scrub(&journal), JOURNAL_OK);
		for (size_t i = 0; i < 4; i++)
			assert_false(flash_sim_contains(&sim, (const uint8_t *)secrets[i],
							strlen(secrets[i])));
		for (int reopened = 0; reopened < 2; reopened++) {
			assert_reads(&journal, 1, "what stays");
			assert_absent(&journal, 2);
			assert_int_equal(journal_open(&journal, &sim.port), JOURNAL_OK);
		}
		flash_sim_free(&sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blank_memory_is_laid_out_empty),
		cmocka_unit_test(test_commit_is_read_and_survives),
		cmocka_unit_test(test_open_writes_only_to_blank_memory),
		cmocka_unit_test(test_incomplete_port_is_unusable),
		cmocka_unit_test(test_geometry_out_of_bounds_is_unusable),
		cmocka_unit_test(test_small_buffer_is_told_the_length),
		cmocka_unit_test(test_refused_commit_changes_nothing),
		cmocka_unit_test(test_long_life_is_as_the_model_says),
		cmocka_unit_test(test_capacity_holds_to_the_last_byte),
		cmocka_unit_test(test_wear_is_spread),
		cmocka_unit_test(test_costs_are_kept),
		cmocka_unit_test(test_scrub_leaves_no_stale_byte),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
