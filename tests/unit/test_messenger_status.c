/*
 * What a messenger makes of its operators' status lists, and of challenges that nobody answers.
 */
#include "messenger_place.h"
#include "messenger_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NUMBER   "+4915112345678"
#define OTHER    "+4915112345679"
#define LEASE_MS 60000
#define TTL_S    120
#define SIZE     65536

static struct operator_sim sims[2];

static int make(void **state)
{
	operator_sim_init(&sims[0], 1);
	operator_sim_init(&sims[1], 2);
	return operator_place_keys_make(state);
}

static int unmake(void **state)
{
	operator_sim_free(&sims[0]);
	operator_sim_free(&sims[1]);
	return operator_place_keys_free(state);
}

static const char *const numbers[] = {NUMBER, OTHER};

static void register_at(struct messenger_place *place, int who, struct messenger_client *client)
{
	struct messenger_side *side = &place->side[0];
	char body[64];

	snprintf(body, sizeof(body), "{\"phoneNumber\":\"%s\"}", numbers[who]);
	operator_place_subscriber(place->mno, numbers[who], &sims[who]);
	assert_string_equal(messenger_place_begin(side, body, client), "201 ");
	assert_string_equal(messenger_place_attest(side, &sims[who], client, NULL), "202 PENDING");
	assert_int_equal(messenger_place_talk(place, side, client, WIRE_WHOLE, NULL), 200);
	assert_int_equal(messenger_place_talk(place, side, client, WIRE_WHOLE, NULL), 201);
	assert_string_equal(messenger_place_state(side, client), "REGISTERED");
}

static struct work work_of(struct messenger_side *side)
{
	return (struct work){.service = &side->service, .db = side->db, .chain = "test/0"};
}

/* As the daemon does when a list is due. */
static bool claim(struct messenger_side *side, struct messenger_list *list)
{
	struct work work = work_of(side);
	bool found;

	assert_int_equal(db_begin(side->db), DB_OK);
	assert_int_equal(messenger_status_claim(&work, LEASE_MS, list, &found), DB_OK);
	assert_int_equal(db_commit(side->db), DB_OK);
	return found;
}

/* A list as the operator would publish it, these bits set; -1: none. */
static void publish(struct messenger_list *list, const struct simtie_service_key *signer,
		    const char *uri, int64_t at, int64_t bit)
{
	uint8_t *bits = calloc(SIZE / 8, 1);

	if (bit >= 0)
		bits[bit / 8] |= (uint8_t)(1 << (bit % 8));
	assert_int_equal(simtie_status_issue(signer, uri, bits, SIZE, at, TTL_S, &list->jwt), 0);
	list->jwt_len = strlen(list->jwt);
	free(bits);
}

/* To its end; how many it ended. */
static int64_t apply(struct messenger_side *side, struct messenger_list *list)
{
	struct work work = work_of(side);
	int64_t ended = 0;

	while (!list->over) {
		assert_int_equal(db_begin(side->db), DB_OK);
		assert_int_equal(messenger_status_apply(&work, list), DB_OK);
		assert_int_equal(db_commit(side->db), DB_OK);
		ended += list->ended;
		list->done = list->reached;
	}
	messenger_status_clear(list);
	return ended;
}

static int64_t now_s(void)
{
	return clock_wall_ms() / 1000;
}

static void due_now(struct messenger_side *side)
{
	assert_int_equal(db_begin(side->db), DB_OK);
	assert_int_equal(db_script(side->db, "UPDATE status_lists SET due_at = 1"), DB_OK);
	assert_int_equal(db_commit(side->db), DB_OK);
}

/* How far off the only list's due time is, ms. */
static int64_t due_in(struct messenger_side *side)
{
	return store_place_number(side->db, "SELECT due_at FROM status_lists") - clock_wall_ms();
}

static int notice(struct messenger_side *side, const struct messenger_client *client,
		  enum simtie_event event, const char *id)
{
	struct simtie_notice told = {.event = event, .issued_at = now_s()};
	struct messenger_row row;

	messenger_place_row(side, client, &row);
	snprintf(told.issuer, sizeof(told.issuer), "mno.example");
	snprintf(told.audience, sizeof(told.audience), "chat.example");
	snprintf(told.id, sizeof(told.id), "%s", id);
	snprintf(told.registration, sizeof(told.registration), "%s", row.verification);
	bytes_wipe(&row, sizeof(row));
	return messenger_place_notice(side, "mno.example", operator_place_signer(), &told);
}

static void test_revoked_bit_is_a_notice(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client clients[2];
	struct messenger_list list;
	struct messenger_row row;

	assert_false(claim(side, &list));
	register_at(place, 0, &clients[0]);
	register_at(place, 1, &clients[1]);
	messenger_place_row(side, &clients[0], &row);
	assert_true(claim(side, &list));
	assert_string_equal(list.operator_name, "mno.example");
	assert_string_equal(list.uri, "https://mno.example:8443/v1/status/1");
	/* One fetch for both, and none while it may be kept. */
	publish(&list, operator_place_signer(), list.uri, now_s(), -1);
	assert_int_equal(apply(side, &list), 0);
	assert_false(claim(side, &list));
	assert_in_range(due_in(side), (TTL_S - 5) * 1000, TTL_S * 1000);
	assert_string_equal(messenger_place_state(side, &clients[0]), "REGISTERED");

	due_now(side);
	assert_true(claim(side, &list));
	publish(&list, operator_place_signer(), list.uri, now_s(), row.status_index);
	assert_int_equal(apply(side, &list), 1);
	assert_string_equal(messenger_place_state(side, &clients[0]),
			    "REVERIFICATION_REQUIRED REVOKED");
	assert_string_equal(messenger_place_state(side, &clients[1]), "REGISTERED");
	/* Once; and a notice that comes late says why. */
	due_now(side);
	assert_true(claim(side, &list));
	publish(&list, operator_place_signer(), list.uri, now_s(), row.status_index);
	assert_int_equal(apply(side, &list), 0);
	assert_int_equal(notice(side, &clients[0], SIMTIE_EVENT_SUSPENDED, "late"), 202);
	assert_string_equal(messenger_place_state(side, &clients[0]),
			    "REVERIFICATION_REQUIRED SUSPENDED");
	assert_int_equal(notice(side, &clients[0], SIMTIE_EVENT_SIM_SWAPPED, "later"), 202);
	assert_string_equal(messenger_place_state(side, &clients[0]),
			    "REVERIFICATION_REQUIRED SUSPENDED");
	bytes_wipe(&row, sizeof(row));
}

