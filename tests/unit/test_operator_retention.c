/* What has outlived its time goes, what has not stays, and no token counts twice for it. */
#include "operator_place.h"
#include "moved_clock.h"
#include "purge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define CHAT   OPERATOR_PLACE_AUDIENCE
#define NUMBER "+4915112345678"
#define DAY_MS 86400000LL

MOVED_CLOCK(wall_by, boot_by)

/* Time passes, for both clocks. */
static void pass(int64_t ms)
{
	wall_by += ms;
	boot_by += ms;
}

static void purge(struct operator_place *place)
{
	bool more = true;

	place->work.db = place->db;
	place->work.service = &place->service;
	while (more) {
		assert_int_equal(db_begin(place->db), DB_OK);
		assert_int_equal(operator_retention_run(&place->work, &more), DB_OK);
		assert_int_equal(db_commit(place->db), DB_OK);
	}
}

static const char verifications[] = "SELECT COUNT(*) FROM verifications";
static const char registrations[] = "SELECT COUNT(*) FROM registrations";
static const char attestations[] = "SELECT COUNT(*) FROM attestations";

static void assert_rows(struct operator_place *place, const char *sql, int64_t expected)
{
	assert_int_equal(store_place_number(place->db, sql), expected);
}

static void run(struct operator_place *place, request_handler *handler, const char *id,
		const char *body)
{
	struct request request = operator_place_request(CHAT, id, body);
	struct reply reply;

	assert_int_equal(operator_place_run(place, place->db, handler, &request, &reply), DB_OK);
	assert_in_range(reply.status, 200, 204);
	reply_clear(&reply);
}

/* A registration that stands outlives everything; ended, it stays for retention_days. */
static void test_in_its_time(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token, other;
	char id[VAULT_ID_TEXT_SIZE];

	wall_by = boot_by = 0;
	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, id), "200 VERIFIED");
	run(place, operator_registration_put, id, "{\"identificationCode\":\"u-1\"}");
	operator_sim_attest(&sim, CHAT, 0, &other);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &other, NULL),
			    "200 VERIFIED");
	purge(place);
	assert_rows(place, registrations, 1);
	assert_rows(place, attestations, 2);
	pass(91 * DAY_MS); /* past verification_days and clone_days */
	purge(place);
	assert_rows(place, attestations, 0);
	assert_rows(place, registrations, 1);
	/* The counter's row is gone: the token counts no more often for it. */
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "200 OLD_COUNTER");
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &other, NULL),
			    "200 OLD_COUNTER");
	run(place, operator_registration_delete, id, NULL);
	pass(179 * DAY_MS);
	purge(place);
	assert_rows(place, registrations, 1);
	pass(2 * DAY_MS);
	purge(place);
	assert_rows(place, registrations, 0);
	assert_rows(place, verifications, 0);
	operator_sim_free(&sim);
}

/* What an event could no longer revoke is revoked when it is forgotten; a registration's is not. */
static void test_unregistered_credentials(void **state)
{
	static const char revoked[] = "SELECT COUNT(*) FROM status_entries s"
				      " WHERE s.revoked_at IS NOT NULL AND NOT EXISTS"
				      " (SELECT 1 FROM registrations r WHERE r.status_list = s.list"
				      " AND r.status_index = s.idx)";
	static const char standing[] = "SELECT COUNT(*) FROM status_entries"
				       " WHERE revoked_at IS NULL";
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;
	char id[VAULT_ID_TEXT_SIZE];

	wall_by = boot_by = 0;
	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	for (int i = 0; i < 3; i++) {
		operator_sim_attest(&sim, CHAT, 0, &token);
		assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, id),
				    "200 VERIFIED");
	}
	run(place, operator_registration_put, id, "{\"identificationCode\":\"u-1\"}");
	pass(29 * DAY_MS);
	purge(place);
	assert_rows(place, standing, 3);
	pass(2 * DAY_MS);
	purge(place);
	assert_rows(place, verifications, 0);
	assert_rows(place, standing, 1);
	assert_rows(place, revoked, 2);
	operator_sim_free(&sim);
}

