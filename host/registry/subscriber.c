/*
 * A subscriber's row. What is sealed names the card besides: whoever can write to the store but
 * lacks the key cannot put another card's public key in the place of hers.
 *
 * A number that nobody has costs what one costs that somebody has: a row's worth is unsealed, in
 * vain, and a key comes back that looks like any other, the same one each time.
 */
#include "subscriber.h"

#include "clock.h"
#include "crypto.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <pthread.h>

static const char table[] = "subscribers";

#define PLACE_SIZE 16
#define CARD_AT    SIMTIE_CHAIN_CODE_SIZE
#define NUMBER_AT  (CARD_AT + SUBSCRIBER_CARD_SIZE)
#define PLAIN_MAX  (NUMBER_AT + SIMTIE_NUMBER_SIZE - 1)
#define SEALED_MAX SUBSCRIBER_SEALED_MAX

_Static_assert(SEALED_MAX == PLAIN_MAX + VAULT_OVERHEAD, "subscriber.h says how long a row is");

static void put_index(const struct vault_index *index, uint8_t out[static PLACE_SIZE])
{
	for (int i = 0; i < 8; i++) {
		out[i] = (uint8_t)((uint64_t)index->hi >> (56 - 8 * i));
		out[8 + i] = (uint8_t)((uint64_t)index->lo >> (56 - 8 * i));
	}
}

static struct bytes text_bytes(const char *text)
{
	return bytes_of((const uint8_t *)text, strlen(text));
}

bool subscriber_index(const struct vault *vault, const char *number, struct vault_index *index)
{
	return vault_index(vault, "number", text_bytes(number), index);
}

bool subscriber_service(const struct vault *vault, const struct vault_index *index,
			const char *audience, int64_t *service)
{
	uint8_t of[PLACE_SIZE + SIMTIE_AUDIENCE_MAX];
	size_t len = strlen(audience);
	struct vault_index mac;

	if (len > SIMTIE_AUDIENCE_MAX)
		return false;
	put_index(index, of);
	memcpy(of + PLACE_SIZE, audience, len);
	if (!vault_index(vault, "service", bytes_of(of, PLACE_SIZE + len), &mac))
		return false;
	*service = mac.hi;
	return true;
}

static bool card_of(const struct simtie_card_key *key, uint8_t card[static SUBSCRIBER_CARD_SIZE])
{
	uint8_t digest[SIMTIE_DIGEST_SIZE];

	if (!simtie_crypto_openssl()->sha256(
		    bytes_of(key->device_public, sizeof(key->device_public)), digest))
		return false;
	memcpy(card, digest, SUBSCRIBER_CARD_SIZE);
	return true;
}

/* ---- A key that nobody has ---- */

/* Written by decoy_make() alone; its private half is forgotten at once. Zeros: it failed. */
static uint8_t decoy_point[SIMTIE_POINT_SIZE];

static void decoy_make(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	size_t len;

	if (!key || EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, decoy_point,
						    sizeof(decoy_point), &len) != 1)
		decoy_point[0] = 0;
	EVP_PKEY_free(key);
}

static bool decoy_key(const struct vault *vault, const char *number, struct simtie_card_key *key)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, decoy_make);
	memcpy(key->device_public, decoy_point, sizeof(decoy_point));
	return decoy_point[0] != 0 &&
	       vault_mac(vault, "decoy", text_bytes(number), key->chain_code);
}

/* ---- Reading ---- */

static int row_unseal(const struct vault *vault, uint32_t key_id, struct bytes sealed,
		      const char *number, struct subscriber *subscriber)
{
	uint8_t place_row[PLACE_SIZE], plain[PLAIN_MAX], card[SUBSCRIBER_CARD_SIZE] = {0};
	const struct vault_place place = {table, bytes_of(place_row, PLACE_SIZE)};
	int result = DB_ERR_DAMAGED;
	size_t len;

	put_index(&subscriber->index, place_row);
	if (vault_unseal(vault, &place, key_id, sealed, plain, sizeof(plain), &len) != VAULT_OK)
		return result;
	if (subscriber->card_state != SUBSCRIBER_CARD_NONE && !card_of(&subscriber->key, card))
		result = DB_ERR_MEMORY;
	else if (len == NUMBER_AT + strlen(number) &&
		 memcmp(plain + NUMBER_AT, number, len - NUMBER_AT) == 0 &&
		 memcmp(plain + CARD_AT, card, sizeof(card)) == 0)
		result = DB_OK;
	if (result == DB_OK) {
		memcpy(subscriber->key.chain_code, plain, SIMTIE_CHAIN_CODE_SIZE);
		memcpy(subscriber->card, card, sizeof(card));
		memcpy(subscriber->number, number, strlen(number) + 1);
	}
	bytes_wipe(plain, sizeof(plain));
	return result;
}

