#include "messenger_place.h"

#include "messenger_registration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TRIES 6

static void settings(struct messenger_side *side, const char *audience)
{
	static const char *const digits[] = {"+4915", "+49151", "+4916", "+49"};
	struct messenger *messenger = &side->messenger;
	const char *wrong;

	side->operators[0].name = "mno.example";
	side->operators[0].url = "https://mno.example:8443";
	side->operators[0].issuer = (struct simtie_service_key *)(uintptr_t)operator_place_issuer();
	side->operators[0].signer = (struct simtie_service_key *)(uintptr_t)operator_place_signer();
	side->operators[1] = side->operators[0];
	side->operators[1].name = "other.example";
	for (int i = 0; i < 4; i++)
		side->prefixes[i] =
			(struct messenger_prefix){digits[i], &side->operators[i == 3 ? 1 : 0]};
	messenger->service = &side->service;
	messenger->audience = audience;
	messenger->challenge_s = 300;
	messenger->deadline_s = 1200;
	messenger->retention_days = 30;
	messenger->challenges_max = 1000;
	messenger->allow_virtual = true;
	messenger->operators = side->operators;
	messenger->operator_count = 2;
	messenger->prefixes = side->prefixes;
	messenger->prefix_count = 4;
	messenger->talk = messenger_talk_new();
	messenger->status = messenger_status_new();
	assert_true(messenger_route_sort(messenger, &wrong));
	side->service.state = messenger;
	side->service.metrics = metrics_new();
}

static int set_up(void **state, int (*store)(void **), int (*mno)(void **))
{
	static const char *const audiences[MESSENGERS] = {"chat.example", "talk.example"};
	struct messenger_place *place = calloc(1, sizeof(*place));
	int error = mno((void **)&place->mno);

	*state = place;
	for (int i = 0; i < MESSENGERS && !error; i++) {
		struct messenger_side *side = &place->side[i];
		char path[128];

		error = store((void **)(uintptr_t)&side->store);
		if (error || !side->store->where[0])
			continue;
		settings(side, audiences[i]);
		snprintf(path, sizeof(path), "%s/keys", side->store->folder);
		if (vault_create(path) || vault_open(path, &side->service.vault, NULL))
			return -1;
		side->db = store_place_migrated(side->store, MIGRATE_MESSENGER);
	}
	return error;
}

int messenger_place_sqlite(void **state)
{
	return set_up(state, store_place_sqlite, operator_place_sqlite);
}

int messenger_place_postgres(void **state)
{
	return set_up(state, store_place_postgres, operator_place_postgres);
}

int messenger_place_tear_down(void **state)
{
	struct messenger_place *place = *state;
	int error = operator_place_tear_down((void **)&place->mno);

	for (int i = 0; i < MESSENGERS; i++) {
		struct messenger_side *side = &place->side[i];

		db_close(&side->db);
		vault_close(&side->service.vault);
		metrics_free(&side->service.metrics);
		messenger_talk_free(&side->messenger.talk);
		messenger_status_free(&side->messenger.status);
		error |= store_place_tear_down((void **)(uintptr_t)&side->store);
	}
	free(place);
	return error;
}

struct messenger_place *messenger_place(void **state)
{
	struct messenger_place *place = *state;

	if (!place->side[0].store->where[0])
		skip();
	return place;
}

/* ---- The client's side ---- */

static int run(struct messenger_side *side, request_handler *handler, const struct request *request,
	       struct reply *reply)
{
	struct work work = {.service = &side->service, .db = side->db, .chain = "test/0"};
	int result = DB_ERR_BUSY;

	memset(reply, 0, sizeof(*reply));
	for (int attempt = 0; attempt < TRIES && result == DB_ERR_BUSY; attempt++) {
		reply_clear(reply);
		result = db_begin(side->db);
		if (result == DB_OK)
			result = handler(&work, request, reply);
		if (result == DB_OK)
			result = db_commit(side->db);
		else
			db_rollback(side->db);
	}
	return result;
}

