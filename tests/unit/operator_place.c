#include "operator_place.h"

#include "base64url.h"
#include "operator_backlog.h"
#include "operator_cache.h"
#include "operator_guess.h"
#include "service_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/bn.h>

#include "../../applet/crypto/crypto.h"

#define TRIES 6

static struct simtie_service_key *issuer, *signer, *sealing;

int operator_place_keys_make(void **state)
{
	if (service_place_make(state))
		return -1;
	issuer = service_place_key("issuer");
	signer = service_place_key("signer");
	sealing = service_place_key("sealing");
	return 0;
}

int operator_place_keys_free(void **state)
{
	simtie_service_key_free(&issuer);
	simtie_service_key_free(&signer);
	simtie_service_key_free(&sealing);
	return service_place_remove(state);
}

const struct simtie_service_key *operator_place_sealing(void)
{
	return sealing;
}

const struct simtie_service_key *operator_place_issuer(void)
{
	return issuer;
}

const struct simtie_service_key *operator_place_signer(void)
{
	return signer;
}

/* ---- The place ---- */

static void settings(struct operator_place *place)
{
	struct operator_state *op = &place->op;

	op->service = &place->service;
	op->name = "mno.example";
	op->base_url = "https://mno.example:8443";
	op->issuer = issuer;
	op->signer = signer;
	op->sealing = sealing;
	op->deadline_s = 1200;
	op->answer_within_ms = 1000;
	op->backlog_batch = 200;
	op->refusal_ms = 25;
	op->retention_days = 180;
	op->verification_days = 30;
	op->credential_days = 365;
	op->clone_days = 90;
	op->subscriber_days = 180;
	op->status_list_size = 65536;
	op->status_tick_s = 60;
	op->allow_virtual = true;
	op->cache = operator_cache_new(1024);
	op->guess = operator_guess_new();
	op->status = operator_status_new();
	op->backlog = operator_backlog_new();
	place->service.state = op;
	place->service.metrics = metrics_new();
	place->work.tries_left = TRIES;
}

static int set_up(void **state, int (*store)(void **state))
{
	struct operator_place *place;
	struct engine_settings engine = {
		.name = "place", .workers = 1, .batch_max = 1, .queue_max = 1};
	char path[128], detail[DB_DETAIL_MAX];
	int error = store(state);

	if (error)
		return error;
	place = calloc(1, sizeof(*place));
	place->store = *state;
	*state = place;
	if (!place->store->where[0])
		return 0;
	settings(place);
	snprintf(path, sizeof(path), "%s/keys", place->store->folder);
	if (vault_create(path) || vault_open(path, &place->service.vault, NULL))
		return -1;
	place->db = store_place_migrated(place->store, MIGRATE_OPERATOR);
	engine.where = place->store->where;
	return engine_start(&place->service.engine, &place->service, &engine, detail);
}

int operator_place_sqlite(void **state)
{
	return set_up(state, store_place_sqlite);
}

int operator_place_prepares(void **state)
{
	const int error = set_up(state, store_place_sqlite);

	if (!error)
		((struct operator_place *)*state)->prepares = true;
	return error;
}

int operator_place_postgres(void **state)
{
	return set_up(state, store_place_postgres);
}

int operator_place_tear_down(void **state)
{
	struct operator_place *place = *state;

	*state = (void *)(uintptr_t)place->store;
	if (place->service.engine)
		engine_stop(&place->service.engine);
	db_close(&place->db);
	vault_close(&place->service.vault);
	metrics_free(&place->service.metrics);
	operator_cache_free(&place->op.cache);
	operator_guess_free(&place->op.guess);
	operator_status_free(&place->op.status);
	operator_backlog_free(&place->op.backlog);
	free(place);
	return store_place_tear_down(state);
}

struct operator_place *operator_place(void **state)
{
	struct operator_place *place = *state;

	if (!place->store->where[0])
		skip();
	return place;
}

