/*
 * Rows of registrations. Sealed, each after its length in two bytes: number, nonce, thumbprint,
 * sealed number, token, credential, code.
 */
#include "messenger_row.h"

#include "messenger_status.h"

#include <string.h>

#define PARTS     7
#define PLAIN_MAX (PARTS * 2 + sizeof(struct messenger_secret))

/* A due time further ahead than any lease, pause or challenge means that the clock was set back
 * since: it counts as due. */
#define AHEAD_MAX 172800000LL

static const char table[] = "registrations";

#define COLUMNS                                                                                    \
	"hi, lo, state, step, reason, from_at, boot, boot_ms, changed_at, operator, verification," \
	" digest, attempts, due_at, key_id, sealed, sim, status_uri, status_index"

bool messenger_row_key(const struct vault *vault, const char *id, struct vault_index *key)
{
	uint8_t bytes[MESSENGER_ID_SIZE];

	_Static_assert(MESSENGER_ID_SIZE == VAULT_ID_SIZE, "ids are read as the vault's are");
	return vault_id_read(id, bytes) &&
	       vault_index(vault, "registration", bytes_of(bytes, sizeof(bytes)), key);
}

/* ---- The sealed part ---- */

struct part {
	void *at;
	size_t *len; /* NULL: text */
	size_t max;
};

static void parts_of(struct messenger_secret *secret, struct part out[static PARTS])
{
	out[0] = (struct part){secret->number, NULL, sizeof(secret->number) - 1};
	out[1] = (struct part){secret->nonce, &secret->nonce_len, sizeof(secret->nonce)};
	out[2] = (struct part){secret->thumbprint, &secret->thumbprint_len,
			       sizeof(secret->thumbprint)};
	out[3] = (struct part){secret->sealed, &secret->sealed_len, sizeof(secret->sealed)};
	out[4] = (struct part){secret->token, &secret->token_len, sizeof(secret->token)};
	out[5] = (struct part){secret->credential, &secret->credential_len,
			       sizeof(secret->credential)};
	out[6] = (struct part){secret->code, NULL, sizeof(secret->code) - 1};
}

static void place_of(const struct vault_index *key, uint8_t row[static 16])
{
	vault_put_int(row, key->hi);
	vault_put_int(row + 8, key->lo);
}

#define SEALED_MAX (PLAIN_MAX + VAULT_OVERHEAD)

static int seal(const struct vault *vault, const struct messenger_row *row,
		uint8_t sealed[static SEALED_MAX], size_t *len, uint32_t *key_id)
{
	struct messenger_secret secret = row->secret;
	struct part parts[PARTS];
	uint8_t plain[PLAIN_MAX], key[16], *at = plain;
	const struct vault_place place = {table, bytes_of(key, sizeof(key))};
	int error;

	place_of(&row->key, key);
	parts_of(&secret, parts);
	for (int i = 0; i < PARTS; i++) {
		const size_t part_len = parts[i].len ? *parts[i].len : strlen(parts[i].at);

		put_be16(at, (uint16_t)part_len);
		memcpy(at + 2, parts[i].at, part_len);
		at += 2 + part_len;
	}
	error = vault_seal(vault, &place, bytes_of(plain, (size_t)(at - plain)), sealed, SEALED_MAX,
			   len, key_id);
	bytes_wipe(plain, sizeof(plain));
	bytes_wipe(&secret, sizeof(secret));
	return error ? DB_ERR_MEMORY : DB_OK;
}

static bool unseal(const struct vault *vault, uint32_t key_id, struct bytes sealed,
		   struct messenger_row *row)
{
	struct part parts[PARTS];
	uint8_t plain[PLAIN_MAX], key[16];
	const struct vault_place place = {table, bytes_of(key, sizeof(key))};
	size_t len = 0, at = 0;
	bool good;

	place_of(&row->key, key);
	parts_of(&row->secret, parts);
	good = vault_unseal(vault, &place, key_id, sealed, plain, sizeof(plain), &len) == VAULT_OK;
	for (int i = 0; good && i < PARTS; i++) {
		const size_t part_len = len - at >= 2 ? get_be16(plain + at) : SIZE_MAX;

		good = part_len <= parts[i].max && part_len <= len - at - 2;
		if (!good)
			break;
		memcpy(parts[i].at, plain + at + 2, part_len);
		if (parts[i].len)
			*parts[i].len = part_len;
		at += 2 + part_len;
	}
	bytes_wipe(plain, sizeof(plain));
	return good && at == len;
}

