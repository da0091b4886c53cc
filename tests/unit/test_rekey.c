/* Sealing anew under a new key: every table, nothing lost, and the old key not needed afterwards.
 */
#include "operator_place.h"

#include "audit.h"
#include "outbox.h"
#include "rekey.h"
#include "stock.h"
#include "vault_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define CHAT   OPERATOR_PLACE_AUDIENCE
#define NUMBER "+4915112345678"
#define ICCID  "89490000000000000017"

/* Rows of every sealed table: a subscriber, a card in stock, a registration, a notice, the log. */
static void fill(struct operator_place *place, struct operator_sim *sim, char *id)
{
	const struct vault *vault = place->service.vault;
	struct operator_token token;
	struct request request;
	struct reply reply;
	uint8_t row[VAULT_ID_SIZE];
	const struct audit_line line = {.actor = "staff alice", .action = "read"};

	operator_place_subscriber(place, NUMBER, sim);
	operator_sim_attest(sim, CHAT, 0, &token);
	assert_string_equal(operator_place_verify(place, CHAT, NUMBER, &token, id), "200 VERIFIED");
	request = operator_place_request(CHAT, id, "{\"identificationCode\":\"u-1\"}");
	assert_int_equal(
		operator_place_run(place, place->db, operator_registration_put, &request, &reply),
		DB_OK);
	reply_clear(&reply);
	assert_true(vault_id_read(id, row));
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(stock_put(place->db, vault, ICCID, &sim->key), DB_OK);
	assert_int_equal(outbox_put(place->db, vault, 1, CHAT, row, SIMTIE_EVENT_TERMINATED),
			 DB_OK);
	for (int i = 0; i < 5; i++)
		assert_int_equal(audit_write(place->db, vault, "one/1", &line), DB_OK);
	assert_int_equal(db_commit(place->db), DB_OK);
}

static int64_t under(struct operator_place *place, uint32_t key)
{
	static const char all[] = "SELECT (SELECT COUNT(*) FROM subscribers WHERE key_id = $1)"
				  " + (SELECT COUNT(*) FROM stock WHERE key_id = $1)"
				  " + (SELECT COUNT(*) FROM verifications WHERE key_id = $1)"
				  " + (SELECT COUNT(*) FROM registrations WHERE key_id = $1)"
				  " + (SELECT COUNT(*) FROM outbox WHERE key_id = $1)"
				  " + (SELECT COUNT(*) FROM audit WHERE key_id = $1)";
	int64_t number;

	assert_int_equal(db_query(place->db, all, DB_VALUES(db_int(key))), DB_OK);
	assert_int_equal(db_next(place->db), DB_ROW);
	number = db_column_int(place->db, 0);
	db_end(place->db);
	return number;
}

/* Walks `steps` steps of `rows` rows (0: to the end); rows sealed anew. */
static int64_t walk(struct operator_place *place, unsigned rows, unsigned steps)
{
	struct rekey rekey = {0};
	const char *damaged;
	bool more = true;

	for (unsigned i = 0; more && (steps == 0 || i < steps); i++) {
		assert_int_equal(db_begin(place->db), DB_OK);
		assert_int_equal(
			rekey_step(place->db, place->service.vault, &rekey, rows, &more, &damaged),
			DB_OK);
		assert_int_equal(db_commit(place->db), DB_OK);
	}
	return rekey.changed;
}

/* A second key comes into the file; the place's vault has both from now on. */
static void add_key(struct operator_place *place)
{
	uint32_t id;
	char path[128];

	vault_place_path(place->store, path, sizeof(path));
	assert_int_equal(vault_add_key(path, &id), VAULT_OK);
	assert_int_equal(id, 2);
	vault_close(&place->service.vault);
	assert_int_equal(vault_open(path, &place->service.vault, NULL), VAULT_OK);
	assert_int_equal(vault_newest(place->service.vault), 2);
}

/* The file with the first key struck out. */
static void strike_key(struct operator_place *place)
{
	char path[128], text[1024], *line, *end;
	FILE *file;
	size_t len;

	vault_place_path(place->store, path, sizeof(path));
	file = fopen(path, "r+");
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	line = strstr(text, "key 1 ");
	end = strchr(line, '\n') + 1;
	memmove(line, end, strlen(end) + 1);
	rewind(file);
	assert_int_equal(ftruncate(fileno(file), 0), 0);
	fputs(text, file);
	fclose(file);
	vault_close(&place->service.vault);
	assert_int_equal(vault_open(path, &place->service.vault, NULL), VAULT_OK);
}

