/*
 * The messenger's state machine against a model that fits on a page: some thousand random steps of
 * clients, operators, broken wires, notices and clocks, over a dozen registrations at once. After
 * each step every registration must be where the model has it, with its time.
 */
#include "messenger_place.h"

#include "messenger_registration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NUMBER "+4915112345678"
#define BODY   "{\"phoneNumber\":\"" NUMBER "\"}"
#define ROOM   12
#define STEPS  3000

static struct operator_sim sims[2]; /* the subscriber's; a stranger's */
static unsigned random_state;

static unsigned draw(unsigned below)
{
	random_state = random_state * 1103515245u + 12345u;
	return (random_state >> 16) % below;
}

/* What the operator has made of a question, and of a report. */
enum verdict { VERDICT_NONE, VERDICT_YES, VERDICT_OLD, VERDICT_NO };
enum kept { RECORD_NONE, RECORD_STANDS, RECORD_ENDED };

/* What the model keeps of a registration. */
struct model {
	bool begun;
	struct messenger_client client;
	enum messenger_state state;
	enum messenger_step step;
	enum messenger_reason reason;
	bool hers;        /* signed by the subscriber's own SIM */
	unsigned counter; /* her SIM's */
	bool vouched;     /* the messenger has had the operator's yes */
	enum verdict verdict;
	enum kept record;
	bool late; /* its step's deadline has passed */
	int64_t changed_at;
};

static struct model models[ROOM];
static unsigned counter, highest; /* that her SIM has signed; that the operator has seen */

static void becomes(struct model *model, enum messenger_state state, enum messenger_reason reason)
{
	model->state = state;
	model->reason = reason;
	model->step = STEP_NONE;
}

/* Whoever looks at one that is late sees it expired. */
static void look(struct model *model)
{
	const enum messenger_step step = model->step;

	if (!model->late || model->state != MESSENGER_PENDING)
		return;
	becomes(model, MESSENGER_EXPIRED,
		step == STEP_ATTEST ? MESSENGER_REASON_CHALLENGE_EXPIRED
				    : MESSENGER_REASON_NO_ANSWER);
	if (step == STEP_REPORT)
		model->step = STEP_WITHDRAW;
}

/* ---- Steps: each does it, and says what must have come of it ---- */

static void step_begin(struct messenger_side *side, struct model *model)
{
	memset(model, 0, sizeof(*model));
	model->begun = true;
	model->state = MESSENGER_PENDING;
	model->step = STEP_ATTEST;
	assert_string_equal(messenger_place_begin(side, BODY, &model->client), "201 ");
}

static void step_attest(struct messenger_side *side, struct model *model)
{
	const bool hers = draw(4) > 0;
	const char *word = messenger_place_attest(side, &sims[!hers], &model->client, NULL);

	counter += hers;
	look(model);
	if (model->step != STEP_ATTEST) {
		assert_string_equal(word, "409 CONFLICT");
		return;
	}
	assert_string_equal(word, "202 PENDING");
	model->step = STEP_ASK;
	model->hers = hers;
	model->counter = counter;
}

/* The operator decides once, refuses what is older than what it has seen, and keeps of each SIM the
 * registration that was reported last. */
static void operator_does(struct model *model)
{
	if (model->step == STEP_ASK && model->verdict == VERDICT_NONE) {
		model->verdict = !model->hers                ? VERDICT_NO
				 : model->counter <= highest ? VERDICT_OLD
							     : VERDICT_YES;
		if (model->verdict == VERDICT_YES)
			highest = model->counter;
	} else if (model->step == STEP_REPORT && model->record == RECORD_NONE) {
		for (int i = 0; i < ROOM; i++)
			if (models[i].record == RECORD_STANDS)
				models[i].record = RECORD_ENDED;
		model->record = RECORD_STANDS;
	} else if (model->step == STEP_WITHDRAW && model->record == RECORD_STANDS) {
		model->record = RECORD_ENDED;
	}
}

static void step_talk(struct messenger_place *place, struct messenger_side *side,
		      struct model *model)
{
	const enum wire wire = (enum wire)draw(3);
	const enum messenger_step step = model->step;

