/*
 * The cache of service keys: bounded, what is unused goes first, any number of threads.
 */
#include "operator_cache.h"

#include "bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>

/* Names that fall into one shard, and all chains of it. */
static void name_of(uint32_t number, uint8_t name[static OPERATOR_CACHE_NAME_SIZE])
{
	memset(name, 0, OPERATOR_CACHE_NAME_SIZE);
	put_be32(name + 1, number);
}

static void point_of(uint32_t number, uint8_t point[static SIMTIE_POINT_SIZE])
{
	memset(point, 4, SIMTIE_POINT_SIZE);
	put_be32(point + 1, number);
}

static void put(struct operator_cache *cache, uint32_t number)
{
	uint8_t name[OPERATOR_CACHE_NAME_SIZE], point[SIMTIE_POINT_SIZE];

	name_of(number, name);
	point_of(number, point);
	operator_cache_put(cache, name, point);
}

static bool has(struct operator_cache *cache, uint32_t number)
{
	uint8_t name[OPERATOR_CACHE_NAME_SIZE], point[SIMTIE_POINT_SIZE], found[SIMTIE_POINT_SIZE];

	name_of(number, name);
	point_of(number, point);
	if (!operator_cache_get(cache, name, found))
		return false;
	assert_memory_equal(found, point, sizeof(point));
	return true;
}

static void test_unused_go_first(void **state)
{
	struct operator_cache *cache = operator_cache_new(16 * 4); /* 4 a shard */

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		put(cache, i);
	assert_true(has(cache, 0)); /* used: 1 is the oldest now */
	put(cache, 4);
	assert_true(has(cache, 0) && has(cache, 2) && has(cache, 3) && has(cache, 4));
	assert_false(has(cache, 1));
	put(cache, 4); /* there already: none goes */
	assert_int_equal(operator_cache_count(cache), 4);
	operator_cache_free(&cache);
	assert_null(cache);
}

static void test_it_stays_within_its_bound(void **state)
{
	struct operator_cache *cache = operator_cache_new(16 * 100);

	(void)state;
	for (uint32_t i = 0; i < 10000; i++) {
		put(cache, i);
		assert_true(has(cache, i));
		if (i >= 100)
			assert_false(has(cache, i - 100));
	}
	assert_int_equal(operator_cache_count(cache), 100);
	operator_cache_free(&cache);
}

static void test_none_at_all(void **state)
{
	struct operator_cache *cache = operator_cache_new(0);

	(void)state;
	put(cache, 1);
	assert_false(has(cache, 1));
	operator_cache_free(&cache);
}

/* Everything that makes the key makes the name. */
static void test_name_is_of_card_and_audience(void **state)
{
	struct simtie_card_key card = {{4, 1}, {2}};
	uint8_t names[4][OPERATOR_CACHE_NAME_SIZE];

	(void)state;
	assert_true(operator_cache_name(&card, "chat.example", names[0]));
	assert_true(operator_cache_name(&card, "chat.exampl", names[1]));
	card.chain_code[31] ^= 1;
	assert_true(operator_cache_name(&card, "chat.example", names[2]));
	card.chain_code[31] ^= 1;
	card.device_public[64] ^= 1;
	assert_true(operator_cache_name(&card, "chat.example", names[3]));
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(names[i], names[j], sizeof(names[i]));
}

static void *hammer(void *context)
{
	struct operator_cache *cache = context;

	for (uint32_t i = 0; i < 20000; i++) {
		const uint32_t number = i * 2654435761u % 500;

		if (!has(cache, number))
			put(cache, number);
	}
	return NULL;
}

static void test_threads_share_it(void **state)
{
	struct operator_cache *cache = operator_cache_new(16 * 50);
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, cache), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(operator_cache_count(cache), 50);
	operator_cache_free(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unused_go_first),
		cmocka_unit_test(test_it_stays_within_its_bound),
		cmocka_unit_test(test_none_at_all),
		cmocka_unit_test(test_name_is_of_card_and_audience),
		cmocka_unit_test(test_threads_share_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