static void test_notice_came_first(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct messenger_list list;

	register_at(place, 0, &client);
	assert_int_equal(notice(side, &client, SIMTIE_EVENT_SUSPENDED, "first"), 202);
	/* Nobody names the list any more: it is not fetched. */
	assert_false(claim(side, &list));
	assert_string_equal(messenger_place_state(side, &client),
			    "REVERIFICATION_REQUIRED SUSPENDED");
	/* Who registers again is looked up again. */
	register_at(place, 0, &client);
	due_now(side);
	assert_true(claim(side, &list));
	messenger_status_clear(&list);
}

static void test_list_that_does_not_hold(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct messenger_list list;
	struct messenger_row row;

	register_at(place, 0, &client);
	messenger_place_row(side, &client, &row);
	for (int i = 0; i < 5; i++) {
		due_now(side);
		assert_true(claim(side, &list));
		if (i == 0) /* another's key */
			publish(&list, operator_place_issuer(), list.uri, now_s(),
				row.status_index);
		if (i == 1) /* too old */
			publish(&list, operator_place_signer(), list.uri, now_s() - 2 * TTL_S - 1,
				row.status_index);
		if (i == 2) /* another list */
			publish(&list, operator_place_signer(),
				"https://mno.example:8443/v1/status/2", now_s(), row.status_index);
		if (i == 3) /* no agreement with the operator any more */
			list.signer = NULL;
		/* 4: it could not be had */
		assert_int_equal(apply(side, &list), 0);
		assert_string_equal(messenger_place_state(side, &client), "REGISTERED");
		assert_in_range(due_in(side), 55000, 60000); /* once more, soon */
	}
	bytes_wipe(&row, sizeof(row));
}

/* More name it than one transaction looks up. */
static void test_page_after_page(void **state)
{
	static const char fill[] =
		"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2499)"
		" INSERT INTO registrations (hi, lo, state, step, reason, from_at, boot, boot_ms,"
		" changed_at, operator, attempts, key_id, sealed, status_uri, status_index)"
		" SELECT i, i, 2, 0, 0, from_at, boot, boot_ms, changed_at, operator, 0, key_id,"
		" sealed, status_uri, i FROM registrations, n WHERE status_index = 60000";
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct messenger_list list;
	struct messenger_row row;

	register_at(place, 0, &client);
	messenger_place_row(side, &client, &row);
	row.status_index = 60000;
	messenger_place_write(side, &row, messenger_row_at(&row));
	assert_int_equal(db_begin(side->db), DB_OK);
	assert_int_equal(db_run(side->db, fill, DB_NONE, NULL), DB_OK);
	assert_int_equal(db_commit(side->db), DB_OK);
	assert_true(claim(side, &list));
	publish(&list, operator_place_signer(), list.uri, now_s(), 60000);
	assert_int_equal(apply(side, &list), 1);
	assert_string_equal(messenger_place_state(side, &client),
			    "REVERIFICATION_REQUIRED REVOKED");
	bytes_wipe(&row, sizeof(row));
}

/* ---- Challenges ---- */

static void count(struct messenger_side *side)
{
	struct work work = work_of(side);
	bool more;

	assert_int_equal(db_begin(side->db), DB_OK);
	assert_int_equal(messenger_challenge_run(&work, &more), DB_OK);
	assert_int_equal(db_commit(side->db), DB_OK);
}

static void test_challenges_are_bounded(void **state)
{
	static const char body[] = "{\"phoneNumber\":\"" NUMBER "\"}";
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;

	side->messenger.challenges_max = 3;
	for (int i = 0; i < 3; i++)
		assert_string_equal(messenger_place_begin(side, body, &client), "201 ");
	/* Before anybody counts, and after. */
	assert_string_equal(messenger_place_begin(side, body, &client), "503 UNAVAILABLE");
	count(side);
	assert_string_equal(messenger_place_begin(side, body, &client), "503 UNAVAILABLE");
	/* One that is answered makes room. */
	assert_string_equal(messenger_place_attest(side, &sims[0], &client, NULL), "202 PENDING");
	count(side);
	assert_string_equal(messenger_place_begin(side, body, &client), "201 ");
	assert_int_equal(store_place_number(side->db, "SELECT COUNT(*) FROM registrations"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MESSENGER_PLACE_BOTH(test_revoked_bit_is_a_notice),
		MESSENGER_PLACE_BOTH(test_notice_came_first),
		MESSENGER_PLACE_BOTH(test_list_that_does_not_hold),
		MESSENGER_PLACE_BOTH(test_page_after_page),
		MESSENGER_PLACE_BOTH(test_challenges_are_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make, unmake);
}
