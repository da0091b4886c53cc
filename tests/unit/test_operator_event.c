/*
 * What happens to a contract and its SIM, and what messengers hear of it.
 */
#include "operator_scene.h"

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
#define ICCID  "89490000000000000017"

static int64_t number_of(struct operator_place *place, const char *sql)
{
	return store_place_number(place->db, sql);
}

static const char queued[] = "SELECT COUNT(*) FROM outbox WHERE state = 1";
static const char stand[] = "SELECT COUNT(*) FROM registrations WHERE state = 1";
static const char revoked[] = "SELECT COUNT(*) FROM status_entries WHERE revoked_at IS NOT NULL";
static const char audited[] = "SELECT COUNT(*) FROM audit";

static void test_ends(void **state)
{
	static const char *const bodies[] = {"{\"event\":\"TERMINATED\"}",
					     "{\"event\":\"PORTED_OUT\"}"};
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;
	char answer[256], id[VAULT_ID_TEXT_SIZE];

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_scene_enrol(place, &sim, NUMBER, CHAT, id);
	operator_scene_enrol(place, &sim, NUMBER, MAIL, id);
	assert_string_equal(operator_scene_event(place, NUMBER, bodies[0], answer), "200 (none)");
	assert_string_equal(answer, "{\"event\":\"TERMINATED\",\"notices\":2}");
	assert_int_equal(number_of(place, queued), 2);
	assert_int_equal(number_of(place, stand), 0);
	assert_int_equal(number_of(place, revoked), 2);
	assert_int_equal(number_of(place, "SELECT COUNT(*) FROM registrations"
					  " WHERE state = 3 AND purge_at > ended_at"),
			 2);
	assert_int_equal(number_of(place, audited), 1);
	/* Once more: nobody is told twice. */
	assert_string_equal(operator_scene_event(place, NUMBER, bodies[0], answer), "200 (none)");
	assert_string_equal(answer, "{\"event\":\"TERMINATED\",\"notices\":0}");
	assert_string_equal(operator_scene_event(place, NUMBER, bodies[1], answer), "409 CONFLICT");
	assert_int_equal(number_of(place, queued), 2);
	operator_sim_attest(&sim, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "200 NOT_CONFIRMED");
	operator_sim_free(&sim);
}

static void test_suspended_and_resumed(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;
	char answer[256], id[VAULT_ID_TEXT_SIZE];

	operator_sim_init(&sim, 1);
	operator_place_subscriber(place, NUMBER, &sim);
	operator_scene_enrol(place, &sim, NUMBER, CHAT, id);
	assert_string_equal(operator_scene_event(place, NUMBER, "{\"event\":\"RESUMED\"}", answer),
			    "200 (none)");
	assert_int_equal(number_of(place, queued), 0); /* it was active */
	operator_scene_event(place, NUMBER, "{\"event\":\"SUSPENDED\",\"reason\":\"stolen\"}",
			     answer);
	assert_string_equal(answer, "{\"event\":\"SUSPENDED\",\"notices\":1}");
	assert_int_equal(number_of(place, stand), 1);
	assert_int_equal(number_of(place, revoked), 1);
	operator_sim_attest(&sim, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "200 NOT_CONFIRMED");
	operator_scene_event(place, NUMBER, "{\"event\":\"RESUMED\"}", answer);
	assert_string_equal(answer, "{\"event\":\"RESUMED\",\"notices\":1}");
	operator_sim_attest(&sim, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "200 VERIFIED");
	assert_int_equal(number_of(place, revoked), 1); /* what was revoked stays so */
	operator_sim_free(&sim);
}

static void stock(struct operator_place *place, const struct operator_sim *sim, const char *iccid)
{
	char record[1024], point[2 * SIMTIE_POINT_SIZE + 1], code[2 * SIMTIE_CHAIN_CODE_SIZE + 1];
	struct request request;

	for (int i = 0; i < SIMTIE_POINT_SIZE; i++)
		sprintf(point + 2 * i, "%02x", sim->key.device_public[i]);
	for (int i = 0; i < SIMTIE_CHAIN_CODE_SIZE; i++)
		sprintf(code + 2 * i, "%02x", sim->key.chain_code[i]);
	snprintf(record, sizeof(record),
		 "{\"format\":\"simtie-card-record/1\",\"devicePublicKey\":\"%s\",\"chainCode\":"
		 "\"%s\",\"appletVersion\":\"1.0.0\",\"createdAt\":\"2026-11-24T09:00:00Z\","
		 "\"iccid\":\"%s\"}\n",
		 point, code, iccid);
	request = operator_scene_admin("", record);
	snprintf(request.query, sizeof(request.query), "import=%s&offset=0", iccid);
	assert_string_equal(
		operator_scene_run(place, operator_records_post, &request, NULL, 0, NULL),
		"200 (none)");
}

