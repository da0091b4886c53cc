/*
 * Imports: in parts, again, with gaps, with wrong lines; and that nothing is half in.
 */
#include "operator_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ICCID_A "89490000000000000017"
#define ICCID_B "89490000000000000025"
#define BIND_A  "{\"phoneNumber\":\"+4915112345678\",\"iccid\":\"" ICCID_A "\"}\n"
#define BARE    "{\"phoneNumber\":\"+4915187654321\"}\n"

/* A card record's line; static until the next but three. */
static const char *record(const struct operator_sim *sim, const char *iccid, const char *more)
{
	static char lines[4][1024];
	static unsigned next;
	char *line = lines[next++ % 4], point[2 * SIMTIE_POINT_SIZE + 1],
	     code[2 * SIMTIE_CHAIN_CODE_SIZE + 1];

	for (int i = 0; i < SIMTIE_POINT_SIZE; i++)
		sprintf(point + 2 * i, "%02x", sim->key.device_public[i]);
	for (int i = 0; i < SIMTIE_CHAIN_CODE_SIZE; i++)
		sprintf(code + 2 * i, "%02x", sim->key.chain_code[i]);
	snprintf(line, sizeof(lines[0]),
		 "{\"format\":\"simtie-card-record/1\",\"devicePublicKey\":\"%s\",\"chainCode\":"
		 "\"%s\",\"appletVersion\":\"1.0.0\",\"createdAt\":\"2026-11-24T09:00:00Z\","
		 "\"iccid\":\"%s\",\"keyVersion\":32%s}\n",
		 point, code, iccid, more);
	return line;
}

/* Sends a part; what the answer says: its status, then position, or the message. */
static const char *send(struct operator_place *place, const char *query, const char *part)
{
	static char said[300];
	struct request request = operator_place_request("hlr", "", part);
	struct reply reply;
	const char *message;

	request.peer.role = PEER_ADMIN;
	request.type = BODY_LINES;
	snprintf(request.query, sizeof(request.query), "%s", query);
	assert_int_equal(
		operator_place_run(place, place->db, operator_records_post, &request, &reply),
		DB_OK);
	message = json_string_value(json_object_get(reply.body, "message"));
	if (message)
		snprintf(said, sizeof(said), "%u %s", reply.status, message);
	else
		snprintf(said, sizeof(said), "%u %lld", reply.status,
			 (long long)json_integer_value(json_object_get(reply.body, "position")));
	reply_clear(&reply);
	return said;
}

static void assert_said(const char *said, unsigned status, const char *part)
{
	char start[8];

	snprintf(start, sizeof(start), "%u ", status);
	if (strncmp(said, start, strlen(start)) != 0 || !strstr(said, part))
		fail_msg("expected %u ... %s, got %s", status, part, said);
}

static int64_t count(struct operator_place *place, const char *sql)
{
	return store_place_number(place->db, sql);
}

static const char stock_sql[] = "SELECT COUNT(*) FROM stock WHERE taken = 0";
static const char given_sql[] = "SELECT COUNT(*) FROM subscribers WHERE card_state = 1";
static const char all_sql[] = "SELECT COUNT(*) FROM subscribers";

static void test_in_parts(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	char query[64];
	const char *line;
	size_t first;

	operator_sim_init(&sim, 1);
	line = record(&sim, ICCID_A, "");
	first = strlen(line);
	assert_said(send(place, "import=tray-1&offset=0", ""), 200, "0");
	assert_said(send(place, "import=tray-1&offset=7", BIND_A), 409, "byte 0");
	assert_said(send(place, "import=tray-1&offset=0", line), 200, "");
	assert_int_equal(count(place, stock_sql), 1);
	snprintf(query, sizeof(query), "import=tray-1&offset=%zu", first);
	assert_said(send(place, query, BIND_A BARE), 200, "");
	assert_int_equal(count(place, stock_sql), 0);
	assert_int_equal(count(place, given_sql), 1);
	assert_int_equal(count(place, all_sql), 2);
	/* Again, whole and in its middle: nothing changes. */
	assert_said(send(place, query, BIND_A BARE), 200, "");
	assert_said(send(place, "import=tray-1&offset=0", line), 200, "");
	assert_said(send(place, "import=another&offset=0", line), 200, "");
	assert_int_equal(count(place, stock_sql), 0);
	assert_int_equal(count(place, given_sql), 1);
	assert_int_equal(count(place, "SELECT COUNT(*) FROM audit"), 3);
	operator_sim_free(&sim);
}

