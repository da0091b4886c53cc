/*
 * All refusals that could tell something of a person cost the same: the same statements in the same
 * order, the same operations on the curve, the same ciphers. Counted, not timed, so that the test
 * is right each time; a hash more or less is a thousandth of the whole.
 */
#include "operator_place.h"
#include "operator_backlog.h"
#include "operator_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#define CHAT       OPERATOR_PLACE_AUDIENCE
#define NUMBER     "+4915112345678"
#define STATEMENTS 16

struct cost {
	const char *statements[STATEMENTS];
	unsigned statement_count;
	unsigned curve, kdf, cipher, cipher_bytes;
	unsigned hashes;
};

static struct cost cost;

static void note(const char *sql)
{
	assert_true(cost.statement_count < STATEMENTS);
	cost.statements[cost.statement_count++] = sql;
}

/* Puts a function in the place of another, and counts. */
#define COUNT(type, name, parameters, arguments, count)                                            \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		count;                                                                             \
		return __real_##name arguments;                                                    \
	}

COUNT(int, db_query, (struct db * db, const char *sql, const struct db_value *values, size_t count),
      (db, sql, values, count), note(sql))
COUNT(int, db_run,
      (struct db * db, const char *sql, const struct db_value *values, size_t count,
       int64_t *changed),
      (db, sql, values, count, changed), note(sql))
COUNT(int, EC_POINT_mul,
      (const EC_GROUP *group, EC_POINT *r, const BIGNUM *n, const EC_POINT *q, const BIGNUM *m,
       BN_CTX *ctx),
      (group, r, n, q, m, ctx), cost.curve++)
COUNT(int, EVP_KDF_derive,
      (EVP_KDF_CTX * ctx, unsigned char *key, size_t len, const OSSL_PARAM params[]),
      (ctx, key, len, params), cost.kdf++)
COUNT(int, EVP_CipherUpdate,
      (EVP_CIPHER_CTX * ctx, unsigned char *out, int *out_len, const unsigned char *in, int len),
      (ctx, out, out_len, in, len), (cost.cipher++, cost.cipher_bytes += (unsigned)len))
COUNT(int, EVP_DecryptUpdate,
      (EVP_CIPHER_CTX * ctx, unsigned char *out, int *out_len, const unsigned char *in, int len),
      (ctx, out, out_len, in, len), (cost.cipher++, cost.cipher_bytes += (unsigned)len))
COUNT(int, EVP_EncryptUpdate,
      (EVP_CIPHER_CTX * ctx, unsigned char *out, int *out_len, const unsigned char *in, int len),
      (ctx, out, out_len, in, len), (cost.cipher++, cost.cipher_bytes += (unsigned)len))
COUNT(int, EVP_Digest,
      (const void *data, size_t count, unsigned char *md, unsigned int *size, const EVP_MD *type,
       ENGINE *impl),
      (data, count, md, size, type, impl), cost.hashes++)
COUNT(int, EVP_MAC_final, (EVP_MAC_CTX * ctx, unsigned char *out, size_t *out_len, size_t size),
      (ctx, out, out_len, size), cost.hashes++)

/* What one refusal costs. */
static struct cost refuse(struct operator_place *place, const char *number,
			  struct operator_sim *sim)
{
	struct operator_token token;

	operator_sim_attest(sim, CHAT, 0, &token);
	memset(&cost, 0, sizeof(cost));
	assert_string_equal(operator_place_verify(place, CHAT, number, &token, NULL),
			    "200 NOT_CONFIRMED");
	return cost;
}

static void same(const struct cost *a, const struct cost *b)
{
	assert_int_equal(a->statement_count, b->statement_count);
	for (unsigned i = 0; i < a->statement_count; i++)
		assert_ptr_equal(a->statements[i], b->statements[i]);
	assert_int_equal(a->curve, b->curve);
	assert_int_equal(a->kdf, b->kdf);
	assert_int_equal(a->cipher, b->cipher);
	assert_in_range(a->cipher_bytes + 2, b->cipher_bytes, b->cipher_bytes + 4);
	assert_in_range(a->hashes + 1, b->hashes, b->hashes + 2);
}