static bool in_range(int64_t value, int64_t least, int64_t most)
{
	return value >= least && value <= most;
}

/* Takes the row that db_next() gave. */
static int row_read(struct db *db, const struct vault *vault, const char *number,
		    struct subscriber *subscriber)
{
	int64_t state = db_column_int(db, 0), card_state = db_column_int(db, 1);
	struct bytes point = db_column_bytes(db, 2);
	bool has_card = card_state != SUBSCRIBER_CARD_NONE;

	if (!in_range(state, SUBSCRIBER_ACTIVE, SUBSCRIBER_PORTED_OUT) ||
	    !in_range(card_state, SUBSCRIBER_CARD_NONE, SUBSCRIBER_CARD_SUSPENDED) ||
	    point.len != (has_card ? SIMTIE_POINT_SIZE : 0))
		return DB_ERR_DAMAGED;
	subscriber->state = (enum subscriber_state)state;
	subscriber->card_state = (enum subscriber_card)card_state;
	subscriber->sim_changed_at = db_column_int(db, 3);
	subscriber->purge_at = db_column_int(db, 6);
	if (has_card)
		memcpy(subscriber->key.device_public, point.ptr, SIMTIE_POINT_SIZE);
	return row_unseal(vault, (uint32_t)db_column_int(db, 4), db_column_bytes(db, 5), number,
			  subscriber);
}

/* Spends what row_unseal() would. */
static void row_unseal_in_vain(const struct vault *vault, const char *number,
			       struct subscriber *subscriber)
{
	static const uint8_t sealed[SEALED_MAX];

	row_unseal(vault, vault_newest(vault), bytes_of(sealed, sizeof(sealed)), number,
		   subscriber);
}

#define LOOK                                                                                       \
	"SELECT state, card_state, device_public, sim_changed_at, key_id, sealed, purge_at"        \
	" FROM subscribers WHERE hi = $1 AND lo = $2"

static const char look[] = LOOK;
static const char hold[] = LOOK " FOR UPDATE";

/* DB_ROW: it is there, and the query has to be ended. */
static int query(struct db *db, const struct vault_index *index, enum subscriber_lock lock)
{
	const int result = db_query(db, lock == SUBSCRIBER_LOCK ? hold : look,
				    DB_VALUES(db_int(index->hi), db_int(index->lo)));

	return result == DB_OK ? db_next(db) : result;
}

/* Keeps the row that db_next() gave. False: it is longer than any that was written here. */
static bool row_see(const struct db *db, struct subscriber_seen *seen)
{
	const struct bytes point = db_column_bytes(db, 2), sealed = db_column_bytes(db, 5);

	if (point.len > sizeof(seen->point) || sealed.len > sizeof(seen->sealed))
		return false;
	seen->found = true;
	seen->state = db_column_int(db, 0);
	seen->card_state = db_column_int(db, 1);
	seen->sim_changed_at = db_column_int(db, 3);
	seen->key_id = db_column_int(db, 4);
	seen->point_len = point.len;
	seen->sealed_len = sealed.len;
	if (point.len)
		memcpy(seen->point, point.ptr, point.len);
	if (sealed.len)
		memcpy(seen->sealed, sealed.ptr, sealed.len);
	return true;
}

static bool row_same(const struct db *db, const struct subscriber_seen *seen)
{
	return seen->found && seen->state == db_column_int(db, 0) &&
	       seen->card_state == db_column_int(db, 1) &&
	       bytes_equal(bytes_of(seen->point, seen->point_len), db_column_bytes(db, 2)) &&
	       seen->sim_changed_at == db_column_int(db, 3) &&
	       seen->key_id == db_column_int(db, 4) &&
	       bytes_equal(bytes_of(seen->sealed, seen->sealed_len), db_column_bytes(db, 5));
}

/* `seen` may be NULL. */
static int find(struct db *db, const struct vault *vault, const char *number,
		enum subscriber_lock lock, struct subscriber *subscriber, bool *found,
		struct subscriber_seen *seen)
{
	int result;

	*found = false;
	memset(subscriber, 0, sizeof(*subscriber));
	if (!subscriber_index(vault, number, &subscriber->index))
		return DB_ERR_MEMORY;
	result = query(db, &subscriber->index, lock);
	*found = result == DB_ROW;
	if (*found) {
		result = seen && !row_see(db, seen) ? DB_ERR_DAMAGED
						    : row_read(db, vault, number, subscriber);
		db_end(db);
	} else if (result == DB_OK) {
		row_unseal_in_vain(vault, number, subscriber);
	}
	if (result == DB_OK && subscriber->card_state == SUBSCRIBER_CARD_NONE &&
	    !decoy_key(vault, number, &subscriber->key))
		result = DB_ERR_MEMORY;
	if (result != DB_OK)
		bytes_wipe(subscriber, sizeof(*subscriber));
	return result;
}