int messenger_place_run(struct messenger_side *side, request_handler *handler, const char *segment,
			const char *body, struct reply *reply)
{
	struct request request = {.type = BODY_JSON};

	if (segment)
		snprintf(request.segment[0], sizeof(request.segment[0]), "%s", segment);
	if (body)
		request.body = bytes_of((const uint8_t *)body, strlen(body));
	return run(side, handler, &request, reply);
}

static const char *word(struct reply *reply)
{
	static char words[8][96];
	static unsigned next;
	char *out = words[next++ % 8];
	const char *code = json_string_value(json_object_get(reply->body, "code"));
	const char *state = json_string_value(json_object_get(reply->body, "state"));

	snprintf(out, sizeof(words[0]), "%u %s", reply->status, code ? code : state ? state : "");
	reply_clear(reply);
	return out;
}

const char *messenger_place_begin(struct messenger_side *side, const char *body,
				  struct messenger_client *client)
{
	struct reply reply;
	const char *nonce, *id;
	size_t len;

	assert_int_equal(messenger_place_run(side, messenger_registration_post, NULL, body, &reply),
			 DB_OK);
	nonce = json_string_value(json_object_get(reply.body, "nonce"));
	id = json_string_value(json_object_get(reply.body, "registrationId"));
	if (nonce && id) {
		snprintf(client->id, sizeof(client->id), "%s", id);
		assert_true(base64url_read(nonce, strlen(nonce), client->nonce,
					   sizeof(client->nonce), &len));
		assert_int_equal(len, sizeof(client->nonce));
	}
	return word(&reply);
}

const char *messenger_place_post(struct messenger_side *side, const struct messenger_client *client,
				 const char *body)
{
	char same[sizeof(client->attestation) + 32];
	struct reply reply;

	snprintf(same, sizeof(same), "{\"attestation\":\"%s\"}", client->attestation);
	assert_int_equal(messenger_place_run(side, messenger_attestation_post, client->id,
					     body ? body : same, &reply),
			 DB_OK);
	return word(&reply);
}

const char *messenger_place_attest(struct messenger_side *side, struct operator_sim *sim,
				   struct messenger_client *client, const char *sealed)
{
	uint8_t token[SIMTIE_TOKEN_MAX];
	char body[sizeof(client->attestation) + 600];
	size_t len;

	operator_sim_answer(sim, side->messenger.audience,
			    bytes_of(client->nonce, sizeof(client->nonce)), 0, token, &len);
	client->attestation[base64url_write(bytes_of(token, len), client->attestation)] = '\0';
	if (!sealed)
		return messenger_place_post(side, client, NULL);
	snprintf(body, sizeof(body), "{\"attestation\":\"%s\",\"sealedNumber\":\"%s\"}",
		 client->attestation, sealed);
	return messenger_place_post(side, client, body);
}

const char *messenger_place_state(struct messenger_side *side,
				  const struct messenger_client *client)
{
	static char words[8][96];
	static unsigned next;
	char *out = words[next++ % 8];
	struct reply reply;
	const char *reason;

	assert_int_equal(
		messenger_place_run(side, messenger_registration_get, client->id, NULL, &reply),
		DB_OK);
	assert_int_equal(reply.status, 200);
	assert_non_null(json_object_get(reply.body, "since"));
	reason = json_string_value(json_object_get(reply.body, "reason"));
	snprintf(out, sizeof(words[0]), "%s%s%s",
		 json_string_value(json_object_get(reply.body, "state")), reason ? " " : "",
		 reason ? reason : "");
	reply_clear(&reply);
	return out;
}

/* ---- The wire ---- */

void messenger_place_row(struct messenger_side *side, const struct messenger_client *client,
			 struct messenger_row *row)
{
	struct work work = {.service = &side->service, .db = side->db};
	struct vault_index key;
	bool found;

