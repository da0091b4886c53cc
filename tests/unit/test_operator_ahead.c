/*
 * Between a preparation and its transaction the world may change: what is decided is as if nothing
 * had been prepared.
 */
#include "operator_place.h"

#include "base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHAT   OPERATOR_PLACE_AUDIENCE
#define NUMBER "+4915112345678"

/* One request between its preparation and its transaction. */
struct pending {
	struct operator_place *place;
	struct work work;
	struct request request;
	struct reply reply;
};

static void prepare(struct operator_place *place, struct pending *pending, const char *number,
		    const struct operator_token *token)
{
	memset(pending, 0, sizeof(*pending));
	pending->place = place;
	pending->request = operator_place_request(CHAT, "", operator_place_body(number, token));
	pending->work = place->work;
	pending->work.service = &place->service;
	pending->work.db = place->db;
	pending->work.chain = "test/0";
	pending->work.prepared = operator_verification_prepare(&pending->work, &pending->request);
	assert_non_null(pending->work.prepared);
}

/* Its transaction; what it comes to. */
static const char *run(struct pending *pending)
{
	struct db *db = pending->work.db;
	int result;

	reply_clear(&pending->reply);
	assert_int_equal(db_begin(db), DB_OK);
	result = operator_verification_post(&pending->work, &pending->request, &pending->reply);
	if (result != DB_OK) {
		db_rollback(db);
		return db_strerror(result);
	}
	assert_int_equal(db_commit(db), DB_OK);
	return operator_place_word(&pending->reply);
}

static void done(struct pending *pending)
{
	pending->work.prepared->free(pending->work.prepared);
	reply_clear(&pending->reply);
}

static void change(struct operator_place *place, const char *sql)
{
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(db_script(place->db, sql), DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
}

/* The reference into the status list that a VERIFIED answer's credential has. */
static void credential_of(const struct pending *pending, struct simtie_credential *credential)
{
	const char *text = json_string_value(json_object_get(pending->reply.body, "credential"));
	uint8_t der[SIMTIE_CREDENTIAL_MAX];
	size_t len;

	assert_non_null(text);
	assert_true(base64url_read(text, strlen(text), der, sizeof(der), &len));
	assert_int_equal(simtie_credential_verify(operator_place_issuer(), CHAT,
						  clock_wall_ms() / 1000, der, len, credential),
			 0);
}

static int64_t drawn(struct operator_place *place)
{
	return store_place_number(place->db, "SELECT COUNT(*) FROM status_entries");
}

/* Each of these ends a subscriber's yes, or keeps it. */
static void test_a_change_is_seen(void **state)
{
	static const struct {
		const char *sql, *word;
	} changes[] = {
		{"UPDATE subscribers SET state = 2", "200 NOT_CONFIRMED"},
		{"UPDATE subscribers SET state = 3", "200 NOT_CONFIRMED"},
		{"UPDATE subscribers SET card_state = 2", "200 NOT_CONFIRMED"},
		{"DELETE FROM subscribers", "200 NOT_CONFIRMED"},
		{"UPDATE subscribers SET sim_changed_at = 7", "200 VERIFIED"},
		{"UPDATE subscribers SET updated_at = 7", "200 VERIFIED"},
	};
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;

	operator_sim_init(&sim, 1);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct operator_token token;
		struct pending pending;

		operator_place_subscriber(place, NUMBER, &sim);
		operator_sim_attest(&sim, CHAT, 0, &token);
		prepare(place, &pending, NUMBER, &token);
		change(place, changes[i].sql);
		assert_string_equal(run(&pending), changes[i].word);
		done(&pending);
	}
	operator_sim_free(&sim);
}

static void test_another_sim_is_seen(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim hers, other;
	struct operator_token old, new;
	struct pending pending, early;

	operator_sim_init(&hers, 1);
	operator_sim_init(&other, 2);
	operator_place_subscriber(place, NUMBER, &hers);
	operator_sim_attest(&hers, CHAT, 0, &old);
	operator_sim_attest(&other, CHAT, 0, &new);
	prepare(place, &pending, NUMBER, &old);
	prepare(place, &early, NUMBER, &new);
	operator_place_subscriber(place, NUMBER, &other);
	assert_string_equal(run(&pending), "200 NOT_CONFIRMED");
	/* The new SIM's token was prepared before the store knew of it. */
	assert_string_equal(run(&early), "200 VERIFIED");
	done(&pending);
	done(&early);
	operator_sim_free(&hers);
	operator_sim_free(&other);
}

