/*
 * One token, many threads, several connections, each as a daemon of its own would have it: one yes.
 */
#include "operator_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#define THREADS     64
#define CONNECTIONS 8
#define NUMBER      "+4915112345678"

struct race {
	struct operator_place *place;
	struct request requests[2]; /* threads take them by turns */
	pthread_barrier_t start;
	struct {
		struct db *db;
		pthread_mutex_t lock; /* one thread at a time per connection */
	} connections[CONNECTIONS];
	atomic_uint yes, used, not_confirmed, other;
};

struct runner {
	struct race *race;
	unsigned number;
};

static void count(struct race *race, const struct reply *reply)
{
	const char *status = json_string_value(json_object_get(reply->body, "status"));
	const char *reason = json_string_value(json_object_get(reply->body, "reason"));

	if (status && strcmp(status, "VERIFIED") == 0)
		race->yes++;
	else if (reason && strcmp(reason, "TOKEN_USED") == 0)
		race->used++;
	else if (reason && strcmp(reason, "NOT_CONFIRMED") == 0)
		race->not_confirmed++;
	else
		race->other++;
}

static void *run(void *context)
{
	struct runner *runner = context;
	struct race *race = runner->race;
	const unsigned at = runner->number % CONNECTIONS;
	struct reply reply;
	int result;

	pthread_barrier_wait(&race->start);
	do {
		pthread_mutex_lock(&race->connections[at].lock);
		result = operator_place_run(
			race->place, race->connections[at].db, operator_verification_post,
			&race->requests[runner->number / CONNECTIONS % 2], &reply);
		pthread_mutex_unlock(&race->connections[at].lock);
	} while (result == DB_ERR_BUSY);
	if (result == DB_OK)
		count(race, &reply);
	else
		race->other++;
	reply_clear(&reply);
	return NULL;
}

static void race_run(struct operator_place *place, struct race *race)
{
	struct runner runners[THREADS];
	pthread_t threads[THREADS];

	race->place = place;
	place->work.tries_left = 1000; /* nobody is put off */
	pthread_barrier_init(&race->start, NULL, THREADS);
	for (int i = 0; i < CONNECTIONS; i++) {
		race->connections[i].db = store_place_open(place->store);
		pthread_mutex_init(&race->connections[i].lock, NULL);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		runners[i] = (struct runner){race, i};
		assert_int_equal(pthread_create(&threads[i], NULL, run, &runners[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < CONNECTIONS; i++) {
		db_close(&race->connections[i].db);
		pthread_mutex_destroy(&race->connections[i].lock);
	}
	pthread_barrier_destroy(&race->start);
}

static void test_one_yes_for_one_token(void **state)
{
	struct operator_place *place = operator_place(state);
	struct race race = {.yes = 0};
	struct operator_sim sim;
	struct operator_token token;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, OPERATOR_PLACE_AUDIENCE, 0, &token);
	race.requests[0] = race.requests[1] = operator_place_request(
		OPERATOR_PLACE_AUDIENCE, "", operator_place_body(NUMBER, &token));
	race_run(place, &race);
	assert_int_equal(race.yes, 1);
	assert_int_equal(race.used, THREADS - 1);
	assert_int_equal(store_place_number(place->db, "SELECT COUNT(*) FROM attestations"), 1);
	assert_int_equal(store_place_number(place->db, "SELECT COUNT(*) FROM verifications"),
			 THREADS);
	operator_sim_free(&sim);
}

/* Two contents under one counter value: whichever comes first, the card is suspended, and her
 * messengers are told once. */
static void test_one_alarm_for_a_clone(void **state)
{
	struct operator_place *place = operator_place(state);
	struct race race = {.yes = 0};
	struct operator_sim sim, clone;
	struct operator_token tokens[2];

	operator_sim_init(&sim, 1);
	operator_sim_init(&clone, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, OPERATOR_PLACE_AUDIENCE, 0, &tokens[0]);
	operator_sim_attest(&clone, OPERATOR_PLACE_AUDIENCE, 0, &tokens[1]);
	for (int i = 0; i < 2; i++)
		race.requests[i] = operator_place_request(OPERATOR_PLACE_AUDIENCE, "",
							  operator_place_body(NUMBER, &tokens[i]));
	race_run(place, &race);
	assert_int_equal(race.yes, 1);
	assert_true(race.not_confirmed >= THREADS / 2);
	assert_int_equal(race.other, 0);
	assert_int_equal(store_place_number(place->db, "SELECT card_state FROM subscribers"), 2);
	assert_int_equal(store_place_number(place->db, "SELECT COUNT(*) FROM audit"), 1);
	operator_sim_free(&sim);
	operator_sim_free(&clone);
}

/* The same Idempotency-Key at once: one verification, seen by all. */
static void test_one_verification_for_one_key(void **state)
{
	struct operator_place *place = operator_place(state);
	struct race race = {.yes = 0};
	struct operator_sim sim;
	struct operator_token token;

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_sim_attest(&sim, OPERATOR_PLACE_AUDIENCE, 0, &token);
	race.requests[0] = operator_place_request(OPERATOR_PLACE_AUDIENCE, "",
						  operator_place_body(NUMBER, &token));
	strcpy(race.requests[0].idempotency, "once");
	race.requests[1] = race.requests[0];
	race_run(place, &race);
	assert_int_equal(race.yes, THREADS);
	assert_int_equal(store_place_number(place->db, "SELECT COUNT(*) FROM verifications"), 1);
	operator_sim_free(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_one_yes_for_one_token),
		OPERATOR_PLACE_BOTH(test_one_alarm_for_a_clone),
		OPERATOR_PLACE_BOTH(test_one_verification_for_one_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
