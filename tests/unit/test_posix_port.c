/* The virtual card's memory and random source: NOR semantics, the documented stream. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "crypto/crypto.h"
#include "state_place.h"

/* ---- Memory ---- */

static void memory_is_nor_flash(void **state)
{
	static const uint8_t zeros[8];
	struct posix_port posix;

	(void)state;
	assert_int_equal(posix_port_memory(&posix, no_seed), POSIX_OK);
	assert_int_equal(posix.port.page_size * posix.port.page_count, POSIX_IMAGE_SIZE);
	place_expect_image(&posix, POSIX_IMAGE_SIZE - 8, blank, 8);
	place_program(&posix, 4096, unit);
	place_expect_image(&posix, 4096, unit, 8);
	assert_false(posix.port.program(&posix, 4096, blank, 8)); /* a unit takes one program */
	assert_false(posix.port.program(&posix, 4096, unit, 8));
	assert_false(posix.port.program(&posix, 4096, zeros, 8));
	place_expect_image(&posix, 4096, unit, 8);
	place_program(&posix, 4096 + 4088, unit);
	assert_true(posix.port.erase(&posix, 1));
	place_expect_image(&posix, 4096, blank, 8);
	place_expect_image(&posix, 4096 + 4088, blank, 8);
	posix_port_close(&posix);
}

static void memory_keeps_its_bounds(void **state)
{
	uint8_t data[16] = {0};
	struct posix_port posix;

	(void)state;
	assert_int_equal(posix_port_memory(&posix, no_seed), POSIX_OK);
	assert_false(posix.port.program(&posix, 4, data, 8));         /* not aligned */
	assert_false(posix.port.program(&posix, 0, data, 4));         /* not whole units */
	assert_false(posix.port.program(&posix, 4096 - 8, data, 16)); /* over two pages */
	assert_false(posix.port.program(&posix, POSIX_IMAGE_SIZE, data, 8));
	assert_false(posix.port.program(&posix, UINT32_MAX - 7, data, 16));
	assert_false(posix.port.read(&posix, POSIX_IMAGE_SIZE - 8, data, 9));
	assert_false(posix.port.read(&posix, UINT32_MAX, data, 8));
	assert_true(posix.port.read(&posix, POSIX_IMAGE_SIZE, data, 0));
	assert_false(posix.port.erase(&posix, POSIX_PAGE_COUNT));
	assert_true(posix.port.sync(&posix));
	posix.port.alive(&posix);
	posix_port_close(&posix);
}

/* Looks up whether the kernel leaves the image out of core files. */
static void image_stays_out_of_core_files(void **state)
{
	struct posix_port posix;
	unsigned long start, end;
	char line[512];
	bool inside = false, left_out = false;
	FILE *maps;

	(void)state;
	assert_int_equal(posix_port_memory(&posix, no_seed), POSIX_OK);
	maps = fopen("/proc/self/smaps", "r");
	assert_non_null(maps);
	while (!left_out && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uintptr_t)posix.image &&
				 end >= (uintptr_t)posix.image + POSIX_IMAGE_SIZE;
		left_out = inside && strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dd");
	}
	fclose(maps);
	assert_true(left_out);
	posix_port_close(&posix);
}

/* ---- Randomness ---- */

static void system_random_differs(void **state)
{
	struct posix_port posix;
	uint8_t a[32], b[32];

	(void)state;
	assert_int_equal(posix_port_memory(&posix, no_seed), POSIX_OK);
	assert_false(posix.port.seeded);
	assert_int_equal(posix.port.debug_status, PORT_DEBUG_ENABLED);
	assert_true(posix.port.random(&posix, a, 32) && posix.port.random(&posix, b, 32));
	assert_memory_not_equal(a, b, 32);
	posix_port_close(&posix);
}

static void seeded_random_is_the_documented_stream(void **state)
{
	static const uint8_t seed[] = "test seed";
	static const uint8_t numbers[3][4] = {{0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 0, 2}};
	struct posix_port posix;
	uint8_t expected[3][32], found[40];

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct bytes part = {numbers[i], 4};

		assert_true(crypto_hmac(bytes_of(seed, 9), &part, 1, expected[i]));
	}
	assert_int_equal(posix_port_memory(&posix, bytes_of(seed, 9)), POSIX_OK);
	assert_true(posix.port.seeded);
	assert_int_equal(posix.port.debug_status, PORT_DEBUG_ENABLED);
	for (int round = 0; round < 2; round++) {
		assert_true(posix.port.random(&posix, found, 40));
		assert_memory_equal(found, expected, 40);
		assert_true(posix.port.random(&posix, found, 5));
		assert_memory_equal(found, expected[2], 5);
		assert_int_equal(posix_port_factory(&posix),
				 POSIX_OK); /* begins the stream again */
	}
	posix_port_close(&posix);
}

static void seed_over_its_limit_is_refused(void **state)
{
	static const uint8_t seed[POSIX_SEED_MAX + 1] = {1};
	struct posix_port posix;

	(void)state;
	assert_int_equal(posix_port_memory(&posix, bytes_of(seed, POSIX_SEED_MAX)), POSIX_OK);
	posix_port_close(&posix);
	assert_int_equal(posix_port_memory(&posix, bytes_of(seed, sizeof(seed))), POSIX_SEED);
	posix_port_close(&posix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_nor_flash),
		cmocka_unit_test(memory_keeps_its_bounds),
		cmocka_unit_test(image_stays_out_of_core_files),
		cmocka_unit_test(system_random_differs),
		cmocka_unit_test(seeded_random_is_the_documented_stream),
		cmocka_unit_test(seed_over_its_limit_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
