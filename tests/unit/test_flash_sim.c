/* The simulated flash itself: every other test of the core leans on its strictness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flash_sim.h"

static const uint8_t pattern[64] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x0F, 0xF0};

static bool program(struct flash_sim *sim, uint32_t offset, size_t len)
{
	return sim->port.program(sim->port.context, offset, pattern, len);
}

static bool sync_now(struct flash_sim *sim)
{
	return sim->port.sync(sim->port.context);
}

/* Calls that break port.h. */
static void twice(struct flash_sim *sim)
{
	program(sim, 0, 8);
	program(sim, 0, 8);
}

static void out_of_step(struct flash_sim *sim)
{
	program(sim, 4, 8);
}

static void odd_length(struct flash_sim *sim)
{
	program(sim, 0, 12);
}

static void nothing(struct flash_sim *sim)
{
	program(sim, 0, 0);
}

static void across_pages(struct flash_sim *sim)
{
	program(sim, 2048 - 8, 16);
}

static void beyond(struct flash_sim *sim)
{
	program(sim, 3 * 2048, 8);
}

static void no_such_page(struct flash_sim *sim)
{
	sim->port.erase(sim->port.context, 3);
}

static void read_beyond(struct flash_sim *sim)
{
	uint8_t out[8];

	sim->port.read(sim->port.context, 3 * 2048 - 4, out, sizeof(out));
}

