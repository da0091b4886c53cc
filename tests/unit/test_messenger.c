/*
 * The messenger's handlers and its talk with an operator, on both stores: routing, states, nonces,
 * notices. Tokens are made by the card's own core, answers by the operator's own handlers.
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

static struct operator_sim sim, stranger;

static int make(void **state)
{
	operator_sim_init(&sim, 1);
	operator_sim_init(&stranger, 2);
	return operator_place_keys_make(state);
}

static int unmake(void **state)
{
	operator_sim_free(&sim);
	operator_sim_free(&stranger);
	return operator_place_keys_free(state);
}

/* As far as the operator's yes, reported. */
static void register_at(struct messenger_place *place, struct messenger_side *side,
			struct messenger_client *client)
{
	assert_string_equal(messenger_place_begin(side, BODY, client), "201 ");
	assert_string_equal(messenger_place_attest(side, &sim, client, NULL), "202 PENDING");
	assert_int_equal(messenger_place_talk(place, side, client, WIRE_WHOLE, NULL), 200);
	assert_string_equal(messenger_place_state(side, client), "PENDING");
	assert_int_equal(messenger_place_talk(place, side, client, WIRE_WHOLE, NULL), 201);
	assert_string_equal(messenger_place_state(side, client), "REGISTERED");
}

/* ---- Routing ---- */

static void test_routes(void **state)
{
	static const struct {
		const char *number, *to;
	} cases[] = {
		{"+4915112345", "a"}, {"+4915", "b"}, {"+49159", "b"},          {"+4916000", "c"},
		{"+49170", "d"},      {"+33612", ""}, {"+331234567890123", ""}, {"+1515", ""},
	};
	static const struct messenger_operator a = {.name = "a"}, b = {.name = "b"},
					       c = {.name = "c"}, d = {.name = "d"};
	struct messenger_prefix prefixes[] = {
		{"+49", &d}, {"+4915", &b}, {"+4916", &c}, {"+49151", &a}};
	struct messenger messenger = {.prefixes = prefixes, .prefix_count = 4};
	const char *wrong;

	(void)state;
	assert_true(messenger_route_sort(&messenger, &wrong));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct messenger_operator *to = messenger_route(&messenger, cases[i].number);

		assert_string_equal(to ? to->name : "", cases[i].to);
	}
	messenger.prefix_count = 0;
	assert_null(messenger_route(&messenger, "+4915112345"));
}

static void test_routes_that_are_none(void **state)
{
	static const char *const bad[] = {"", "+", "49", "+0", "+49x", "+4912345678901234", "+49"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct messenger_prefix prefixes[] = {{"+49", NULL}, {bad[i], NULL}};
		struct messenger messenger = {.prefixes = prefixes, .prefix_count = 2};
		const char *wrong;

		assert_false(messenger_route_sort(&messenger, &wrong));
		assert_string_equal(wrong, bad[i]);
	}
}

static void test_begins(void **state)
{
	static const struct {
		const char *body, *word;
	} cases[] = {
		{BODY, "201 "},
		{"{\"operator\":\"mno.example\"}", "201 "},
		{"{\"operator\":\"mno.example\",\"phoneNumber\":\"+33612345678\"}", "201 "},
		{"{\"phoneNumber\":\"+33612345678\"}", "422 OPERATOR_NOT_COVERED"},
		{"{\"operator\":\"none.example\"}", "422 OPERATOR_NOT_COVERED"},
		{"{\"operator\":\"none.example\",\"phoneNumber\":\"" NUMBER "\"}",
		 "422 OPERATOR_NOT_COVERED"},
		{"{}", "422 MISSING_IDENTIFIER"},
		{"{\"phoneNumber\":\"0151\"}", "400 INVALID_ARGUMENT"},
		{"{\"phoneNumber\":\"" NUMBER "\",\"clientKey\":\"AAAA\"}", "400 INVALID_ARGUMENT"},
	};
	struct messenger_place *place = messenger_place(state);
	struct messenger_client client;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(messenger_place_begin(&place->side[0], cases[i].body, &client),
				    cases[i].word);
}

