/*
 * What becomes of a contract that has ended: it is deleted in its time, whole, and neither its
 * number nor its card lets a token count again, or the next holder see anything of it.
 */
#include "operator_place.h"
#include "audit.h"
#include "moved_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define CHAT   OPERATOR_PLACE_AUDIENCE
#define NUMBER "+4915112345678"
#define OTHER  "+4915187654321"
#define ICCID  "89490000000000000017"
#define DAY_MS 86400000LL

MOVED_CLOCK(wall_by, boot_by)

static void pass(int64_t ms)
{
	wall_by += ms;
	boot_by += ms;
}

static void purge(struct operator_place *place)
{
	bool more = true;

	place->work.db = place->db;
	place->work.service = &place->service;
	place->work.chain = "test/0";
	while (more) {
		assert_int_equal(db_begin(place->db), DB_OK);
		assert_int_equal(operator_retention_run(&place->work, &more), DB_OK);
		assert_int_equal(db_commit(place->db), DB_OK);
	}
}

/* A statement is known by its address: a literal for each. */
#define rows(place, table) store_place_number((place)->db, "SELECT COUNT(*) FROM " table)

static unsigned run(struct operator_place *place, request_handler *handler,
		    const struct request *request)
{
	struct reply reply;
	unsigned status;

	assert_int_equal(operator_place_run(place, place->db, handler, request, &reply), DB_OK);
	status = reply.status;
	reply_clear(&reply);
	return status;
}

/* Imports lines under a name that was never used. */
static unsigned import(struct operator_place *place, const char *lines)
{
	static unsigned imports;
	struct request request = operator_place_request("hlr", "", lines);

	request.peer.role = PEER_ADMIN;
	request.type = BODY_LINES;
	snprintf(request.query, sizeof(request.query), "import=i-%u&offset=0", ++imports);
	return run(place, operator_records_post, &request);
}

/* Imports her SIM for a number ("": into stock). */
static unsigned import_sim(struct operator_place *place, const struct operator_sim *sim,
			   const char *number)
{
	char line[1024], point[2 * SIMTIE_POINT_SIZE + 1], code[2 * SIMTIE_CHAIN_CODE_SIZE + 1];

	for (int i = 0; i < SIMTIE_POINT_SIZE; i++)
		sprintf(point + 2 * i, "%02x", sim->key.device_public[i]);
	for (int i = 0; i < SIMTIE_CHAIN_CODE_SIZE; i++)
		sprintf(code + 2 * i, "%02x", sim->key.chain_code[i]);
	snprintf(line, sizeof(line),
		 "{\"format\":\"simtie-card-record/1\",\"devicePublicKey\":\"%s\",\"chainCode\":"
		 "\"%s\",\"appletVersion\":\"1.0.0\",\"createdAt\":\"2026-11-24T09:00:00Z\","
		 "\"iccid\":\"" ICCID "\"%s%s%s}\n",
		 point, code, number[0] ? ",\"phoneNumber\":\"" : "", number,
		 number[0] ? "\"" : "");
	return import(place, line);
}

static void end(struct operator_place *place)
{
	struct request request =
		operator_place_request("hlr", NUMBER, "{\"event\":\"TERMINATED\"}");

	request.peer.role = PEER_ADMIN;
	assert_int_equal(run(place, operator_event_post, &request), 200);
}

/* A subscriber with a registration, whose contract ends; her last token. */
static void live(struct operator_place *place, struct operator_sim *sim,
		 struct operator_token *token)
{
	struct request request;
	char id[VAULT_ID_TEXT_SIZE];

	wall_by = boot_by = 0;
	place->op.subscriber_days = 30;
	operator_sim_init(sim, 1);
	assert_int_equal(import_sim(place, sim, NUMBER), 200);
	purge(place);
	operator_sim_attest(sim, CHAT, 0, token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, token, id), "200 VERIFIED");
	request = operator_place_request(CHAT, id, "{\"identificationCode\":\"u-1\"}");
	assert_int_equal(run(place, operator_registration_put, &request), 201);
	end(place);
}

/* No token of hers counts, whosever the number is said to be. */
static void assert_never_again(struct operator_place *place, struct operator_sim *sim,
			       const struct operator_token *token)
{
	struct operator_token fresh;

	operator_sim_attest(sim, CHAT, 0, &fresh);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, token, NULL),
			    "200 NOT_CONFIRMED");
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &fresh, NULL),
			    "200 NOT_CONFIRMED");
	assert_string_equal(operator_place_verify(place, CHAT, OTHER, token, NULL),
			    "200 NOT_CONFIRMED");
}

