/* Which reader a name means. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "readers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Two slots of one device, one whose name holds another's, one with digits. */
static const struct simtie_reader many[] = {
	{.name = "Virtual PCD 00 00", .card = true},
	{.name = "Virtual PCD 00 01"},
	{.name = "ACME"},
	{.name = "ACME Keyboard 5321"},
	{.name = "acme"},
};

static int choose(const struct simtie_reader *readers, size_t count, const char *wanted)
{
	char detail[SIMTIE_DETAIL_MAX] = "";
	int chosen = readers_choose(readers, count, wanted, detail);

	/* Only where there is something to choose from is there something to say. */
	assert_int_equal(detail[0] != '\0', chosen < 0 && count > 0);
	return chosen;
}

static void no_reader_at_all(void **state)
{
	(void)state;
	assert_int_equal(choose(NULL, 0, NULL), SIMTIE_ERR_NO_READER);
	assert_int_equal(choose(NULL, 0, "0"), SIMTIE_ERR_NO_READER);
	assert_int_equal(choose(NULL, 0, "ACME"), SIMTIE_ERR_NO_READER);
}

static void unnamed(void **state)
{
	struct simtie_reader readers[3] = {{.name = "A"}, {.name = "B"}, {.name = "C"}};

	(void)state;
	assert_int_equal(choose(readers, 1, NULL), 0); /* even if it is empty */
	assert_int_equal(choose(readers, 1, ""), 0);
	assert_int_equal(choose(readers, 3, NULL), SIMTIE_ERR_AMBIGUOUS);
	readers[1].card = true;
	assert_int_equal(choose(readers, 3, NULL), 1);
	readers[2].card = true;
	assert_int_equal(choose(readers, 3, NULL), SIMTIE_ERR_AMBIGUOUS);
	assert_int_equal(choose(readers, 3, ""), SIMTIE_ERR_AMBIGUOUS);
}

static void by_index(void **state)
{
	(void)state;
	assert_int_equal(choose(many, COUNT(many), "0"), 0);
	assert_int_equal(choose(many, COUNT(many), "4"), 4);
	assert_int_equal(choose(many, COUNT(many), "004"), 4);
	/* A number that is no index may still be in a name. */
	assert_int_equal(choose(many, COUNT(many), "5"), 3);
	assert_int_equal(choose(many, COUNT(many), "5321"), 3);
	assert_int_equal(choose(many, COUNT(many), "5322"), SIMTIE_ERR_NO_READER);
	assert_int_equal(choose(many, COUNT(many), "18446744073709551616"), SIMTIE_ERR_NO_READER);
	assert_int_equal(choose(many, COUNT(many), "-1"), SIMTIE_ERR_NO_READER);
	assert_int_equal(choose(many, COUNT(many), "1 "), SIMTIE_ERR_NO_READER);
}

static void by_name(void **state)
{
	(void)state;
	assert_int_equal(choose(many, COUNT(many), "Virtual PCD 00 01"), 1);
	assert_int_equal(choose(many, COUNT(many), "virtual pcd 00 01"), 1);
	assert_int_equal(choose(many, COUNT(many), "00 01"), 1);
	assert_int_equal(choose(many, COUNT(many), "KEYBOARD"), 3);
	assert_int_equal(choose(many, COUNT(many), "virtual"), SIMTIE_ERR_AMBIGUOUS);
	assert_int_equal(choose(many, COUNT(many), "Virtual PCD 00 00 and more"),
			 SIMTIE_ERR_NO_READER);
	/* The whole name wins over parts of others, in its own case even over itself in another. */
	assert_int_equal(choose(many, COUNT(many), "ACME"), 2);
	assert_int_equal(choose(many, COUNT(many), "acme"), 4);
	assert_int_equal(choose(many, COUNT(many), "Acme"), SIMTIE_ERR_AMBIGUOUS);
	assert_int_equal(choose(many, 4, "Acme"), 2);
}

static void detail_lists_the_readers(void **state)
{
	char detail[SIMTIE_DETAIL_MAX] = "";

	(void)state;
	readers_choose(many, 2, "virtual", detail);
	assert_string_equal(detail, "several readers have that in their name: "
				    "[0] Virtual PCD 00 00, [1] Virtual PCD 00 01 (empty)");
}

static void detail_has_a_bound(void **state)
{
	static struct simtie_reader readers[16];
	char detail[SIMTIE_DETAIL_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(readers); i++) {
		memset(readers[i].name, 'a', sizeof readers[i].name - 1);
		readers[i].card = true;
	}
	memset(detail, '#', sizeof detail);
	assert_int_equal(readers_choose(readers, COUNT(readers), NULL, detail),
			 SIMTIE_ERR_AMBIGUOUS);
	assert_int_equal(strlen(detail), SIMTIE_DETAIL_MAX - 1);
	assert_int_equal(detail[SIMTIE_DETAIL_MAX], '#');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_reader_at_all),
		cmocka_unit_test(unnamed),
		cmocka_unit_test(by_index),
		cmocka_unit_test(by_name),
		cmocka_unit_test(detail_lists_the_readers),
		cmocka_unit_test(detail_has_a_bound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
