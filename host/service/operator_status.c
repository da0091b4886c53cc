/*
 * Status lists: one bit a credential, drawn at random, so that neither the index nor its neighbours
 * say when, or with which other, a credential was issued. A list says itself for how many days the
 * credentials hold that were issued under it, and is kept for so long after its last one, whatever
 * the settings say by then. What others see of it: operator_status_list.c.
 */
#include "operator.h"

#include <openssl/rand.h>
#include <stdio.h>

#define TRIES_MAX 24   /* of a draw; a list where so many in a row fail is full enough */
#define LOOKS_MAX 3    /* of a draw outside the transaction */
#define SAMPLE    1024 /* indexes that are looked at for how full a list is */

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
	static const char insert[] =
		"INSERT INTO status_lists (list, size, credential_days, opened_at)"
		" VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
	static const char close[] =
		"UPDATE status_lists SET full_at = $2 WHERE list = $1 AND full_at IS NULL";
	const struct operator_state *op = operator_of(work);
	const struct db_value now = db_int(clock_wall_ms());
	int result = db_run(work->db, insert,
			    DB_VALUES(db_int(last + 1), db_int(op->status_list_size),
				      db_int(op->credential_days), now),
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

/* Has a list kept for as long as a credential holds that is issued by this daemon's settings. */
static int keep_longer(struct work *work, int64_t list)
{
	static const char raise[] = "UPDATE status_lists SET credential_days = $2"
				    " WHERE list = $1 AND credential_days < $2";

	return db_run(work->db, raise,
		      DB_VALUES(db_int(list), db_int(operator_of(work)->credential_days)), NULL);
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
		" WHERE list = (SELECT MAX(list) FROM status_lists) AND credential_days >= $2"
		" ON CONFLICT DO NOTHING RETURNING list, idx";
	const struct db_value days = db_int(operator_of(work)->credential_days);
	int result;

	for (int attempt = 0; attempt < 2 * TRIES_MAX; attempt++) {
		int64_t random;

		if (!random_number(&random))
			return DB_ERR_MEMORY;
		result = db_query(work->db, insert, DB_VALUES(db_int(random), days));
		if (result == DB_OK)
			result = db_next(work->db);
		if (result == DB_ROW) {
			*list = db_column_int(work->db, 0);
			*index = db_column_int(work->db, 1);
			db_end(work->db);
			return DB_OK;
		}
		if (result == DB_OK && (attempt == 0 || attempt == TRIES_MAX)) {
			/* Is there a list at all, and is it kept for so long? And once more when it
			 * is full. */
			result = last_list(work, list);
			if (result == DB_OK && (*list == 0 || attempt == TRIES_MAX))
				result = open_next(work, *list);
			else if (result == DB_OK)
				result = keep_longer(work, *list);
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
		" WHERE l.list = (SELECT MAX(list) FROM status_lists)"
		" AND l.credential_days >= $2 AND NOT EXISTS"
		" (SELECT 1 FROM status_entries e WHERE e.list = l.list AND e.idx = $1 % l.size)";

	*list = 0;
	for (int attempt = 0; attempt < LOOKS_MAX; attempt++) {
		int64_t random;
		int result;

		if (!random_number(&random))
			return DB_ERR_MEMORY;
		result = db_query(
			work->db, look,
			DB_VALUES(db_int(random), db_int(operator_of(work)->credential_days)));
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
		" AND credential_days >= $3 ON CONFLICT DO NOTHING";
	const struct db_value days = db_int(operator_of(work)->credential_days);
	int64_t changed = 0;
	const int result =
		db_run(work->db, insert, DB_VALUES(db_int(list), db_int(index), days), &changed);

	*taken = changed > 0;
	return result;
}

/* Indexes are drawn evenly: a stretch of the list anywhere is as full as all of it, but for some
 * hundredths. To count the list would hold up whoever writes. */
int operator_status_run(struct work *work, bool *more)
{
	static const char size_of[] = "SELECT size FROM status_lists WHERE list = $1";
	static const char drawn[] =
		"SELECT COUNT(*) FROM status_entries WHERE list = $1 AND idx >= $2 AND idx < $3";
	int64_t list, size, count = 0, random, from = 0, sample = SAMPLE;
	int result = last_list(work, &list);

	*more = false;
	if (result == DB_OK)
		result = number_of(work->db, size_of, DB_VALUES(db_int(list)), &size);
	if (result == DB_OK && !random_number(&random))
		result = DB_ERR_MEMORY;
	if (result != DB_OK)
		return result;
	if (sample < size)
		from = random % (size - sample + 1);
	else
		sample = size;
	result = number_of(work->db, drawn,
			   DB_VALUES(db_int(list), db_int(from), db_int(from + sample)), &count);
	if (result == DB_OK && 2 * count >= sample)
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
