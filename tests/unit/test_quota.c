/*
 * Quotas: what a client may, and that the table stays as it is however many clients come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "quota.h"

#define SECOND 1000000

static struct bytes who(const char *name)
{
	return bytes_of((const uint8_t *)name, strlen(name));
}

static void burst_then_rate(void **state)
{
	struct quota *quota = quota_new(10, 3);
	int64_t now = 5 * SECOND;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(quota_take(quota, who("a"), now), 0);
	assert_int_equal(quota_take(quota, who("a"), now), 1);
	/* Others have their own. */
	assert_int_equal(quota_take(quota, who("b"), now), 0);
	/* A tenth of a second is one more, and no more. */
	assert_int_equal(quota_take(quota, who("a"), now + SECOND / 10), 0);
	assert_int_equal(quota_take(quota, who("a"), now + SECOND / 10), 1);
	/* A long silence fills it to the burst. */
	now += 3600LL * SECOND;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(quota_take(quota, who("a"), now), 0);
	assert_int_equal(quota_take(quota, who("a"), now), 1);
	/* As does a short one that adds to what is there. */
	now += SECOND;
	assert_int_equal(quota_take(quota, who("a"), now), 0);
	now += SECOND / 4;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(quota_take(quota, who("a"), now), 0);
	assert_int_equal(quota_take(quota, who("a"), now), 1);
	quota_free(&quota);
	assert_null(quota);
}

static void refused_requests_cost_nothing(void **state)
{
	struct quota *quota = quota_new(1, 1);
	int64_t now = SECOND;

	(void)state;
	assert_int_equal(quota_take(quota, who("a"), now), 0);
	for (unsigned i = 1; i < 10; i++)
		assert_int_equal(quota_take(quota, who("a"), now + i * SECOND / 10), 1);
	assert_int_equal(quota_take(quota, who("a"), now + SECOND), 0);
	quota_free(&quota);
}

static void a_clock_that_stands_or_steps_back_gives_nothing(void **state)
{
	struct quota *quota = quota_new(1000000, 1);

	(void)state;
	assert_int_equal(quota_take(quota, who("a"), 9 * SECOND), 0);
	assert_int_not_equal(quota_take(quota, who("a"), 9 * SECOND), 0);
	assert_int_not_equal(quota_take(quota, who("a"), 8 * SECOND), 0);
	quota_free(&quota);
}

/* A client that keeps asking is not pushed out by a crowd of others. */
static void a_crowd_does_not_refill_who_is_at_it(void **state)
{
	struct quota *quota = quota_new(1, 1);
	unsigned passed = 0;
	int64_t now = SECOND;
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		now++;
		snprintf(name, sizeof(name), "%u", i);
		quota_take(quota, who(name), now);
		passed += quota_take(quota, who("a"), now) == 0;
	}
	assert_true(passed <= 2);
	quota_free(&quota);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_then_rate),
		cmocka_unit_test(refused_requests_cost_nothing),
		cmocka_unit_test(a_clock_that_stands_or_steps_back_gives_nothing),
		cmocka_unit_test(a_crowd_does_not_refill_who_is_at_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