/* ---- A registration ---- */

static void test_registers(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct messenger_row row;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	register_at(place, side, &client);
	messenger_place_row(side, &client, &row);
	/* What was needed on the way is gone; the registration itself is there. */
	assert_string_equal(row.secret.number, "");
	assert_int_equal(row.secret.token_len + row.secret.nonce_len + row.secret.sealed_len, 0);
	assert_int_equal(strlen(row.secret.code), MESSENGER_CODE_SIZE - 1);
	assert_true(row.secret.credential_len > 0);
	assert_int_equal(row.due_at, 0);
	assert_int_equal(store_place_number(place->mno->db,
					    "SELECT COUNT(*) FROM registrations WHERE state = 1"),
			 1);
}

static void test_sealed(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX];
	char text[BASE64URL_LEN(SIMTIE_SEALED_NUMBER_MAX) + 1];
	size_t len;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	assert_string_equal(messenger_place_begin(side, "{\"operator\":\"mno.example\"}", &client),
			    "201 ");
	assert_string_equal(messenger_place_attest(side, &sim, &client, NULL),
			    "422 MISSING_IDENTIFIER");
	assert_int_equal(simtie_number_seal(operator_place_sealing(), "chat.example", client.nonce,
					    sizeof(client.nonce), NUMBER, sealed, &len),
			 0);
	text[base64url_write(bytes_of(sealed, len), text)] = '\0';
	assert_string_equal(messenger_place_attest(side, &sim, &client, text), "202 PENDING");
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_WHOLE, NULL), 200);
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_WHOLE, NULL), 201);
	assert_string_equal(messenger_place_state(side, &client), "REGISTERED");

	assert_string_equal(messenger_place_begin(side, BODY, &client), "201 ");
	assert_string_equal(messenger_place_attest(side, &sim, &client, text),
			    "422 UNNECESSARY_IDENTIFIER");
	/* Sealed for another challenge: the operator cannot open it, and says so for good. */
	assert_string_equal(messenger_place_begin(side, "{\"operator\":\"mno.example\"}", &client),
			    "201 ");
	assert_string_equal(messenger_place_attest(side, &sim, &client, text), "202 PENDING");
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_WHOLE, NULL), 400);
	assert_string_equal(messenger_place_state(side, &client), "REFUSED REQUEST_REFUSED");
}

static void test_refused(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct messenger_row row;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	assert_string_equal(messenger_place_begin(side, BODY, &client), "201 ");
	assert_string_equal(messenger_place_attest(side, &stranger, &client, NULL), "202 PENDING");
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_WHOLE, NULL), 200);
	assert_string_equal(messenger_place_state(side, &client), "REFUSED NOT_CONFIRMED");
	messenger_place_row(side, &client, &row);
	assert_int_equal(row.secret.token_len, 0);
	assert_string_equal(row.secret.number, "");
}

/* A nonce serves once. What is not for this challenge uses nothing up. */
static void test_nonce_once(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client, other;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	assert_string_equal(messenger_place_begin(side, BODY, &client), "201 ");
	assert_string_equal(messenger_place_begin(side, BODY, &other), "201 ");
	assert_string_equal(messenger_place_attest(side, &sim, &other, NULL), "202 PENDING");
	assert_string_equal(messenger_place_post(side, &client, "{\"attestation\":\"AAAA\"}"),
			    "400 INVALID_ARGUMENT");
	memcpy(client.attestation, other.attestation, sizeof(client.attestation));
	assert_string_equal(messenger_place_post(side, &client, NULL), "400 INVALID_ARGUMENT");
	assert_string_equal(messenger_place_attest(side, &sim, &client, NULL), "202 PENDING");
	assert_string_equal(messenger_place_post(side, &client, NULL), "202 PENDING");
	assert_string_equal(messenger_place_attest(side, &sim, &client, NULL), "409 CONFLICT");
	assert_string_equal(messenger_place_post(side, &other, NULL), "202 PENDING");
	memset(client.id, 'A', 22);
	assert_string_equal(messenger_place_post(side, &client, NULL), "404 NOT_FOUND");
}