/* ---- Reading ---- */

static bool copy(char *out, size_t size, struct bytes text)
{
	if (text.len >= size)
		return false;
	if (text.len > 0)
		memcpy(out, text.ptr, text.len);
	out[text.len] = '\0';
	return true;
}

/* Takes the row that db_next() gave. */
static int row_read(struct work *work, struct messenger_row *row)
{
	const struct db *db = work->db;
	const struct bytes boot = db_column_bytes(db, 6), digest = db_column_bytes(db, 11);
	const struct bytes sim = db_column_bytes(db, 16);
	const int64_t state = db_column_int(db, 2), step = db_column_int(db, 3);
	const int64_t reason = db_column_int(db, 4);

	memset(row, 0, sizeof(*row));
	row->key = (struct vault_index){db_column_int(db, 0), db_column_int(db, 1)};
	if (boot.len != sizeof(row->from.boot) || state < MESSENGER_PENDING ||
	    state > MESSENGER_REVERIFICATION_REQUIRED || step < STEP_NONE || step > STEP_WITHDRAW ||
	    reason < 0 || reason >= MESSENGER_REASON_COUNT ||
	    (digest.len != 0 && digest.len != sizeof(row->digest)) ||
	    (sim.len != 0 && sim.len != sizeof(row->sim)) ||
	    !copy(row->to, sizeof(row->to), db_column_bytes(db, 9)) ||
	    !copy(row->verification, sizeof(row->verification), db_column_bytes(db, 10)) ||
	    !copy(row->status_uri, sizeof(row->status_uri), db_column_bytes(db, 17)))
		return DB_ERR_DAMAGED;
	row->state = (enum messenger_state)state;
	row->step = (enum messenger_step)step;
	row->reason = (enum messenger_reason)reason;
	row->from.wall_ms = db_column_int(db, 5);
	memcpy(row->from.boot, boot.ptr, boot.len);
	row->from.boot_ms = db_column_int(db, 7);
	row->changed_at = db_column_int(db, 8);
	row->has_digest = digest.len > 0;
	if (row->has_digest)
		memcpy(row->digest, digest.ptr, digest.len);
	row->has_sim = sim.len > 0;
	if (row->has_sim)
		memcpy(row->sim, sim.ptr, sim.len);
	row->status_index = db_column_int(db, 18);
	row->attempts = (unsigned)db_column_int(db, 12);
	row->due_at = db_column_int(db, 13);
	return unseal(work->service->vault, (uint32_t)db_column_int(db, 14),
		      db_column_bytes(db, 15), row)
		       ? DB_OK
		       : DB_ERR_DAMAGED;
}

static int find(struct work *work, const char *sql, const struct db_value *values, size_t count,
		struct messenger_row *row, bool *found)
{
	int result = db_query(work->db, sql, values, count);

	if (result == DB_OK)
		result = db_next(work->db);
	*found = result == DB_ROW;
	if (*found) {
		result = row_read(work, row);
		db_end(work->db);
	}
	return result;
}

int messenger_row_find(struct work *work, const struct vault_index *key, struct messenger_row *row,
		       bool *found)
{
	static const char look[] =
		"SELECT " COLUMNS " FROM registrations WHERE hi = $1 AND lo = $2";

	return find(work, look, DB_VALUES(db_int(key->hi), db_int(key->lo)), row, found);
}

int messenger_row_find_verification(struct work *work, const char *operator_name,
				    const char *verification, struct messenger_row *row,
				    bool *found)
{
	static const char look[] =
		"SELECT " COLUMNS " FROM registrations WHERE operator = $1 AND verification = $2";

	return find(work, look, DB_VALUES(db_text(operator_name), db_text(verification)), row,
		    found);
}

int messenger_row_find_standing(struct work *work, const uint8_t sim[static MESSENGER_SIM_SIZE],
				struct messenger_row *row, bool *found)
{
	static const char look[] = "SELECT " COLUMNS " FROM registrations WHERE sim = $1"
				   " AND (state = 2 OR step = 4) LIMIT 1";

	return find(work, look, DB_VALUES(db_bytes(bytes_of(sim, MESSENGER_SIM_SIZE))), row, found);
}

