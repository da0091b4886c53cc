/* Subscribers' rows: read back, bound to their card and number, and told from nobody by nothing. */
#include "subscriber.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "crypto.h"
#include "store_place.h"
#include "token_fixture.h"
#include "vault_place.h"

#define NUMBER "+4930123456789"

struct fixture {
	struct db *db;
	struct vault *vault;
};

static struct fixture opened(void **state)
{
	const struct store_place *place = store_place(state);

	return (struct fixture){store_place_migrated(place, MIGRATE_OPERATOR),
				vault_place_open(place)};
}

static void closed(struct fixture *fixture)
{
	db_close(&fixture->db);
	vault_close(&fixture->vault);
}

static struct subscriber made(const char *number)
{
	struct subscriber subscriber = {.state = SUBSCRIBER_ACTIVE,
					.card_state = SUBSCRIBER_CARD_GOOD,
					.key = *token_fixture_card(),
					.sim_changed_at = 1795510000123};

	snprintf(subscriber.number, sizeof(subscriber.number), "%s", number);
	return subscriber;
}

static void written(const struct fixture *fixture, struct subscriber *subscriber)
{
	assert_int_equal(db_begin(fixture->db), DB_OK);
	assert_int_equal(subscriber_write(fixture->db, fixture->vault, subscriber), DB_OK);
	assert_int_equal(db_commit(fixture->db), DB_OK);
}

static int find(const struct fixture *fixture, const char *number, enum subscriber_lock lock,
		struct subscriber *subscriber, bool *found)
{
	int result;

	assert_int_equal(db_begin(fixture->db), DB_OK);
	result = subscriber_find(fixture->db, fixture->vault, number, lock, subscriber, found);
	db_rollback(fixture->db);
	return result;
}

static void test_reads_back(void **state)
{
	struct fixture fixture = opened(state);
	struct subscriber in = made(NUMBER), out;
	uint8_t digest[SIMTIE_DIGEST_SIZE];
	bool found;

	written(&fixture, &in);
	assert_true(simtie_crypto_openssl()->sha256(
		bytes_of(in.key.device_public, SIMTIE_POINT_SIZE), digest));
	for (int lock = SUBSCRIBER_READ; lock <= SUBSCRIBER_LOCK; lock++) {
		assert_int_equal(find(&fixture, NUMBER, (enum subscriber_lock)lock, &out, &found),
				 DB_OK);
		assert_true(found);
		assert_int_equal(out.state, SUBSCRIBER_ACTIVE);
		assert_int_equal(out.card_state, SUBSCRIBER_CARD_GOOD);
		assert_memory_equal(&out.key, &in.key, sizeof(out.key));
		assert_memory_equal(out.card, digest, SUBSCRIBER_CARD_SIZE);
		assert_string_equal(out.number, NUMBER);
		assert_true(out.sim_changed_at == 1795510000123);
		assert_memory_equal(&out.index, &in.index, sizeof(out.index));
	}
	closed(&fixture);
}

static void test_changes(void **state)
{
	struct fixture fixture = opened(state);
	struct subscriber in = made(NUMBER), other = made("+4930123456780"), out;
	bool found;

	written(&fixture, &in);
	written(&fixture, &other);
	in.state = SUBSCRIBER_PORTED_OUT;
	in.card_state = SUBSCRIBER_CARD_NONE;
	in.sim_changed_at = 0;
	written(&fixture, &in);
	assert_int_equal(store_place_number(fixture.db, "SELECT count(*) FROM subscribers"), 2);
	assert_int_equal(store_place_number(fixture.db,
					    "SELECT count(*) FROM subscribers WHERE card IS NULL"
					    " AND device_public IS NULL"
					    " AND sim_changed_at IS NULL"),
			 1);
	assert_int_equal(find(&fixture, NUMBER, SUBSCRIBER_READ, &out, &found), DB_OK);
	assert_true(found);
	assert_int_equal(out.state, SUBSCRIBER_PORTED_OUT);
	assert_int_equal(out.card_state, SUBSCRIBER_CARD_NONE);
	assert_true(out.sim_changed_at == 0);
	/* Without a card the row keeps nothing of the key that was given. */
	assert_memory_not_equal(out.key.device_public, in.key.device_public, SIMTIE_POINT_SIZE);
	assert_memory_not_equal(out.key.chain_code, in.key.chain_code, SIMTIE_CHAIN_CODE_SIZE);
	assert_int_equal(find(&fixture, "+4930123456780", SUBSCRIBER_READ, &out, &found), DB_OK);
	assert_int_equal(out.state, SUBSCRIBER_ACTIVE);
	strcpy(in.number, "4930");
	assert_int_equal(db_begin(fixture.db), DB_OK);
	assert_int_equal(subscriber_write(fixture.db, fixture.vault, &in), DB_ERR_CONFLICT);
	db_rollback(fixture.db);
	closed(&fixture);
}

/* Who is not found has a key with which the same work can be done: a point, the same each time for
 * a number, another one's chain code for another; and the true index. */
static void test_nobody(void **state)
{
	struct fixture fixture = opened(state);
	struct subscriber first, again, other;
	struct vault_index index;
	uint8_t service_public[SIMTIE_POINT_SIZE];
	bool found = true;

	assert_int_equal(find(&fixture, NUMBER, SUBSCRIBER_LOCK, &first, &found), DB_OK);
	assert_false(found);
	assert_true(subscriber_index(fixture.vault, NUMBER, &index));
	assert_memory_equal(&first.index, &index, sizeof(index));
	assert_int_equal(simtie_crypto_openssl()->p256_point(first.key.device_public),
			 VERDICT_GOOD);
	assert_true(simtie_service_key(simtie_crypto_openssl(), &first.key, "chat.example",
				       service_public));
	assert_int_equal(find(&fixture, NUMBER, SUBSCRIBER_READ, &again, &found), DB_OK);
	assert_memory_equal(&first.key, &again.key, sizeof(first.key));
	assert_int_equal(find(&fixture, "+12345", SUBSCRIBER_READ, &other, &found), DB_OK);
	assert_memory_not_equal(first.key.chain_code, other.key.chain_code, SIMTIE_CHAIN_CODE_SIZE);
	closed(&fixture);
}