static void count_line(void *context, int64_t at, const struct audit_line *line)
{
	(void)at;
	(void)line;
	++*(int *)context;
}

/* How many lines of the log whoever has the number sees. */
static int lines_seen(struct operator_place *place)
{
	struct vault_index index;
	int lines = 0;

	assert_true(subscriber_index(place->service.vault, NUMBER, &index));
	assert_int_equal(
		audit_read(place->db, place->service.vault, &index, 100, count_line, &lines),
		DB_OK);
	return lines;
}

static void test_goes_after_her_registrations(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;
	int64_t audited;

	live(place, &sim, &token);
	pass(31 * DAY_MS);
	purge(place);
	/* subscriber_days are over, not her registration's retention. */
	assert_int_equal(rows(place, "registrations"), 1);
	assert_int_equal(rows(place, "subscribers"), 1);
	pass(150 * DAY_MS);
	audited = rows(place, "audit");
	assert_int_equal(lines_seen(place), 1);
	purge(place);
	assert_int_equal(rows(place, "registrations"), 0);
	pass(DAY_MS);
	purge(place);
	assert_int_equal(rows(place, "subscribers"), 0);
	assert_int_equal(rows(place, "counters"), 0);
	assert_int_equal(rows(place, "attestations"), 0);
	assert_int_equal(rows(place, "audit"), audited + 1);
	/* Whoever gets the number sees nothing of what was noted of her. */
	assert_int_equal(lines_seen(place), 0);
	assert_never_again(place, &sim, &token);
	/* Her card comes back with nobody. */
	assert_int_equal(import_sim(place, &sim, ""), 200);
	assert_never_again(place, &sim, &token);
	assert_int_equal(import_sim(place, &sim, NUMBER), 400);
	assert_int_equal(import_sim(place, &sim, OTHER), 400);
	assert_int_equal(import(place, "{\"phoneNumber\":\"" NUMBER "\"}\n"), 200);
	assert_never_again(place, &sim, &token);
	operator_sim_free(&sim);
}

static void test_waits_for_its_days(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;

	live(place, &sim, &token);
	place->op.subscriber_days = 1; /* it was 30 when the contract ended */
	assert_int_equal(db_script(place->db, "DELETE FROM registrations"), DB_OK);
	pass(29 * DAY_MS);
	purge(place);
	assert_int_equal(rows(place, "subscribers"), 1);
	pass(2 * DAY_MS);
	purge(place);
	assert_int_equal(rows(place, "subscribers"), 0);
	operator_sim_free(&sim);
}

/* A number that is somebody else's before then: nothing is left of hers under it but her ended
 * registrations, which nobody sees, and which go in their time. */
static void test_number_given_on(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct operator_token token;

	live(place, &sim, &token);
	assert_int_equal(rows(place, "counters"), 1);
	assert_int_equal(import(place, "{\"phoneNumber\":\"" NUMBER "\"}\n"), 200);
	assert_int_equal(rows(place, "counters"), 0);
	assert_int_equal(rows(place, "attestations"), 0);
	assert_int_equal(rows(place, "registrations"), 1);
	assert_int_equal(import_sim(place, &sim, NUMBER), 400);
	assert_never_again(place, &sim, &token);
	pass(400 * DAY_MS);
	purge(place);
	purge(place);
	assert_int_equal(rows(place, "registrations"), 0);
	assert_int_equal(rows(place, "subscribers"), 1);
	operator_sim_free(&sim);
}

/* More than go in one transaction; who has a contract stays. */
static void test_many(void **state)
{
	struct operator_place *place = operator_place(state);

	wall_by = boot_by = 0;
	purge(place);
	for (unsigned i = 0; i < 130; i++) {
		char number[16];

		snprintf(number, sizeof(number), "+49151%06u", i % 1000000u);
		operator_place_subscriber(place, number, NULL);
	}
	assert_int_equal(db_script(place->db, "UPDATE subscribers SET state = 4, purge_at = 1"
					      " WHERE hi <> (SELECT MAX(hi) FROM subscribers)"),
			 DB_OK);
	purge(place);
	assert_int_equal(rows(place, "subscribers"), 1);
	assert_int_equal(rows(place, "audit"), 129);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_goes_after_her_registrations),
		OPERATOR_PLACE_BOTH(test_waits_for_its_days),
		OPERATOR_PLACE_BOTH(test_number_given_on),
		OPERATOR_PLACE_BOTH(test_many),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
