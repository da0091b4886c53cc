/*
 * Registrations: made once, from a yes that still holds; replaced, ended, and gone for others.
 */
#include "operator_place.h"
#include "operator_registration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHAT       OPERATOR_PLACE_AUDIENCE
#define OTHER      "mail.example"
#define NUMBER     "+4915112345678"
#define UNKNOWN_ID "AAAAAAAAAAAAAAAAAAAAAA"

struct scene {
	struct operator_place *place;
	struct operator_sim sim;
};

/* In place: a card holds pointers into itself. */
static void scene_open(void **state, struct scene *scene)
{
	scene->place = operator_place(state);
	operator_sim_init(&scene->sim, 1);
	operator_place_subscriber(scene->place, NUMBER, &scene->sim);
}

static void verified(struct scene *scene, const char *audience, char id[static VAULT_ID_TEXT_SIZE])
{
	struct operator_token token;

	operator_sim_attest(&scene->sim, audience, 0, &token);
	assert_string_equal(operator_place_verify(scene->place, audience, NUMBER, &token, id),
			    "200 VERIFIED");
}

/* The HTTP status of a PUT (a code) or a DELETE (NULL). */
static unsigned send(struct scene *scene, const char *audience, const char *id, const char *code)
{
	char body[200];
	struct request request;
	struct reply reply;
	unsigned status;

	snprintf(body, sizeof(body), "{\"identificationCode\":\"%s\"}", code ? code : "");
	request = operator_place_request(audience, id, code ? body : NULL);
	assert_int_equal(
		operator_place_run(scene->place, scene->place->db,
				   code ? operator_registration_put : operator_registration_delete,
				   &request, &reply),
		DB_OK);
	status = reply.status;
	reply_clear(&reply);
	return status;
}

static int64_t number(struct scene *scene, const char *sql)
{
	return store_place_number(scene->place->db, sql);
}

static void change(struct scene *scene, const char *sql)
{
	assert_int_equal(db_begin(scene->place->db), DB_OK);
	assert_int_equal(db_script(scene->place->db, sql), DB_OK);
	assert_int_equal(db_commit(scene->place->db), DB_OK);
}

static void test_put_is_made_once(void **state)
{
	struct scene scene;
	char id[VAULT_ID_TEXT_SIZE];

	scene_open(state, &scene);
	verified(&scene, CHAT, id);
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 201);
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 200);
	assert_int_equal(send(&scene, CHAT, id, "user-2"), 409);
	assert_int_equal(number(&scene, "SELECT COUNT(*) FROM registrations"), 1);
	operator_sim_free(&scene.sim);
}

static void test_code_is_1_to_64_bytes(void **state)
{
	struct scene scene;
	char id[VAULT_ID_TEXT_SIZE], code[66];

	scene_open(state, &scene);
	memset(code, 'x', 65);
	code[65] = 0;
	verified(&scene, CHAT, id);
	assert_int_equal(send(&scene, CHAT, id, ""), 400);
	assert_int_equal(send(&scene, CHAT, id, code), 400);
	assert_int_equal(send(&scene, CHAT, id, code + 1), 201);
	operator_sim_free(&scene.sim);
}

static void test_only_a_yes_registers(void **state)
{
	struct scene scene;
	struct operator_token token;
	char id[VAULT_ID_TEXT_SIZE];

	scene_open(state, &scene);
	operator_sim_attest(&scene.sim, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(scene.place, CHAT, "+4999999999", &token, id),
			    "200 NOT_CONFIRMED");
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 409);
	scene.place->work.waited_ms = 100000;
	assert_string_equal(operator_place_verify(scene.place, CHAT, NUMBER, &token, id),
			    "202 PENDING");
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 409);
	/* Nor one whose token was counted, but that is no yes. */
	scene.place->work.waited_ms = 0;
	verified(&scene, CHAT, id);
	change(&scene, "UPDATE verifications SET state = 4 WHERE state = 2");
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 409);
	assert_int_equal(number(&scene, "SELECT COUNT(*) FROM registrations"), 0);
	operator_sim_free(&scene.sim);
}

