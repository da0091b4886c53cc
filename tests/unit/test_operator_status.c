/*
 * Status lists: indexes drawn at random and once, lists that follow each other, bits that show at
 * ticks and not before, and what all that costs whoever publishes them.
 */
#include "operator_place.h"
#include "moved_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

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

static void get(struct operator_place *place, const char *list, struct reply *reply)
{
	const struct request request = operator_place_request("", list, NULL);

	assert_int_equal(operator_place_run(place, place->db, operator_status_get, &request, reply),
			 DB_OK);
}

static int check(struct operator_place *place, int64_t index)
{
	struct reply reply;
	int result;

	get(place, "1", &reply);
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
	assert_int_equal(check(place, index), 0);
	begin(&work);
	assert_int_equal(operator_status_revoke(&work, list, index), DB_OK);
	commit(&work);
	assert_int_equal(check(place, index), 0);
	wall_by += 30000;
	assert_int_equal(check(place, index), 0);
	/* Neither is it shown early when the list is made anew. */
	assert_int_equal(db_script(place->db, "DELETE FROM status_tokens"), DB_OK);
	assert_int_equal(check(place, index), 0);
	wall_by += 30000;
	assert_int_equal(check(place, index), SIMTIE_SERVICE_ERR_REVOKED);
	assert_int_equal(check(place, other), 0);
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
		get(place, none[i], &reply);
		assert_int_equal(reply.status, 404);
		reply_clear(&reply);
	}
}

/* ---- What it costs ---- */

static void make_lists(struct operator_place *place, int count)
{
	static const char insert[] = "INSERT INTO status_lists (list, size, opened_at, full_at)"
				     " VALUES ($1, 64, 1, 1)";

	assert_int_equal(db_begin(place->db), DB_OK);
	for (int i = 1; i <= count; i++)
		assert_int_equal(db_run(place->db, insert, DB_VALUES(db_int(i)), NULL), DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
}

/* Gets a list by its number; its text, or NULL when it is 503. */
static char *text_of(struct operator_place *place, int list)
{
	struct reply reply;
	char number[16], *text;

	snprintf(number, sizeof(number), "%d", list);
	get(place, number, &reply);
	text = reply.text;
	reply.text = NULL;
	if (reply.status == 503)
		assert_in_range(reply.retry_after_s, 1, 60);
	else
		assert_int_equal(reply.status, 200);
	assert_int_equal(text != NULL, reply.status == 200);
	reply_clear(&reply);
	return text;
}

/* Asked for in turn, more than anybody keeps in memory: each is signed once a tick. No two
 * signatures are alike. */
static void test_signed_once_a_tick(void **state)
{
	enum { LISTS = 40 };
	struct operator_place *place = operator_place(state);
	char *first[LISTS];
	int64_t now;

	wall_by = boot_by = 0;
	now = clock_wall_ms();
	wall_by = 60000 - now % 60000 + 1000;
	make_lists(place, LISTS);
	for (int i = 0; i < LISTS; i++)
		first[i] = text_of(place, i + 1);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < LISTS; i++) {
			char *again = text_of(place, i + 1);

			assert_string_equal(again, first[i]);
			free(again);
		}
	/* Nor once more by another daemon. */
	operator_status_free(&place->op.status);
	place->op.status = operator_status_new();
	wall_by += 30000;
	for (int i = 0; i < LISTS; i++) {
		char *again = text_of(place, i + 1);

		assert_string_equal(again, first[i]);
		free(again);
	}
	wall_by += 30000;
	for (int i = 0; i < LISTS; i++) {
		char *again = text_of(place, i + 1);

		assert_string_not_equal(again, first[i]);
		free(again);
		free(first[i]);
	}
	wall_by = 0;
}

/* A time that does not pass but while the handler runs. */
static void stand_still(int64_t boot_ms)
{
	boot_by += boot_ms - clock_boot_ms();
}

/* However many lists there are, a daemon signs no more than it has a share of the time for. */
static void test_bounded_work(void **state)
{
	enum { LISTS = 600 };
	struct operator_place *place = operator_place(state);
	int64_t boot;
	char *first, *text;
	int made = 0;

	wall_by = boot_by = 0;
	boot = clock_wall_ms();
	wall_by = 60000 - boot % 60000 + 1000;
	boot = clock_boot_ms();
	make_lists(place, LISTS);
	stand_still(boot);
	first = text_of(place, 1);
	assert_non_null(first);
	for (int i = 2; i <= LISTS; i++) {
		stand_still(boot);
		text = text_of(place, i);
		made += text != NULL;
		free(text);
	}
	assert_in_range(made, 1, 400);
	/* What was signed a tick ago serves meanwhile, until it grows too old. */
	wall_by += 60000;
	stand_still(boot);
	text = text_of(place, 1);
	assert_string_equal(text, first);
	free(text);
	free(first);
	wall_by += 60000;
	stand_still(boot);
	assert_null(text_of(place, 1));
	/* And it goes on. */
	stand_still(boot + 60000);
	text = text_of(place, 1);
	assert_non_null(text);
	free(text);
	wall_by = boot_by = 0;
}

/* The shortest of a few runs of the task, us. */
static int64_t task_us(struct work *work)
{
	int64_t least = INT64_MAX;

	for (int i = 0; i < 5; i++) {
		struct timespec from, to;
		int64_t us;
		bool more;

		begin(work);
		clock_gettime(CLOCK_MONOTONIC, &from);
		assert_int_equal(operator_status_run(work, &more), DB_OK);
		clock_gettime(CLOCK_MONOTONIC, &to);
		commit(work);
		us = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
		least = us < least ? us : least;
	}
	return least;
}

static void fill(struct work *work, int64_t from, int64_t to)
{
	static const char insert[] =
		"INSERT INTO status_entries (list, idx) SELECT 1, n * 4 FROM"
		" (WITH RECURSIVE s(n) AS (SELECT CAST($1 AS INTEGER) UNION ALL"
		" SELECT n + 1 FROM s WHERE n + 1 < $2) SELECT n FROM s) t";

	begin(work);
	assert_int_equal(db_run(work->db, insert, DB_VALUES(db_int(from), db_int(to)), NULL),
			 DB_OK);
	commit(work);
}

/* The task holds up whoever writes: it must not count a list. */
static void test_task_is_cheap(void **state)
{
	struct operator_place *place = operator_place(state);
	struct work work = work_of(place);
	int64_t few, many;

	assert_int_equal(db_script(place->db, "INSERT INTO status_lists (list, size, opened_at)"
					      " VALUES (1, 1048576, 1)"),
			 DB_OK);
	fill(&work, 0, 1000);
	few = task_us(&work);
	fill(&work, 1000, 250000);
	many = task_us(&work);
	print_message("# the task: %lld us among a thousand, %lld among 250 thousand\n",
		      (long long)few, (long long)many);
	assert_true(many < 10 * few + 500);
	assert_int_equal(store_place_number(place->db, "SELECT COUNT(*) FROM status_lists"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_each_index_once),
		OPERATOR_PLACE_BOTH(test_next_list_when_half_full),
		OPERATOR_PLACE_BOTH(test_full_list_is_left),
		OPERATOR_PLACE_BOTH(test_bit_shows_at_the_tick),
		OPERATOR_PLACE_BOTH(test_only_lists_that_are),
		OPERATOR_PLACE_BOTH(test_signed_once_a_tick),
		OPERATOR_PLACE_BOTH(test_bounded_work),
		OPERATOR_PLACE_BOTH(test_task_is_cheap),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
