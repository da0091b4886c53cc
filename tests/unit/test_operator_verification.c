/*
 * Verifications: every outcome, what counts once, and who sees what.
 */
#include "operator_place.h"

#include "base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHAT   OPERATOR_PLACE_AUDIENCE
#define OTHER  "mail.example"
#define NUMBER "+4915112345678"

static int64_t number(struct operator_place *place, const char *sql)
{
	return store_place_number(place->db, sql);
}

static void test_yes_comes_with_a_credential(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;
	struct request request;
	struct reply reply;
	struct simtie_credential credential;
	uint8_t der[SIMTIE_CREDENTIAL_MAX], expected[SIMTIE_POINT_SIZE];
	const char *text;
	size_t len;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	request = operator_place_request(CHAT, "", operator_place_body(NUMBER, &token));
	assert_int_equal(
		operator_place_run(place, place->db, operator_verification_post, &request, &reply),
		DB_OK);
	assert_string_equal(operator_place_word(&reply), "200 VERIFIED");
	assert_int_equal(json_object_size(reply.body), 3);
	assert_int_equal(reply.not_before_ms, 0);
	assert_string_equal(reply.count_labels, "outcome=\"verified\"");
	text = json_string_value(json_object_get(reply.body, "credential"));
	assert_true(base64url_read(text, strlen(text), der, sizeof(der), &len));
	assert_int_equal(simtie_credential_verify(operator_place_issuer(), CHAT,
						  clock_wall_ms() / 1000, der, len, &credential),
			 0);
	assert_true(simtie_service_key(simtie_crypto_openssl(), &sim.key, CHAT, expected));
	assert_memory_equal(credential.service_public, expected, sizeof(expected));
	assert_string_equal(credential.status_uri, "https://mno.example:8443/v1/status/1");
	reply_clear(&reply);
	operator_sim_free(&sim);
}

/* Posts and expects one word; another messenger's, or another number's, too. */
static void expect(struct operator_place *place, const char *audience, const char *of,
		   const struct operator_token *token, const char *word)
{
	assert_string_equal(operator_place_verify(place, audience, of, token, NULL), word);
}

