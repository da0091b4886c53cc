/*
 * The operator against a model of a page: random requests, events, runs of the backlog and steps of
 * both clocks, each answer compared with what the model says. Two subscribers, three SIMs of which
 * the last is a clone of the first, two messengers. SIMTIE_SEED repeats a run.
 */
#include "operator_place.h"
#include "moved_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define LIVES       8
#define STEPS       120
#define SIMS        3
#define KEYS        2 /* the clone has the first one's */
#define SUBSCRIBERS 2
#define AUDIENCES   2
#define TOKENS      STEPS
#define COUNTERS    (LIVES * STEPS + 2)
#define DEADLINE_MS 1200000
#define SLACK_MS    3000 /* more than a step takes */

MOVED_CLOCK(wall_by, boot_by)

static const char *const audiences[AUDIENCES] = {"chat.example", "mail.example"};

struct token {
	struct operator_token token;
	unsigned key, audience, counter;
};

struct person {
	char number[SIMTIE_NUMBER_SIZE];
	enum subscriber_state state;
	int sim; /* -1: none */
	bool suspended;
	int seen[KEYS][COUNTERS]; /* token that a counter was counted for, plus 1 */
	unsigned highest[KEYS][AUDIENCES];
};

struct asked {
	char id[VAULT_ID_TEXT_SIZE];
	unsigned audience, token;
	int person; /* -1: nobody */
	enum verification_state state;
	enum verification_reason reason;
	int64_t accepted_boot, deadline_wall;
	int64_t order;                      /* when its turn is */
	enum registration_state registered; /* 0: not */
	int code;
	bool revoked; /* the credential of its yes */
};

struct life {
	struct operator_place *place;
	struct operator_sim *sims;
	unsigned *counters; /* of each SIM */
	struct person people[SUBSCRIBERS];
	struct token tokens[TOKENS];
	unsigned token_count;
	struct asked asked[STEPS];
	unsigned asked_count;
	uint64_t random;
};

/* xorshift64* */
static unsigned draw(struct life *life, unsigned below)
{
	life->random ^= life->random >> 12;
	life->random ^= life->random << 25;
	life->random ^= life->random >> 27;
	return (unsigned)(life->random * 2685821657736338717u >> 33) % below;
}

static unsigned key_of(unsigned sim)
{
	return sim % KEYS;
}

/* ---- The model ---- */

/* Two contents under one counter: the card is suspended, all that was vouched for is revoked. */
static void model_alarm(struct life *life, int person)
{
	life->people[person].suspended = true;
	for (unsigned i = 0; i < life->asked_count; i++)
		life->asked[i].revoked |= life->asked[i].person == person &&
					  life->asked[i].state == VERIFICATION_VERIFIED;
}

static enum verification_reason model_reason(struct life *life, int person, unsigned token_number)
{
	const struct token *token = &life->tokens[token_number];
	struct person *her = person < 0 ? NULL : &life->people[person];
	int *seen;

	if (!her || her->sim < 0 || key_of((unsigned)her->sim) != token->key ||
	    her->state != SUBSCRIBER_ACTIVE || her->suspended)
		return REASON_NOT_CONFIRMED;
	seen = &her->seen[token->key][token->counter];
	if (*seen == (int)token_number + 1)
		return REASON_TOKEN_USED;
	if (*seen) {
		model_alarm(life, person);
		return REASON_NOT_CONFIRMED;
	}
	*seen = (int)token_number + 1;
	if (token->counter <= her->highest[token->key][token->audience])
		return REASON_OLD_COUNTER;
	her->highest[token->key][token->audience] = token->counter;
	return REASON_NONE;
}

static void model_decide(struct life *life, struct asked *asked)
{
	asked->reason = model_reason(life, asked->person, asked->token);
	asked->state = asked->reason ? VERIFICATION_NOT_VERIFIED : VERIFICATION_VERIFIED;
}

static bool model_late(const struct asked *asked)
{
	return clock_boot_ms() - asked->accepted_boot >= DEADLINE_MS;
}

/* By the deadline; but what one of us sent later is not decided sooner, whatever the clock does. */
static void model_order(struct life *life, struct asked *asked)
{
	asked->order = asked->deadline_wall;
	for (unsigned i = 0; i < life->asked_count; i++) {
		const struct asked *other = &life->asked[i];

		if (other != asked && other->state == VERIFICATION_PENDING &&
		    other->person == asked->person && other->order >= asked->order)
			asked->order = other->order + 1;
	}
}

static void model_expire(struct asked *asked)
{
	asked->state = VERIFICATION_EXPIRED;
	asked->reason = REASON_DEADLINE;
}

static const char *model_word(const struct asked *asked)
{
	static const char *const reasons[] = {"200 VERIFIED",      "200 NOT_CONFIRMED",
					      "200 TOKEN_USED",    "200 OLD_COUNTER",
					      "200 TOKEN_REFUSED", "200 EXPIRED"};

	return asked->state == VERIFICATION_PENDING ? "202 PENDING" : reasons[asked->reason];
}