int messenger_row_claim(struct work *work, unsigned lease_ms, struct messenger_row *rows,
			size_t room, size_t *count)
{
	static const char due[] = "SELECT " COLUMNS " FROM registrations WHERE due_at IS NOT NULL"
				  " AND (due_at <= $1 OR due_at > $2) ORDER BY due_at LIMIT $3"
				  " FOR UPDATE SKIP LOCKED";
	static const char lease[] =
		"UPDATE registrations SET due_at = $1 WHERE hi = $2 AND lo = $3";
	const int64_t now = clock_wall_ms();
	int result =
		db_query(work->db, due,
			 DB_VALUES(db_int(now), db_int(now + AHEAD_MAX), db_int((int64_t)room)));

	*count = 0;
	while (result == DB_OK && *count < room && (result = db_next(work->db)) == DB_ROW) {
		/* A row that does not open must not keep the others from their turn. */
		if (row_read(work, &rows[*count]) != DB_OK)
			rows[*count].step = STEP_NONE;
		++*count;
		result = DB_OK;
	}
	db_end(work->db);
	for (size_t i = 0; i < *count && result == DB_OK; i++)
		result = db_run(work->db, lease,
				DB_VALUES(db_int(now + lease_ms), db_int(rows[i].key.hi),
					  db_int(rows[i].key.lo)),
				NULL);
	return result;
}

/* ---- Writing ---- */

static struct db_value text_or_null(const char *text)
{
	return *text ? db_text(text) : db_null();
}

int messenger_row_insert(struct work *work, const struct messenger_row *row)
{
	static const char insert[] =
		"INSERT INTO registrations (" COLUMNS ") VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8,"
		" $9, NULL, NULL, 0, $10, $11, $12, NULL, NULL, NULL)";
	uint8_t sealed[SEALED_MAX];
	uint32_t key_id;
	size_t len;
	int result = seal(work->service->vault, row, sealed, &len, &key_id);

	if (result != DB_OK)
		return result;
	return db_run(work->db, insert,
		      DB_VALUES(db_int(row->key.hi), db_int(row->key.lo), db_int(row->state),
				db_int(row->step), db_int(row->from.wall_ms),
				db_bytes(bytes_of(row->from.boot, sizeof(row->from.boot))),
				db_int(row->from.boot_ms), db_int(row->changed_at),
				db_text(row->to), db_int(row->due_at), db_int(key_id),
				db_bytes(bytes_of(sealed, len))),
		      NULL);
}

int messenger_row_update(struct work *work, const struct messenger_row *row,
			 struct messenger_at before, bool *changed)
{
	static const char update[] =
		"UPDATE registrations SET state = $5, step = $6, reason = $7, from_at = $8,"
		" boot = $9, boot_ms = $10, changed_at = $11, verification = $12, digest = $13,"
		" attempts = $14, due_at = $15, key_id = $16, sealed = $17,"
		" sim = $18, status_uri = $19, status_index = $20"
		" WHERE hi = $1 AND lo = $2 AND state = $3 AND step = $4";
	const struct bytes digest = bytes_of(row->digest, sizeof(row->digest));
	const struct bytes sim = bytes_of(row->sim, sizeof(row->sim));
	uint8_t sealed[SEALED_MAX];
	int64_t rows = 0;
	uint32_t key_id;
	size_t len;
	int result = seal(work->service->vault, row, sealed, &len, &key_id);

	if (result == DB_OK)
		result = db_run(
			work->db, update,
			DB_VALUES(db_int(row->key.hi), db_int(row->key.lo), db_int(before.state),
				  db_int(before.step), db_int(row->state), db_int(row->step),
				  db_int(row->reason), db_int(row->from.wall_ms),
				  db_bytes(bytes_of(row->from.boot, sizeof(row->from.boot))),
				  db_int(row->from.boot_ms), db_int(row->changed_at),
				  text_or_null(row->verification),
				  row->has_digest ? db_bytes(digest) : db_null(),
				  db_int(row->attempts),
				  row->due_at ? db_int(row->due_at) : db_null(), db_int(key_id),
				  db_bytes(bytes_of(sealed, len)),
				  row->has_sim ? db_bytes(sim) : db_null(),
				  text_or_null(row->status_uri),
				  row->status_uri[0] ? db_int(row->status_index) : db_null()),
			&rows);
	*changed = rows > 0;
	if (result == DB_OK && *changed && row->status_uri[0] && row->step == STEP_REPORT)
		result = messenger_status_note(work, row);
	return result;
}