/* The client's key goes into the attestation or it is refused. */
static void test_client_key(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_client client;

	assert_string_equal(
		messenger_place_begin(&place->side[0],
				      "{\"phoneNumber\":\"" NUMBER "\",\"clientKey\":"
				      "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
				      &client),
		"201 ");
	assert_string_equal(messenger_place_attest(&place->side[0], &sim, &client, NULL),
			    "400 INVALID_ARGUMENT");
}

/* Whatever is lost on the way, it ends REGISTERED, once. */
static void test_lost_on_the_way(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct messenger_row row;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	assert_string_equal(messenger_place_begin(side, BODY, &client), "201 ");
	assert_string_equal(messenger_place_attest(side, &sim, &client, NULL), "202 PENDING");
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_NO_QUESTION, NULL), 0);
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_NO_ANSWER, NULL), 0);
	messenger_place_row(side, &client, &row);
	assert_int_equal(row.attempts, 2);
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_WHOLE, NULL), 200);
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_NO_ANSWER, NULL), 0);
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_WHOLE, NULL), 200);
	assert_string_equal(messenger_place_state(side, &client), "REGISTERED");
	assert_int_equal(store_place_number(place->mno->db, "SELECT COUNT(*) FROM verifications"),
			 1);
	assert_int_equal(store_place_number(place->mno->db, "SELECT COUNT(*) FROM registrations"),
			 1);
}

/* A yes of whoever it is not believed when its credential is not this SIM's. */
static void test_yes_that_does_not_hold(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client mine, hers;
	struct messenger_row row;
	json_t *yes = NULL;
	char *text;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	operator_place_subscriber(place->mno, "+4915187654321", &stranger);
	assert_string_equal(
		messenger_place_begin(side, "{\"phoneNumber\":\"+4915187654321\"}", &hers), "201 ");
	assert_string_equal(messenger_place_attest(side, &stranger, &hers, NULL), "202 PENDING");
	assert_int_equal(messenger_place_talk(place, side, &hers, WIRE_WHOLE, &yes), 200);
	assert_string_equal(messenger_place_begin(side, BODY, &mine), "201 ");
	assert_string_equal(messenger_place_attest(side, &sim, &mine, NULL), "202 PENDING");
	messenger_place_row(side, &mine, &row);
	text = json_dumps(yes, 0);
	messenger_answer(&side->messenger, &side->operators[0], &row, 200,
			 bytes_of((const uint8_t *)text, strlen(text)));
	assert_int_equal(row.state, MESSENGER_REFUSED);
	assert_int_equal(row.reason, MESSENGER_REASON_CREDENTIAL_REFUSED);
	free(text);
	json_decref(yes);
}

/* An answer belongs to its question: another id, or one that no path could hold, is none. */
static void test_answer_to_another_question(void **state)
{
	static const char *const bodies[] = {
		"{\"verificationId\":\"other\",\"status\":\"NOT_VERIFIED\",\"reason\":\"NONE\"}",
		"{\"verificationId\":\"a/../b\",\"status\":\"PENDING\"}",
		"{\"verificationId\":\"\",\"status\":\"PENDING\"}",
		"{\"status\":\"EXPIRED\"}",
		"{\"verificationId\":\"mine\",\"status\":\"PERHAPS\"}",
		"{\"verificationId\":\"mine\",\"status\":7}",
		"[]",
		"",
	};
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct messenger_row row = {.state = MESSENGER_PENDING, .step = STEP_WAIT};

		snprintf(row.verification, sizeof(row.verification), "mine");
		assert_false(
			messenger_answer(&side->messenger, &side->operators[0], &row, 200,
					 bytes_of((const uint8_t *)bodies[i], strlen(bodies[i]))));
		assert_int_equal(row.state, MESSENGER_PENDING);
		assert_int_equal(row.step, STEP_WAIT);
		assert_int_equal(row.attempts, 1);
		assert_string_equal(row.verification, "mine");
	}
}