/* ---- SIMs ---- */

void operator_sim_init(struct operator_sim *sim, uint8_t seed)
{
	uint8_t device_key[32];

	memset(device_key, 0x11, sizeof(device_key));
	device_key[31] = seed;
	memset(sim->key.chain_code, 0x22, sizeof(sim->key.chain_code));
	sim->key.chain_code[31] = seed;
	core_card_init(&sim->card);
	core_card_personalise(&sim->card, device_key, sim->key.chain_code);
	assert_true(crypto_p256_public(device_key, sim->key.device_public));
}

void operator_sim_free(struct operator_sim *sim)
{
	core_card_free(&sim->card);
}

void operator_sim_answer(struct operator_sim *sim, const char *audience, struct bytes nonce,
			 uint8_t purpose, uint8_t token[static SIMTIE_TOKEN_MAX], size_t *len)
{
	const uint8_t audience_len = (uint8_t)strlen(audience);
	uint8_t command[256] = {CLA_INTERNAL_AUTHENTICATE, INS_INTERNAL_AUTHENTICATE,
				ANSWER_FORM_FULL},
		*at = command + 5;

	*at++ = TAG_AUDIENCE;
	*at++ = audience_len;
	memcpy(at, audience, audience_len);
	at += audience_len;
	*at++ = TAG_NONCE;
	*at++ = (uint8_t)nonce.len;
	memcpy(at, nonce.ptr, nonce.len);
	at += nonce.len;
	if (purpose) {
		*at++ = TAG_PURPOSE;
		*at++ = 1;
		*at++ = purpose;
	}
	*at++ = TAG_PIN;
	*at++ = 8;
	at += core_card_hex(CORE_CARD_PIN, at, 8);
	command[4] = (uint8_t)(at - command - 5);
	*at++ = 0;
	core_card_exchange(&sim->card, bytes_of(command, (size_t)(at - command)));
	assert_int_equal(sim->card.answer.sw, SW_OK);
	*len = sim->card.answer.data.len;
	assert_true(*len <= SIMTIE_TOKEN_MAX);
	memcpy(token, sim->card.answer.data.ptr, *len);
}

void operator_sim_attest(struct operator_sim *sim, const char *audience, uint8_t purpose,
			 struct operator_token *token)
{
	static uint32_t nonces;

	memset(token->nonce, 0x5A, sizeof(token->nonce));
	put_be32(token->nonce, ++nonces);
	operator_sim_answer(sim, audience, bytes_of(token->nonce, sizeof(token->nonce)), purpose,
			    token->bytes, &token->len);
}