/* The status of a PUT, and what it does. */
static unsigned model_put(struct life *life, struct asked *asked, int code)
{
	const struct token *token = &life->tokens[asked->token];
	const struct person *her;

	if (asked->registered)
		return asked->registered == REGISTRATION_STANDS && asked->code == code ? 200 : 409;
	if (asked->state != VERIFICATION_VERIFIED || asked->revoked)
		return 409;
	her = &life->people[asked->person];
	if (her->state != SUBSCRIBER_ACTIVE || her->suspended || her->sim < 0 ||
	    key_of((unsigned)her->sim) != token->key)
		return 409;
	for (unsigned i = 0; i < life->asked_count; i++)
		if (life->asked[i].person == asked->person &&
		    life->asked[i].audience == asked->audience &&
		    life->asked[i].registered == REGISTRATION_STANDS)
			life->asked[i].registered = REGISTRATION_ENDED;
	asked->registered = REGISTRATION_STANDS;
	asked->code = code;
	return 201;
}

/* ---- Steps: each does something and compares ---- */

static void step_attest(struct life *life)
{
	const unsigned sim = draw(life, SIMS);
	struct token *token = &life->tokens[life->token_count++];

	token->key = key_of(sim);
	token->audience = draw(life, AUDIENCES);
	token->counter = ++life->counters[sim];
	operator_sim_attest(&life->sims[sim], audiences[token->audience], 0, &token->token);
}

static void step_verify(struct life *life)
{
	struct asked *asked = &life->asked[life->asked_count++];
	const bool put_off = draw(life, 3) == 0;
	const struct token *token;
	const char *word;

	if (life->token_count == 0)
		step_attest(life);
	asked->token = draw(life, life->token_count);
	token = &life->tokens[asked->token];
	asked->audience = draw(life, 8) ? token->audience : 1 - token->audience;
	asked->person = draw(life, 6) ? (int)draw(life, SUBSCRIBERS) : -1;
	asked->accepted_boot = clock_boot_ms();
	asked->deadline_wall = clock_wall_ms() + DEADLINE_MS;
	life->place->work.waited_ms = put_off ? 100000 : 0;
	word = operator_place_verify(life->place, audiences[asked->audience],
				     asked->person < 0 ? "+4999999999"
						       : life->people[asked->person].number,
				     &token->token, asked->id);
	if (asked->audience != token->audience) {
		asked->state = VERIFICATION_NOT_VERIFIED;
		asked->reason = REASON_TOKEN_REFUSED;
	} else if (put_off) {
		asked->state = VERIFICATION_PENDING;
		model_order(life, asked);
	} else {
		model_decide(life, asked);
	}
	assert_string_equal(word, model_word(asked));
}

static unsigned send(struct life *life, const struct asked *asked, unsigned audience,
		     request_handler *handler, const char *body, const char **word)
{
	const struct request request = operator_place_request(audiences[audience], asked->id, body);
	struct reply reply;
	unsigned status;

	assert_int_equal(
		operator_place_run(life->place, life->place->db, handler, &request, &reply), DB_OK);
	status = reply.status;
	*word = operator_place_word(&reply);
	reply_clear(&reply);
	return status;
}

static struct asked *any(struct life *life)
{
	if (life->asked_count == 0)
		step_verify(life);
	return &life->asked[draw(life, life->asked_count)];
}

static void step_get(struct life *life)
{
	struct asked *asked = any(life);
	const bool others = draw(life, 8) == 0;
	const char *word;

	send(life, asked, others ? 1 - asked->audience : asked->audience, operator_verification_get,
	     NULL, &word);
	if (others) {
		assert_string_equal(word, "404 NOT_FOUND");
		return;
	}
	if (asked->state == VERIFICATION_PENDING && model_late(asked))
		model_expire(asked);
	assert_string_equal(word, model_word(asked));
}

static void step_put(struct life *life)
{
	struct asked *asked = any(life);
	const int code = (int)draw(life, 2);
	char body[64];
	const char *word;

	snprintf(body, sizeof(body), "{\"identificationCode\":\"code-%d\"}", code);
	assert_int_equal(send(life, asked, asked->audience, operator_registration_put, body, &word),
			 model_put(life, asked, code));
}

static void step_delete(struct life *life)
{
	struct asked *asked = any(life);
	const char *word;

	assert_int_equal(
		send(life, asked, asked->audience, operator_registration_delete, NULL, &word),
		asked->registered ? 204 : 404);
	if (asked->registered)
		asked->registered = REGISTRATION_ENDED;
}

