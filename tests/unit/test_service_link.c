/*
 * Two messengers put together all that they were given, for a thousand subscribers who registered
 * at both, and try to tell who is who. All of it is made by the code that ships: tokens (but for
 * the card), sealed numbers, credentials, identifiers, notices.
 *
 * They try in two ways. One looks for eight bytes, anywhere in what one got, that the other got as
 * well. The other sorts both sides by some value, an index say, and pairs them by rank: it finds
 * values that grow with time or hang on the card without being equal. That either would find
 * something, were there something to find, is tested too, on an operator who is careless in one
 * thing.
 */
#include "link_messengers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <cmocka.h>

static unsigned count = LINK_SUBSCRIBERS; /* how many of them take part */

/* How many pairs a linker named, and how many of them are right. */
struct links {
	size_t named, right;
};

/* Whether a linker is right more often than one who guesses, who is in one of as many as there are
 * subscribers; by chance alone it is said of one who guesses once in a million times. (Digits that
 * two status indexes have in common make for thousands of guesses.) */
static bool better_than_chance(struct links links)
{
	return links.right > 10 + 2 * links.named / count;
}

struct window {
	uint64_t bytes;
	unsigned who;
};

static int window_order(const void *a, const void *b)
{
	const struct window *left = a, *right = b;

	if (left->bytes != right->bytes)
		return left->bytes < right->bytes ? -1 : 1;
	return left->who < right->who ? -1 : left->who > right->who;
}

/* Every eight bytes that stand together on one side, each once for a subscriber. */
static struct window *windows_of(const struct gotten side[static LINK_SUBSCRIBERS],
				 size_t *distinct)
{
	struct window *windows = malloc(sizeof(*windows) * count * LINK_ALL_MAX);
	size_t total = 0, kept = 0;

	assert_non_null(windows);
	for (unsigned i = 0; i < count; i++)
		for (size_t at = 0; at + 8 <= side[i].len; at++)
			windows[total++] =
				(struct window){link_be64(side[i].all + at), side[i].who};
	qsort(windows, total, sizeof(*windows), window_order);
	for (size_t i = 0; i < total; i++)
		if (kept == 0 || window_order(&windows[kept - 1], &windows[i]) != 0)
			windows[kept++] = windows[i];
	*distinct = kept;
	return windows;
}

static size_t run_of(const struct window *windows, size_t at, size_t all)
{
	size_t end = at;

	while (end < all && windows[end].bytes == windows[at].bytes)
		end++;
	return end - at;
}

/* Names all pairs that share eight bytes, unless a tenth of all have them: those are the operator's
 * own. */
static struct links link_by_bytes(void)
{
	size_t count_a, count_b;
	struct window *a = windows_of(link_gotten[0], &count_a),
		      *b = windows_of(link_gotten[1], &count_b);
	struct links links = {0};

	for (size_t i = 0, k = 0; i < count_a && k < count_b;) {
		size_t run_a = run_of(a, i, count_a), run_b = run_of(b, k, count_b);

		if (a[i].bytes < b[k].bytes) {
			i += run_a;
		} else if (a[i].bytes > b[k].bytes) {
			k += run_b;
		} else {
			for (size_t m = 0; run_a < count / 10 && m < run_a; m++)
				for (size_t n = 0; run_b < count / 10 && n < run_b; n++) {
					links.named++;
					links.right += a[i + m].who == b[k + n].who;
				}
			i += run_a;
			k += run_b;
		}
	}
	free(a);
	free(b);
	return links;
}

struct ranked {
	uint64_t value, tie;
	unsigned who;
};

static int rank_order(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	if (left->value != right->value)
		return left->value < right->value ? -1 : 1;
	return left->tie < right->tie ? -1 : left->tie > right->tie;
}

/* Sorts both sides by a value, equal ones at random, and names those of equal rank. */
static struct links link_by_rank(enum value value)
{
	static struct ranked ranked[LINK_SIDES][LINK_SUBSCRIBERS];
	struct links links = {count, 0};

	for (unsigned side = 0; side < LINK_SIDES; side++) {
		for (unsigned i = 0; i < count; i++) {
			ranked[side][i].value = link_gotten[side][i].value[value];
			ranked[side][i].who = link_gotten[side][i].who;
			link_random(&ranked[side][i].tie, sizeof(ranked[side][i].tie));
		}
		qsort(ranked[side], count, sizeof(ranked[side][0]), rank_order);
	}
	for (unsigned i = 0; i < count; i++)
		links.right += ranked[0][i].who == ranked[1][i].who;
	return links;
}

static bool linked(void)
{
	bool found = better_than_chance(link_by_bytes());

	for (int value = 0; value < VALUE_COUNT; value++)
		found |= better_than_chance(link_by_rank((enum value)value));
	return found;
}

/* ---- Tests ---- */

static void test_messengers_learn_nothing(void **state)
{
	(void)state;
	link_get_all(CAREFUL, count);
	assert_false(better_than_chance(link_by_bytes()));
	for (int value = 0; value < VALUE_COUNT; value++)
		assert_false(better_than_chance(link_by_rank((enum value)value)));
}

static void test_linkers_find_a_flaw(void **state)
{
	(void)state;
	count = LINK_SUBSCRIBERS / 10; /* enough for that */
	for (int flaw = CAREFUL + 1; flaw < FLAW_COUNT; flaw++) {
		link_get_all((enum flaw)flaw, count);
		if (!linked())
			fail_msg("flaw %d was not found", flaw);
	}
	count = LINK_SUBSCRIBERS;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messengers_learn_nothing),
		cmocka_unit_test(test_linkers_find_a_flaw),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("colluding messengers", tests, link_make, link_free);
}
