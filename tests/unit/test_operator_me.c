/*
 * What a subscriber sees of herself, proved by her SIM: all that is recorded of her and who read
 * it, and nothing of anybody else, who may have had her number before.
 */
#include "operator_scene.h"

#include "base64url.h"
#include "operator_registration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHAT   OPERATOR_PLACE_AUDIENCE
#define MAIL   "mail.example"
#define NUMBER "+4915112345678"
#define OTHER  "+4915187654321"

/* What the last answer was held back for, ms. */
static unsigned held_back;

static void challenge(struct operator_place *place, char nonce[static 64])
{
	struct request request = operator_place_request("", "", NULL);
	char answer[256];
	json_t *root;

	assert_string_equal(
		operator_scene_run(place, operator_me_challenge, &request, answer, 256, &held_back),
		"201 (none)");
	root = json_loads(answer, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(root, "audience")), place->op.name);
	snprintf(nonce, 64, "%s", json_string_value(json_object_get(root, "nonce")));
	json_decref(root);
}

/* The SIM's holder asks with an attestation to `nonce`, of a purpose. */
static const char *ask(struct operator_place *place, struct operator_sim *sim, const char *number,
		       const char *nonce, uint8_t purpose, char *answer, size_t size)
{
	uint8_t bytes[64], token[SIMTIE_TOKEN_MAX];
	char text[BASE64URL_LEN(SIMTIE_TOKEN_MAX) + 1], body[2048];
	struct request request;
	size_t nonce_len, len;

	assert_true(base64url_read(nonce, strlen(nonce), bytes, sizeof(bytes), &nonce_len));
	operator_sim_answer(sim, place->op.name, bytes_of(bytes, nonce_len), purpose, token, &len);
	text[base64url_write(bytes_of(token, len), text)] = '\0';
	snprintf(body, sizeof(body),
		 "{\"phoneNumber\":\"%s\",\"nonce\":\"%s\",\"attestation\":\"%s\"}", number, nonce,
		 text);
	request = operator_place_request("", "", body);
	return operator_scene_run(place, operator_me_registrations, &request, answer, size,
				  &held_back);
}

static void test_sees_her_records(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim, stranger;
	char answer[4096], id[VAULT_ID_TEXT_SIZE], nonce[64];
	struct request request;
	json_t *root;

	operator_sim_init(&sim, 1);
	operator_sim_init(&stranger, 2);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_place_subscriber(place, OTHER, &stranger);
	operator_scene_enrol(place, &sim, NUMBER, CHAT, id);
	request = operator_place_request(CHAT, "", "{\"phoneNumber\":\"" NUMBER "\"}");
	operator_scene_run(place, operator_sim_swap_check, &request, NULL, 0, NULL);
	challenge(place, nonce);
	assert_string_equal(ask(place, &sim, NUMBER, nonce, PURPOSE_GENERIC, answer, 4096),
			    "200 (none)");
	root = json_loads(answer, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "registrations")), 1);
	assert_int_equal(json_array_size(json_object_get(root, "auditLog")), 2);
	assert_non_null(strstr(answer, "\"service\":\"" CHAT "\""));
	assert_non_null(strstr(answer, "\"identificationCode\":\"u-1\""));
	assert_non_null(strstr(answer, "\"actor\":\"messenger " CHAT "\""));
	assert_non_null(strstr(answer, "\"actor\":\"subscriber\""));
	json_decref(root);
	/* Another's number, a token made for a registration, somebody's own nonce: no. */
	challenge(place, nonce);
	assert_int_equal(held_back, 0);
	place->op.refusal_ms = 25;
	assert_string_equal(ask(place, &stranger, NUMBER, nonce, PURPOSE_GENERIC, answer, 4096),
			    "403 PERMISSION_DENIED");
	assert_int_equal(held_back, 25);
	challenge(place, nonce);
	assert_string_equal(ask(place, &sim, NUMBER, nonce, PURPOSE_REGISTRATION, answer, 4096),
			    "403 PERMISSION_DENIED");
	assert_string_equal(
		ask(place, &sim, NUMBER, "AAAAAAAAAAAAAAAAAAAAAA", PURPOSE_GENERIC, answer, 4096),
		"403 PERMISSION_DENIED");
	nonce[3] = nonce[3] == 'A' ? 'B' : 'A';
	assert_string_equal(ask(place, &sim, NUMBER, nonce, PURPOSE_GENERIC, answer, 4096),
			    "403 PERMISSION_DENIED");
	operator_sim_free(&sim);
	operator_sim_free(&stranger);
}