static void set_subscriber(struct operator_place *place, const char *change)
{
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(db_script(place->db, change), DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
}

static void test_no_is_one_body_for_all(void **state)
{
	static const char *const changes[] = {
		"UPDATE subscribers SET state = 2",
		"UPDATE subscribers SET state = 3",
		"UPDATE subscribers SET state = 4",
		"UPDATE subscribers SET state = 1, card_state = 2",
	};
	struct operator_place *place = operator_place(state);
	struct operator_sim hers, other;
	struct operator_token token;
	char *bodies[7], id[VAULT_ID_TEXT_SIZE];
	size_t count = 0;

	operator_sim_init(&hers, 1);
	operator_sim_init(&other, 2);
	operator_place_subscriber(place, NUMBER, &hers);
	operator_place_subscriber(place, "+4915112345679", NULL);
	for (size_t i = 0; i < 7; i++) {
		const char *of = i == 1 ? "+4999999999" : i == 2 ? "+4915112345679" : NUMBER;
		struct request request;
		struct reply reply;

		operator_sim_attest(i < 3 ? &other : &hers, CHAT, 0, &token);
		if (i >= 3)
			set_subscriber(place, changes[i - 3]);
		request = operator_place_request(CHAT, "", operator_place_body(of, &token));
		assert_int_equal(operator_place_run(place, place->db, operator_verification_post,
						    &request, &reply),
				 DB_OK);
		assert_string_equal(operator_place_word(&reply), "200 NOT_CONFIRMED");
		assert_int_equal(reply.not_before_ms, place->op.refusal_ms);
		assert_string_equal(reply.count_labels, "outcome=\"not_confirmed\"");
		assert_string_equal(reply.location, "");
		snprintf(id, sizeof(id), "%s",
			 json_string_value(json_object_get(reply.body, "verificationId")));
		json_object_set_new(reply.body, "verificationId", json_string(""));
		bodies[count++] = json_dumps(reply.body, JSON_SORT_KEYS);
		reply_clear(&reply);
		/* The same once more by GET, no sooner. */
		request = operator_place_request(CHAT, id, NULL);
		assert_int_equal(operator_place_run(place, place->db, operator_verification_get,
						    &request, &reply),
				 DB_OK);
		assert_string_equal(operator_place_word(&reply), "200 NOT_CONFIRMED");
		assert_int_equal(reply.not_before_ms, place->op.refusal_ms);
		reply_clear(&reply);
	}
	for (size_t i = 1; i < count; i++) {
		assert_string_equal(bodies[i], bodies[0]);
		free(bodies[i]);
	}
	free(bodies[0]);
	/* None of it was counted, and no credential was drawn. */
	assert_int_equal(number(place, "SELECT COUNT(*) FROM attestations"), 0);
	assert_int_equal(number(place, "SELECT COUNT(*) FROM status_entries"), 0);
	operator_sim_free(&hers);
	operator_sim_free(&other);
}

static void test_token_counts_once(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	expect(place, CHAT, NUMBER, &token, "200 VERIFIED");
	expect(place, CHAT, NUMBER, &token, "200 TOKEN_USED");
	/* Whoever has one signature can make this one: it is the same token, and no clone. */
	operator_token_twist(&token);
	expect(place, CHAT, NUMBER, &token, "200 TOKEN_USED");
	assert_int_equal(number(place, "SELECT card_state FROM subscribers"), 1);
	operator_sim_attest(&sim, CHAT, 0, &token);
	expect(place, CHAT, NUMBER, &token, "200 VERIFIED");
	operator_sim_free(&sim);
}

static void test_counter_rises_for_each_service(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token first, second, third, other;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &first);
	operator_sim_attest(&sim, OTHER, 0, &other);
	operator_sim_attest(&sim, CHAT, 0, &second);
	operator_sim_attest(&sim, CHAT, 0, &third);
	expect(place, CHAT, NUMBER, &second, "200 VERIFIED");
	expect(place, CHAT, NUMBER, &first, "200 OLD_COUNTER");
	/* A lower value at another service is none of this one's business. */
	expect(place, OTHER, NUMBER, &other, "200 VERIFIED");
	expect(place, CHAT, NUMBER, &third, "200 VERIFIED");
	operator_sim_free(&sim);
}

static void test_clone_raises_the_alarm(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim, clone;
	struct operator_token token;
	char id[VAULT_ID_TEXT_SIZE];
	struct request request;
	struct reply reply;

	operator_sim_init(&sim, 1);
	operator_sim_init(&clone, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, id), "200 VERIFIED");
	request = operator_place_request(CHAT, id, "{\"identificationCode\":\"u1\"}");
	assert_int_equal(
		operator_place_run(place, place->db, operator_registration_put, &request, &reply),
		DB_OK);
	assert_int_equal(reply.status, 201);
	reply_clear(&reply);
	/* The clone begins from the same counter, at whatever service. */
	operator_sim_attest(&clone, OTHER, 0, &token);
	request = operator_place_request(OTHER, "", operator_place_body(NUMBER, &token));
	assert_int_equal(
		operator_place_run(place, place->db, operator_verification_post, &request, &reply),
		DB_OK);
	assert_string_equal(operator_place_word(&reply), "200 NOT_CONFIRMED");
	assert_string_equal(reply.count_labels, "outcome=\"cloned\"");
	assert_string_equal(reply.wake[0], "outbox");
	reply_clear(&reply);
	assert_int_equal(number(place, "SELECT card_state FROM subscribers"), 2);
	assert_int_equal(number(place, "SELECT COUNT(*) FROM outbox WHERE state = 1"), 1);
	assert_int_equal(number(place, "SELECT COUNT(*) FROM audit"), 1);
	assert_int_equal(
		number(place, "SELECT COUNT(*) FROM status_entries WHERE revoked_at IS NULL"), 0);
	/* Neither SIM may now, and nobody is told twice. */
	operator_sim_attest(&sim, CHAT, 0, &token);
	expect(place, CHAT, NUMBER, &token, "200 NOT_CONFIRMED");
	operator_sim_attest(&clone, CHAT, 0, &token);
	expect(place, CHAT, NUMBER, &token, "200 NOT_CONFIRMED");
	assert_int_equal(number(place, "SELECT COUNT(*) FROM outbox"), 1);
	operator_sim_free(&sim);
	operator_sim_free(&clone);
}

