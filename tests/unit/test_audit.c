/* The audit log: what it says, and that nothing in it can be changed unseen. */
#include "audit.h"

#include "vault_place.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define LINES 7

static const struct vault_index alice = {-5, 77};
static const struct vault_index bob = {5, 77};

struct log {
	struct db *db;
	struct vault *vault;
};

static struct log log_open(void **state)
{
	const struct store_place *place = store_place(state);

	return (struct log){store_place_migrated(place, MIGRATE_OPERATOR), vault_place_open(place)};
}

static void log_close(struct log *log)
{
	db_close(&log->db);
	vault_close(&log->vault);
}

static void say(struct log *log, const char *chain, const char *action,
		const struct vault_index *subscriber)
{
	const struct audit_line line = {.actor = "staff alice",
					.action = action,
					.reason = "a \"reason\"",
					.subscriber = subscriber};

	assert_int_equal(db_begin(log->db), DB_OK);
	assert_int_equal(audit_write(log->db, log->vault, chain, &line), DB_OK);
	assert_int_equal(db_commit(log->db), DB_OK);
}

/* Two chains: LINES lines in "one/1", of them every other of alice's, and two in "two/1". */
static void fill(struct log *log)
{
	char action[32];

	for (int i = 1; i <= LINES; i++) {
		snprintf(action, sizeof(action), "action %d", i);
		say(log, "one/1", action, i % 2 ? &alice : NULL);
	}
	say(log, "two/1", "action a", &bob);
	say(log, "two/1", "action b", &alice);
}

static void run(struct log *log, const char *sql)
{
	assert_int_equal(db_script(log->db, sql), DB_OK);
}

static void assert_whole(struct log *log, int64_t expected)
{
	struct audit_fault fault;
	int64_t lines;
	bool broken;

	assert_int_equal(audit_verify(log->db, log->vault, &lines, &broken, &fault), DB_OK);
	assert_false(broken);
	assert_int_equal(lines, expected);
}

static void assert_broken(struct log *log, const char *chain, int64_t seq)
{
	struct audit_fault fault;
	int64_t lines;
	bool broken;

	assert_int_equal(audit_verify(log->db, log->vault, &lines, &broken, &fault), DB_OK);
	assert_true(broken);
	assert_string_equal(fault.chain, chain);
	assert_int_equal(fault.seq, seq);
	assert_true(strlen(fault.what) > 10);
}

static void test_whole(void **state)
{
	struct log log = log_open(state);

	assert_whole(&log, 0);
	fill(&log);
	assert_whole(&log, LINES + 2);
	log_close(&log);
}

struct seen {
	int count;
	char actions[16][32];
};

static void see(void *context, int64_t at, const struct audit_line *line)
{
	struct seen *seen = context;

	assert_true(at > 0);
	assert_string_equal(line->actor, "staff alice");
	assert_string_equal(line->reason, "a \"reason\"");
	snprintf(seen->actions[seen->count++], 32, "%s", line->action);
}

static void test_a_subscriber_sees_her_own_lines(void **state)
{
	struct log log = log_open(state);
	struct seen seen = {0};

	fill(&log);
	assert_int_equal(audit_read(log.db, log.vault, &alice, 16, see, &seen), DB_OK);
	assert_int_equal(seen.count, 5);
	for (int i = 0; i < seen.count; i++)
		assert_string_not_equal(seen.actions[i], "action a");
	seen.count = 0;
	assert_int_equal(audit_read(log.db, log.vault, &bob, 16, see, &seen), DB_OK);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.actions[0], "action a");
	seen.count = 0;
	assert_int_equal(audit_read(log.db, log.vault, &alice, 2, see, &seen), DB_OK);
	assert_int_equal(seen.count, 2);
	log_close(&log);
}

/* The table tells nobody without the key what a line says. */
static void test_sealed(void **state)
{
	struct log log = log_open(state);

	fill(&log);
	assert_int_equal(db_query(log.db, "SELECT sealed FROM audit", DB_NONE), DB_OK);
	while (db_next(log.db) == DB_ROW) {
		struct bytes sealed = db_column_bytes(log.db, 0);

		assert_null(memmem(sealed.ptr, sealed.len, "action", 6));
		assert_null(memmem(sealed.ptr, sealed.len, "alice", 5));
	}
	log_close(&log);
}

/* A transaction that is rolled back leaves no line, and no gap. */
static void test_rolled_back(void **state)
{
	const struct audit_line line = {.actor = "staff alice", .action = "never"};
	struct log log = log_open(state);

	fill(&log);
	assert_int_equal(db_begin(log.db), DB_OK);
	assert_int_equal(audit_write(log.db, log.vault, "one/1", &line), DB_OK);
	db_rollback(log.db);
	say(&log, "one/1", "action 8", NULL);
	assert_whole(&log, LINES + 3);
	log_close(&log);
}

static void test_refuses_half_a_line(void **state)
{
	struct log log = log_open(state);
	const struct audit_line nobody = {.action = "read"}, nothing = {.actor = "staff alice"};
	const struct audit_line whole = {.actor = "staff alice", .action = "read"};
	char chain[100];

	memset(chain, 'c', sizeof(chain) - 1);
	chain[sizeof(chain) - 1] = '\0';
	assert_int_equal(db_begin(log.db), DB_OK);
	assert_int_equal(audit_write(log.db, log.vault, "one/1", &nobody), DB_ERR_SQL);
	assert_int_equal(audit_write(log.db, log.vault, "one/1", &nothing), DB_ERR_SQL);
	assert_int_equal(audit_write(log.db, log.vault, "", &whole), DB_ERR_SQL);
	assert_int_equal(audit_write(log.db, log.vault, NULL, &whole), DB_ERR_SQL);
	assert_int_equal(audit_write(log.db, log.vault, chain, &whole), DB_ERR_SQL);
	db_rollback(log.db);
	assert_whole(&log, 0);
	log_close(&log);
}