/* More than goes in one transaction. */
static void test_many(void **state)
{
	struct operator_place *place = operator_place(state);

	wall_by = boot_by = 0;
	assert_int_equal(db_begin(place->db), DB_OK);
	for (int i = 0; i < 1200; i++)
		assert_int_equal(
			db_run(place->db,
			       "INSERT INTO attestations (hi, lo, card, counter, service, digest, "
			       "at)"
			       " VALUES (1, 1, $1, $2, 1, $1, $3)",
			       DB_VALUES(db_bytes(bytes_of((const uint8_t *)"card", 4)), db_int(i),
					 db_int(i < 1100 ? 1 : clock_wall_ms())),
			       NULL),
			DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
	purge(place);
	assert_rows(place, attestations, 100);
}

/* A status list goes when its credentials have expired, not when it is merely full. */
static void test_status_lists(void **state)
{
	static const char entries[] = "SELECT COUNT(*) FROM status_entries";
	struct operator_place *place = operator_place(state);
	char sql[400];

	wall_by = boot_by = 0;
	snprintf(sql, sizeof(sql),
		 "INSERT INTO status_lists (list, size, credential_days, opened_at, full_at) VALUES"
		 " (7, 64, 365, 1, 1), (8, 64, 365, 1, %lld), (9, 64, 365, 1, NULL);"
		 "INSERT INTO status_entries (list, idx) VALUES (7, 1), (7, 2), (8, 1), (9, 1)",
		 (long long)(clock_wall_ms() - 365 * DAY_MS));
	assert_int_equal(db_script(place->db, sql), DB_OK);
	purge(place);
	assert_rows(place, entries, 2);
	pass(2 * DAY_MS);
	purge(place);
	assert_rows(place, entries, 1);
}

static void draw(struct operator_place *place, long credential_days, int64_t *list, int64_t *index)
{
	place->op.credential_days = credential_days;
	place->work.db = place->db;
	place->work.service = &place->service;
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(operator_status_draw(&place->work, list, index), DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
}

/* A setting that is lowered lets nothing be forgotten that was issued before, nor does one that
 * was raised while a list was open. */
static void test_credential_days_change(void **state)
{
	static const char entries[] = "SELECT COUNT(*) FROM status_entries";
	struct operator_place *place = operator_place(state);
	int64_t list, index, full_at;
	bool taken;
	char sql[200];

	wall_by = boot_by = 0;
	draw(place, 30, &list, &index);
	/* Ahead of a transaction none is found in a list that is not kept for long enough. */
	place->op.credential_days = 365;
	assert_int_equal(operator_status_look(&place->work, &list, &index), DB_OK);
	assert_int_equal(list, 0);
	assert_int_equal(operator_status_take(&place->work, 1, 65535, &taken), DB_OK);
	assert_false(taken);
	draw(place, 365, &list, &index);
	assert_int_equal(operator_status_look(&place->work, &list, &index), DB_OK);
	assert_int_equal(list, 1);
	draw(place, 30, &list, &index);
	assert_int_equal(list, 1);
	full_at = clock_wall_ms();
	snprintf(sql, sizeof(sql),
		 "UPDATE status_lists SET full_at = %lld;"
		 "INSERT INTO status_lists (list, size, opened_at) VALUES (2, 64, 1)",
		 (long long)full_at);
	assert_int_equal(db_script(place->db, sql), DB_OK);
	pass(60 * DAY_MS);
	purge(place);
	assert_rows(place, entries, 3);
	pass(305 * DAY_MS);
	purge(place);
	assert_rows(place, entries, 3);
	pass(2 * DAY_MS);
	purge(place);
	assert_rows(place, entries, 0);
	assert_rows(place, "SELECT COUNT(*) FROM status_lists", 1);
}

/* ---- A clock that is wrong ---- */

#define HOUR_MS 3600000LL

/* Counter values of as many days ago. */
static void old_rows(struct operator_place *place)
{
	static const char insert[] =
		"INSERT INTO attestations (hi, lo, card, counter, service, digest, at)"
		" VALUES (1, 1, $1, $2, 1, $1, $3)";

	assert_int_equal(db_begin(place->db), DB_OK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(db_run(place->db, insert,
					DB_VALUES(db_bytes(bytes_of((const uint8_t *)"card", 4)),
						  db_int(i), db_int(clock_wall_ms() - i * DAY_MS)),
					NULL),
				 DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
}

static void begin_old_rows(struct operator_place *place)
{
	wall_by = boot_by = 0;
	old_rows(place);
	purge(place);
	assert_rows(place, attestations, 90);
}

/* For every role's rows: a leap stops the loop. */
static void test_leap_stops_the_loop(void **state)
{
	static const char all[] = "DELETE FROM attestations WHERE at <= $1";
	struct operator_place *place = operator_place(state);

	begin_old_rows(place);
	for (int leapt = 1; leapt >= 0; leapt--) {
		const struct purge purge = {all, clock_wall_ms(), "table=\"attestations\""};
		bool more = true;

		wall_by = leapt ? DAY_MS : 0;
		assert_int_equal(db_begin(place->db), DB_OK);
		assert_int_equal(purge_run(&place->work, &purge, 1, &more), DB_OK);
		assert_int_equal(db_commit(place->db), DB_OK);
		assert_false(more);
		assert_rows(place, attestations, leapt ? 90 : 0);
	}
}

/* A clock that leaps ahead and comes back has deleted nothing before its time. */
static void test_leap_and_back(void **state)
{
	struct operator_place *place = operator_place(state);

	begin_old_rows(place);
	wall_by += 30 * DAY_MS;
	for (int hour = 0; hour < 20; hour++) {
		purge(place);
		pass(HOUR_MS);
	}
	wall_by -= 30 * DAY_MS;
	purge(place);
	assert_rows(place, attestations, 90);
	/* Once more: the doubt begins anew. */
	wall_by += 30 * DAY_MS;
	for (int hour = 0; hour < 20; hour++) {
		purge(place);
		pass(HOUR_MS);
	}
	assert_rows(place, attestations, 90);
}

/* One that leapt and stays there is believed in the end: the machine was off for long, or its clock
 * was wrong before. */
static void test_leap_that_stays(void **state)
{
	struct operator_place *place = operator_place(state);

	begin_old_rows(place);
	wall_by += 30 * DAY_MS;
	purge(place);
	pass(23 * HOUR_MS);
	purge(place);
	assert_rows(place, attestations, 90);
	wall_by += 30 * DAY_MS; /* and leaps again meanwhile */
	purge(place);
	pass(23 * HOUR_MS);
	purge(place);
	assert_rows(place, attestations, 90);
	pass(2 * HOUR_MS);
	purge(place);
	assert_rows(place, attestations, 90 - 62);
	pass(DAY_MS);
	purge(place);
	assert_rows(place, attestations, 90 - 63);
}

/* Time that both clocks say has passed is believed at once, and so are small differences. */
static void test_time_that_passes(void **state)
{
	struct operator_place *place = operator_place(state);

	begin_old_rows(place);
	pass(10 * DAY_MS);
	purge(place);
	assert_rows(place, attestations, 80);
	wall_by += 5 * HOUR_MS;
	pass(20 * HOUR_MS);
	purge(place);
	assert_rows(place, attestations, 79);
	wall_by -= 40 * DAY_MS; /* one that goes back deletes nothing too early */
	pass(DAY_MS);
	purge(place);
	assert_rows(place, attestations, 79);
}

/* A daemon that comes up with a wrong clock, on a machine of which nothing is known: neither by
 * itself nor beside one whose clock goes on as before. */
static void test_another_machine(void **state)
{
	static const char other[] = "UPDATE purge_clock SET boot = $1 WHERE what = 1";
	static const uint8_t boot[CLOCK_BOOT_SIZE] = "another boot";
	struct operator_place *place = operator_place(state);

	begin_old_rows(place);
	assert_int_equal(
		db_run(place->db, other, DB_VALUES(db_bytes(bytes_of(boot, sizeof(boot)))), NULL),
		DB_OK);
	wall_by += 30 * DAY_MS;
	purge(place);
	for (int hour = 0; hour < 48; hour++) {
		pass(HOUR_MS);
		purge(place);
		/* The other's run. */
		wall_by -= 30 * DAY_MS;
		purge(place);
		wall_by += 30 * DAY_MS;
	}
	assert_rows(place, attestations, 88);
	for (int hour = 0; hour < 26; hour++) {
		purge(place);
		pass(HOUR_MS);
	}
	assert_rows(place, attestations, 90 - 33);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_in_its_time),
		OPERATOR_PLACE_BOTH(test_unregistered_credentials),
		OPERATOR_PLACE_BOTH(test_many),
		OPERATOR_PLACE_BOTH(test_status_lists),
		OPERATOR_PLACE_BOTH(test_credential_days_change),
		OPERATOR_PLACE_BOTH(test_leap_stops_the_loop),
		OPERATOR_PLACE_BOTH(test_leap_and_back),
		OPERATOR_PLACE_BOTH(test_leap_that_stays),
		OPERATOR_PLACE_BOTH(test_time_that_passes),
		OPERATOR_PLACE_BOTH(test_another_machine),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
