/* The journal in peace: what is committed is read, what does not fit is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "journal_model.h"

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
	for (size_t i = 48; i < sim.size; i++)
		assert_int_equal(sim.memory[i], 0xFF);
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

static void test_scrub_leaves_no_stale_byte(void **state)
{
	static const char *const secrets[] = {"a replaced secret", "a removed secret",
					      "a secret cut off", "a failed secret"};
	struct flash_sim sim;
	struct journal journal;
	struct journal_write removal = {2, {NULL, 0}};

	(void)state;
	for (size_t run = 0; run < MODEL_GEOMETRIES * 3; run++) {
		struct journal_write write = put(1, secrets[0]);

		flash_sim_init(&sim, model_geometries[run / 3].page_size,
			       model_geometries[run / 3].page_count);
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
		cmocka_unit_test(test_scrub_leaves_no_stale_byte),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
