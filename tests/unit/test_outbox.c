/* The outbox: nothing lost, nothing twice at a time, and a schedule that comes to an end. */
#include "outbox.h"

#include "clock.h"
#include "vault_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define AUDIENCE "chat.example"
#define ROOM     8
#define CLAIM_MS 60000

static int64_t clock_offset; /* what the wall clock is ahead */

int64_t __real_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void)
{
	return __real_clock_wall_ms() + clock_offset;
}

struct box {
	struct db *db;
	struct vault *vault;
	uint8_t registration[VAULT_ID_SIZE];
};

static struct box box_open(void **state)
{
	const struct store_place *place = store_place(state);
	struct box box = {
		store_place_migrated(place, MIGRATE_OPERATOR), vault_place_open(place), {0}};

	clock_offset = 0;
	assert_true(vault_id_make(box.vault, 42, box.registration));
	return box;
}

static void box_close(struct box *box)
{
	db_close(&box->db);
	vault_close(&box->vault);
}

static void put(struct box *box)
{
	assert_int_equal(db_begin(box->db), DB_OK);
	assert_int_equal(outbox_put(box->db, box->vault, 42, AUDIENCE, box->registration,
				    SIMTIE_EVENT_SIM_SWAPPED),
			 DB_OK);
	assert_int_equal(db_commit(box->db), DB_OK);
}

static size_t claim(struct box *box, struct outbox_entry *entries)
{
	size_t count;

	assert_int_equal(db_begin(box->db), DB_OK);
	assert_int_equal(outbox_claim(box->db, box->vault, CLAIM_MS, entries, ROOM, &count), DB_OK);
	assert_int_equal(db_commit(box->db), DB_OK);
	return count;
}

/* Whether it was the last try. */
static bool done(struct box *box, const struct outbox_entry *entry, const char *error)
{
	bool given_up;

	assert_int_equal(db_begin(box->db), DB_OK);
	assert_int_equal(outbox_done(box->db, entry, error, &given_up), DB_OK);
	assert_int_equal(db_commit(box->db), DB_OK);
	return given_up;
}

static void count_one(void *context, const struct outbox_entry *entry)
{
	assert_string_equal(entry->audience, AUDIENCE);
	++*(size_t *)context;
}

static size_t stuck(struct box *box)
{
	size_t count = 0;

	assert_int_equal(outbox_list(box->db, box->vault, count_one, &count), DB_OK);
	return count;
}

static void test_delivered_once(void **state)
{
	struct box box = box_open(state);
	struct outbox_entry entries[ROOM];

	put(&box);
	clock_offset = 5000; /* past the first, random wait */
	assert_int_equal(claim(&box, entries), 1);
	assert_string_equal(entries[0].audience, AUDIENCE);
	assert_memory_equal(entries[0].registration, box.registration, VAULT_ID_SIZE);
	assert_int_equal(entries[0].event, SIMTIE_EVENT_SIM_SWAPPED);
	assert_int_equal(claim(&box, entries + 1), 0); /* it is claimed */
	done(&box, &entries[0], NULL);
	clock_offset = 3600000;
	assert_int_equal(claim(&box, entries), 0);
	assert_int_equal(stuck(&box), 0);
	box_close(&box);
}

/* Whoever had it died: it is there again when the claim has run out, under the same id. */
static void test_claim_runs_out(void **state)
{
	struct box box = box_open(state);
	struct outbox_entry first[ROOM], again[ROOM];

	put(&box);
	clock_offset = 5000;
	assert_int_equal(claim(&box, first), 1);
	clock_offset += CLAIM_MS - 1000;
	assert_int_equal(claim(&box, again), 0);
	clock_offset += 2000;
	assert_int_equal(claim(&box, again), 1);
	assert_memory_equal(again[0].id, first[0].id, VAULT_ID_SIZE);
	box_close(&box);
}

/* Fails until it is given up: ever longer pauses, a day in all, and it shows as stuck all along. */
static void test_backs_off_for_a_day(void **state)
{
	struct box box = box_open(state);
	struct outbox_entry entry[ROOM];
	unsigned tries = 0, ends = 0;
	int64_t last = 0;

	put(&box);
	for (clock_offset = 5000; clock_offset < 90000000; clock_offset += 500) {
		if (claim(&box, entry) == 0)
			continue;
		assert_int_equal(entry[0].attempts, tries);
		/* between half and one and a half of 1, 2, 4 … 900 s */
		if (tries >= 2 && tries < 10)
			assert_in_range(clock_offset - last, (500 << (tries - 1)),
					(1500 << (tries - 1)) + 1000);
		last = clock_offset;
		tries++;
		ends += done(&box, &entry[0], "it answered 503");
		assert_int_equal(stuck(&box), 1);
		clock_offset += tries > 11 ? 400000 : 0; /* nothing is due sooner */
	}
	assert_in_range(tries, 60, 220);
	assert_in_range(last, 86400000 - 1400000, 86400000);
	assert_int_equal(stuck(&box), 1); /* given up, and to be seen */
	assert_int_equal(ends, 1);
	box_close(&box);
}

