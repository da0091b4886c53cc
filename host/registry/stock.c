#include "stock.h"

#include "clock.h"

#include <string.h>

#define ICCID_MIN 18
#define ICCID_MAX 20

static const char table[] = "stock";

#define PLAIN_MAX  (SIMTIE_CHAIN_CODE_SIZE + ICCID_MAX)
#define PLACE_SIZE 16

bool stock_iccid_valid(const char *iccid)
{
	size_t len = strspn(iccid, "0123456789");

	return len >= ICCID_MIN && len <= ICCID_MAX && iccid[len] == '\0';
}

static struct bytes text_bytes(const char *text)
{
	return bytes_of((const uint8_t *)text, strlen(text));
}

static struct vault_place place_of(const struct vault_index *index, uint8_t row[static PLACE_SIZE])
{
	vault_put_int(row, index->hi);
	vault_put_int(row + 8, index->lo);
	return (struct vault_place){table, bytes_of(row, PLACE_SIZE)};
}

/* Reads the row of an ICCID. */
static int stock_read(struct db *db, const struct vault *vault, const struct vault_index *index,
		      struct simtie_card_key *key, enum stock_state *state)
{
	static const char select[] = "SELECT device_public, taken, key_id, sealed FROM stock"
				     " WHERE hi = $1 AND lo = $2 FOR UPDATE";
	uint8_t row[PLACE_SIZE];
	const struct vault_place place = place_of(index, row);
	struct bytes point;
	size_t len;
	int result = db_query(db, select, DB_VALUES(db_int(index->hi), db_int(index->lo)));

	memset(key, 0, sizeof(*key));
	*state = STOCK_UNKNOWN;
	if (result == DB_OK)
		result = db_next(db);
	if (result != DB_ROW)
		return result;
	result = DB_OK;
	*state = db_column_int(db, 1) ? STOCK_TAKEN : STOCK_GIVEN;
	point = db_column_bytes(db, 0);
	if (point.len != SIMTIE_POINT_SIZE)
		result = DB_ERR_DAMAGED;
	else
		memcpy(key->device_public, point.ptr, SIMTIE_POINT_SIZE);
	if (*state == STOCK_GIVEN &&
	    (vault_unseal(vault, &place, (uint32_t)db_column_int(db, 2), db_column_bytes(db, 3),
			  key->chain_code, SIMTIE_CHAIN_CODE_SIZE, &len) != VAULT_OK ||
	     len != SIMTIE_CHAIN_CODE_SIZE))
		result = DB_ERR_DAMAGED;
	db_end(db);
	return result;
}

static int stock_insert(struct db *db, const struct vault *vault, const struct vault_index *index,
			const struct simtie_card_key *key)
{
	static const char insert[] =
		"INSERT INTO stock (hi, lo, taken, device_public, imported_at, key_id, sealed)"
		" VALUES ($1, $2, 0, $3, $4, $5, $6)";
	uint8_t sealed[SIMTIE_CHAIN_CODE_SIZE + VAULT_OVERHEAD], row[PLACE_SIZE];
	const struct vault_place place = place_of(index, row);
	uint32_t key_id;
	size_t len;

	if (vault_seal(vault, &place, bytes_of(key->chain_code, SIMTIE_CHAIN_CODE_SIZE), sealed,
		       sizeof(sealed), &len, &key_id))
		return DB_ERR_MEMORY;
	return db_run(db, insert,
		      DB_VALUES(db_int(index->hi), db_int(index->lo),
				db_bytes(bytes_of(key->device_public, SIMTIE_POINT_SIZE)),
				db_int(clock_wall_ms()), db_int(key_id),
				db_bytes(bytes_of(sealed, len))),
		      NULL);
}

int stock_put(struct db *db, const struct vault *vault, const char *iccid,
	      const struct simtie_card_key *key)
{
	struct simtie_card_key known;
	struct vault_index index;
	enum stock_state state;
	bool same;
	int result;

	if (!stock_iccid_valid(iccid))
		return DB_ERR_SQL;
	if (!vault_index(vault, "iccid", text_bytes(iccid), &index))
		return DB_ERR_MEMORY;
	result = stock_read(db, vault, &index, &known, &state);
	same = memcmp(known.device_public, key->device_public, SIMTIE_POINT_SIZE) == 0;
	if (result == DB_OK && state == STOCK_UNKNOWN)
		result = stock_insert(db, vault, &index, key);
	else if (result == DB_OK && !same)
		result = DB_ERR_CONFLICT;
	bytes_wipe(&known, sizeof(known));
	return result;
}

int stock_take(struct db *db, const struct vault *vault, const char *iccid,
	       struct simtie_card_key *key, enum stock_state *state)
{
	static const char take[] =
		"UPDATE stock SET taken = 1, sealed = NULL WHERE hi = $1 AND lo = $2";
	struct vault_index index;
	int result;

	if (!vault_index(vault, "iccid", text_bytes(iccid), &index))
		return DB_ERR_MEMORY;
	result = stock_read(db, vault, &index, key, state);
	if (result == DB_OK && *state == STOCK_GIVEN)
		result = db_run(db, take, DB_VALUES(db_int(index.hi), db_int(index.lo)), NULL);
	return result;
}