/* Suspended, resumed, ended, swapped. */
static void step_event(struct life *life)
{
	struct person *her = &life->people[draw(life, SUBSCRIBERS)];
	struct subscriber subscriber = {.state = her->state};

	if (draw(life, 2)) {
		her->state = draw(life, 3) ? SUBSCRIBER_ACTIVE : SUBSCRIBER_SUSPENDED;
	} else {
		her->sim = (int)draw(life, SIMS + 1) - 1;
		her->suspended = false;
	}
	subscriber.state = her->state;
	subscriber.card_state = her->sim < 0     ? SUBSCRIBER_CARD_NONE
				: her->suspended ? SUBSCRIBER_CARD_SUSPENDED
						 : SUBSCRIBER_CARD_GOOD;
	if (her->sim >= 0)
		subscriber.key = life->sims[her->sim].key;
	strcpy(subscriber.number, her->number);
	assert_int_equal(db_begin(life->place->db), DB_OK);
	assert_int_equal(subscriber_write(life->place->db, life->place->service.vault, &subscriber),
			 DB_OK);
	assert_int_equal(db_commit(life->place->db), DB_OK);
}

/* All that is pending, in order. */
static void step_backlog(struct life *life)
{
	bool more;

	assert_int_equal(operator_place_backlog(&life->place->service, life->place->db,
						life->place->prepares, &more),
			 DB_OK);
	for (;;) {
		struct asked *next = NULL;

		for (unsigned i = 0; i < life->asked_count; i++)
			if (life->asked[i].state == VERIFICATION_PENDING &&
			    (!next || life->asked[i].order < next->order))
				next = &life->asked[i];
		if (!next)
			return;
		if (model_late(next))
			model_expire(next);
		else
			model_decide(life, next);
	}
}

static void step_clock(struct life *life)
{
	switch (draw(life, 3)) {
	case 0:
		wall_by += 3600000;
		break;
	case 1:
		wall_by -= 3600000;
		break;
	default:
		boot_by += 400000 * (int64_t)draw(life, 4);
	}
}

/* Time goes on, and no deadline falls into the next step, where one could not say which came
 * first. */
static void between_steps(struct life *life)
{
	bool again = true;

	wall_by += 1000;
	boot_by += 1000;
	while (again) {
		again = false;
		for (unsigned i = 0; i < life->asked_count; i++) {
			const int64_t left =
				life->asked[i].accepted_boot + DEADLINE_MS - clock_boot_ms();

			again |= life->asked[i].state == VERIFICATION_PENDING && left > -SLACK_MS &&
				 left < SLACK_MS;
		}
		if (again)
			boot_by += SLACK_MS;
	}
}

/* At the end every answer is still the same. */
static void compare_all(struct life *life)
{
	const char *word;

	for (unsigned i = 0; i < life->asked_count; i++) {
		struct asked *asked = &life->asked[i];

		send(life, asked, asked->audience, operator_verification_get, NULL, &word);
		if (asked->state == VERIFICATION_PENDING && model_late(asked))
			model_expire(asked);
		assert_string_equal(word, model_word(asked));
	}
}

static void live(struct life *life)
{
	static void (*const steps[])(struct life *) = {
		step_attest, step_attest, step_verify,  step_verify, step_verify, step_get,
		step_put,    step_delete, step_backlog, step_clock,  step_event,
	};

	for (unsigned i = 0; i < STEPS - 2; i++) {
		between_steps(life);
		steps[draw(life, sizeof(steps) / sizeof(steps[0]))](life);
	}
	compare_all(life);
}

static uint64_t seed_get(void)
{
	const char *text = getenv("SIMTIE_SEED");
	struct timespec now;

	if (text)
		return strtoull(text, NULL, 10);
	__real_clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void test_model(void **state)
{
	struct operator_place *place = operator_place(state);
	const uint64_t seed = seed_get();
	static struct operator_sim sims[SIMS];
	unsigned counters[SIMS] = {0};

	print_message("# SIMTIE_SEED=%llu\n", (unsigned long long)seed);
	wall_by = boot_by = 0;
	for (unsigned i = 0; i < SIMS; i++)
		operator_sim_init(&sims[i], (uint8_t)(key_of(i) + 1));
	for (unsigned number = 0; number < LIVES; number++) {
		struct life *life = calloc(1, sizeof(*life));

		life->place = place;
		life->sims = sims;
		life->counters = counters;
		life->random = seed + number * 0x9E3779B97F4A7C15u + 1;
		for (unsigned i = 0; i < SUBSCRIBERS; i++) {
			struct person *her = &life->people[i];

			snprintf(her->number, sizeof(her->number), "+4930%05u%u", number, i);
			her->state = SUBSCRIBER_ACTIVE;
			her->sim = (int)i;
			operator_place_subscriber(place, her->number, &sims[i]);
		}
		live(life);
		free(life);
	}
	for (unsigned i = 0; i < SIMS; i++)
		operator_sim_free(&sims[i]);
	wall_by = boot_by = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_model),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