static void run(const struct fixture *fixture, const char *sql, const struct db_value *values,
		size_t count)
{
	int64_t changed;

	assert_int_equal(db_begin(fixture->db), DB_OK);
	assert_int_equal(db_run(fixture->db, sql, values, count, &changed), DB_OK);
	assert_int_equal(changed, 1);
	assert_int_equal(db_commit(fixture->db), DB_OK);
}

/* Somebody who can write to the store, but lacks the keys, changes a row. */
static void test_rows_tampered_with(void **state)
{
	struct fixture fixture = opened(state);
	struct subscriber in = made(NUMBER), other = made("+12345"), out;
	const struct subscriber nothing = {0};
	bool found;

	/* Another card's public key in the place of hers. */
	written(&fixture, &in);
	run(&fixture, "UPDATE subscribers SET device_public = $1",
	    DB_VALUES(db_bytes(bytes_of(token_fixture_service_public(), SIMTIE_POINT_SIZE))));
	assert_int_equal(find(&fixture, NUMBER, SUBSCRIBER_READ, &out, &found), DB_ERR_DAMAGED);
	assert_memory_equal(&out, &nothing, sizeof(out));
	/* A card that is said to be none, and one that is not there. */
	written(&fixture, &in);
	run(&fixture, "UPDATE subscribers SET card_state = 0, device_public = NULL", DB_NONE);
	assert_int_equal(find(&fixture, NUMBER, SUBSCRIBER_READ, &out, &found), DB_ERR_DAMAGED);
	run(&fixture, "UPDATE subscribers SET card_state = 1", DB_NONE);
	assert_int_equal(find(&fixture, NUMBER, SUBSCRIBER_READ, &out, &found), DB_ERR_DAMAGED);
	/* States that there are not. */
	written(&fixture, &in);
	run(&fixture, "UPDATE subscribers SET state = 5", DB_NONE);
	assert_int_equal(find(&fixture, NUMBER, SUBSCRIBER_READ, &out, &found), DB_ERR_DAMAGED);
	written(&fixture, &in);
	run(&fixture, "UPDATE subscribers SET key_id = 9", DB_NONE);
	assert_int_equal(find(&fixture, NUMBER, SUBSCRIBER_READ, &out, &found), DB_ERR_DAMAGED);
	/* A whole row in the place of another's. */
	written(&fixture, &in);
	run(&fixture, "UPDATE subscribers SET hi = $1, lo = $2",
	    DB_VALUES(db_int(in.index.hi ^ 1), db_int(in.index.lo)));
	assert_true(subscriber_index(fixture.vault, "+12345", &other.index));
	run(&fixture, "UPDATE subscribers SET hi = $1, lo = $2",
	    DB_VALUES(db_int(other.index.hi), db_int(other.index.lo)));
	assert_int_equal(find(&fixture, "+12345", SUBSCRIBER_READ, &out, &found), DB_ERR_DAMAGED);
	closed(&fixture);
}

/* Nothing of number or chain code stands in a row. */
static void test_nothing_in_clear(void **state)
{
	struct fixture fixture = opened(state);
	struct subscriber in = made(NUMBER);
	struct bytes sealed;

	written(&fixture, &in);
	assert_int_equal(db_begin(fixture.db), DB_OK);
	assert_int_equal(db_query(fixture.db, "SELECT sealed FROM subscribers", DB_NONE), DB_OK);
	assert_int_equal(db_next(fixture.db), DB_ROW);
	sealed = db_column_bytes(fixture.db, 0);
	assert_null(memmem(sealed.ptr, sealed.len, "30123456789", 11));
	assert_null(memmem(sealed.ptr, sealed.len, in.key.chain_code, 8));
	db_end(fixture.db);
	db_rollback(fixture.db);
	closed(&fixture);
}

static void test_service(void **state)
{
	struct fixture fixture = opened(state);
	const struct vault_index index = {1, 2}, other = {1, 3};
	char longest[SIMTIE_AUDIENCE_MAX + 2];
	int64_t a, b;

	memset(longest, 'a', sizeof(longest));
	longest[SIMTIE_AUDIENCE_MAX + 1] = '\0';
	assert_true(subscriber_service(fixture.vault, &index, "chat.example", &a));
	assert_true(subscriber_service(fixture.vault, &index, "chat.example", &b));
	assert_true(a == b);
	assert_true(subscriber_service(fixture.vault, &index, "talk.example", &b));
	assert_true(a != b);
	assert_true(subscriber_service(fixture.vault, &other, "chat.example", &b));
	assert_true(a != b);
	assert_false(subscriber_service(fixture.vault, &index, longest, &a));
	longest[SIMTIE_AUDIENCE_MAX] = '\0';
	assert_true(subscriber_service(fixture.vault, &index, longest, &a));
	closed(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_PLACE_BOTH(test_reads_back),       STORE_PLACE_BOTH(test_changes),
		STORE_PLACE_BOTH(test_nobody),           STORE_PLACE_BOTH(test_rows_tampered_with),
		STORE_PLACE_BOTH(test_nothing_in_clear), STORE_PLACE_BOTH(test_service),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("subscribers", tests, NULL, NULL);
}