/* What the token itself is refused for is said exactly, known number or not. */
static void refused(struct operator_place *place, const char *audience,
		    const struct operator_token *token, const char *refusal)
{
	static const char *const numbers[] = {NUMBER, "+4999999999"};

	for (int i = 0; i < 2; i++) {
		const struct request request = operator_place_request(
			audience, "", operator_place_body(numbers[i], token));
		struct reply reply;

		assert_int_equal(operator_place_run(place, place->db, operator_verification_post,
						    &request, &reply),
				 DB_OK);
		assert_string_equal(operator_place_word(&reply), "200 TOKEN_REFUSED");
		assert_string_equal(json_string_value(json_object_get(reply.body, "refusal")),
				    refusal);
		assert_int_equal(reply.not_before_ms, place->op.refusal_ms);
		reply_clear(&reply);
	}
}

static void test_fault_of_the_token_is_named(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token, bad;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	refused(place, OTHER, &token, "WRONG_AUDIENCE");
	bad = token;
	bad.nonce[0] ^= 1;
	refused(place, CHAT, &bad, "WRONG_NONCE");
	bad = token;
	bad.len--;
	refused(place, CHAT, &bad, "NOT_CBOR");
	operator_sim_attest(&sim, CHAT, PURPOSE_GENERIC, &bad);
	refused(place, CHAT, &bad, "WRONG_PURPOSE");
	place->op.allow_virtual = false;
	refused(place, CHAT, &token, "DEBUGGABLE");
	place->op.allow_virtual = true;
	expect(place, CHAT, NUMBER, &token, "200 VERIFIED");
	operator_sim_free(&sim);
}

static void post_body(struct operator_place *place, const char *body, const char *word)
{
	const struct request request = operator_place_request(CHAT, "", body);
	struct reply reply;

	assert_int_equal(
		operator_place_run(place, place->db, operator_verification_post, &request, &reply),
		DB_OK);
	assert_string_equal(operator_place_word(&reply), word);
	reply_clear(&reply);
}

static void test_request_must_be_whole(void **state)
{
#define REST "\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"attestation\":\"AAAA\"}"
	struct operator_place *place = operator_place(state);

	post_body(place, "{" REST, "422 MISSING_IDENTIFIER");
	post_body(place, "{\"phoneNumber\":\"+49301234567\",\"sealedNumber\":\"AAAA\"," REST,
		  "422 UNNECESSARY_IDENTIFIER");
	post_body(place, "{\"sealedNumber\":\"AAAA\"," REST, "400 INVALID_ARGUMENT");
	post_body(place, "{\"phoneNumber\":\"030\"," REST, "400 INVALID_ARGUMENT");
	post_body(place,
		  "{\"phoneNumber\":\"+49301234567\",\"nonce\":\"AAAA\","
		  "\"attestation\":\"AAAA\"}",
		  "400 INVALID_ARGUMENT");
	post_body(place, "{\"phoneNumber\":\"+49301234567\",\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAA\"}",
		  "400 INVALID_ARGUMENT");
	assert_int_equal(number(place, "SELECT COUNT(*) FROM verifications"), 0);
}

static void test_sealed_number_is_the_same(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX];
	char text[BASE64URL_LEN(SIMTIE_SEALED_NUMBER_MAX) + 1], body[2048];
	const char *clear;
	size_t len;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	assert_int_equal(simtie_number_seal(operator_place_sealing(), CHAT, token.nonce,
					    sizeof(token.nonce), NUMBER, sealed, &len),
			 0);
	text[base64url_write(bytes_of(sealed, len), text)] = 0;
	clear = strstr(operator_place_body(NUMBER, &token), "\"nonce\"");
	snprintf(body, sizeof(body), "{\"sealedNumber\":\"%s\",%s", text, clear);
	post_body(place, body, "200 VERIFIED");
	post_body(place, body, "200 TOKEN_USED");
	operator_sim_free(&sim);
}

