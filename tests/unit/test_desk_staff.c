/* Who the audit log says was at the desk: what cannot be set at will comes first. */
#include "desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NO_LOGIN 4294967295UL
#define NOBODY   4242424242UL /* that no machine has */

static void is(unsigned long login, unsigned long uid, const char *sudo, const char *expected)
{
	const struct desk_staff staff = {login, uid, sudo};
	char actor[DESK_STAFF_SIZE];

	desk_staff_text(&staff, actor);
	assert_string_equal(actor, expected);
}

static void test_login_comes_first(void **state)
{
	(void)state;
	is(NOBODY, 0, NULL, "staff 4242424242 as root");
	is(NOBODY, 0, "alice", "staff 4242424242 as root, by sudo alice");
	is(0, 0, NULL, "staff root");
	is(NOBODY, NOBODY, NULL, "staff 4242424242");
}

static void test_without_a_login(void **state)
{
	(void)state;
	is(NO_LOGIN, 0, NULL, "staff root");
	is(NO_LOGIN, 0, "alice", "staff root, by sudo alice");
	/* Said twice it says nothing. */
	is(NO_LOGIN, 0, "root", "staff root");
	is(NOBODY, 0, "4242424242", "staff 4242424242 as root");
}

/* Anybody sets it: it stands in nobody's place, and in the log as a name or not at all. */
static void test_sudo_is_but_a_word(void **state)
{
	static const char *const wrong[] = {"",
					    "a b",
					    "a\n",
					    "\xff",
					    "a,b",
					    "\xc3\xa4",
					    "0123456789012345678901234567890123456789x"};

	(void)state;
	is(NO_LOGIN, NOBODY, "root", "staff 4242424242, by sudo root");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		is(NO_LOGIN, 0, wrong[i], "staff root");
}

static void test_longest(void **state)
{
	static const char name[] = "0123456789012345678901234567890123456789";
	char expected[DESK_STAFF_SIZE];

	(void)state;
	snprintf(expected, sizeof(expected), "staff 4242424242 as 4242424241, by sudo %s", name);
	is(NOBODY, NOBODY - 1, name, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login_comes_first),
		cmocka_unit_test(test_without_a_login),
		cmocka_unit_test(test_sudo_is_but_a_word),
		cmocka_unit_test(test_longest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
