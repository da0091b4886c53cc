/*
 * The backlog: oldest deadline first, by any number of daemons, and a deadline that no jump of the
 * clock moves.
 */
#include "operator_place.h"

#include "moved_clock.h"
#include "operator_guess.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>

#define CHAT    OPERATOR_PLACE_AUDIENCE
#define NUMBER  "+4915112345678"
#define HOUR_MS 3600000

MOVED_CLOCK(wall_by, boot_by)

struct scene {
	struct operator_place *place;
	struct operator_sim sim;
	char id[VAULT_ID_TEXT_SIZE]; /* of one that is pending */
};

static void clocks_back(void)
{
	wall_by = boot_by = 0;
}

static void pend(struct operator_place *place, const char *number,
		 const struct operator_token *token, char *id)
{
	place->work.waited_ms = place->op.answer_within_ms + 1;
	assert_string_equal(operator_place_verify(place, CHAT, number, token, id), "202 PENDING");
	place->work.waited_ms = 0;
}

static void scene_open(void **state, struct scene *scene)
{
	struct operator_token token;

	clocks_back();
	scene->place = operator_place(state);
	operator_sim_init(&scene->sim, 1);
	operator_place_subscriber(scene->place, NUMBER, &scene->sim);
	operator_sim_attest(&scene->sim, CHAT, 0, &token);
	pend(scene->place, NUMBER, &token, scene->id);
}

static void scene_close(struct scene *scene)
{
	operator_sim_free(&scene->sim);
	clocks_back();
}

/* One round. */
static int run(struct operator_place *place, struct db *db, bool *more)
{
	return operator_place_backlog(&place->service, db, place->prepares, more);
}

static const char *get(struct scene *scene)
{
	const struct request request = operator_place_request(CHAT, scene->id, NULL);
	struct reply reply;
	const char *word;

	assert_int_equal(operator_place_run(scene->place, scene->place->db,
					    operator_verification_get, &request, &reply),
			 DB_OK);
	word = operator_place_word(&reply);
	reply_clear(&reply);
	return word;
}

static void test_wall_clock_moves_no_deadline(void **state)
{
	static const int64_t by[] = {HOUR_MS, -HOUR_MS};
	bool more;

	for (int i = 0; i < 2; i++) {
		struct operator_token token;
		struct scene scene;

		if (i == 0) {
			scene_open(state, &scene);
		} else {
			clocks_back();
			scene.place = operator_place(state);
			operator_sim_init(&scene.sim, 2);
			operator_place_subscriber(scene.place, "+49301111111", &scene.sim);
			operator_sim_attest(&scene.sim, CHAT, 0, &token);
			pend(scene.place, "+49301111111", &token, scene.id);
		}
		wall_by = by[i];
		boot_by = 1199000;
		assert_string_equal(get(&scene), "202 PENDING");
		assert_int_equal(run(scene.place, scene.place->db, &more), DB_OK);
		assert_false(more);
		assert_string_equal(get(&scene), "200 VERIFIED");
		scene_close(&scene);
	}
}

static void test_late_is_said(void **state)
{
	struct scene scene;

	scene_open(state, &scene);
	boot_by = 1200000;
	wall_by = -HOUR_MS;
	assert_string_equal(get(&scene), "200 EXPIRED");
	/* For good. */
	clocks_back();
	assert_string_equal(get(&scene), "200 EXPIRED");
	scene_close(&scene);
}

static void test_late_is_written_unasked(void **state)
{
	struct scene scene;
	bool more;

	scene_open(state, &scene);
	boot_by = 1200000;
	assert_int_equal(run(scene.place, scene.place->db, &more), DB_OK);
	assert_int_equal(store_place_number(scene.place->db, "SELECT state FROM verifications"),
			 VERIFICATION_EXPIRED);
	assert_int_equal(store_place_number(scene.place->db, "SELECT reason FROM verifications"),
			 REASON_DEADLINE);
	/* Its token was not counted. */
	assert_int_equal(store_place_number(scene.place->db, "SELECT COUNT(*) FROM attestations"),
			 0);
	scene_close(&scene);
}