/* ---- Tampering: what was done, and the line that shows it first ---- */

static const struct {
	const char *done; /* SQL, in what both engines speak */
	const char *chain;
	int64_t seq;
} tampered[] = {
	{"UPDATE audit SET at = at + 1 WHERE chain = 'one/1' AND seq = 3", "one/1", 3},
	{"UPDATE audit SET hi = 5 WHERE chain = 'one/1' AND seq = 3", "one/1", 3},
	{"UPDATE audit SET hi = NULL, lo = NULL WHERE chain = 'one/1' AND seq = 5", "one/1", 5},
	{"UPDATE audit SET hi = 0, lo = 0 WHERE chain = 'one/1' AND seq = 4", "one/1", 4},
	{"DELETE FROM audit WHERE chain = 'one/1' AND seq = 1", "one/1", 1},
	{"DELETE FROM audit WHERE chain = 'one/1' AND seq = 4", "one/1", 4},
	{"DELETE FROM audit WHERE chain = 'one/1' AND seq = 7", "one/1", 7},
	{"DELETE FROM audit WHERE chain = 'two/1'", "two/1", 1},
	{"DELETE FROM audit_heads WHERE chain = 'two/1'", "two/1", 1},
	{"DELETE FROM audit WHERE chain = 'one/1' AND seq = 7;"
	 "UPDATE audit_heads SET seq = 6 WHERE chain = 'one/1'",
	 "one/1", 6},
	{"UPDATE audit SET sealed = (SELECT sealed FROM audit WHERE chain = 'one/1' AND seq = 2)"
	 " WHERE chain = 'one/1' AND seq = 6",
	 "one/1", 6},
	{"UPDATE audit SET mac = (SELECT mac FROM audit WHERE chain = 'one/1' AND seq = 2)"
	 " WHERE chain = 'one/1' AND seq = 6",
	 "one/1", 6},
	{"UPDATE audit SET chain = 'one/2' WHERE chain = 'one/1'", "one/2", 1},
	{"UPDATE audit SET seq = 99 WHERE chain = 'one/1' AND seq = 2;"
	 "UPDATE audit SET seq = 2 WHERE chain = 'one/1' AND seq = 3;"
	 "UPDATE audit SET seq = 3 WHERE chain = 'one/1' AND seq = 99",
	 "one/1", 2},
};

static void test_tampered(void **state)
{
	struct log log = log_open(state);

	fill(&log);
	for (size_t i = 0; i < sizeof(tampered) / sizeof(tampered[0]); i++) {
		assert_int_equal(db_begin(log.db), DB_OK);
		run(&log, tampered[i].done);
		assert_broken(&log, tampered[i].chain, tampered[i].seq);
		db_rollback(log.db);
	}
	assert_whole(&log, LINES + 2);
	log_close(&log);
}

struct writer {
	struct log log;
	atomic_bool stop;
	int written;
};

static void *write_on(void *context)
{
	static const char *const chains[] = {"one/1", "two/1"};
	const struct audit_line line = {.actor = "staff alice", .action = "read"};
	struct writer *writer = context;

	while (!atomic_load(&writer->stop)) {
		struct log *log = &writer->log;
		const char *chain = chains[writer->written % 2];

		if (db_begin(log->db) == DB_OK &&
		    audit_write(log->db, log->vault, chain, &line) == DB_OK &&
		    db_commit(log->db) == DB_OK)
			writer->written++;
		else
			db_rollback(log->db);
	}
	return NULL;
}

/* Daemons write on while somebody looks whether the log is whole. */
static void test_written_to_meanwhile(void **state)
{
	struct log log = log_open(state);
	struct writer writer = {.log = {store_place_open(store_place(state)), log.vault}};
	struct audit_fault fault;
	int64_t lines = 0;
	bool broken = false;
	pthread_t thread;

	fill(&log);
	assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
	while (!broken && lines < 1500)
		assert_int_equal(audit_verify(log.db, log.vault, &lines, &broken, &fault), DB_OK);
	atomic_store(&writer.stop, true);
	pthread_join(thread, NULL);
	assert_false(broken);
	assert_whole(&log, LINES + 2 + writer.written);
	db_close(&writer.log.db);
	log_close(&log);
}

/* More lines than are walked at a time, in several chains. */
static void test_long(void **state)
{
	struct log log = log_open(state);

	assert_int_equal(db_begin(log.db), DB_OK);
	for (int i = 0; i < 2100; i++) {
		const struct audit_line line = {.actor = "staff alice", .action = "read"};

		assert_int_equal(audit_write(log.db, log.vault,
					     i < 500    ? "a"
					     : i < 1100 ? "b"
							: "c",
					     &line),
				 DB_OK);
	}
	assert_int_equal(db_commit(log.db), DB_OK);
	assert_whole(&log, 2100);
	run(&log, "UPDATE audit SET at = 1 WHERE chain = 'c' AND seq = 999");
	assert_broken(&log, "c", 999);
	log_close(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_PLACE_BOTH(test_whole),
		STORE_PLACE_BOTH(test_a_subscriber_sees_her_own_lines),
		STORE_PLACE_BOTH(test_sealed),
		STORE_PLACE_BOTH(test_rolled_back),
		STORE_PLACE_BOTH(test_refuses_half_a_line),
		STORE_PLACE_BOTH(test_tampered),
		STORE_PLACE_BOTH(test_long),
		STORE_PLACE_BOTH(test_written_to_meanwhile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