/* A clock that is a day ahead ends nothing: as many tries as fit into a day come all the same. */
static void test_clock_a_day_ahead(void **state)
{
	struct box box = box_open(state);
	struct outbox_entry entry[ROOM];
	unsigned tries = 0;
	bool given_up = false;
	int64_t began;

	put(&box);
	clock_offset = began = 90000000;
	for (; !given_up && tries < 200; clock_offset += 450000) {
		if (claim(&box, entry) == 0)
			continue;
		tries++;
		given_up = done(&box, &entry[0], "it answered 503");
	}
	assert_in_range(tries, 80, 100);
	assert_true(clock_offset - began > 16 * 3600000LL);
	assert_int_equal(claim(&box, entry), 0);
	box_close(&box);
}

/* The clock set back an hour delays nothing by an hour. */
static void test_clock_set_back(void **state)
{
	struct box box = box_open(state);
	struct outbox_entry entries[ROOM];

	clock_offset = 3600000;
	put(&box);
	clock_offset = 0;
	assert_int_equal(claim(&box, entries), 1);
	box_close(&box);
}

static void see_closed(void *context, const struct outbox_entry *entry)
{
	assert_string_equal(entry->audience, "");
	assert_int_equal(entry->attempts, 1);
	assert_non_null(strstr(entry->last_error, "does not open"));
	++*(size_t *)context;
}

/* One that does not open, its key being gone, keeps no other from its turn, and shows as stuck. */
static void test_one_does_not_open(void **state)
{
	struct box box = box_open(state);
	struct outbox_entry entries[ROOM];
	size_t count = 0;

	put(&box);
	assert_int_equal(db_script(box.db, "UPDATE outbox SET key_id = 99, due_at = 1"), DB_OK);
	put(&box);
	clock_offset = 5000;
	assert_int_equal(claim(&box, entries), 2);
	assert_string_equal(entries[0].audience, "");
	assert_string_equal(entries[1].audience, AUDIENCE);
	done(&box, &entries[0], "it does not open");
	done(&box, &entries[1], NULL);
	assert_int_equal(claim(&box, entries), 0);
	assert_int_equal(outbox_list(box.db, box.vault, see_closed, &count), DB_OK);
	assert_int_equal(count, 1);
	box_close(&box);
}

/* On PostgreSQL alone: with SQLite there is one writer at a time anyway. */
static void test_two_connections(void **state)
{
	struct box box = box_open(state);
	struct box other = {store_place_open(store_place(state)), box.vault, {0}};
	struct outbox_entry mine[ROOM], theirs[ROOM];
	size_t count = 0, more = 0;

	for (int i = 0; i < 3; i++)
		put(&box);
	clock_offset = 5000;
	assert_int_equal(db_begin(box.db), DB_OK);
	assert_int_equal(outbox_claim(box.db, box.vault, CLAIM_MS, mine, 2, &count), DB_OK);
	assert_int_equal(count, 2);
	assert_int_equal(db_begin(other.db), DB_OK);
	assert_int_equal(outbox_claim(other.db, other.vault, CLAIM_MS, theirs, ROOM, &more), DB_OK);
	assert_int_equal(more, 1);
	assert_int_equal(db_commit(box.db), DB_OK);
	assert_int_equal(db_commit(other.db), DB_OK);
	for (size_t i = 0; i < count; i++)
		assert_memory_not_equal(mine[i].id, theirs[0].id, VAULT_ID_SIZE);
	db_close(&other.db);
	box_close(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_PLACE_BOTH(test_delivered_once),
		STORE_PLACE_BOTH(test_claim_runs_out),
		STORE_PLACE_BOTH(test_backs_off_for_a_day),
		STORE_PLACE_BOTH(test_clock_a_day_ahead),
		STORE_PLACE_BOTH(test_clock_set_back),
		STORE_PLACE_BOTH(test_one_does_not_open),
		cmocka_unit_test_setup_teardown(test_two_connections, store_place_postgres,
						store_place_tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