/* ---- Time ---- */

/* Writes the row as if it were so much older. */
static void age(struct messenger_side *side, const struct messenger_client *client, int64_t ms)
{
	struct messenger_row row;

	messenger_place_row(side, client, &row);
	row.from.wall_ms -= ms;
	row.from.boot_ms -= ms;
	messenger_place_write(side, &row, messenger_row_at(&row));
}

static void test_expires(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct messenger_row row;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	assert_string_equal(messenger_place_begin(side, BODY, &client), "201 ");
	age(side, &client, 301000);
	assert_string_equal(messenger_place_attest(side, &sim, &client, NULL), "409 CONFLICT");
	assert_string_equal(messenger_place_state(side, &client), "EXPIRED CHALLENGE_EXPIRED");

	assert_string_equal(messenger_place_begin(side, BODY, &client), "201 ");
	assert_string_equal(messenger_place_attest(side, &sim, &client, NULL), "202 PENDING");
	age(side, &client, 1199000);
	assert_string_equal(messenger_place_state(side, &client), "PENDING");
	age(side, &client, 2000);
	assert_string_equal(messenger_place_state(side, &client), "EXPIRED NO_ANSWER");

	/* The wall clock alone says nothing. */
	assert_string_equal(messenger_place_begin(side, BODY, &client), "201 ");
	messenger_place_row(side, &client, &row);
	row.from.wall_ms -= 3600000;
	messenger_place_write(side, &row, messenger_row_at(&row));
	assert_string_equal(messenger_place_state(side, &client), "PENDING");
}

/* Reported, not acknowledged in time: EXPIRED, and what the operator may have kept is withdrawn. */
static void test_withdraws(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct messenger_row row;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	assert_string_equal(messenger_place_begin(side, BODY, &client), "201 ");
	assert_string_equal(messenger_place_attest(side, &sim, &client, NULL), "202 PENDING");
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_WHOLE, NULL), 200);
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_NO_ANSWER, NULL), 0);
	age(side, &client, 1201000);
	assert_string_equal(messenger_place_state(side, &client), "EXPIRED NO_ANSWER");
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_WHOLE, NULL), 204);
	assert_string_equal(messenger_place_state(side, &client), "EXPIRED NO_ANSWER");
	messenger_place_row(side, &client, &row);
	assert_int_equal(row.step, STEP_NONE);
	assert_int_equal(store_place_number(place->mno->db,
					    "SELECT COUNT(*) FROM registrations WHERE state = 1"),
			 0);
}

/* What the task takes up: a row that is due, once until its lease has run out. */
static void test_claims(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct work work = {.service = &side->service, .db = side->db};
	struct messenger_client client;
	struct messenger_row rows[4], row;
	size_t count;

	assert_string_equal(messenger_place_begin(side, BODY, &client), "201 ");
	assert_int_equal(messenger_row_claim(&work, 60000, rows, 4, &count), DB_OK);
	assert_int_equal(count, 0);
	messenger_place_attest(side, &sim, &client, NULL);
	assert_int_equal(messenger_row_claim(&work, 60000, rows, 4, &count), DB_OK);
	assert_int_equal(count, 1);
	assert_int_equal(rows[0].step, STEP_ASK);
	assert_int_equal(messenger_row_claim(&work, 60000, rows, 4, &count), DB_OK);
	assert_int_equal(count, 0);
	/* The clock was set back a month since: the lease does not hold for a month. */
	messenger_place_row(side, &client, &row);
	row.due_at += 30 * 86400000LL;
	messenger_place_write(side, &row, messenger_row_at(&row));
	assert_int_equal(messenger_row_claim(&work, 60000, rows, 4, &count), DB_OK);
	assert_int_equal(count, 1);
}

/* ---- Notices ---- */

static struct simtie_notice notice_for(struct messenger_side *side,
				       const struct messenger_client *client, const char *id,
				       enum simtie_event event)
{
	struct simtie_notice notice = {.issuer = "mno.example",
				       .audience = "chat.example",
				       .event = event,
				       .issued_at = clock_wall_ms() / 1000};
	struct messenger_row row;