void operator_token_twist(struct operator_token *token)
{
	uint8_t *s = token->bytes + token->len - 32;
	BIGNUM *n = NULL, *value = BN_bin2bn(s, 32, NULL);

	assert_true(
		BN_hex2bn(&n, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"));
	assert_int_equal(BN_sub(value, n, value), 1);
	assert_int_equal(BN_bn2binpad(value, s, 32), 32);
	BN_free(n);
	BN_free(value);
}

void operator_place_subscriber(struct operator_place *place, const char *number,
			       const struct operator_sim *sim)
{
	struct subscriber subscriber = {
		.state = SUBSCRIBER_ACTIVE,
		.card_state = sim ? SUBSCRIBER_CARD_GOOD : SUBSCRIBER_CARD_NONE,
	};

	snprintf(subscriber.number, sizeof(subscriber.number), "%s", number);
	if (sim)
		subscriber.key = sim->key;
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(subscriber_write(place->db, place->service.vault, &subscriber), DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
}

/* ---- Requests ---- */

int operator_place_run(struct operator_place *place, struct db *db, request_handler *handler,
		       const struct request *request, struct reply *reply)
{
	struct work work = place->work;
	int result = DB_ERR_BUSY;

	work.service = &place->service;
	work.db = db;
	work.chain = db == place->db ? "test/0" : "test/1";
	memset(reply, 0, sizeof(*reply));
	if (place->prepares && handler == operator_verification_post)
		work.prepared = operator_verification_prepare(&work, request);
	if (place->prepares && handler == operator_status_get)
		work.prepared = operator_status_prepare(&work, request);
	for (int attempt = 0; attempt < TRIES && result == DB_ERR_BUSY; attempt++) {
		reply_clear(reply);
		result = db_begin(db);
		if (result == DB_OK)
			result = handler(&work, request, reply);
		if (result == DB_OK)
			result = db_commit(db);
		else
			db_rollback(db);
		if (work.tries_left)
			work.tries_left--;
	}
	if (work.prepared)
		work.prepared->free(work.prepared);
	return result;
}

int operator_place_backlog(struct service *service, struct db *db, bool ahead, bool *more)
{
	struct backlog_round *round = operator_backlog_round(service);
	struct work work = {.service = service, .db = db, .chain = "backlog/0"};
	int result = DB_OK;

	assert_non_null(round);
	if (ahead) {
		assert_int_equal(db_begin_read(db), DB_OK);
		operator_backlog_ahead(&work, round);
		db_rollback(db);
	}
	result = db_begin(db);
	if (result == DB_OK)
		result = operator_backlog_decide(&work, round);
	if (result == DB_OK)
		result = db_commit(db);
	if (result != DB_OK)
		db_rollback(db);
	*more = operator_backlog_end(&round, result);
	return result;
}

struct request operator_place_request(const char *audience, const char *segment, const char *body)
{
	struct request request = {.peer = {.role = PEER_MESSENGER}, .type = BODY_JSON};

	snprintf(request.peer.name, sizeof(request.peer.name), "%s", audience);
	snprintf(request.segment[0], sizeof(request.segment[0]), "%s", segment);
	if (body)
		request.body = bytes_of((const uint8_t *)body, strlen(body));
	return request;
}

const char *operator_place_body(const char *number, const struct operator_token *token)
{
	static char bodies[8][2048];
	static unsigned next;
	char nonce[64], bytes[BASE64URL_LEN(SIMTIE_TOKEN_MAX) + 1];
	char *body = bodies[next++ % 8];

	nonce[base64url_write(bytes_of(token->nonce, sizeof(token->nonce)), nonce)] = 0;
	bytes[base64url_write(bytes_of(token->bytes, token->len), bytes)] = 0;
	snprintf(body, sizeof(bodies[0]),
		 "{\"phoneNumber\":\"%s\",\"nonce\":\"%s\",\"attestation\":\"%s\"}", number, nonce,
		 bytes);
	return body;
}

const char *operator_place_word(const struct reply *reply)
{
	static char words[8][96];
	static unsigned next;
	char *word = words[next++ % 8];
	const char *status = json_string_value(json_object_get(reply->body, "status"));
	const char *reason = json_string_value(json_object_get(reply->body, "reason"));
	const char *code = json_string_value(json_object_get(reply->body, "code"));

	if (!status)
		status = code ? code : "(none)";
	if (reason && strcmp(status, "NOT_VERIFIED") == 0)
		status = reason;
	snprintf(word, sizeof(words[0]), "%u %s", reply->status, status);
	return word;
}

const char *operator_place_verify(struct operator_place *place, const char *audience,
				  const char *number, const struct operator_token *token, char *id)
{
	const struct request request =
		operator_place_request(audience, "", operator_place_body(number, token));
	struct reply reply;
	const char *word, *text;

	assert_int_equal(
		operator_place_run(place, place->db, operator_verification_post, &request, &reply),
		DB_OK);
	word = operator_place_word(&reply);
	text = json_string_value(json_object_get(reply.body, "verificationId"));
	if (id)
		snprintf(id, VAULT_ID_TEXT_SIZE, "%s", text ? text : "");
	reply_clear(&reply);
	return word;
}
