/* The clocks: how old a row is, whatever happens to the wall clock. */
#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define HOUR_MS  3600000
#define SLACK_MS 5000 /* what the machine may take between two lines here */

static void assert_about(int64_t value, int64_t expected)
{
	assert_in_range((uintmax_t)(value + HOUR_MS), (uintmax_t)(expected + HOUR_MS),
			(uintmax_t)(expected + HOUR_MS + SLACK_MS));
}

static void test_boot_id(void **state)
{
	uint8_t id[CLOCK_BOOT_SIZE], zeros[CLOCK_BOOT_SIZE] = {0};
	char text[64] = "", expected[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");

	(void)state;
	if (!file)
		skip();
	assert_non_null(fgets(expected, sizeof(expected), file));
	fclose(file);
	clock_boot_id(id);
	assert_memory_not_equal(id, zeros, sizeof(id));
	for (size_t i = 0, at = 0; i < sizeof(id); i++) {
		bool dash = i == 4 || i == 6 || i == 8 || i == 10;

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%02x", dash ? "-" : "",
				       id[i]);
	}
	expected[strcspn(expected, "\n")] = 0;
	assert_string_equal(text, expected);
}

static void test_now(void **state)
{
	struct timespec boot;

	(void)state;
	clock_gettime(CLOCK_BOOTTIME, &boot);
	assert_about(clock_boot_ms(), (int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000);
	assert_about(clock_wall_ms(), (int64_t)time(NULL) * 1000);
}

/* A row of this boot: the wall clock may have been set to anything since. */
static void test_wall_clock_jumps(void **state)
{
	const int64_t jumps[] = {-HOUR_MS, 0, HOUR_MS};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct clock_moment moment = clock_now();

		moment.wall_ms += jumps[i];
		moment.boot_ms -= 90000;
		assert_about(clock_since(&moment), 90000);
	}
}

static void test_another_boot(void **state)
{
	struct clock_moment moment = clock_now();

	(void)state;
	moment.boot[3] ^= 1;
	moment.boot_ms += HOUR_MS; /* that machine was up for longer than this one */
	moment.wall_ms -= 90000;
	assert_about(clock_since(&moment), 90000);
}

/* Zeros say that the kernel did not tell: two of them are not the same boot. */
static void test_no_boot_id(void **state)
{
	struct clock_moment moment = clock_now();

	(void)state;
	memset(moment.boot, 0, sizeof(moment.boot));
	moment.wall_ms -= 90000;
	moment.boot_ms -= HOUR_MS;
	assert_about(clock_since(&moment), 90000);
}

static void test_never_negative(void **state)
{
	struct clock_moment moment = clock_now();

	(void)state;
	moment.boot_ms += HOUR_MS;
	assert_int_equal(clock_since(&moment), 0);
	moment.boot[0] ^= 1;
	moment.wall_ms += HOUR_MS;
	assert_int_equal(clock_since(&moment), 0);
}

/* What the wall clock gained, within a boot and where nothing says how much time has passed. */
static void test_gain(void **state)
{
	const struct clock_moment moment = {HOUR_MS, 500, "a boot"};
	struct clock_moment now = {3 * HOUR_MS, 500 + HOUR_MS, "a boot"};

	(void)state;
	assert_true(clock_same_boot(&moment, &now));
	assert_int_equal(clock_gain(&moment, &now), HOUR_MS);
	now.wall_ms = 0;
	assert_int_equal(clock_gain(&moment, &now), -2 * HOUR_MS);
	now.wall_ms = 3 * HOUR_MS;
	now.boot[0] = 'b';
	assert_false(clock_same_boot(&moment, &now));
	assert_int_equal(clock_gain(&moment, &now), 2 * HOUR_MS);
}

/* The kernel does not tell at all, as where there is no /proc. In a process of its own, and first:
 * what the kernel told is kept. */
static void test_no_kernel_to_ask(void **state)
{
	char empty[] = "/tmp/simtie-clock-XXXXXX";
	int status;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(empty));
	child = fork();
	if (child == 0) {
		struct clock_moment moment;
		int64_t since;

		if (chroot(empty) != 0 && (unshare(CLONE_NEWUSER) != 0 || chroot(empty) != 0))
			_exit(2);
		moment = clock_now();
		moment.wall_ms -= 90000;
		moment.boot_ms -= HOUR_MS;
		since = clock_since(&moment);
		_exit(since < 90000 || since > 90000 + SLACK_MS);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	rmdir(empty);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_text(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00Z"},
		{1795510800999, "2026-11-24T09:00:00Z"},
		{951782400000, "2000-02-29T00:00:00Z"},
		{-1, "1969-12-31T23:59:59Z"},
		{253402300799000, "9999-12-31T23:59:59Z"},
		{INT64_MAX, "292278994-08-17T07:12:55Z"},
	};
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		clock_text(cases[i].ms, text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_kernel_to_ask),
		cmocka_unit_test(test_boot_id),
		cmocka_unit_test(test_now),
		cmocka_unit_test(test_wall_clock_jumps),
		cmocka_unit_test(test_another_boot),
		cmocka_unit_test(test_no_boot_id),
		cmocka_unit_test(test_never_negative),
		cmocka_unit_test(test_gain),
		cmocka_unit_test(test_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