static void test_others_see_nothing(void **state)
{
	struct scene scene;
	char id[VAULT_ID_TEXT_SIZE];

	scene_open(state, &scene);
	verified(&scene, CHAT, id);
	assert_int_equal(send(&scene, OTHER, id, "user-1"), 404);
	assert_int_equal(send(&scene, CHAT, UNKNOWN_ID, "user-1"), 404);
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 201);
	assert_int_equal(send(&scene, OTHER, id, "user-1"), 404);
	assert_int_equal(send(&scene, OTHER, id, NULL), 404);
	assert_int_equal(send(&scene, CHAT, UNKNOWN_ID, NULL), 404);
	assert_int_equal(number(&scene, "SELECT state FROM registrations"), REGISTRATION_STANDS);
	operator_sim_free(&scene.sim);
}

static void test_later_one_replaces_it(void **state)
{
	struct scene scene;
	char first[VAULT_ID_TEXT_SIZE], second[VAULT_ID_TEXT_SIZE], other[VAULT_ID_TEXT_SIZE];

	scene_open(state, &scene);
	verified(&scene, CHAT, first);
	verified(&scene, OTHER, other);
	assert_int_equal(send(&scene, CHAT, first, "user-1"), 201);
	assert_int_equal(send(&scene, OTHER, other, "user-1"), 201);
	verified(&scene, CHAT, second);
	assert_int_equal(send(&scene, CHAT, second, "user-1"), 201);
	/* Another messenger's stands. */
	assert_int_equal(number(&scene, "SELECT COUNT(*) FROM registrations WHERE state = 1"), 2);
	assert_int_equal(number(&scene, "SELECT COUNT(*) FROM registrations WHERE state = 4"
					" AND purge_at > ended_at"),
			 1);
	assert_int_equal(
		number(&scene, "SELECT COUNT(*) FROM status_entries WHERE revoked_at IS NOT NULL"),
		1);
	assert_int_equal(send(&scene, CHAT, first, "user-1"), 409);
	operator_sim_free(&scene.sim);
}

static void test_delete_ends_it(void **state)
{
	struct scene scene;
	char id[VAULT_ID_TEXT_SIZE];
	int64_t ended;

	scene_open(state, &scene);
	verified(&scene, CHAT, id);
	assert_int_equal(send(&scene, CHAT, id, NULL), 404);
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 201);
	assert_int_equal(number(&scene, "SELECT COUNT(*) FROM registrations"
					" WHERE purge_at IS NULL"),
			 1);
	/* The verification goes long before the registration may. */
	change(&scene, "DELETE FROM verifications");
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 200);
	assert_int_equal(send(&scene, CHAT, id, NULL), 204);
	ended = number(&scene, "SELECT ended_at FROM registrations");
	assert_int_equal(number(&scene, "SELECT purge_at FROM registrations"),
			 ended + 180LL * 86400000);
	assert_int_equal(
		number(&scene, "SELECT COUNT(*) FROM status_entries WHERE revoked_at IS NOT NULL"),
		1);
	assert_int_equal(send(&scene, CHAT, id, NULL), 204);
	assert_int_equal(number(&scene, "SELECT ended_at FROM registrations"), ended);
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 409);
	operator_sim_free(&scene.sim);
}