static void test_others_see_nothing(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;
	char id[VAULT_ID_TEXT_SIZE], *bodies[3];
	struct reply reply;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, id), "200 VERIFIED");
	for (int i = 0; i < 3; i++) {
		const struct request request =
			operator_place_request(i == 1 ? CHAT : OTHER,
					       i == 0   ? id
					       : i == 1 ? "AAAAAAAAAAAAAAAAAAAAAA"
							: "x",
					       NULL);

		assert_int_equal(operator_place_run(place, place->db, operator_verification_get,
						    &request, &reply),
				 DB_OK);
		assert_int_equal(reply.status, 404);
		bodies[i] = json_dumps(reply.body, JSON_SORT_KEYS);
		reply_clear(&reply);
	}
	assert_string_equal(bodies[0], bodies[1]);
	assert_string_equal(bodies[0], bodies[2]);
	for (int i = 0; i < 3; i++)
		free(bodies[i]);
	operator_sim_free(&sim);
}

static const char *keyed(struct operator_place *place, const char *audience, const char *key,
			 const char *body, char id[static VAULT_ID_TEXT_SIZE])
{
	struct request request = operator_place_request(audience, "", body);
	struct reply reply;
	const char *word, *text;

	snprintf(request.idempotency, sizeof(request.idempotency), "%s", key);
	assert_int_equal(
		operator_place_run(place, place->db, operator_verification_post, &request, &reply),
		DB_OK);
	word = operator_place_word(&reply);
	text = json_string_value(json_object_get(reply.body, "verificationId"));
	snprintf(id, VAULT_ID_TEXT_SIZE, "%s", text ? text : "");
	reply_clear(&reply);
	return word;
}

static void test_idempotency_key(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token, next;
	char first[VAULT_ID_TEXT_SIZE], again[VAULT_ID_TEXT_SIZE];
	const char *body;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	operator_sim_attest(&sim, CHAT, 0, &next);
	body = operator_place_body(NUMBER, &token);
	assert_string_equal(keyed(place, CHAT, "k1", body, first), "200 VERIFIED");
	assert_string_equal(keyed(place, CHAT, "k1", body, again), "200 VERIFIED");
	assert_string_equal(again, first);
	assert_string_equal(keyed(place, CHAT, "k2", body, again), "200 TOKEN_USED");
	assert_string_not_equal(again, first);
	/* Another request under the same key counts nothing. */
	body = operator_place_body(NUMBER, &next);
	assert_string_equal(keyed(place, CHAT, "k1", body, again), "409 CONFLICT");
	assert_string_equal(keyed(place, CHAT, "k3", body, again), "200 VERIFIED");
	/* Keys of two messengers have nothing to do with each other. */
	operator_sim_attest(&sim, OTHER, 0, &next);
	body = operator_place_body(NUMBER, &next);
	assert_string_equal(keyed(place, OTHER, "k1", body, again), "200 VERIFIED");
	operator_sim_free(&sim);
}

static void test_what_waited_too_long_is_kept(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;
	char id[VAULT_ID_TEXT_SIZE];
	struct request request;
	struct reply reply;
	bool more;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	place->work.waited_ms = place->op.answer_within_ms + 1;
	request = operator_place_request(CHAT, "", operator_place_body(NUMBER, &token));
	assert_int_equal(
		operator_place_run(place, place->db, operator_verification_post, &request, &reply),
		DB_OK);
	assert_string_equal(operator_place_word(&reply), "202 PENDING");
	assert_non_null(json_object_get(reply.body, "deadline"));
	snprintf(id, sizeof(id), "%s",
		 json_string_value(json_object_get(reply.body, "verificationId")));
	assert_string_equal(reply.location + strlen("/v1/verifications/"), id);
	reply_clear(&reply);
	assert_int_equal(number(place, "SELECT COUNT(*) FROM attestations"), 0);
	/* A long poll is held, a short one answered. */
	request = operator_place_request(CHAT, id, NULL);
	for (int wait = 0; wait < 2; wait++) {
		request.wait_ms = wait;
		assert_int_equal(operator_place_run(place, place->db, operator_verification_get,
						    &request, &reply),
				 DB_OK);
		assert_string_equal(operator_place_word(&reply), "202 PENDING");
		assert_int_equal(reply.hold, wait);
		reply_clear(&reply);
	}
	/* A token at fault by itself needs no waiting for. */
	request = operator_place_request("mail.example", "", operator_place_body(NUMBER, &token));
	assert_int_equal(
		operator_place_run(place, place->db, operator_verification_post, &request, &reply),
		DB_OK);
	assert_string_equal(operator_place_word(&reply), "200 TOKEN_REFUSED");
	reply_clear(&reply);
	assert_int_equal(operator_place_backlog(&place->service, place->db, place->prepares, &more),
			 DB_OK);
	request = operator_place_request(CHAT, id, NULL);
	request.wait_ms = 1;
	assert_int_equal(
		operator_place_run(place, place->db, operator_verification_get, &request, &reply),
		DB_OK);
	assert_string_equal(operator_place_word(&reply), "200 VERIFIED");
	assert_false(reply.hold);
	assert_non_null(json_object_get(reply.body, "credential"));
	reply_clear(&reply);
	operator_sim_free(&sim);
}