static void test_every_table(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	char id[VAULT_ID_TEXT_SIZE];
	struct request request;
	struct reply reply;
	struct audit_fault fault;
	int64_t rows, lines;
	bool broken;

	operator_sim_init(&sim, 1);
	fill(place, &sim, id);
	rows = under(place, 1);
	assert_int_equal(rows, 10);
	add_key(place);
	assert_int_equal(walk(place, 2, 0), rows);
	assert_int_equal(under(place, 1), 0);
	assert_int_equal(walk(place, 100, 0), 0); /* nothing is left to do */
	strike_key(place);
	request = operator_place_request(CHAT, id, NULL);
	assert_int_equal(
		operator_place_run(place, place->db, operator_verification_get, &request, &reply),
		DB_OK);
	assert_string_equal(operator_place_word(&reply), "200 VERIFIED");
	assert_non_null(json_object_get(reply.body, "credential"));
	reply_clear(&reply);
	assert_int_equal(audit_verify(place->db, place->service.vault, &lines, &broken, &fault),
			 DB_OK);
	assert_false(broken);
	assert_int_equal(lines, 5);
	operator_sim_free(&sim);
}

/* Interrupted after any number of steps, a new walk does what is left. */
static void test_interrupted(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	char id[VAULT_ID_TEXT_SIZE];
	int64_t done;

	operator_sim_init(&sim, 1);
	fill(place, &sim, id);
	add_key(place);
	done = walk(place, 1, 4);
	assert_in_range(done, 1, 4);
	assert_int_equal(under(place, 1), 10 - done);
	assert_int_equal(walk(place, 3, 0), 10 - done);
	assert_int_equal(under(place, 1), 0);
	operator_sim_free(&sim);
}

static void test_damaged(void **state)
{
	struct operator_place *place = operator_place(state);
	struct operator_sim sim;
	struct rekey rekey = {0};
	char id[VAULT_ID_TEXT_SIZE];
	const char *damaged;
	bool more;

	operator_sim_init(&sim, 1);
	fill(place, &sim, id);
	add_key(place);
	assert_int_equal(db_script(place->db, "UPDATE subscribers SET lo = lo + 1"), DB_OK);
	assert_int_equal(db_begin(place->db), DB_OK);
	assert_int_equal(rekey_step(place->db, place->service.vault, &rekey, 10, &more, &damaged),
			 DB_ERR_DAMAGED);
	assert_string_equal(damaged, "subscribers");
	db_rollback(place->db);
	operator_sim_free(&sim);
}

/* A messenger's store has one sealed table. */
static void test_messenger(void **state)
{
	const struct store_place *place = store_place(state);
	struct db *db = store_place_migrated(place, MIGRATE_MESSENGER);
	struct vault *vault = vault_place_open(place);
	struct rekey rekey = {.role = MIGRATE_MESSENGER};
	uint8_t row[16], plain[] = {1, 2, 3}, sealed[sizeof(plain) + VAULT_OVERHEAD];
	const struct vault_place where = {"registrations", bytes_of(row, sizeof(row))};
	const char *damaged;
	char path[128];
	uint32_t key_id;
	size_t len;
	bool more;

	vault_put_int(row, -7);
	vault_put_int(row + 8, 9);
	assert_int_equal(vault_seal(vault, &where, bytes_of(plain, sizeof(plain)), sealed,
				    sizeof(sealed), &len, &key_id),
			 VAULT_OK);
	assert_int_equal(db_run(db,
				"INSERT INTO registrations (hi, lo, state, step, reason, from_at, "
				"boot, boot_ms,"
				" changed_at, operator, attempts, key_id, sealed)"
				" VALUES (-7, 9, 1, 1, 0, 1, $2, 1, 1, $1, 0, 1, $2)",
				DB_VALUES(db_text("mno.example"), db_bytes(bytes_of(sealed, len))),
				NULL),
			 DB_OK);
	vault_place_path(place, path, sizeof(path));
	assert_int_equal(vault_add_key(path, &key_id), VAULT_OK);
	vault_close(&vault);
	vault = vault_place_open(place);
	assert_int_equal(rekey_step(db, vault, &rekey, 10, &more, &damaged), DB_OK);
	assert_false(more);
	assert_int_equal(rekey.changed, 1);
	assert_int_equal(store_place_number(db, "SELECT key_id FROM registrations"), 2);
	vault_close(&vault);
	db_close(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATOR_PLACE_BOTH(test_every_table),
		OPERATOR_PLACE_BOTH(test_interrupted),
		OPERATOR_PLACE_BOTH(test_damaged),
		STORE_PLACE_BOTH(test_messenger),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, operator_place_keys_make, operator_place_keys_free);
}