	assert_true(messenger_row_key(side->service.vault, client->id, &key));
	assert_int_equal(db_begin(side->db), DB_OK);
	assert_int_equal(messenger_row_find(&work, &key, row, &found), DB_OK);
	assert_int_equal(db_commit(side->db), DB_OK);
	assert_true(found);
}

void messenger_place_write(struct messenger_side *side, const struct messenger_row *row,
			   struct messenger_at before)
{
	struct work work = {.service = &side->service, .db = side->db};
	bool changed;

	assert_int_equal(db_begin(side->db), DB_OK);
	assert_int_equal(messenger_row_update(&work, row, before, &changed), DB_OK);
	assert_int_equal(db_commit(side->db), DB_OK);
}

/* Carries a question to the operator's handler, as its server would. */
static void carry(struct messenger_place *place, const struct messenger_side *side,
		  const struct messenger_question *question, struct reply *reply)
{
	request_handler *handler = NULL;
	const char *path = question->url + strlen(side->operators[0].url);
	const char *id = strrchr(path, '/') + 1;
	struct request request = operator_place_request(side->messenger.audience, "", NULL);

	snprintf(request.idempotency, sizeof(request.idempotency), "%s", question->idempotency);
	if (question->body)
		request.body = bytes_of((const uint8_t *)question->body, strlen(question->body));
	snprintf(request.segment[0], sizeof(request.segment[0]), "%.*s", (int)strcspn(id, "?"), id);
	if (strcmp(path, "/v1/verifications") == 0)
		handler = operator_verification_post;
	else if (strncmp(path, "/v1/verifications/", 18) == 0)
		handler = operator_verification_get;
	else if (strcmp(question->method, "PUT") == 0)
		handler = operator_registration_put;
	else if (strcmp(question->method, "DELETE") == 0)
		handler = operator_registration_delete;
	assert_non_null(handler);
	assert_int_equal(operator_place_run(place->mno, place->mno->db, handler, &request, reply),
			 DB_OK);
}

int messenger_place_talk(struct messenger_place *place, struct messenger_side *side,
			 const struct messenger_client *client, enum wire wire, json_t **copy)
{
	struct messenger_question question;
	struct messenger_row row;
	struct messenger_at before;
	struct reply reply = {.status = 0};
	char *text = NULL;
	int status;

	messenger_place_row(side, client, &row);
	before = messenger_row_at(&row);
	assert_true(
		messenger_question_make(side->service.vault, &side->operators[0], &row, &question));
	if (wire != WIRE_NO_QUESTION)
		carry(place, side, &question, &reply);
	messenger_question_free(&question);
	if (wire != WIRE_WHOLE)
		reply_clear(&reply);
	if (reply.body)
		text = json_dumps(reply.body, 0);
	if (copy)
		*copy = json_incref(reply.body);
	messenger_answer(&side->messenger, &side->operators[0], &row, (int)reply.status,
			 bytes_of((const uint8_t *)text, text ? strlen(text) : 0));
	messenger_place_write(side, &row, before);
	bytes_wipe(&row, sizeof(row));
	free(text);
	status = (int)reply.status;
	reply_clear(&reply);
	return status;
}

int messenger_place_notice(struct messenger_side *side, const char *peer,
			   const struct simtie_service_key *signer,
			   const struct simtie_notice *notice)
{
	struct request request = {.peer = {.role = PEER_OPERATOR}, .type = BODY_NOTICE};
	struct reply reply;
	char *jwt = NULL;
	int status;

	snprintf(request.peer.name, sizeof(request.peer.name), "%s", peer);
	assert_int_equal(simtie_notice_issue(signer, notice, &jwt), 0);
	request.body = bytes_of((const uint8_t *)jwt, strlen(jwt));
	assert_int_equal(run(side, messenger_notice_post, &request, &reply), DB_OK);
	status = (int)reply.status;
	reply_clear(&reply);
	free(jwt);
	return status;
}