static void test_swapped(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim old, new;
	struct operator_token token;
	char answer[256], id[VAULT_ID_TEXT_SIZE];
	struct request request;

	operator_sim_init(&old, 1);
	operator_sim_init(&new, 2);
	operator_place_subscriber(place, NUMBER, &old);
	operator_place_subscriber(place, OTHER, NULL);
	operator_scene_enrol(place, &old, NUMBER, CHAT, id);
	assert_string_equal(
		operator_scene_event(place, NUMBER,
				     "{\"event\":\"SIM_SWAPPED\",\"iccid\":\"" ICCID "\"}", answer),
		"409 CONFLICT"); /* nobody has heard of that card */
	assert_int_equal(number_of(place, queued), 0);
	stock(place, &new, ICCID);
	operator_scene_event(place, NUMBER, "{\"event\":\"SIM_SWAPPED\",\"iccid\":\"" ICCID "\"}",
			     answer);
	assert_string_equal(answer, "{\"event\":\"SIM_SWAPPED\",\"notices\":1}");
	operator_scene_event(place, NUMBER, "{\"event\":\"SIM_SWAPPED\",\"iccid\":\"" ICCID "\"}",
			     answer);
	assert_string_equal(answer, "{\"event\":\"SIM_SWAPPED\",\"notices\":0}");
	/* One card cannot be two subscribers'. */
	assert_string_equal(
		operator_scene_event(place, OTHER,
				     "{\"event\":\"SIM_SWAPPED\",\"iccid\":\"" ICCID "\"}", answer),
		"409 CONFLICT");
	operator_sim_attest(&old, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "200 NOT_CONFIRMED");
	operator_sim_attest(&new, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, NULL),
			    "200 VERIFIED");
	request = operator_place_request(CHAT, "", "{\"phoneNumber\":\"" NUMBER "\"}");
	assert_string_equal(
		operator_scene_run(place, operator_sim_swap_check, &request, answer, 256, NULL),
		"200 (none)");
	assert_string_equal(answer, "{\"swapped\":true}");
	request = operator_place_request(CHAT, "", "{\"phoneNumber\":\"" OTHER "\"}");
	operator_scene_run(place, operator_sim_swap_check, &request, answer, 256, NULL);
	assert_string_equal(answer, "{\"swapped\":false}");
	operator_scene_run(place, operator_sim_swap_date, &request, answer, 256, NULL);
	assert_string_equal(answer, "{\"latestSimChange\":null}");
	operator_sim_free(&old);
	operator_sim_free(&new);
}

static void test_wrong_events(void **state)
{
	struct operator_place *place = operator_place(state);
	char answer[256];

	operator_place_subscriber(place, NUMBER, NULL);
	assert_string_equal(
		operator_scene_event(place, OTHER, "{\"event\":\"TERMINATED\"}", answer),
		"404 IDENTIFIER_NOT_FOUND");
	assert_string_equal(
		operator_scene_event(place, "4711", "{\"event\":\"TERMINATED\"}", answer),
		"400 INVALID_ARGUMENT");
	assert_string_equal(operator_scene_event(place, NUMBER, "{\"event\":\"EATEN\"}", answer),
			    "400 INVALID_ARGUMENT");
	assert_string_equal(operator_scene_event(place, NUMBER, "{}", answer),
			    "400 INVALID_ARGUMENT");
	assert_string_equal(
		operator_scene_event(place, NUMBER,
				     "{\"event\":\"SUSPENDED\",\"iccid\":\"" ICCID "\"}", answer),
		"400 INVALID_ARGUMENT");
	assert_int_equal(number_of(place, audited), 0);
}

static void test_sim_swap_refusals(void **state)
{
	static const struct {
		const char *body, *word;
	} cases[] = {
		{"{}", "422 MISSING_IDENTIFIER"},
		{"{\"phoneNumber\":\"" NUMBER "\",\"maxAge\":0}", "400 OUT_OF_RANGE"},
		{"{\"phoneNumber\":\"" NUMBER "\",\"maxAge\":2401}", "400 OUT_OF_RANGE"},
		{"{\"phoneNumber\":\"" NUMBER "\",\"maxAge\":2400}", "200 (none)"},
		{"{\"phoneNumber\":\"" OTHER "\"}", "404 IDENTIFIER_NOT_FOUND"},
		{"{\"phoneNumber\":\"0151\"}", "400 INVALID_ARGUMENT"},
	};
	struct operator_place *place = operator_place(state);

	operator_place_subscriber(place, NUMBER, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request request = operator_place_request(CHAT, "", cases[i].body);

		assert_string_equal(
			operator_scene_run(place, operator_sim_swap_check, &request, NULL, 0, NULL),
			cases[i].word);
	}
	assert_int_equal(number_of(place, audited), 1); /* of the one that was answered */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_ends),
		OPERATOR_PLACE_BOTH(test_suspended_and_resumed),
		OPERATOR_PLACE_BOTH(test_swapped),
		OPERATOR_PLACE_BOTH(test_wrong_events),
		OPERATOR_PLACE_BOTH(test_sim_swap_refusals),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