static void change_store(struct operator_place *place, const char *change)
{
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(db_script(place->db, change), DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
}

static void test_refusals_cost_the_same(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim hers, other;
	struct operator_token token;
	struct cost unknown, compared;

	operator_sim_init(&hers, 1);
	operator_sim_init(&other, 2);
	operator_place_subscriber(place, NUMBER, &hers);
	operator_place_subscriber(place, "+4915112345679", NULL);
	change_store(place, "INSERT INTO status_lists (list, size, credential_days, opened_at)"
			    " VALUES (1, 65536, 365, 1)");
	refuse(place, "+4915199999999", &other); /* whatever is made once is made now */
	unknown = refuse(place, "+4915199999999", &other);
	assert_int_equal(unknown.statement_count, place->prepares ? 4 : 2);
	assert_int_equal(unknown.curve, 2);

	compared = refuse(place, NUMBER, &other);
	same(&unknown, &compared);
	compared = refuse(place, "+4915112345679", &other);
	same(&unknown, &compared);
	change_store(place, "UPDATE subscribers SET state = 2");
	compared = refuse(place, NUMBER, &hers);
	same(&unknown, &compared);
	change_store(place, "UPDATE subscribers SET state = 1");
	/* Nobody fills the cache by asking. */
	assert_int_equal(operator_cache_count(place->op.cache), 0);

	/* The same once her service key is in the cache. */
	operator_sim_attest(&hers, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "200 VERIFIED");
	compared = refuse(place, NUMBER, &other);
	same(&unknown, &compared);
	change_store(place, "UPDATE subscribers SET card_state = 2 WHERE card_state = 1");
	compared = refuse(place, NUMBER, &hers);
	same(&unknown, &compared);
	operator_sim_free(&hers);
	operator_sim_free(&other);
}

/* A yes is cheap: five statements, and one operation on the curve when the key is known. Prepared,
 * it looks for the subscriber and for a status index beforehand. */
static void test_yes_is_five_statements(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	for (int i = 0; i < 3; i++) {
		operator_sim_attest(&sim, CHAT, 0, &token);
		memset(&cost, 0, sizeof(cost));
		assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
				    "200 VERIFIED");
	}
	assert_int_equal(cost.statement_count, place->prepares ? 7 : 5);
	assert_int_equal(cost.curve, 1);
	operator_sim_free(&sim);
}

/* What holds up all others is short: once prepared neither a yes nor a no costs a curve. */
static void test_no_curve_in_a_prepared_transaction(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim hers, other;
	struct operator_token token;
	struct work work = place->work;
	struct request request;

	operator_sim_init(&hers, 1);
	operator_sim_init(&other, 2);
	operator_place_subscriber(place, NUMBER, &hers);
	operator_sim_attest(&hers, CHAT, 0, &token); /* opens the first status list */
	memset(&cost, 0, sizeof(cost));
	operator_place_verify(place, CHAT, NUMBER, &token, NULL);
	work.service = &place->service;
	work.db = place->db;
	work.chain = "test/0";
	for (int yes = 0; yes < 2; yes++) {
		struct reply reply = {.status = 0};

		operator_sim_attest(yes ? &hers : &other, CHAT, 0, &token);
		request = operator_place_request(CHAT, "", operator_place_body(NUMBER, &token));
		memset(&cost, 0, sizeof(cost));
		work.prepared = operator_verification_prepare(&work, &request);
		assert_non_null(work.prepared);
		assert_int_equal(db_begin(place->db), DB_OK);
		memset(&cost, 0, sizeof(cost));
		assert_int_equal(operator_verification_post(&work, &request, &reply), DB_OK);
		assert_int_equal(db_commit(place->db), DB_OK);
		assert_string_equal(operator_place_word(&reply),
				    yes ? "200 VERIFIED" : "200 NOT_CONFIRMED");
		assert_int_equal(cost.curve, 0);
		assert_int_equal(cost.kdf, 0);
		assert_int_equal(cost.statement_count, yes ? 5 : 2);
		work.prepared->free(work.prepared);
		reply_clear(&reply);
	}
	operator_sim_free(&hers);
	operator_sim_free(&other);
}

/* Nor does what waited. */
static void test_no_curve_in_the_backlog(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim hers, other;
	struct operator_token token;
	struct backlog_round *round = operator_backlog_round(&place->service);
	struct work work = {.service = &place->service, .db = place->db, .chain = "test/0"};

	operator_sim_init(&hers, 1);
	operator_sim_init(&other, 2);
	operator_place_subscriber(place, NUMBER, &hers);
	operator_sim_attest(&hers, CHAT, 0, &token); /* opens the first status list */
	memset(&cost, 0, sizeof(cost));
	operator_place_verify(place, CHAT, NUMBER, &token, NULL);
	place->work.waited_ms = place->op.answer_within_ms;
	for (int yes = 0; yes < 2; yes++) {
		operator_sim_attest(yes ? &hers : &other, CHAT, 0, &token);
		memset(&cost, 0, sizeof(cost));
		assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
				    "202 PENDING");
	}
	memset(&cost, 0, sizeof(cost));
	assert_int_equal(db_begin_read(place->db), DB_OK);
	operator_backlog_ahead(&work, round);
	assert_true(cost.curve > 0);
	memset(&cost, 0, sizeof(cost));
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(operator_backlog_decide(&work, round), DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
	assert_int_equal(cost.curve, 0);
	assert_int_equal(cost.kdf, 0);
	assert_false(operator_backlog_end(&round, DB_OK));
	assert_int_equal(
		store_place_number(place->db, "SELECT COUNT(*) FROM verifications WHERE state = 2"),
		2);
	assert_int_equal(
		store_place_number(place->db, "SELECT COUNT(*) FROM verifications WHERE state = 3"),
		1);
	operator_sim_free(&hers);
	operator_sim_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_refusals_cost_the_same),
		OPERATOR_PLACE_BOTH(test_yes_is_five_statements),
		cmocka_unit_test_setup_teardown(test_no_curve_in_a_prepared_transaction,
						operator_place_sqlite, operator_place_tear_down),
		cmocka_unit_test_setup_teardown(test_no_curve_in_the_backlog, operator_place_sqlite,
						operator_place_tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
