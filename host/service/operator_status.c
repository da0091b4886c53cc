/*
 * Status lists: one bit a credential, drawn at random, so that neither the index nor its neighbours
 * say when, or with which other, a credential was issued.
 *
 * What is published changes only at ticks, multiples of status_tick_s on the wall clock: two
 * credentials of one subscriber that end together show together with all that ended in that time,
 * and whoever watches the list learns no finer time. All daemons cut at the same ticks, so that
 * they publish the same list.
 */
#include "operator.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX 24 /* of a draw; a list where so many in a row fail is full enough */
#define LOOKS_MAX 3  /* of a draw outside the transaction */
#define CACHED    8  /* lists */
#define LIVES     2  /* ticks that a published list may be kept */

struct published {
	int64_t list; /* 0: none */
	int64_t tick_ms;
	char *jwt;
};

struct operator_status_cache {
	pthread_mutex_t lock;
	struct published lists[CACHED];
	unsigned next; /* to be replaced */
};

struct operator_status_cache *operator_status_new(void)
{
	struct operator_status_cache *cache = calloc(1, sizeof(*cache));

	if (cache)
		pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

void operator_status_free(struct operator_status_cache **cache)
{
	if (!*cache)
		return;
	for (int i = 0; i < CACHED; i++)
		free((*cache)->lists[i].jwt);
	pthread_mutex_destroy(&(*cache)->lock);
	free(*cache);
	*cache = NULL;
}

bool operator_status_uri(const struct operator_state *op, int64_t list,
			 char uri[static SIMTIE_STATUS_URI_MAX + 1])
{
	const int len = snprintf(uri, SIMTIE_STATUS_URI_MAX + 1, "%s/v1/status/%lld", op->base_url,
				 (long long)list);

	return len > 0 && len <= SIMTIE_STATUS_URI_MAX;
}

/* ---- Drawing ---- */

/* One number from a query; 0 when it gives none. */
static int number_of(struct db *db, const char *sql, const struct db_value *values, size_t count,
		     int64_t *number)
{
	int result = db_query(db, sql, values, count);

	*number = 0;
	if (result == DB_OK)
		result = db_next(db);
	if (result != DB_ROW)
		return result;
	*number = db_column_int(db, 0);
	db_end(db);
	return DB_OK;
}

/* Opens the list after `last`, which is closed; another daemon may have done it just before. */
static int open_next(struct work *work, int64_t last)
{
	static const char insert[] = "INSERT INTO status_lists (list, size, opened_at)"
				     " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
	static const char close[] =
		"UPDATE status_lists SET full_at = $2 WHERE list = $1 AND full_at IS NULL";
	const struct db_value now = db_int(clock_wall_ms());
	int result = db_run(
		work->db, insert,
		DB_VALUES(db_int(last + 1), db_int(operator_of(work)->status_list_size), now),
		NULL);

	if (result == DB_OK)
		result = db_run(work->db, close, DB_VALUES(db_int(last), now), NULL);
	return result;
}

static int last_list(struct work *work, int64_t *list)
{
	static const char look[] = "SELECT MAX(list) FROM status_lists";

	return number_of(work->db, look, DB_NONE, list);
}

/* What indexes are made of, by the list's size. */
static bool random_number(int64_t *number)
{
	uint64_t random;

	if (RAND_bytes((uint8_t *)&random, sizeof(random)) != 1)
		return false;
	*number = (int64_t)(random >> 1);
	return true;
}

int operator_status_draw(struct work *work, int64_t *list, int64_t *index)
{
	static const char insert[] =
		"INSERT INTO status_entries (list, idx) SELECT list, $1 % size FROM status_lists"
		" WHERE list = (SELECT MAX(list) FROM status_lists)"
		" ON CONFLICT DO NOTHING RETURNING list, idx";
	int result;

	for (int attempt = 0; attempt < 2 * TRIES_MAX; attempt++) {
		int64_t random;

		if (!random_number(&random))
			return DB_ERR_MEMORY;
		result = db_query(work->db, insert, DB_VALUES(db_int(random)));
		if (result == DB_OK)
			result = db_next(work->db);
		if (result == DB_ROW) {
			*list = db_column_int(work->db, 0);
			*index = db_column_int(work->db, 1);
			db_end(work->db);
			return DB_OK;
		}
		if (result == DB_OK && (attempt == 0 || attempt == TRIES_MAX)) {
			/* Is there a list at all? And once more when it is full. */
			result = last_list(work, list);
			if (result == DB_OK && (*list == 0 || attempt == TRIES_MAX))
				result = open_next(work, *list);
		}
		if (result != DB_OK)
			return result;
	}
	return DB_ERR_BUSY;
}

int operator_status_look(struct work *work, int64_t *list, int64_t *index)
{
	static const char look[] =
		"SELECT l.list, $1 % l.size FROM status_lists l"
		" WHERE l.list = (SELECT MAX(list) FROM status_lists) AND NOT EXISTS"
		" (SELECT 1 FROM status_entries e WHERE e.list = l.list AND e.idx = $1 % l.size)";

	*list = 0;
	for (int attempt = 0; attempt < LOOKS_MAX; attempt++) {
		int64_t random;
		int result;

		if (!random_number(&random))
			return DB_ERR_MEMORY;
		result = db_query(work->db, look, DB_VALUES(db_int(random)));
		if (result == DB_OK)
			result = db_next(work->db);
		if (result == DB_ROW) {
			*list = db_column_int(work->db, 0);
			*index = db_column_int(work->db, 1);
			db_end(work->db);
			return DB_OK;
		}
		if (result != DB_OK)
			return result;
	}
	return DB_OK;
}

int operator_status_take(struct work *work, int64_t list, int64_t index, bool *taken)
{
	static const char insert[] =
		"INSERT INTO status_entries (list, idx) SELECT list, $2 FROM status_lists"
		" WHERE list = $1 AND list = (SELECT MAX(list) FROM status_lists)"
		" ON CONFLICT DO NOTHING";
	int64_t changed = 0;
	const int result =
		db_run(work->db, insert, DB_VALUES(db_int(list), db_int(index)), &changed);

	*taken = changed > 0;
	return result;
}

int operator_status_run(struct work *work, bool *more)
{
	static const char drawn[] = "SELECT COUNT(*) FROM status_entries WHERE list = $1";
	static const char size_of[] = "SELECT size FROM status_lists WHERE list = $1";
	int64_t list, count, size;
	int result = last_list(work, &list);

	*more = false;
	if (result == DB_OK)
		result = number_of(work->db, drawn, DB_VALUES(db_int(list)), &count);
	if (result == DB_OK)
		result = number_of(work->db, size_of, DB_VALUES(db_int(list)), &size);
	if (result == DB_OK && 2 * count >= size)
		result = open_next(work, list);
	return result;
}

/* ---- Revoking ---- */

int operator_status_revoke(struct work *work, int64_t list, int64_t index)
{
	static const char revoke[] = "UPDATE status_entries SET revoked_at = $3"
				     " WHERE list = $1 AND idx = $2 AND revoked_at IS NULL";

	return db_run(work->db, revoke,
		      DB_VALUES(db_int(list), db_int(index), db_int(clock_wall_ms())), NULL);
}

int operator_status_revoke_all(struct work *work, const struct vault_index *subscriber)
{
	static const char revoke[] =
		"UPDATE status_entries SET revoked_at = $3 WHERE revoked_at IS NULL"
		" AND (list, idx) IN (SELECT status_list, status_index FROM verifications"
		" WHERE hi = $1 AND lo = $2 AND status_index IS NOT NULL"
		" UNION SELECT status_list, status_index FROM registrations"
		" WHERE hi = $1 AND lo = $2 AND status_index IS NOT NULL)";

	return db_run(
		work->db, revoke,
		DB_VALUES(db_int(subscriber->hi), db_int(subscriber->lo), db_int(clock_wall_ms())),
		NULL);
}

/* ---- Publishing ---- */

/* The bits that were set before the tick, from the store. */
static int read_bits(struct work *work, int64_t list, int64_t tick_ms, uint8_t *bits, int64_t size)
{
	static const char look[] =
		"SELECT idx FROM status_entries"
		" WHERE list = $1 AND revoked_at IS NOT NULL AND revoked_at < $2";
	int result = db_query(work->db, look, DB_VALUES(db_int(list), db_int(tick_ms)));

	if (result == DB_OK)
		result = db_next(work->db);
	for (; result == DB_ROW; result = db_next(work->db)) {
		const int64_t index = db_column_int(work->db, 0);

		if (index >= 0 && index < size)
			bits[index / 8] |= (uint8_t)(1u << (index % 8));
	}
	return result;
}

/* Signs a list as it was at the tick. *jwt stays NULL when there is no such list. */
static int publish(struct work *work, int64_t list, int64_t tick_ms, char **jwt)
{
	static const char look[] = "SELECT size FROM status_lists WHERE list = $1";
	const struct operator_state *op = operator_of(work);
	char uri[SIMTIE_STATUS_URI_MAX + 1];
	uint8_t *bits;
	int64_t size;
	int result = number_of(work->db, look, DB_VALUES(db_int(list)), &size);

	if (result != DB_OK || size <= 0)
		return result;
	bits = calloc(1, (size_t)size / 8);
	if (!bits)
		return DB_ERR_MEMORY;
	result = read_bits(work, list, tick_ms, bits, size);
	if (result == DB_OK &&
	    (!operator_status_uri(op, list, uri) ||
	     simtie_status_issue(op->signer, uri, bits, (uint32_t)size, tick_ms / 1000,
				 (uint32_t)(LIVES * op->status_tick_s), jwt)))
		result = DB_ERR_MEMORY;
	free(bits);
	return result;
}

/* A copy of what was published at this tick; NULL: nothing was. */
static char *cache_get(struct operator_status_cache *cache, int64_t list, int64_t tick_ms)
{
	char *copy = NULL;

	pthread_mutex_lock(&cache->lock);
	for (int i = 0; i < CACHED && !copy; i++)
		if (cache->lists[i].list == list && cache->lists[i].tick_ms == tick_ms)
			copy = strdup(cache->lists[i].jwt);
	pthread_mutex_unlock(&cache->lock);
	return copy;
}

static void cache_put(struct operator_status_cache *cache, int64_t list, int64_t tick_ms,
		      const char *jwt)
{
	char *copy = strdup(jwt);
	unsigned at = 0;

	if (!copy)
		return;
	pthread_mutex_lock(&cache->lock);
	while (at < CACHED && cache->lists[at].list != list)
		at++;
	if (at == CACHED)
		at = cache->next++ % CACHED;
	free(cache->lists[at].jwt);
	cache->lists[at] = (struct published){list, tick_ms, copy};
	pthread_mutex_unlock(&cache->lock);
}

/* Decimal digits without a leading zero, as operator_status_uri() writes them; 0: none. */
static int64_t list_number(const char *text)
{
	char *end;
	long long number;

	if (text[0] < '1' || text[0] > '9' || strlen(text) > 18)
		return 0;
	number = strtoll(text, &end, 10);
	return *end ? 0 : number;
}

int operator_status_get(struct work *work, const struct request *request, struct reply *reply)
{
	const struct operator_state *op = operator_of(work);
	const int64_t tick = op->status_tick_s * 1000;
	const int64_t tick_ms = clock_wall_ms() / tick * tick;
	const int64_t list = list_number(request->segment[0]);
	int result = DB_OK;
	char *jwt;

	if (list == 0)
		return reply_error(reply, 404, "NOT_FOUND", "There is no such status list.");
	jwt = cache_get(op->status, list, tick_ms);
	if (!jwt) {
		result = publish(work, list, tick_ms, &jwt);
		if (result == DB_OK && jwt)
			cache_put(op->status, list, tick_ms, jwt);
	}
	if (result != DB_OK)
		return result;
	if (!jwt)
		return reply_error(reply, 404, "NOT_FOUND", "There is no such status list.");
	reply->status = 200;
	reply->text = jwt;
	reply->content_type = "application/statuslist+jwt";
	return DB_OK;
}