	messenger_place_row(side, client, &row);
	snprintf(notice.id, sizeof(notice.id), "%s", id);
	snprintf(notice.registration, sizeof(notice.registration), "%s", row.verification);
	return notice;
}

static void test_notice(void **state)
{
	static const struct {
		enum simtie_event event;
		const char *then;
	} cases[] = {
		{SIMTIE_EVENT_TERMINATED, "REVERIFICATION_REQUIRED TERMINATED"},
		{SIMTIE_EVENT_PORTED_OUT, "REVERIFICATION_REQUIRED PORTED_OUT"},
		{SIMTIE_EVENT_SIM_SWAPPED, "REVERIFICATION_REQUIRED SIM_SWAPPED"},
		{SIMTIE_EVENT_SUSPENDED, "REVERIFICATION_REQUIRED SUSPENDED"},
		{SIMTIE_EVENT_RESUMED, "REGISTERED"},
	};
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char id[2] = {(char)('a' + i), 0};
		struct simtie_notice notice;

		register_at(place, side, &client);
		notice = notice_for(side, &client, id, cases[i].event);
		assert_int_equal(messenger_place_notice(side, "mno.example",
							operator_place_signer(), &notice),
				 202);
		assert_string_equal(messenger_place_state(side, &client), cases[i].then);
	}
}

static void test_notice_counts_once(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct simtie_notice notice;
	struct messenger_row row;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	register_at(place, side, &client);
	notice = notice_for(side, &client, "once", SIMTIE_EVENT_SIM_SWAPPED);
	assert_int_equal(
		messenger_place_notice(side, "mno.example", operator_place_signer(), &notice), 202);
	/* As if she had been registered anew since: the old notice must not end that. */
	messenger_place_row(side, &client, &row);
	row.state = MESSENGER_REGISTERED;
	messenger_place_write(side, &row,
			      (struct messenger_at){MESSENGER_REVERIFICATION_REQUIRED, STEP_NONE});
	assert_int_equal(
		messenger_place_notice(side, "mno.example", operator_place_signer(), &notice), 202);
	messenger_place_row(side, &client, &row);
	assert_int_equal(row.state, MESSENGER_REGISTERED);
	assert_int_equal(store_place_number(side->db, "SELECT COUNT(*) FROM notices"), 1);
	/* One that is about nothing here is acknowledged too. */
	snprintf(notice.id, sizeof(notice.id), "other");
	snprintf(notice.registration, sizeof(notice.registration), "unknown");
	assert_int_equal(
		messenger_place_notice(side, "mno.example", operator_place_signer(), &notice), 202);
}

/* Registered twice by one SIM: the operator knows the later one alone, and its notice ends both. */
static void test_notice_ends_all_of_a_sim(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client first, second, hers;
	struct simtie_notice notice;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	operator_place_subscriber(place->mno, "+4915187654321", &stranger);
	register_at(place, side, &first);
	register_at(place, side, &second);
	assert_string_equal(
		messenger_place_begin(side, "{\"phoneNumber\":\"+4915187654321\"}", &hers), "201 ");
	assert_string_equal(messenger_place_attest(side, &stranger, &hers, NULL), "202 PENDING");
	assert_int_equal(messenger_place_talk(place, side, &hers, WIRE_WHOLE, NULL), 200);
	assert_int_equal(messenger_place_talk(place, side, &hers, WIRE_WHOLE, NULL), 201);
	notice = notice_for(side, &second, "both", SIMTIE_EVENT_TERMINATED);
	assert_int_equal(
		messenger_place_notice(side, "mno.example", operator_place_signer(), &notice), 202);
	assert_string_equal(messenger_place_state(side, &first),
			    "REVERIFICATION_REQUIRED TERMINATED");
	assert_string_equal(messenger_place_state(side, &second),
			    "REVERIFICATION_REQUIRED TERMINATED");
	assert_string_equal(messenger_place_state(side, &hers), "REGISTERED");
}