/* Unknown when it was prepared; and what is written anew without a change stays what it was. */
static void test_a_subscriber_that_comes_is_seen(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token first, second;
	struct pending pending;

	operator_sim_init(&sim, 1);
	operator_sim_attest(&sim, CHAT, 0, &first);
	operator_sim_attest(&sim, CHAT, 0, &second);
	prepare(place, &pending, NUMBER, &first);
	operator_place_subscriber(place, NUMBER, &sim);
	assert_string_equal(run(&pending), "200 VERIFIED");
	done(&pending);
	prepare(place, &pending, NUMBER, &second);
	operator_place_subscriber(place, NUMBER, &sim);
	assert_string_equal(run(&pending), "200 VERIFIED");
	done(&pending);
	operator_sim_free(&sim);
}

/* A token that was prepared twice counts once, and so it does when a run is run again. */
static void test_a_token_counts_once(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;
	struct pending one, two;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	prepare(place, &one, NUMBER, &token);
	prepare(place, &two, NUMBER, &token);
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(operator_verification_post(&one.work, &one.request, &one.reply), DB_OK);
	db_rollback(place->db);
	assert_string_equal(run(&one), "200 VERIFIED");
	assert_string_equal(run(&two), "200 TOKEN_USED");
	done(&one);
	done(&two);
	operator_sim_free(&sim);
}

/* The index that was looked for is somebody else's by now, or its list closed: another is drawn. */
static void test_an_index_is_nobody_elses(void **state)
{
	static const char *const changes[] = {
		"UPDATE status_lists SET full_at = NULL", /* nothing */
		"INSERT INTO status_entries (list, idx) VALUES (1, 0), (1, 1), (1, 2), (1, 3),"
		" (1, 4), (1, 5), (1, 6), (1, 7) ON CONFLICT DO NOTHING;"
		"UPDATE status_lists SET size = 65536",
		"INSERT INTO status_lists (list, size, opened_at) VALUES (2, 65536, 1)",
	};
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	operator_place_verify(place, CHAT, NUMBER, &token, NULL); /* there is a list */
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct simtie_credential credential;
		struct pending pending;
		int64_t before;

		/* So few that all of them can be taken. */
		if (i == 1)
			change(place, "DELETE FROM status_entries;"
				      "UPDATE status_lists SET size = 8");
		operator_sim_attest(&sim, CHAT, 0, &token);
		prepare(place, &pending, NUMBER, &token);
		change(place, changes[i]);
		before = drawn(place);
		assert_string_equal(run(&pending), "200 VERIFIED");
		assert_int_equal(drawn(place), before + 1);
		credential_of(&pending, &credential);
		assert_int_equal(
			store_place_number(
				place->db,
				"SELECT COUNT(*) FROM status_entries e, verifications v WHERE"
				" v.status_list = e.list AND v.status_index = e.idx"
				" AND v.status_list = (SELECT MAX(list) FROM status_lists)"
				" AND v.counter = (SELECT MAX(counter) FROM verifications)"),
			1);
		assert_int_equal(
			store_place_number(place->db,
					   "SELECT status_index FROM verifications WHERE counter ="
					   " (SELECT MAX(counter) FROM verifications)"),
			credential.status_index);
		if (i == 1)
			assert_true(credential.status_index >= 8);
		done(&pending);
	}
	operator_sim_free(&sim);
}

/* What is wrong with a request is said by the handler, prepared or not. */
static void test_bad_requests_are_not_prepared(void **state)
{
	struct operator_place *place = operator_place(state);
	struct request request = operator_place_request(CHAT, "", "{\"nonce\":\"AAAA\"}");
	struct work work = place->work;

	work.service = &place->service;
	work.db = place->db;
	assert_null(operator_verification_prepare(&work, &request));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_a_change_is_seen),
		OPERATOR_PLACE_BOTH(test_another_sim_is_seen),
		OPERATOR_PLACE_BOTH(test_a_subscriber_that_comes_is_seen),
		OPERATOR_PLACE_BOTH(test_a_token_counts_once),
		OPERATOR_PLACE_BOTH(test_an_index_is_nobody_elses),
		OPERATOR_PLACE_BOTH(test_bad_requests_are_not_prepared),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