/* What another boot accepted goes by the wall clock, the only one that both have. */
static void test_other_boot_goes_by_the_wall(void **state)
{
	static const char move[] = "UPDATE verifications SET boot = $1, boot_ms = $2";
	static const uint8_t boot[CLOCK_BOOT_SIZE] = {7};
	struct scene scene;

	scene_open(state, &scene);
	assert_int_equal(db_begin(scene.place->db), DB_OK);
	assert_int_equal(db_run(scene.place->db, move,
				DB_VALUES(db_bytes(bytes_of(boot, sizeof(boot))), db_int(5)), NULL),
			 DB_OK);
	assert_int_equal(db_commit(scene.place->db), DB_OK);
	boot_by = 1300000;
	assert_string_equal(get(&scene), "202 PENDING");
	wall_by = 1200000;
	assert_string_equal(get(&scene), "200 EXPIRED");
	scene_close(&scene);
}

#define MANY 2000

/* Requests for numbers that nobody has, their deadlines in no order. One token serves for all: what
 * numbers it was tried with is forgotten each time. */
static void fill(struct scene *scene, unsigned count)
{
	const long deadline_s = scene->place->op.deadline_s;
	struct operator_token token;
	struct work work = {.service = &scene->place->service, .db = scene->place->db};

	operator_sim_attest(&scene->sim, CHAT, 0, &token);
	work.waited_ms = scene->place->op.answer_within_ms + 1;
	assert_int_equal(db_begin(work.db), DB_OK);
	for (unsigned i = 0; i < count; i++) {
		char number[SIMTIE_NUMBER_SIZE];
		struct request request;
		struct reply reply = {.status = 0};

		operator_guess_free(&scene->place->op.guess);
		scene->place->op.guess = operator_guess_new();
		scene->place->op.deadline_s = 600 + (i * 7919) % 1000;
		snprintf(number, sizeof(number), "+4930%07u", i);
		request = operator_place_request(CHAT, "", operator_place_body(number, &token));
		assert_int_equal(operator_verification_post(&work, &request, &reply), DB_OK);
		assert_int_equal(reply.status, 202);
		reply_clear(&reply);
	}
	assert_int_equal(db_commit(work.db), DB_OK);
	scene->place->op.deadline_s = deadline_s;
}

static void test_oldest_deadline_first(void **state)
{
	struct scene scene;
	struct db *db;
	int64_t pending = MANY + 1;
	bool more = true;

	scene_open(state, &scene);
	db = scene.place->db;
	fill(&scene, MANY);
	while (more) {
		assert_int_equal(run(scene.place, db, &more), DB_OK);
		pending -= pending < 200 ? pending : 200;
		assert_int_equal(store_place_number(
					 db, "SELECT COUNT(*) FROM verifications WHERE state = 1"),
				 pending);
		if (pending > 0)
			assert_true(store_place_number(db, "SELECT MAX(deadline_at) FROM "
							   "verifications WHERE state <> 1") <=
				    store_place_number(db, "SELECT MIN(deadline_at) FROM "
							   "verifications WHERE state = 1"));
	}
	assert_int_equal(pending, 0);
	assert_string_equal(get(&scene), "200 VERIFIED");
	scene_close(&scene);
}

/* Another on the same store: how far it has come is its own matter. */
struct daemon {
	struct operator_state op;
	struct service service;
	struct db *db;
	bool prepares;
	int result;
};

static void *daemon_run(void *context)
{
	struct daemon *daemon = context;
	unsigned busy = 0;
	bool more = true;

	while (more || (daemon->result == DB_ERR_BUSY && busy < 50)) {
		daemon->result = operator_place_backlog(&daemon->service, daemon->db,
							daemon->prepares, &more);
		busy += daemon->result == DB_ERR_BUSY;
	}
	return NULL;
}