/* Ended ones are recorded of her as well, until they are purged. */
static void test_sees_what_has_ended(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	char answer[4096], id[VAULT_ID_TEXT_SIZE], nonce[64];
	struct request request;
	const json_t *list, *item;
	json_t *root;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_scene_enrol(place, &sim, NUMBER, CHAT, id);
	operator_scene_enrol(place, &sim, NUMBER, CHAT, id); /* in place of the first */
	operator_scene_enrol(place, &sim, NUMBER, MAIL, id);
	request = operator_place_request(MAIL, id, NULL);
	operator_scene_run(place, operator_registration_delete, &request, NULL, 0, NULL);
	challenge(place, nonce);
	assert_string_equal(ask(place, &sim, NUMBER, nonce, PURPOSE_GENERIC, answer, 4096),
			    "200 (none)");
	root = json_loads(answer, 0, NULL);
	assert_true(json_is_true(json_object_get(root, "complete")));
	list = json_object_get(root, "registrations");
	assert_int_equal(json_array_size(list), 3);
	/* What stands first, then what ended last. */
	item = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(item, "service")), CHAT);
	assert_null(json_object_get(item, "endedAt"));
	assert_null(json_object_get(item, "endedBy"));
	item = json_array_get(list, 1);
	assert_string_equal(json_string_value(json_object_get(item, "service")), MAIL);
	assert_string_equal(json_string_value(json_object_get(item, "endedBy")), "MESSENGER");
	assert_int_equal(json_string_length(json_object_get(item, "endedAt")), 20);
	item = json_array_get(list, 2);
	assert_string_equal(json_string_value(json_object_get(item, "service")), CHAT);
	assert_string_equal(json_string_value(json_object_get(item, "endedBy")), "REPLACED");
	json_decref(root);
	assert_int_equal(db_script(place->db, "DELETE FROM registrations WHERE state <> 1"), DB_OK);
	challenge(place, nonce);
	ask(place, &sim, NUMBER, nonce, PURPOSE_GENERIC, answer, 4096);
	root = json_loads(answer, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "registrations")), 1);
	json_decref(root);
	operator_sim_free(&sim);
}

/* With her contract they end as well; that the staff sees alone, for nobody can prove to have a
 * number that is nobody's. */
static void test_ended_with_the_contract(void **state)
{
	struct operator_place *place = operator_place(state);
	struct registration *list;
	struct vault_index index;
	struct operator_sim sim;
	char answer[256], id[VAULT_ID_TEXT_SIZE];
	bool complete;
	size_t count;
	json_t *json;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_scene_enrol(place, &sim, NUMBER, CHAT, id);
	operator_scene_event(place, NUMBER, "{\"event\":\"PORTED_OUT\"}", answer);
	assert_true(subscriber_index(place->service.vault, NUMBER, &index));
	place->work.db = place->db;
	place->work.service = &place->service;
	assert_int_equal(
		operator_registration_recorded(&place->work, &index, &list, &count, &complete),
		DB_OK);
	assert_int_equal(count, 1);
	assert_true(complete);
	json = operator_registration_json(&list[0]);
	assert_string_equal(json_string_value(json_object_get(json, "endedBy")), "CONTRACT");
	json_decref(json);
	free(list);
	operator_sim_free(&sim);
}