/* Another holds the subscriber's row: the last try keeps the request. */
static void test_locked_row_is_put_off(void **state)
{
	static const char lock[] = "SELECT state FROM subscribers FOR UPDATE";
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;
	struct db *other, *ours;
	struct request request;
	struct reply reply;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, CHAT, 0, &token);
	other = store_place_open(place->store);
	assert_int_equal(db_open(place->store->where, false, 20, &ours, NULL), DB_OK);
	assert_int_equal(db_begin(other), DB_OK);
	assert_int_equal(db_query(other, lock, DB_NONE), DB_OK);
	assert_int_equal(db_next(other), DB_ROW);
	place->work.tries_left = 2;
	request = operator_place_request(CHAT, "", operator_place_body(NUMBER, &token));
	assert_int_equal(
		operator_place_run(place, ours, operator_verification_post, &request, &reply),
		DB_OK);
	assert_string_equal(operator_place_word(&reply), "202 PENDING");
	reply_clear(&reply);
	db_rollback(other);
	db_close(&other);
	db_close(&ours);
	operator_sim_free(&sim);
}

/* A no waits for nobody's row: that a number has one would show in the time. */
static void test_no_waits_for_no_row(void **state)
{
	static const char lock[] = "SELECT state FROM subscribers FOR UPDATE";
	struct operator_place *place = operator_place(state);
	struct operator_sim sim, stranger;
	struct operator_token token;
	struct db *other, *ours;
	struct request request;
	struct reply reply;

	operator_sim_init(&sim, 1);
	operator_sim_init(&stranger, 2);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&stranger, CHAT, 0, &token);
	other = store_place_open(place->store);
	assert_int_equal(db_begin(other), DB_OK);
	assert_int_equal(db_query(other, lock, DB_NONE), DB_OK);
	assert_int_equal(db_open(place->store->where, false, 20, &ours, NULL), DB_OK);
	request = operator_place_request(CHAT, "", operator_place_body(NUMBER, &token));
	assert_int_equal(
		operator_place_run(place, ours, operator_verification_post, &request, &reply),
		DB_OK);
	assert_string_equal(operator_place_word(&reply), "200 NOT_CONFIRMED");
	reply_clear(&reply);
	db_close(&ours);
	db_rollback(other);
	db_close(&other);
	operator_sim_free(&stranger);
	operator_sim_free(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_yes_comes_with_a_credential),
		OPERATOR_PLACE_BOTH(test_no_is_one_body_for_all),
		OPERATOR_PLACE_BOTH(test_token_counts_once),
		OPERATOR_PLACE_BOTH(test_counter_rises_for_each_service),
		OPERATOR_PLACE_BOTH(test_clone_raises_the_alarm),
		OPERATOR_PLACE_BOTH(test_fault_of_the_token_is_named),
		OPERATOR_PLACE_BOTH(test_request_must_be_whole),
		OPERATOR_PLACE_BOTH(test_sealed_number_is_the_same),
		OPERATOR_PLACE_BOTH(test_others_see_nothing),
		OPERATOR_PLACE_BOTH(test_idempotency_key),
		OPERATOR_PLACE_BOTH(test_what_waited_too_long_is_kept),
		/* SQLite has no row locks. */
		cmocka_unit_test_setup_teardown(test_locked_row_is_put_off, operator_place_postgres,
						operator_place_tear_down),
		cmocka_unit_test_setup_teardown(test_no_waits_for_no_row, operator_place_postgres,
						operator_place_tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
