/*
 * What the store costs: commits, one by one and grouped, against bare flushes to the same disk; and
 * how a lookup among many subscribers compares to one among few. Each comparison is made by turns
 * in one run.
 *
 *   bench_store FOLDER [FEW MANY]      10000 and 10000000 unless told otherwise
 *
 * SQLite works in FOLDER (2.5 GB for 10 million), PostgreSQL, when SIMTIE_POSTGRES is set, where
 * that points. What is loaded already is taken as it is.
 */
#include "migrate.h"
#include "subscriber.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS   10000
#define LOAD_ROWS 100000 /* a transaction */
#define LOOKUPS   50000  /* in each store */
#define TURN      500    /* lookups in one store, then in the other */
#define REAL_ROWS 30000  /* at most: subscribers as subscriber_write() makes them */
#define COMMIT_NS 3000000000LL
#define CLIENTS   8

static void need(int ok, const char *what, struct db *db)
{
	if (ok)
		return;
	fprintf(stderr, "bench_store: %s%s%s\n", what, db ? ": " : "", db ? db_detail(db) : "");
	exit(EXIT_FAILURE);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- Stores ---- */

struct store {
	char where[400];
	int64_t rows, real; /* fillers and real ones; real ones */
	struct db *db;
};

/* Row number $1 to $2 of $3 ones, as large as real ones, hi spread evenly. */
static const char load_sqlite[] =
	"WITH RECURSIVE s (g) AS (SELECT $1 UNION ALL SELECT g + 1 FROM s WHERE g < $2) "
	"INSERT INTO subscribers (hi, lo, state, card, card_state, device_public, updated_at, "
	"key_id, sealed) SELECT (g - $3 / 2) * $4, g * 922337203685, 1, randomblob(16), 1, "
	"randomblob(65), 1795510800000 + g, 1, randomblob(89) FROM s";
static const char load_postgres[] =
	"INSERT INTO subscribers (hi, lo, state, card, card_state, device_public, updated_at, "
	"key_id, sealed) SELECT (g - $3 / 2) * $4, g * 922337203685, 1, "
	"substr(sha256(int8send(g)), 1, 16), 1, '\\x04'::bytea || sha512(int8send(g)), "
	"1795510800000 + g, 1, sha512(int8send(g + 1)) || substr(sha256(int8send(g)), 1, 25) "
	"FROM generate_series($1, $2) g";
static const char find_sql[] =
	"SELECT state, card, card_state, device_public, sim_changed_at, key_id, sealed "
	"FROM subscribers WHERE hi = $1 AND lo = $2";

static int64_t step_of(int64_t rows)
{
	return (int64_t)(UINT64_MAX / (uint64_t)rows);
}

static int64_t number(struct db *db, const char *sql)
{
	int64_t value;

	need(db_query(db, sql, DB_NONE) == DB_OK && db_next(db) == DB_ROW, sql, db);
	value = db_column_int(db, 0);
	db_end(db);
	return value;
}

static void load_fillers(struct store *store)
{
	bool sqlite = db_engine(store->db) == DB_SQLITE;
	struct db *db = store->db;
	int64_t fillers = store->rows - store->real;
	int64_t first = number(db, "SELECT COUNT(*) FROM subscribers");

	for (; first < fillers; first += LOAD_ROWS) {
		int64_t last = first + LOAD_ROWS < fillers ? first + LOAD_ROWS : fillers;

		need(db_begin(db) == DB_OK, "begin", db);
		need(db_run(db, sqlite ? load_sqlite : load_postgres,
			    DB_VALUES(db_int(first), db_int(last - 1), db_int(fillers),
				      db_int(step_of(fillers))),
			    NULL) == DB_OK,
		     "load", db);
		need(db_commit(db) == DB_OK, "commit", db);
	}
}

static void name_number(int64_t i, char text[static SIMTIE_NUMBER_SIZE])
{
	snprintf(text, SIMTIE_NUMBER_SIZE, "+49170%07d", (int)i);
}

static bool find(struct store *store, const struct vault *vault, int64_t i)
{
	struct subscriber subscriber;
	char text[SIMTIE_NUMBER_SIZE];
	bool found;

	name_number(i, text);
	need(subscriber_find(store->db, vault, text, SUBSCRIBER_READ, &subscriber, &found) == DB_OK,
	     "find", store->db);
	return found;
}

static void load_real(struct store *store, const struct vault *vault)
{
	struct subscriber subscriber = {.state = SUBSCRIBER_ACTIVE,
					.card_state = SUBSCRIBER_CARD_GOOD};

	memset(&subscriber.key, 4, sizeof(subscriber.key));
	for (int64_t i = 0; i < store->real; i++) {
		if (i % 1000 == 0)
			need(db_begin(store->db) == DB_OK, "begin", store->db);
		name_number(i, subscriber.number);
		need(subscriber_write(store->db, vault, &subscriber) == DB_OK, "write", store->db);
		if (i % 1000 == 999 || i + 1 == store->real)
			need(db_commit(store->db) == DB_OK, "commit", store->db);
	}
}

static void store_open(struct store *store, const struct vault *vault)
{
	char detail[DB_DETAIL_MAX];

	need(db_open(store->where, true, WAIT_MS, &store->db, detail) == DB_OK, detail, NULL);
	if (db_engine(store->db) == DB_POSTGRESQL)
		need(db_script(store->db, "SET statement_timeout = 0") == DB_OK, "set", store->db);
	need(migrate_run(store->db, MIGRATE_OPERATOR, NULL) == DB_OK, "migrate", store->db);
	store->real = store->rows / 2 < REAL_ROWS ? store->rows / 2 : REAL_ROWS;
	load_fillers(store);
	if (!find(store, vault, store->real - 1))
		load_real(store, vault);
	if (db_engine(store->db) == DB_POSTGRESQL)
		need(db_script(store->db, "VACUUM ANALYZE subscribers") == DB_OK, "vacuum",
		     store->db);
}

static int64_t store_bytes(struct db *db)
{
	if (db_engine(db) == DB_POSTGRESQL)
		return number(db, "SELECT pg_total_relation_size('subscribers')");
	return number(db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
}

/* ---- Lookups ---- */

/* The statement alone, in an open transaction. */
static int64_t time_statement(struct store *store, uint64_t *random)
{
	int64_t fillers = store->rows - store->real;
	int64_t g = (int64_t)(next_random(random) % (uint64_t)fillers);
	int64_t hi = (g - fillers / 2) * step_of(fillers), lo = g * 922337203685;
	int64_t since = now_ns();

	need(db_query(store->db, find_sql, DB_VALUES(db_int(hi), db_int(lo))) == DB_OK &&
		     db_next(store->db) == DB_ROW && db_column_bytes(store->db, 6).len == 89,
	     "lookup", store->db);
	db_end(store->db);
	return now_ns() - since;
}

/* All of it. */
static int64_t time_lookup(struct store *store, const struct vault *vault, uint64_t *random)
{
	int64_t i = (int64_t)(next_random(random) % (uint64_t)store->real);
	int64_t since = now_ns();

	need(db_begin(store->db) == DB_OK, "begin", store->db);
	need(find(store, vault, i), "not found", NULL);
	need(db_commit(store->db) == DB_OK, "commit", store->db);
	return now_ns() - since;
}

static void time_turn(struct store *store, const struct vault *vault, uint64_t *random,
		      int64_t *times)
{
	if (!vault)
		need(db_begin(store->db) == DB_OK, "begin", store->db);
	for (int i = 0; i < TURN; i++)
		times[i] =
			vault ? time_lookup(store, vault, random) : time_statement(store, random);
	if (!vault)
		need(db_commit(store->db) == DB_OK, "commit", store->db);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Whole lookups, or without a vault the statement alone. */
static void compare_lookups(struct store stores[2], const struct vault *vault, const char *engine)
{
	int64_t *times[2] = {calloc(LOOKUPS, sizeof(int64_t)), calloc(LOOKUPS, sizeof(int64_t))};
	const char *what = vault ? "lookup" : "statement";
	uint64_t random = 88172645463325252;
	double median[2], p99[2];

	need(times[0] && times[1], "out of memory", NULL);
	/* The first round warms both up and does not count. */
	for (int round = 0; round < 2; round++)
		for (int done = 0; done < LOOKUPS; done += TURN)
			for (int which = 0; which < 2; which++)
				time_turn(&stores[which], vault, &random, times[which] + done);
	for (int which = 0; which < 2; which++) {
		qsort(times[which], LOOKUPS, sizeof(int64_t), compare);
		median[which] = (double)times[which][LOOKUPS / 2];
		p99[which] = (double)times[which][LOOKUPS / 100 * 99];
		printf("%-10s %-9s among %8lld: median %7.0f ns, p99 %7.0f ns\n", engine, what,
		       (long long)stores[which].rows, median[which], p99[which]);
		free(times[which]);
	}
	printf("%-10s %-9s many against few: median %.2f x, p99 %.2f x%s\n", engine, what,
	       median[1] / median[0], p99[1] / p99[0], vault ? " (bound 1.30 x)" : "");
}

/* ---- Commits ---- */

struct client {
	const char *where;
	int batch;
	int64_t client;
	double rate; /* rows a second */
};

static const char insert_sql[] =
	"INSERT INTO attestations (hi, lo, card, counter, service, digest, at) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7)";

static void *commit_rows(void *argument)
{
	struct client *client = argument;
	uint64_t random = 1 + (uint64_t)now_ns() * (uint64_t)(client->client + 1);
	int64_t since, rows = 0;
	uint8_t digest[32] = {0};
	struct db *db;

	need(db_open(client->where, false, WAIT_MS, &db, NULL) == DB_OK, "cannot connect", NULL);
	since = now_ns();
	while (now_ns() - since < COMMIT_NS) {
		need(db_begin(db) == DB_OK, "begin", db);
		for (int i = 0; i < client->batch; i++) {
			memcpy(digest, &random, sizeof(random));
			need(db_run(db, insert_sql,
				    DB_VALUES(db_int((int64_t)next_random(&random)), db_int(rows),
					      db_bytes(bytes_of(digest, 16)), db_int(rows),
					      db_int(client->client),
					      db_bytes(bytes_of(digest, sizeof(digest))),
					      db_int(since)),
				    NULL) == DB_OK,
			     "insert", db);
			rows++;
		}
		need(db_commit(db) == DB_OK, "commit", db);
	}
	client->rate = (double)rows * 1e9 / (double)(now_ns() - since);
	db_close(&db);
	return NULL;
}

static double commit_rate(const char *where, int clients, int batch)
{
	struct client all[CLIENTS];
	pthread_t threads[CLIENTS];
	double rate = 0;

	for (int i = 0; i < clients; i++) {
		all[i] = (struct client){.where = where, .batch = batch, .client = i};
		need(pthread_create(&threads[i], NULL, commit_rows, &all[i]) == 0, "thread", NULL);
	}
	for (int i = 0; i < clients; i++) {
		pthread_join(threads[i], NULL);
		rate += all[i].rate;
	}
	return rate;
}

/* A page appended and flushed: what a commit cannot do without. */
static double flush_rate(const char *folder)
{
	static const char page[4096];
	char path[256];
	int64_t since, count = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/flushes", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	need(fd >= 0, path, NULL);
	since = now_ns();
	for (; now_ns() - since < COMMIT_NS; count++)
		need(pwrite(fd, page, sizeof(page), (count % 1024) * (off_t)sizeof(page)) ==
				     sizeof(page) &&
			     fdatasync(fd) == 0,
		     "flush", NULL);
	close(fd);
	unlink(path);
	return (double)count * 1e9 / (double)(now_ns() - since);
}

static void compare_commits(const char *where, const char *engine, const char *folder)
{
	static const int shapes[][2] = {{1, 1}, {1, 8}, {1, 32}, {1, 128}, {4, 1}, {4, 32}, {8, 1}};
	double flushes = flush_rate(folder), single = 0;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		double rate = commit_rate(where, shapes[i][0], shapes[i][1]);

		single = i == 0 ? rate : single;
		printf("%-10s %d client%s, %3d rows a commit: %8.0f rows/s, %6.2f x a bare flush, "
		       "%6.2f x single commits\n",
		       engine, shapes[i][0], shapes[i][0] > 1 ? "s" : " ", shapes[i][1], rate,
		       rate / flushes, rate / single);
	}
}

static void bench(struct store stores[2], const struct vault *vault, const char *engine,
		  const char *folder)
{
	store_open(&stores[0], vault);
	store_open(&stores[1], vault);
	printf("%-10s %.0f bytes a subscriber\n", engine,
	       (double)store_bytes(stores[1].db) / (double)stores[1].rows);
	compare_lookups(stores, NULL, engine);
	compare_lookups(stores, vault, engine);
	compare_commits(stores[0].where, engine, folder);
	db_close(&stores[0].db);
	db_close(&stores[1].db);
}

static struct vault *open_vault(const char *folder)
{
	struct vault *vault;
	char path[256];

	snprintf(path, sizeof(path), "%s/keys", folder);
	if (access(path, F_OK) != 0)
		need(vault_create(path) == VAULT_OK, path, NULL);
	need(vault_open(path, &vault, NULL) == VAULT_OK, path, NULL);
	return vault;
}

static void make_schemas(const char *server)
{
	struct db *db;

	need(db_open(server, false, WAIT_MS, &db, NULL) == DB_OK, "no PostgreSQL", NULL);
	need(db_script(db, "CREATE SCHEMA IF NOT EXISTS few; CREATE SCHEMA IF NOT EXISTS many") ==
		     DB_OK,
	     "schemas", db);
	db_close(&db);
}

int main(int argc, char **argv)
{
	const char *server = getenv("SIMTIE_POSTGRES");
	struct store stores[2] = {{.rows = 10000}, {.rows = 10000000}};
	struct vault *vault;

	if (argc != 2 && argc != 4) {
		fprintf(stderr, "Usage: bench_store FOLDER [FEW MANY]\n");
		return 2;
	}
	for (int i = 0; i < 2; i++) {
		stores[i].rows = argc == 4 ? atoll(argv[2 + i]) : stores[i].rows;
		need(stores[i].rows >= 1000 && stores[i].rows <= 10000000, "1000 to 10000000 rows",
		     NULL);
		snprintf(stores[i].where, sizeof(stores[i].where), "sqlite:%.300s/%s.db", argv[1],
			 i ? "many" : "few");
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	vault = open_vault(argv[1]);
	bench(stores, vault, "SQLite", argv[1]);
	if (!server || !server[0])
		goto out;
	make_schemas(server);
	for (int i = 0; i < 2; i++)
		snprintf(stores[i].where, sizeof(stores[i].where),
			 "%.300s options='-c search_path=%s'", server, i ? "many" : "few");
	bench(stores, vault, "PostgreSQL", argv[1]);
out:
	vault_close(&vault);
	return 0;
}