/* An answer has an end, and says so when it does not show all. */
static void test_sees_a_thousand(void **state)
{
	static const char more[] =
		"INSERT INTO registrations (hi, id, lo, service, state, ended_at, purge_at,"
		" key_id, sealed) VALUES ($1, $2, $3, 1, 2, $4, 1, $5, $6)";
	struct operator_place *place = operator_place(state);
	struct registration registration = {.audience = MAIL, .code = "u"};
	struct vault_index index;
	struct operator_sim sim;
	char *answer = malloc(1048576), id[VAULT_ID_TEXT_SIZE], nonce[64];

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_scene_enrol(place, &sim, NUMBER, CHAT, id);
	assert_true(subscriber_index(place->service.vault, NUMBER, &index));
	assert_int_equal(db_begin(place->db), DB_OK);
	for (int i = 1; i <= 1000; i++) {
		uint8_t sealed[REGISTRATION_SEALED_MAX];
		uint32_t key_id;
		size_t len;

		put_be32(registration.id, (uint32_t)i);
		assert_int_equal(operator_registration_seal(place->service.vault, &registration,
							    sealed, &len, &key_id),
				 DB_OK);
		assert_int_equal(
			db_run(place->db, more,
			       DB_VALUES(db_int(index.hi), db_bytes(bytes_of(registration.id, 16)),
					 db_int(index.lo), db_int(i), db_int(key_id),
					 db_bytes(bytes_of(sealed, len))),
			       NULL),
			DB_OK);
	}
	assert_int_equal(db_commit(place->db), DB_OK);
	for (int all = 0; all < 2; all++) {
		json_t *root;

		challenge(place, nonce);
		assert_string_equal(
			ask(place, &sim, NUMBER, nonce, PURPOSE_GENERIC, answer, 1048576),
			"200 (none)");
		assert_true(strlen(answer) < 524288);
		root = json_loads(answer, 0, NULL);
		assert_int_equal(json_array_size(json_object_get(root, "registrations")), 1000);
		assert_int_equal(json_is_true(json_object_get(root, "complete")), all);
		json_decref(root);
		assert_int_equal(db_script(place->db, "DELETE FROM registrations"
						      " WHERE state = 2 AND ended_at = 500"),
				 DB_OK);
	}
	free(answer);
	operator_sim_free(&sim);
}

/* Who gets a number that somebody else had sees nothing of what was noted of that one. */
static void test_next_holder_sees_nothing_earlier(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim, next;
	char answer[4096], id[VAULT_ID_TEXT_SIZE], nonce[64];
	struct request request;
	json_t *root;

	operator_sim_init(&sim, 1);
	operator_sim_init(&next, 2);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_scene_enrol(place, &sim, NUMBER, CHAT, id);
	operator_scene_event(place, NUMBER, "{\"event\":\"TERMINATED\",\"reason\":\"moved away\"}",
			     answer);
	request = operator_scene_admin("", "{\"phoneNumber\":\"" NUMBER "\"}\n");
	request.type = BODY_LINES;
	snprintf(request.query, sizeof(request.query), "import=again&offset=0");
	assert_string_equal(
		operator_scene_run(place, operator_records_post, &request, NULL, 0, NULL),
		"200 (none)");
	operator_place_subscriber(place, NUMBER, &next);
	challenge(place, nonce);
	assert_string_equal(ask(place, &next, NUMBER, nonce, PURPOSE_GENERIC, answer, 4096),
			    "200 (none)");
	root = json_loads(answer, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "registrations")), 0);
	assert_int_equal(json_array_size(json_object_get(root, "auditLog")), 1);
	assert_null(strstr(answer, "moved away"));
	json_decref(root);
	operator_sim_free(&sim);
	operator_sim_free(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_sees_her_records),
		OPERATOR_PLACE_BOTH(test_sees_what_has_ended),
		OPERATOR_PLACE_BOTH(test_ended_with_the_contract),
		OPERATOR_PLACE_BOTH(test_sees_a_thousand),
		OPERATOR_PLACE_BOTH(test_next_holder_sees_nothing_earlier),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