	if (step == STEP_NONE || step == STEP_ATTEST || (model->late && step != STEP_WITHDRAW))
		return; /* the task expires what is late before it asks */
	messenger_place_talk(place, side, &model->client, wire, NULL);
	if (wire != WIRE_NO_QUESTION)
		operator_does(model);
	if (wire != WIRE_WHOLE)
		return;
	if (step == STEP_WITHDRAW)
		model->step = STEP_NONE;
	else if (step == STEP_REPORT && model->record == RECORD_STANDS)
		becomes(model, MESSENGER_REGISTERED, MESSENGER_REASON_NONE);
	else if (step == STEP_REPORT)
		becomes(model, MESSENGER_REFUSED, MESSENGER_REASON_CHANGED);
	else if (model->verdict == VERDICT_YES) {
		model->step = STEP_REPORT;
		model->vouched = true;
	} else
		becomes(model, MESSENGER_REFUSED,
			model->verdict == VERDICT_OLD ? MESSENGER_REASON_OLD_COUNTER
						      : MESSENGER_REASON_NOT_CONFIRMED);
}

static void step_notice(struct messenger_side *side, struct model *model)
{
	static unsigned ids;
	struct simtie_notice notice = {.issuer = "mno.example",
				       .audience = "chat.example",
				       .event = (enum simtie_event)(1 + draw(5)),
				       .issued_at = clock_wall_ms() / 1000};
	static const enum messenger_reason reasons[] = {
		MESSENGER_REASON_TERMINATED, MESSENGER_REASON_PORTED_OUT,
		MESSENGER_REASON_SIM_SWAPPED, MESSENGER_REASON_SUSPENDED};
	struct messenger_row row;

	messenger_place_row(side, &model->client, &row);
	snprintf(notice.id, sizeof(notice.id), "n%u", ++ids);
	snprintf(notice.registration, sizeof(notice.registration), "%s",
		 row.verification[0] ? row.verification : "none");
	assert_int_equal(
		messenger_place_notice(side, "mno.example", operator_place_signer(), &notice), 202);
	if (notice.event == SIMTIE_EVENT_RESUMED || !model->vouched)
		return;
	for (int i = 0; i < ROOM; i++)
		if (models[i].state == MESSENGER_REGISTERED || models[i].step == STEP_REPORT)
			becomes(&models[i], MESSENGER_REVERIFICATION_REQUIRED,
				reasons[notice.event - 1]);
}

static void step_age(struct messenger_side *side, struct model *model)
{
	struct messenger_row row;

	messenger_place_row(side, &model->client, &row);
	row.from.wall_ms -= 1201000;
	row.from.boot_ms -= 1201000;
	messenger_place_write(side, &row, messenger_row_at(&row));
	model->late = true;
}

/* ---- The comparison ---- */

static void compare(struct messenger_side *side, struct model *model)
{
	struct messenger_row row;

	messenger_place_row(side, &model->client, &row);
	assert_int_equal(row.state, model->state);
	assert_int_equal(row.step, model->step);
	assert_int_equal(row.reason, model->reason);
	assert_true(row.changed_at >= model->changed_at);
	model->changed_at = row.changed_at;
	/* Something is to come exactly when it has a time; nothing secret outlives its use. */
	assert_int_equal(row.step == STEP_NONE, row.due_at == 0);
	if (row.step != STEP_ASK && row.step != STEP_ATTEST)
		assert_int_equal(row.secret.token_len + strlen(row.secret.number), 0);
	if (row.state != MESSENGER_REGISTERED && row.step != STEP_REPORT)
		assert_string_equal(row.secret.code, "");
}

static void walk(void **state, unsigned seed, unsigned steps)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	unsigned seen = 0;

	random_state = seed;
	memset(models, 0, sizeof(models));
	counter = highest = 0; /* of this walk: the SIM itself counts on, and only rises */
	operator_place_subscriber(place->mno, NUMBER, &sims[0]);
	for (unsigned i = 0; i < steps; i++) {
		struct model *model = &models[draw(ROOM)];
		const unsigned step = draw(24);

		if (!model->begun || (step == 0 && model->step == STEP_NONE))
			step_begin(side, model);
		else if (step < 6)
			step_attest(side, model);
		else if (step < 18)
			step_talk(place, side, model);
		else if (step < 20)
			step_notice(side, model);
		else if (step < 21)
			step_age(side, model);
		else {
			messenger_place_state(side, &model->client);
			look(model);
		}
		compare(side, model);
		seen |= 1u << model->state;
	}
	for (int i = 0; i < ROOM; i++)
		if (models[i].begun)
			compare(side, &models[i]);
	assert_true(store_place_number(side->db, "SELECT COUNT(*) FROM registrations") >= ROOM);
	assert_int_equal(seen, 0x3E); /* it went through all five states */
}

static void test_walk(void **state)
{
	walk(state, 20261124, STEPS);
}

static void test_short_walk(void **state)
{
	walk(state, 7, STEPS / 4);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walk, messenger_place_sqlite,
						messenger_place_tear_down),
		MESSENGER_PLACE_BOTH(test_short_walk),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("messenger's states", tests, make, unmake);
}