/* A registration that began after the event would never be told of it. */
static void test_sim_changed_between(void **state)
{
	static const char *const events[] = {
		"UPDATE subscribers SET state = 2",
		"UPDATE subscribers SET state = 1, card_state = 2",
		"UPDATE subscribers SET card_state = 1",
	};
	struct scene scene;
	struct operator_sim next;
	struct operator_token token;
	char id[VAULT_ID_TEXT_SIZE], other[VAULT_ID_TEXT_SIZE];

	scene_open(state, &scene);
	verified(&scene, CHAT, id);
	change(&scene, events[0]);
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 409);
	change(&scene, events[1]);
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 409);
	change(&scene, events[2]);
	operator_sim_init(&next, 2);
	operator_place_subscriber(scene.place, NUMBER, &next);
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 409);
	/* Nor when the next SIM has said yes under the same counter value. */
	operator_sim_attest(&next, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(scene.place, CHAT, NUMBER, &token, other),
			    "200 VERIFIED");
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 409);
	operator_place_subscriber(scene.place, NUMBER, &scene.sim);
	assert_int_equal(send(&scene, CHAT, id, "user-1"), 201);
	operator_sim_free(&next);
	operator_sim_free(&scene.sim);
}

/* Suspended and resumed in between, the SIM is the same one, and what was said of it no longer is.
 */
static void test_revoked_between(void **state)
{
	struct scene scene;
	char first[VAULT_ID_TEXT_SIZE], second[VAULT_ID_TEXT_SIZE];

	scene_open(state, &scene);
	verified(&scene, CHAT, first);
	change(&scene, "UPDATE status_entries SET revoked_at = 1");
	verified(&scene, CHAT, second);
	assert_int_equal(send(&scene, CHAT, first, "user-1"), 409);
	assert_int_equal(send(&scene, CHAT, second, "user-1"), 201);
	operator_sim_free(&scene.sim);
}

static void test_record_opens(void **state)
{
	static const char move[] = "UPDATE registrations SET id = $1";
	static const uint8_t elsewhere[VAULT_ID_SIZE] = {1};
	struct scene scene;
	struct vault_index subscriber;
	struct registration *list;
	struct work work;
	char id[VAULT_ID_TEXT_SIZE], text[VAULT_ID_TEXT_SIZE];
	size_t count;

	scene_open(state, &scene);
	work = (struct work){.service = &scene.place->service, .db = scene.place->db};
	verified(&scene, CHAT, id);
	assert_int_equal(send(&scene, CHAT, id, "Benutzer \xC3\xBC"), 201);
	assert_true(subscriber_index(scene.place->service.vault, NUMBER, &subscriber));
	assert_int_equal(operator_registration_standing(&work, &subscriber, &list, &count), DB_OK);
	assert_int_equal(count, 1);
	vault_id_text(list[0].id, text);
	assert_string_equal(text, id);
	assert_string_equal(list[0].audience, CHAT);
	assert_string_equal(list[0].code, "Benutzer \xC3\xBC");
	assert_int_equal(list[0].counter, 1);
	assert_true(clock_wall_ms() - list[0].registered_at < 60000);
	free(list);
	/* Moved to another row it does not open. */
	assert_int_equal(db_begin(scene.place->db), DB_OK);
	assert_int_equal(
		db_run(scene.place->db, move, DB_VALUES(db_bytes(bytes_of(elsewhere, 16))), NULL),
		DB_OK);
	assert_int_equal(db_commit(scene.place->db), DB_OK);
	assert_int_equal(operator_registration_standing(&work, &subscriber, &list, &count),
			 DB_ERR_DAMAGED);
	free(list);
	operator_sim_free(&scene.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_put_is_made_once),
		OPERATOR_PLACE_BOTH(test_code_is_1_to_64_bytes),
		OPERATOR_PLACE_BOTH(test_only_a_yes_registers),
		OPERATOR_PLACE_BOTH(test_others_see_nothing),
		OPERATOR_PLACE_BOTH(test_later_one_replaces_it),
		OPERATOR_PLACE_BOTH(test_delete_ends_it),
		OPERATOR_PLACE_BOTH(test_sim_changed_between),
		OPERATOR_PLACE_BOTH(test_revoked_between),
		OPERATOR_PLACE_BOTH(test_record_opens),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
