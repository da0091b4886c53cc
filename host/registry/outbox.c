/*
 * The outbox's rows and schedule. The wall clock rules it, since a row may be taken up after a
 * reboot and on another machine. A due time further ahead than the longest pause there is means
 * that the clock was set back since, and counts as due; and a day that has passed by the wall clock
 * has passed when as many tries have failed as fit into one.
 */
#include "outbox.h"

#include "clock.h"

#include <string.h>
#include <sys/random.h>

enum { QUEUED = 1, DELIVERED = 2, GIVEN_UP = 3 };

/* Milliseconds. The first try waits at random, so that two messengers that hear of one SIM do not
 * hear of it at one instant. */
#define FIRST_MAX   4000
#define PAUSE_FIRST 1000
#define PAUSE_MAX   900000
#define LIFETIME    86400000
#define TRIES_MIN   90 /* of about 105 in a day */

#define SEALED_MAX (1 + VAULT_ID_SIZE + SIMTIE_AUDIENCE_MAX)

static const char table[] = "outbox";

/* 0 to `below` - 1. A source that fails costs jitter, nothing more. */
static int64_t draw(int64_t below)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return below / 2;
	return (int64_t)(random % (uint64_t)below);
}

/* The pause after so many tries: doubled each time, then between half and one and a half of it. */
static int64_t pause_after(unsigned attempts)
{
	int64_t pause = PAUSE_FIRST;

	while (--attempts > 0 && pause < PAUSE_MAX)
		pause *= 2;
	if (pause > PAUSE_MAX)
		pause = PAUSE_MAX;
	return pause / 2 + draw(pause);
}

#define PAUSE_LONGEST (PAUSE_MAX / 2 + PAUSE_MAX)

int outbox_put(struct db *db, const struct vault *vault, int64_t hi, const char *audience,
	       const uint8_t registration[static VAULT_ID_SIZE], enum simtie_event event)
{
	static const char insert[] =
		"INSERT INTO outbox (hi, id, state, due_at, expires_at, attempts, claimed_until,"
		" created_at, key_id, sealed) VALUES ($1, $2, 1, $3, $4, 0, 0, $5, $6, $7)";
	size_t audience_len = strlen(audience), len;
	uint8_t plain[SEALED_MAX], sealed[SEALED_MAX + VAULT_OVERHEAD], id[VAULT_ID_SIZE];
	const struct bytes id_bytes = bytes_of(id, sizeof(id));
	const int64_t now = clock_wall_ms();
	uint32_t key_id;

	if (audience_len == 0 || audience_len > SIMTIE_AUDIENCE_MAX)
		return DB_ERR_SQL;
	plain[0] = (uint8_t)event;
	memcpy(plain + 1, registration, VAULT_ID_SIZE);
	memcpy(plain + 1 + VAULT_ID_SIZE, audience, audience_len);
	if (!vault_id_make(vault, hi, id) ||
	    vault_seal(vault, &(const struct vault_place){table, id_bytes},
		       bytes_of(plain, 1 + VAULT_ID_SIZE + audience_len), sealed, sizeof(sealed),
		       &len, &key_id))
		return DB_ERR_MEMORY;
	return db_run(db, insert,
		      DB_VALUES(db_int(hi), db_bytes(id_bytes), db_int(now + draw(FIRST_MAX)),
				db_int(now + LIFETIME), db_int(now), db_int(key_id),
				db_bytes(bytes_of(sealed, len))),
		      NULL);
}

/* ---- Reading ---- */

#define COLUMNS                                                                                    \
	"SELECT hi, id, attempts, created_at, due_at, expires_at, last_error, key_id, sealed,"     \
	" state FROM outbox"

/* One that does not open, its key not being in the key file perhaps, stays without an audience. */
static void entry_unseal(struct db *db, const struct vault *vault, struct outbox_entry *entry)
{
	uint8_t plain[SEALED_MAX];
	const struct vault_place place = {table, bytes_of(entry->id, sizeof(entry->id))};
	size_t len, audience_len;

	if (vault_unseal(vault, &place, (uint32_t)db_column_int(db, 7), db_column_bytes(db, 8),
			 plain, sizeof(plain), &len) ||
	    len <= 1 + VAULT_ID_SIZE)
		return;
	audience_len = len - 1 - VAULT_ID_SIZE;
	entry->event = (enum simtie_event)plain[0];
	memcpy(entry->registration, plain + 1, VAULT_ID_SIZE);
	memcpy(entry->audience, plain + 1 + VAULT_ID_SIZE, audience_len);
	entry->audience[audience_len] = '\0';
}