static void test_notice_forged(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct simtie_notice notice, other;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	register_at(place, side, &client);
	notice = notice_for(side, &client, "id", SIMTIE_EVENT_SIM_SWAPPED);
	/* Another key; another operator's certificate, with and without an agreement; another
	 * audience; another issuer; too old. */
	assert_int_equal(
		messenger_place_notice(side, "mno.example", operator_place_issuer(), &notice), 400);
	assert_int_equal(
		messenger_place_notice(side, "other.example", operator_place_signer(), &notice),
		400);
	assert_int_equal(
		messenger_place_notice(side, "none.example", operator_place_signer(), &notice),
		403);
	other = notice;
	snprintf(other.audience, sizeof(other.audience), "talk.example");
	assert_int_equal(
		messenger_place_notice(side, "mno.example", operator_place_signer(), &other), 400);
	other = notice;
	snprintf(other.issuer, sizeof(other.issuer), "other.example");
	assert_int_equal(
		messenger_place_notice(side, "mno.example", operator_place_signer(), &other), 400);
	/* Under its own name it reaches its own registrations alone. */
	assert_int_equal(
		messenger_place_notice(side, "other.example", operator_place_signer(), &other),
		202);
	other = notice;
	other.issued_at -= SIMTIE_NOTICE_AGE_MAX + 120;
	assert_int_equal(
		messenger_place_notice(side, "mno.example", operator_place_signer(), &other), 400);
	assert_string_equal(messenger_place_state(side, &client), "REGISTERED");
}

/* The SIM changes while the acknowledgement is under way: the notice wins. */
static void test_notice_before_acknowledgement(void **state)
{
	struct messenger_place *place = messenger_place(state);
	struct messenger_side *side = &place->side[0];
	struct messenger_client client;
	struct simtie_notice notice;
	struct messenger_row row;
	struct messenger_at before;

	operator_place_subscriber(place->mno, NUMBER, &sim);
	assert_string_equal(messenger_place_begin(side, BODY, &client), "201 ");
	assert_string_equal(messenger_place_attest(side, &sim, &client, NULL), "202 PENDING");
	assert_int_equal(messenger_place_talk(place, side, &client, WIRE_WHOLE, NULL), 200);
	messenger_place_row(side, &client, &row);
	before = messenger_row_at(&row);
	notice = notice_for(side, &client, "early", SIMTIE_EVENT_SIM_SWAPPED);
	assert_int_equal(
		messenger_place_notice(side, "mno.example", operator_place_signer(), &notice), 202);
	messenger_answer(&side->messenger, &side->operators[0], &row, 201, bytes_of(NULL, 0));
	messenger_place_write(side, &row, before);
	assert_string_equal(messenger_place_state(side, &client),
			    "REVERIFICATION_REQUIRED SIM_SWAPPED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_routes_that_are_none),
		MESSENGER_PLACE_BOTH(test_begins),
		MESSENGER_PLACE_BOTH(test_registers),
		MESSENGER_PLACE_BOTH(test_sealed),
		MESSENGER_PLACE_BOTH(test_refused),
		MESSENGER_PLACE_BOTH(test_nonce_once),
		MESSENGER_PLACE_BOTH(test_client_key),
		MESSENGER_PLACE_BOTH(test_lost_on_the_way),
		MESSENGER_PLACE_BOTH(test_yes_that_does_not_hold),
		MESSENGER_PLACE_BOTH(test_answer_to_another_question),
		MESSENGER_PLACE_BOTH(test_expires),
		MESSENGER_PLACE_BOTH(test_withdraws),
		MESSENGER_PLACE_BOTH(test_claims),
		MESSENGER_PLACE_BOTH(test_notice),
		MESSENGER_PLACE_BOTH(test_notice_counts_once),
		MESSENGER_PLACE_BOTH(test_notice_forged),
		MESSENGER_PLACE_BOTH(test_notice_ends_all_of_a_sim),
		MESSENGER_PLACE_BOTH(test_notice_before_acknowledgement),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("messenger", tests, make, unmake);
}
