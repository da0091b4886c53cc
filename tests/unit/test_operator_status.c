/*
 * Status lists: indexes drawn at random and once, lists that follow each other, bits that show at
 * ticks and not before.
 */
#include "operator_place.h"
#include "moved_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>

MOVED_CLOCK(wall_by, boot_by)

#define URI "https://mno.example:8443/v1/status/1"

static struct work work_of(struct operator_place *place)
{
	wall_by = boot_by = 0;
	return (struct work){.service = &place->service, .db = place->db, .chain = "test/0"};
}

static void begin(struct work *work)
{
	assert_int_equal(db_begin(work->db), DB_OK);
}

static void commit(struct work *work)
{
	assert_int_equal(db_commit(work->db), DB_OK);
}

static void test_each_index_once(void **state)
{
	struct operator_place *place = operator_place(state);
	struct work work = work_of(place);
	uint8_t drawn[512] = {0};
	int64_t list, index, rising = 0, last = 0;

	place->op.status_list_size = 512;
	begin(&work);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(operator_status_draw(&work, &list, &index), DB_OK);
		assert_int_equal(list, 1);
		assert_in_range(index, 0, 511);
		assert_int_equal(drawn[index]++, 0);
		rising += index > last;
		last = index;
	}
	commit(&work);
	/* Not in order: about half rise. Wrong by chance once in 10^9 runs. */
	assert_in_range(rising, 55, 145);
}

static void test_next_list_when_half_full(void **state)
{
	struct operator_place *place = operator_place(state);
	struct work work = work_of(place);
	int64_t list, index;
	bool more;

	place->op.status_list_size = 64;
	begin(&work);
	for (int i = 0; i < 31; i++)
		assert_int_equal(operator_status_draw(&work, &list, &index), DB_OK);
	assert_int_equal(operator_status_run(&work, &more), DB_OK);
	assert_int_equal(operator_status_draw(&work, &list, &index), DB_OK);
	assert_int_equal(list, 1);
	assert_int_equal(operator_status_run(&work, &more), DB_OK);
	assert_int_equal(operator_status_draw(&work, &list, &index), DB_OK);
	assert_int_equal(list, 2);
	commit(&work);
	assert_int_equal(store_place_number(place->db, "SELECT COUNT(*) FROM status_lists"
						       " WHERE full_at IS NULL"),
			 1);
}

/* The task is late: draws go on all the same. */
static void test_full_list_is_left(void **state)
{
	struct operator_place *place = operator_place(state);
	struct work work = work_of(place);
	int64_t list, index;

	place->op.status_list_size = 64;
	begin(&work);
	for (int i = 0; i < 150; i++)
		assert_int_equal(operator_status_draw(&work, &list, &index), DB_OK);
	commit(&work);
	assert_true(list >= 3);
}

static void get(struct work *work, const char *list, struct reply *reply)
{
	const struct request request = operator_place_request("", list, NULL);

	memset(reply, 0, sizeof(*reply));
	begin(work);
	assert_int_equal(operator_status_get(work, &request, reply), DB_OK);
	commit(work);
}

static int check(struct work *work, int64_t index)
{
	struct reply reply;
	int result;

	get(work, "1", &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.content_type, "application/statuslist+jwt");
	result = simtie_status_check(operator_place_signer(), URI, (uint32_t)index,
				     clock_wall_ms() / 1000, reply.text, strlen(reply.text));
	reply_clear(&reply);
	return result;
}

static void test_bit_shows_at_the_tick(void **state)
{
	struct operator_place *place = operator_place(state);
	struct work work = work_of(place);
	int64_t list, index, other, now;

	begin(&work);
	assert_int_equal(operator_status_draw(&work, &list, &index), DB_OK);
	assert_int_equal(operator_status_draw(&work, &list, &other), DB_OK);
	commit(&work);
	/* 10 s into a tick. */
	now = clock_wall_ms();
	wall_by = 60000 - now % 60000 + 10000;
	assert_int_equal(check(&work, index), 0);
	begin(&work);
	assert_int_equal(operator_status_revoke(&work, list, index), DB_OK);
	commit(&work);
	assert_int_equal(check(&work, index), 0);
	wall_by += 30000;
	assert_int_equal(check(&work, index), 0);
	/* Neither does a daemon that has nothing in its cache show it early. */
	operator_status_free(&place->op.status);
	place->op.status = operator_status_new();
	assert_int_equal(check(&work, index), 0);
	wall_by += 30000;
	assert_int_equal(check(&work, index), SIMTIE_SERVICE_ERR_REVOKED);
	assert_int_equal(check(&work, other), 0);
	/* Revoked it stays, since when it was. */
	now = store_place_number(place->db, "SELECT MAX(revoked_at) FROM status_entries");
	begin(&work);
	assert_int_equal(operator_status_revoke(&work, list, index), DB_OK);
	commit(&work);
	assert_int_equal(
		store_place_number(place->db, "SELECT MAX(revoked_at) FROM status_entries"), now);
	wall_by = 0;
}

static void test_only_lists_that_are(void **state)
{
	static const char *const none[] = {"2", "0", "-1", "01", "1x", "", "99999999999999999999"};
	struct operator_place *place = operator_place(state);
	struct work work = work_of(place);
	int64_t list, index;
	struct reply reply;

	begin(&work);
	assert_int_equal(operator_status_draw(&work, &list, &index), DB_OK);
	commit(&work);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		get(&work, none[i], &reply);
		assert_int_equal(reply.status, 404);
		reply_clear(&reply);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_each_index_once),
		OPERATOR_PLACE_BOTH(test_next_list_when_half_full),
		OPERATOR_PLACE_BOTH(test_full_list_is_left),
		OPERATOR_PLACE_BOTH(test_bit_shows_at_the_tick),
		OPERATOR_PLACE_BOTH(test_only_lists_that_are),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