/* A line without its end waits for the rest of it. */
static void test_cut_line(void **state)
{
	struct operator_place *place = operator_place(state);

	assert_said(send(place, "import=cut&offset=0", BARE "{\"phoneNumber\":"), 200, "");
	assert_int_equal(count(place, all_sql), 1);
	assert_int_equal(count(place, "SELECT position FROM imports"), (int64_t)strlen(BARE));
	assert_said(send(place, "import=cut&offset=0", BARE "{\"phoneNumber\":\"+49151000\"}\n"),
		    200, "");
	assert_int_equal(count(place, all_sql), 2);
}

static void test_wrong_lines(void **state)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{"nonsense\n", "no JSON"},
		{"[]\n", "no JSON"},
		{"{\"phoneNumber\":\"+49151000\",\"phoneNumber\":\"+49151001\"}\n", "twice"},
		{"{}\n", "neither"},
		{"{\"phoneNumber\":\"0151\"}\n", "phoneNumber"},
		{"{\"phoneNumber\":7}\n", "phoneNumber"},
		{"{\"phoneNumber\":\"+49151000\",\"iccid\":\"12\"}\n", "iccid"},
		{"{\"phoneNumber\":\"+49151000\",\"iccid\":\"" ICCID_B "\"}\n", "no card"},
		{"{\"format\":\"simtie-card-record/1\"}\n", "needs its iccid"},
		{"{\"format\":\"simtie-card-record/1\",\"iccid\":\"" ICCID_B "\"}\n",
		 "no card record"},
	};
	struct operator_place *place = operator_place(state);
	char part[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(part, sizeof(part), "%s%s", BARE, cases[i].line);
		assert_said(send(place, "import=wrong&offset=0", part), 400, cases[i].why);
		assert_said(send(place, "import=wrong&offset=0", part), 400, "Line 2:");
		assert_int_equal(count(place, all_sql), 0); /* the good line before it neither */
	}
	assert_int_equal(count(place, "SELECT COUNT(*) FROM imports"), 0);
}

static void test_one_card_one_subscriber(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim a, b;

	operator_sim_init(&a, 1);
	operator_sim_init(&b, 2);
	send(place, "import=a&offset=0", record(&a, ICCID_A, ",\"phoneNumber\":\"+49151000\""));
	assert_int_equal(count(place, given_sql), 1);
	assert_said(send(place, "import=b&offset=0",
			 "{\"phoneNumber\":\"+49151001\",\"iccid\":\"" ICCID_A "\"}\n"),
		    400, "a subscriber has this card");
	assert_said(send(place, "import=c&offset=0", record(&b, ICCID_A, "")), 400,
		    "another card has this ICCID");
	assert_said(send(place, "import=d&offset=0",
			 record(&b, ICCID_B, ",\"phoneNumber\":\"+49151000\"")),
		    400, "SIM_SWAPPED");
	assert_int_equal(count(place, all_sql), 1);
	assert_int_equal(count(place, stock_sql), 0);
	operator_sim_free(&a);
	operator_sim_free(&b);
}

static void test_test_keys(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;

	operator_sim_init(&sim, 1);
	place->op.allow_virtual = false;
	assert_said(send(place, "import=t&offset=0", record(&sim, ICCID_A, ",\"testKeys\":true")),
		    400, "test keys");
	place->op.allow_virtual = true;
	assert_said(send(place, "import=t&offset=0", record(&sim, ICCID_A, ",\"testKeys\":true")),
		    200, "");
	operator_sim_free(&sim);
}

static void test_queries(void **state)
{
	static const char *const wrong[] = {
		"",
		"import=a",
		"offset=0",
		"import=&offset=0",
		"import=a/b&offset=0",
		"import=a&offset=",
		"import=a&offset=-1",
		"import=a&offset=0x1",
		"import=a&offset=99999999999999999999",
		"import=a&offset=0&offset=0",
		"import=a&import=a&offset=0",
		"import=a&offset=0&more=1",
		"import=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&offset=0",
	};
	struct operator_place *place = operator_place(state);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_said(send(place, wrong[i], BARE), 400, "?import=NAME&offset=BYTES");
	assert_int_equal(count(place, all_sql), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_in_parts),
		OPERATOR_PLACE_BOTH(test_cut_line),
		OPERATOR_PLACE_BOTH(test_wrong_lines),
		OPERATOR_PLACE_BOTH(test_one_card_one_subscriber),
		OPERATOR_PLACE_BOTH(test_test_keys),
		OPERATOR_PLACE_BOTH(test_queries),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