static int entry_take(struct db *db, const struct vault *vault, struct outbox_entry *entry)
{
	struct bytes id = db_column_bytes(db, 1), error = db_column_bytes(db, 6);

	memset(entry, 0, sizeof(*entry));
	if (id.len != VAULT_ID_SIZE)
		return DB_ERR_DAMAGED;
	entry->hi = db_column_int(db, 0);
	memcpy(entry->id, id.ptr, VAULT_ID_SIZE);
	entry->attempts = (unsigned)db_column_int(db, 2);
	entry->created_at = db_column_int(db, 3);
	entry->due_at = db_column_int(db, 4);
	entry->expires_at = db_column_int(db, 5);
	entry->given_up = db_column_int(db, 9) == GIVEN_UP;
	if (error.len >= sizeof(entry->last_error))
		error.len = sizeof(entry->last_error) - 1;
	if (error.len)
		memcpy(entry->last_error, error.ptr, error.len);
	entry_unseal(db, vault, entry);
	return DB_OK;
}

static int collect(struct db *db, const struct vault *vault, struct outbox_entry *entries,
		   size_t room, size_t *count)
{
	int result = DB_OK;

	*count = 0;
	while (*count < room && (result = db_next(db)) == DB_ROW) {
		result = entry_take(db, vault, &entries[*count]);
		if (result)
			break;
		++*count;
	}
	db_end(db);
	return result;
}

int outbox_claim(struct db *db, const struct vault *vault, unsigned claim_ms,
		 struct outbox_entry *entries, size_t room, size_t *count)
{
	static const char due[] = COLUMNS " WHERE state = 1 AND (due_at <= $1 OR due_at > $2)"
					  " AND (claimed_until <= $1 OR claimed_until > $2)"
					  " ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED";
	static const char claim[] =
		"UPDATE outbox SET claimed_until = $1 WHERE hi = $2 AND id = $3";
	const int64_t now = clock_wall_ms();
	int result = db_query(
		db, due,
		DB_VALUES(db_int(now), db_int(now + PAUSE_LONGEST), db_int((int64_t)room)));

	*count = 0;
	if (result == DB_OK)
		result = collect(db, vault, entries, room, count);
	for (size_t i = 0; i < *count && result == DB_OK; i++)
		result = db_run(db, claim,
				DB_VALUES(db_int(now + claim_ms), db_int(entries[i].hi),
					  db_bytes(bytes_of(entries[i].id, VAULT_ID_SIZE))),
				NULL);
	return result;
}

int outbox_done(struct db *db, const struct outbox_entry *entry, const char *error, bool *given_up)
{
	static const char settle[] =
		"UPDATE outbox SET state = $1, due_at = $2, attempts = $3, last_error = $4,"
		" claimed_until = 0 WHERE hi = $5 AND id = $6 AND state = 1";
	const unsigned attempts = entry->attempts + 1;
	const int64_t due = clock_wall_ms() + pause_after(attempts);
	const bool last = attempts >= TRIES_MIN && due > entry->expires_at;
	const int state = !error ? DELIVERED : last ? GIVEN_UP : QUEUED;
	int64_t changed = 0;
	int result =
		db_run(db, settle,
		       DB_VALUES(db_int(state), db_int(due), db_int(attempts), db_text(error),
				 db_int(entry->hi), db_bytes(bytes_of(entry->id, VAULT_ID_SIZE))),
		       &changed);

	*given_up = error && last && changed > 0;
	return result;
}

int outbox_put_off(struct db *db, const struct outbox_entry *entry, unsigned pause_ms)
{
	static const char give_back[] = "UPDATE outbox SET due_at = $1, claimed_until = 0"
					" WHERE hi = $2 AND id = $3 AND state = 1";

	return db_run(db, give_back,
		      DB_VALUES(db_int(clock_wall_ms() + pause_ms), db_int(entry->hi),
				db_bytes(bytes_of(entry->id, VAULT_ID_SIZE))),
		      NULL);
}

int outbox_list(struct db *db, const struct vault *vault,
		void (*see)(void *context, const struct outbox_entry *entry), void *context)
{
	static const char stuck[] = COLUMNS " WHERE state <> 2 ORDER BY created_at";
	struct outbox_entry entry;
	int result = db_query(db, stuck, DB_NONE);

	while (result == DB_OK && (result = db_next(db)) == DB_ROW) {
		result = entry_take(db, vault, &entry);
		if (result == DB_OK)
			see(context, &entry);
	}
	db_end(db);
	return result;
}
