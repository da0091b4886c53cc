/*
 * The backlog's rounds: what does not open is passed by, one subscriber's are decided in the order
 * in which they were accepted, and what is counted is committed.
 */
#include "operator_place.h"

#include "monotonic.h"
#include "moved_clock.h"
#include "operator_backlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define CHAT    OPERATOR_PLACE_AUDIENCE
#define NUMBER  "+4915112345678"
#define HOUR_MS 3600000
#define ROUND   5
#define DAMAGED 12 /* more than two rounds */

MOVED_CLOCK(wall_by, boot_by)

static struct operator_place *open_place(void **state, struct operator_sim *sim)
{
	struct operator_place *place = operator_place(state);

	wall_by = boot_by = 0;
	operator_sim_init(sim, 1);
	operator_place_subscriber(place, NUMBER, sim);
	return place;
}

static void close_place(struct operator_sim *sim)
{
	operator_sim_free(sim);
	wall_by = boot_by = 0;
}

/* One that waits. */
static void pend(struct operator_place *place, struct operator_sim *sim, char *id)
{
	struct operator_token token;

	operator_sim_attest(sim, CHAT, 0, &token);
	place->work.waited_ms = place->op.answer_within_ms + 1;
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, id), "202 PENDING");
	place->work.waited_ms = 0;
}

static const char *get(struct operator_place *place, const char *id)
{
	const struct request request = operator_place_request(CHAT, id, NULL);
	struct reply reply;
	const char *word;

	assert_int_equal(
		operator_place_run(place, place->db, operator_verification_get, &request, &reply),
		DB_OK);
	word = operator_place_word(&reply);
	reply_clear(&reply);
	return word;
}