static void test_daemons_share_it(void **state)
{
	struct daemon daemons[4];
	pthread_t threads[4];
	struct scene scene;
	bool more;

	scene_open(state, &scene);
	fill(&scene, 1000);
	scene.place->op.backlog_batch = 25;
	for (int i = 0; i < 4; i++) {
		daemons[i] = (struct daemon){.op = scene.place->op,
					     .service = scene.place->service,
					     .db = store_place_open(scene.place->store),
					     .prepares = scene.place->prepares};
		daemons[i].service.state = &daemons[i].op;
		daemons[i].op.backlog = operator_backlog_new();
		assert_int_equal(pthread_create(&threads[i], NULL, daemon_run, &daemons[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(daemons[i].result, DB_OK);
		db_close(&daemons[i].db);
		operator_backlog_free(&daemons[i].op.backlog);
	}
	/* The last rows of one that another held meanwhile. */
	do {
		assert_int_equal(run(scene.place, scene.place->db, &more), DB_OK);
	} while (more);
	assert_int_equal(store_place_number(scene.place->db,
					    "SELECT COUNT(*) FROM verifications WHERE state = 1"),
			 0);
	assert_int_equal(store_place_number(scene.place->db,
					    "SELECT COUNT(*) FROM verifications WHERE state = 3"),
			 1000);
	assert_string_equal(get(&scene), "200 VERIFIED");
	scene_close(&scene);
}

static void test_what_does_not_open_stops_nobody(void **state)
{
	static const char damage[] =
		"UPDATE verifications SET order_at = order_at - 1000, sealed = $1";
	static const uint8_t nothing[64];
	struct operator_token token;
	struct operator_sim other;
	struct scene scene;
	char id[VAULT_ID_TEXT_SIZE];
	bool more;

	scene_open(state, &scene);
	assert_int_equal(db_begin(scene.place->db), DB_OK);
	assert_int_equal(db_run(scene.place->db, damage,
				DB_VALUES(db_bytes(bytes_of(nothing, sizeof(nothing)))), NULL),
			 DB_OK);
	assert_int_equal(db_commit(scene.place->db), DB_OK);
	operator_sim_init(&other, 2);
	operator_place_subscriber(scene.place, "+49301111111", &other);
	operator_sim_attest(&other, CHAT, 0, &token);
	pend(scene.place, "+49301111111", &token, id);
	assert_int_equal(run(scene.place, scene.place->db, &more), DB_OK);
	memcpy(scene.id, id, sizeof(id));
	assert_string_equal(get(&scene), "200 VERIFIED");
	/* And it ends as all that nobody could decide. */
	boot_by = 1200000;
	assert_int_equal(run(scene.place, scene.place->db, &more), DB_OK);
	assert_int_equal(store_place_number(scene.place->db,
					    "SELECT COUNT(*) FROM verifications WHERE state = 4"),
			 1);
	operator_sim_free(&other);
	scene_close(&scene);
}

/* A subscriber whose row another holds is passed over, at once. */
static void test_busy_subscriber_stops_nobody(void **state)
{
	static const char lock[] = "SELECT state FROM subscribers FOR UPDATE";
	struct scene scene;
	struct db *other;
	bool more;

	scene_open(state, &scene);
	fill(&scene, 10);
	other = store_place_open(scene.place->store);
	assert_int_equal(db_begin(other), DB_OK);
	assert_int_equal(db_query(other, lock, DB_NONE), DB_OK);
	assert_int_equal(db_next(other), DB_ROW);
	assert_int_equal(run(scene.place, scene.place->db, &more), DB_OK);
	assert_string_equal(get(&scene), "202 PENDING");
	assert_int_equal(store_place_number(scene.place->db,
					    "SELECT COUNT(*) FROM verifications WHERE state = 3"),
			 10);
	db_rollback(other);
	db_close(&other);
	assert_int_equal(run(scene.place, scene.place->db, &more), DB_OK);
	assert_string_equal(get(&scene), "200 VERIFIED");
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_wall_clock_moves_no_deadline),
		OPERATOR_PLACE_BOTH(test_late_is_said),
		OPERATOR_PLACE_BOTH(test_late_is_written_unasked),
		OPERATOR_PLACE_BOTH(test_other_boot_goes_by_the_wall),
		OPERATOR_PLACE_BOTH(test_oldest_deadline_first),
		OPERATOR_PLACE_BOTH(test_daemons_share_it),
		OPERATOR_PLACE_BOTH(test_what_does_not_open_stops_nobody),
		/* SQLite has no row locks. */
		cmocka_unit_test_setup_teardown(test_busy_subscriber_stops_nobody,
						operator_place_postgres, operator_place_tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