int subscriber_find(struct db *db, const struct vault *vault, const char *number,
		    enum subscriber_lock lock, struct subscriber *subscriber, bool *found)
{
	return find(db, vault, number, lock, subscriber, found, NULL);
}

int subscriber_see(struct db *db, const struct vault *vault, const char *number,
		   struct subscriber *subscriber, struct subscriber_seen *seen)
{
	bool found;
	int result;

	memset(seen, 0, sizeof(*seen));
	result = find(db, vault, number, SUBSCRIBER_READ, subscriber, &found, seen);
	seen->index = subscriber->index;
	return result;
}

int subscriber_see_again(struct db *db, const struct subscriber_seen *seen, bool *same)
{
	int result = query(db, &seen->index, SUBSCRIBER_READ);

	*same = result == DB_ROW ? row_same(db, seen) : !seen->found;
	if (result == DB_ROW) {
		db_end(db);
		result = DB_OK;
	}
	return result;
}

/* ---- Writing ---- */

static int row_seal(const struct vault *vault, const struct subscriber *subscriber,
		    uint8_t sealed[static SEALED_MAX], size_t *len, uint32_t *key_id)
{
	uint8_t place_row[PLACE_SIZE], plain[PLAIN_MAX] = {0};
	const struct vault_place place = {table, bytes_of(place_row, PLACE_SIZE)};
	size_t number_len = strlen(subscriber->number);
	int error;

	put_index(&subscriber->index, place_row);
	if (subscriber->card_state != SUBSCRIBER_CARD_NONE)
		memcpy(plain, subscriber->key.chain_code, SIMTIE_CHAIN_CODE_SIZE);
	memcpy(plain + CARD_AT, subscriber->card, SUBSCRIBER_CARD_SIZE);
	memcpy(plain + NUMBER_AT, subscriber->number, number_len);
	error = vault_seal(vault, &place, bytes_of(plain, NUMBER_AT + number_len), sealed,
			   SEALED_MAX, len, key_id);
	bytes_wipe(plain, sizeof(plain));
	return error ? DB_ERR_MEMORY : DB_OK;
}

int subscriber_write(struct db *db, const struct vault *vault, struct subscriber *subscriber)
{
	static const char upsert[] =
		"INSERT INTO subscribers (hi, lo, state, card, card_state, device_public,"
		" sim_changed_at, updated_at, purge_at, key_id, sealed)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
		" ON CONFLICT (hi, lo) DO UPDATE SET state = excluded.state, card = excluded.card,"
		" card_state = excluded.card_state, device_public = excluded.device_public,"
		" sim_changed_at = excluded.sim_changed_at, updated_at = excluded.updated_at,"
		" purge_at = excluded.purge_at,"
		" key_id = excluded.key_id, sealed = excluded.sealed";
	const bool has_card = subscriber->card_state != SUBSCRIBER_CARD_NONE;
	const int64_t changed = subscriber->sim_changed_at, purge_at = subscriber->purge_at;
	uint8_t sealed[SEALED_MAX];
	uint32_t key_id;
	size_t len;

	if (!simtie_number_valid(subscriber->number))
		return DB_ERR_CONFLICT;
	memset(subscriber->card, 0, sizeof(subscriber->card));
	if (!subscriber_index(vault, subscriber->number, &subscriber->index) ||
	    (has_card && !card_of(&subscriber->key, subscriber->card)) ||
	    row_seal(vault, subscriber, sealed, &len, &key_id) != DB_OK)
		return DB_ERR_MEMORY;
	return db_run(db, upsert,
		      DB_VALUES(db_int(subscriber->index.hi), db_int(subscriber->index.lo),
				db_int(subscriber->state),
				has_card
					? db_bytes(bytes_of(subscriber->card, SUBSCRIBER_CARD_SIZE))
					: db_null(),
				db_int(subscriber->card_state),
				has_card ? db_bytes(bytes_of(subscriber->key.device_public,
							     SIMTIE_POINT_SIZE))
					 : db_null(),
				changed ? db_int(changed) : db_null(), db_int(clock_wall_ms()),
				purge_at ? db_int(purge_at) : db_null(), db_int(key_id),
				db_bytes(bytes_of(sealed, len))),
		      NULL);
}