static void test_broken_contract_ends_the_program(void **state)
{
	void (*const offences[])(struct flash_sim *) = {twice,        out_of_step,  odd_length,
							nothing,      across_pages, beyond,
							no_such_page, read_beyond};

	(void)state;
	for (size_t i = 0; i < sizeof(offences) / sizeof(offences[0]); i++) {
		pid_t child;
		int status;

		fflush(NULL);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			struct flash_sim sim;

			if (freopen("/dev/null", "w", stderr) == NULL)
				_exit(1);
			flash_sim_init(&sim, 2048, 3);
			offences[i](&sim);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

static void test_program_and_erase(void **state)
{
	struct flash_sim sim;
	uint8_t out[8];

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_true(program(&sim, 2048, 8));
	assert_true(sim.port.read(sim.port.context, 2048, out, 8));
	assert_memory_equal(out, pattern, 8);
	assert_true(flash_sim_contains(&sim, pattern, 8));
	assert_true(sim.port.erase(sim.port.context, 1));
	assert_false(flash_sim_contains(&sim, pattern, 8));
	assert_true(program(&sim, 2048, 8));
	assert_int_equal(sim.erases[0], 0);
	assert_int_equal(sim.erases[1], 1);
	assert_int_equal(sim.counts.operations, 3);
	assert_int_equal(sim.counts.bytes_programmed, 16);
	flash_sim_free(&sim);
}

/* Each manner of a torn program leaves a mixture of old and new of its own kind, in its range. */
static void test_torn_programs(void **state)
{
	unsigned long mixed[FLASH_SIM_TORN_COUNT] = {0};
	struct flash_sim sim;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	for (unsigned i = 0; i < 100 * FLASH_SIM_TORN_COUNT; i++) {
		enum flash_sim_torn torn = i % FLASH_SIM_TORN_COUNT;
		size_t done = 0, undone = 0;

		flash_sim_free(&sim);
		flash_sim_init(&sim, 2048, 3);
		flash_sim_seed(&sim, i);
		flash_sim_cut(&sim, 1, torn);
		assert_false(program(&sim, 64, 64));
		assert_true(flash_sim_is_off(&sim));
		assert_false(sync_now(&sim));
		for (size_t b = 0; b < sim.size; b++) {
			uint8_t new = b >= 64 && b < 128 ? pattern[b - 64] : 0xFF;

			assert_int_equal(sim.memory[b] & new, new);
			done += b >= 64 && b < 128 && sim.memory[b] == new;
			undone += b >= 64 && b < 128 && sim.memory[b] == 0xFF;
		}
		mixed[torn] += done < 64 && undone < 64;
		if (torn != FLASH_SIM_TORN_BITS)
			assert_int_equal(done + undone, 64);
		if (torn == FLASH_SIM_UNDONE)
			assert_int_equal(undone, 64);
		if (torn == FLASH_SIM_DONE)
			assert_int_equal(done, 64);
		if (torn == FLASH_SIM_TORN_PREFIX && done > 0)
			assert_int_equal(sim.memory[64], pattern[0]);
		if (torn == FLASH_SIM_TORN_SUFFIX && done > 0)
			assert_int_equal(sim.memory[127], pattern[63]);
	}
	for (enum flash_sim_torn torn = FLASH_SIM_TORN_PREFIX; torn < FLASH_SIM_DONE; torn++)
		assert_true(mixed[torn] > 90);
	flash_sim_free(&sim);
}

static void test_torn_erase_and_power_on(void **state)
{
	struct flash_sim sim;
	size_t zeros = 0;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	for (uint32_t at = 0; at < 2048; at += 64)
		assert_true(program(&sim, at, 64));
	flash_sim_cut(&sim, 2, FLASH_SIM_TORN_BYTES);
	assert_true(sync_now(&sim));
	assert_false(sim.port.erase(sim.port.context, 0));
	flash_sim_power_on(&sim);
	for (size_t i = 0; i < 2048; i++)
		zeros += sim.memory[i] == 0;
	assert_in_range(zeros, 500, 1300);
	assert_true(sim.port.erase(sim.port.context, 0));
	assert_true(program(&sim, 0, 8));
	flash_sim_free(&sim);
}

/* A file may lose what was not synchronised, and keeps what was. */
static void test_unsynced_operations_may_be_lost(void **state)
{
	unsigned lost = 0;
	struct flash_sim sim;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	for (unsigned i = 0; i < 200; i++) {
		flash_sim_free(&sim);
		flash_sim_init(&sim, 2048, 3);
		flash_sim_seed(&sim, i);
		sim.lose_unsynced = true;
		flash_sim_cut(&sim, 4, FLASH_SIM_UNDONE);
		assert_true(program(&sim, 0, 8));
		assert_true(sync_now(&sim));
		assert_true(program(&sim, 8, 8));
		assert_false(sync_now(&sim));
		assert_memory_equal(sim.memory, pattern, 8);
		lost += sim.memory[8] == 0xFF && memcmp(sim.memory + 8, sim.memory + 9, 7) == 0;
	}
	assert_in_range(lost, 60, 140);
	flash_sim_free(&sim);
}

static void test_failures_come_and_go(void **state)
{
	struct flash_sim sim;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	flash_sim_fail(&sim, FLASH_SIM_PROGRAM | FLASH_SIM_SYNC, 2, 2, FLASH_SIM_UNDONE);
	assert_true(program(&sim, 0, 8));
	assert_true(sim.port.erase(sim.port.context, 1));
	assert_false(program(&sim, 8, 8));
	assert_false(sync_now(&sim));
	assert_true(program(&sim, 8, 8));
	assert_true(sync_now(&sim));
	assert_false(flash_sim_is_off(&sim));
	flash_sim_free(&sim);
}

static void test_images_are_kept_and_restored(void **state)
{
	struct flash_sim_image *image;
	struct flash_sim sim;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_true(program(&sim, 0, 8));
	image = flash_sim_snapshot(&sim);
	assert_true(program(&sim, 8, 8));
	assert_false(flash_sim_unchanged(&sim, image));
	flash_sim_cut(&sim, 1, FLASH_SIM_DONE);
	assert_false(sim.port.erase(sim.port.context, 0));
	flash_sim_restore(&sim, image);
	assert_true(flash_sim_unchanged(&sim, image));
	assert_int_equal(sim.erases[0], 0);
	assert_true(program(&sim, 8, 8));
	flash_sim_image_free(image);
	flash_sim_free(&sim);
}

static void test_random_source(void **state)
{
	uint8_t first[16], second[16];
	struct flash_sim sim;

	(void)state;
	flash_sim_init(&sim, 2048, 3);
	assert_true(sim.port.random(sim.port.context, first, 16));
	assert_true(sim.port.random(sim.port.context, second, 16));
	assert_memory_not_equal(first, second, 16);
	flash_sim_seed(&sim, 1);
	assert_true(sim.port.random(sim.port.context, second, 16));
	assert_memory_equal(first, second, 16);
	sim.random = FLASH_SIM_RANDOM_STUCK;
	assert_true(sim.port.random(sim.port.context, first, 16));
	assert_true(sim.port.random(sim.port.context, second, 16));
	assert_memory_equal(first, second, 16);
	sim.random = FLASH_SIM_RANDOM_FAILING;
	assert_false(sim.port.random(sim.port.context, first, 16));
	flash_sim_free(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken_contract_ends_the_program),
		cmocka_unit_test(test_program_and_erase),
		cmocka_unit_test(test_torn_programs),
		cmocka_unit_test(test_torn_erase_and_power_on),
		cmocka_unit_test(test_unsynced_operations_may_be_lost),
		cmocka_unit_test(test_failures_come_and_go),
		cmocka_unit_test(test_images_are_kept_and_restored),
		cmocka_unit_test(test_random_source),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