static void change(struct operator_place *place, const char *sql)
{
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(db_script(place->db, sql), DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
}

/* What a series stands at, by the end of the line before and its name; -1: it is not there. */
static long series(struct operator_place *place, const char *name)
{
	char *text = metrics_text(place->service.metrics), *at;
	long value = -1;

	assert_non_null(text);
	at = strstr(text, name);
	if (at)
		value = strtol(at + strlen(name), NULL, 10);
	free(text);
	return value;
}

/* Rounds until there is nothing more to do at once; how many. */
static unsigned pass(struct operator_place *place)
{
	unsigned rounds = 0;
	bool more = true;

	for (; more && rounds < 50; rounds++)
		assert_int_equal(
			operator_place_backlog(&place->service, place->db, place->prepares, &more),
			DB_OK);
	assert_false(more);
	return rounds;
}

/* ---- What does not open ---- */

/* How often standard error says it. */
static unsigned said(FILE *log)
{
	char line[256];
	unsigned count = 0;

	rewind(log);
	while (fgets(line, sizeof(line), log))
		count += strstr(line, "pending verifications that do not open") != NULL;
	return count;
}

static void test_many_that_do_not_open(void **state)
{
	struct operator_sim sim;
	struct operator_place *place = open_place(state, &sim);
	char id[VAULT_ID_TEXT_SIZE];
	FILE *log = tmpfile();
	const int stderr_fd = dup(STDERR_FILENO);

	assert_non_null(log);
	place->op.backlog_batch = ROUND;
	for (int i = 0; i < DAMAGED; i++)
		pend(place, &sim, id);
	change(place,
	       db_engine(place->db) == DB_SQLITE
		       ? "UPDATE verifications SET sealed = zeroblob(64)"
		       : "UPDATE verifications SET sealed = decode(repeat('00', 64), 'hex')");
	/* Under a key that is not here. */
	change(place, "UPDATE verifications SET key_id = 77 WHERE order_at ="
		      " (SELECT MIN(order_at) FROM verifications)");
	pend(place, &sim, id);
	dup2(fileno(log), STDERR_FILENO);
	pass(place);
	pass(place);
	dup2(stderr_fd, STDERR_FILENO);
	assert_string_equal(get(place, id), "200 VERIFIED");
	assert_int_equal(series(place, "\nsimtied_backlog_unopened "), DAMAGED);
	assert_int_equal(said(log), 1);
	/* Their deadline comes all the same. */
	boot_by = 1200000;
	pass(place);
	assert_int_equal(
		store_place_number(place->db, "SELECT COUNT(*) FROM verifications WHERE state = 4"),
		DAMAGED);
	assert_int_equal(series(place, "\nsimtied_backlog_unopened "), 0);
	close(stderr_fd);
	fclose(log);
	close_place(&sim);
}

/* A subscriber's row that does not open is as one of hers that does not. */
static void test_subscriber_that_does_not_open(void **state)
{
	struct operator_sim sim;
	struct operator_place *place = open_place(state, &sim);
	char id[VAULT_ID_TEXT_SIZE];

	pend(place, &sim, id);
	change(place, "UPDATE subscribers SET key_id = 77");
	pass(place);
	assert_string_equal(get(place, id), "202 PENDING");
	assert_int_equal(series(place, "\nsimtied_backlog_unopened "), 1);
	close_place(&sim);
}

/* ---- Order ---- */

static void test_clock_set_back_between_two_of_one_sim(void **state)
{
	struct operator_sim sim;
	struct operator_place *place = open_place(state, &sim);
	char first[VAULT_ID_TEXT_SIZE], second[VAULT_ID_TEXT_SIZE], third[VAULT_ID_TEXT_SIZE];

	pend(place, &sim, first);
	wall_by = -HOUR_MS;
	pend(place, &sim, second);
	wall_by = -2 * HOUR_MS;
	pend(place, &sim, third);
	pass(place);
	assert_string_equal(get(place, first), "200 VERIFIED");
	assert_string_equal(get(place, second), "200 VERIFIED");
	assert_string_equal(get(place, third), "200 VERIFIED");
	close_place(&sim);
}

/* Another daemon has the earlier one and has not come to it yet. */
static void test_earlier_one_is_held_by_another(void **state)
{
	static const char take[] = "SELECT 1 FROM verifications WHERE order_at ="
				   " (SELECT MIN(order_at) FROM verifications) FOR UPDATE";
	struct operator_sim sim;
	struct operator_place *place = open_place(state, &sim);
	char first[VAULT_ID_TEXT_SIZE], second[VAULT_ID_TEXT_SIZE];
	struct db *other = store_place_open(place->store);

	pend(place, &sim, first);
	pend(place, &sim, second);
	assert_int_equal(db_begin(other), DB_OK);
	assert_int_equal(db_query(other, take, DB_NONE), DB_OK);
	assert_int_equal(db_next(other), DB_ROW);
	pass(place);
	assert_string_equal(get(place, second), "202 PENDING");
	db_rollback(other);
	db_close(&other);
	pass(place);
	assert_string_equal(get(place, first), "200 VERIFIED");
	assert_string_equal(get(place, second), "200 VERIFIED");
	close_place(&sim);
}

/* An earlier one that nobody can open is not waited for. */
static void test_earlier_one_does_not_open(void **state)
{
	struct operator_sim sim;
	struct operator_place *place = open_place(state, &sim);
	char first[VAULT_ID_TEXT_SIZE], second[VAULT_ID_TEXT_SIZE];

	pend(place, &sim, first);
	change(place, "UPDATE verifications SET key_id = 77");
	pend(place, &sim, second);
	pass(place);
	assert_string_equal(get(place, second), "200 VERIFIED");
	close_place(&sim);
}

/* ---- The transaction and its end ---- */

static void test_counted_when_committed(void **state)
{
	static const char verified[] = "\nsimtied_verifications_total{outcome=\"verified\"} ";
	struct operator_sim sim;
	struct operator_place *place = open_place(state, &sim);
	struct backlog_round *round = operator_backlog_round(&place->service);
	struct work work = {.service = &place->service, .db = place->db, .chain = "backlog/0"};
	char id[VAULT_ID_TEXT_SIZE];

	pend(place, &sim, id);
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(operator_backlog_decide(&work, round), DB_OK);
	assert_int_equal(series(place, verified), -1);
	db_rollback(place->db);
	assert_false(operator_backlog_end(&round, DB_ERR_FULL));
	assert_int_equal(series(place, verified), -1);
	assert_string_equal(get(place, id), "202 PENDING");
	pass(place);
	assert_int_equal(series(place, verified), 1);
	close_place(&sim);
}

/* As the engine runs it. */
static void test_task(void **state)
{
	struct operator_sim sim;
	struct operator_place *place = open_place(state, &sim);
	struct work work = {.service = &place->service, .db = place->db, .chain = "backlog/0"};
	char id[VAULT_ID_TEXT_SIZE];
	const int64_t until = monotonic_ms() + 20000;
	bool more;

	pend(place, &sim, id);
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(operator_backlog_run(&work, &more), DB_OK);
	assert_false(more);
	assert_int_equal(db_commit(place->db), DB_OK);
	while (strcmp(get(place, id), "202 PENDING") == 0 && monotonic_ms() < until)
		usleep(2000);
	assert_string_equal(get(place, id), "200 VERIFIED");
	close_place(&sim);
}

static void test_daemon_without_backlog(void **state)
{
	struct operator_sim sim;
	struct operator_place *place = open_place(state, &sim);
	struct work work = {.service = &place->service, .db = place->db, .chain = "backlog/0"};
	char id[VAULT_ID_TEXT_SIZE];
	bool more = true;

	pend(place, &sim, id);
	place->op.backlog_batch = 0;
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(operator_backlog_run(&work, &more), DB_OK);
	assert_false(more);
	assert_int_equal(db_commit(place->db), DB_OK);
	engine_stop(&place->service.engine); /* with all that it was given */
	assert_string_equal(get(place, id), "202 PENDING");
	close_place(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_many_that_do_not_open),
		OPERATOR_PLACE_BOTH(test_subscriber_that_does_not_open),
		OPERATOR_PLACE_BOTH(test_clock_set_back_between_two_of_one_sim),
		OPERATOR_PLACE_BOTH(test_earlier_one_does_not_open),
		OPERATOR_PLACE_BOTH(test_counted_when_committed),
		OPERATOR_PLACE_BOTH(test_task),
		OPERATOR_PLACE_BOTH(test_daemon_without_backlog),
		/* SQLite has no row locks. */
		cmocka_unit_test_setup_teardown(test_earlier_one_is_held_by_another,
						operator_place_postgres, operator_place_tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
