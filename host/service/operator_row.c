/*
 * Rows of verifications. Sealed, after the fingerprint: of a pending one audience, number, nonce
 * and token, each after its length in two bytes; of a decided one the refusal in one byte, the
 * card and the credential.
 */
#include "operator_row.h"

#include <string.h>

#define DAY_MS     86400000LL
#define PLAIN_MAX  1280
#define SEALED_MAX (PLAIN_MAX + VAULT_OVERHEAD)

static const char table[] = "verifications";

#define COLUMNS                                                                                    \
	"hi, id, lo, service, state, reason, accepted_at, deadline_at, boot, boot_ms, counter,"    \
	" status_list, status_index, key_id, sealed, order_at"

int operator_row_new(struct work *work, const struct vault_index *subscriber, int64_t service,
		     struct row *row)
{
	memset(row, 0, sizeof(*row));
	row->subscriber = *subscriber;
	row->service = service;
	row->accepted = clock_now();
	row->deadline_at = row->accepted.wall_ms + operator_of(work)->deadline_s * 1000;
	row->order_at = row->deadline_at;
	row->decision.state = VERIFICATION_PENDING;
	return vault_id_make(work->service->vault, subscriber->hi, row->id) ? DB_OK : DB_ERR_MEMORY;
}

bool operator_row_late(const struct row *row)
{
	return clock_since(&row->accepted) >= row->deadline_at - row->accepted.wall_ms;
}

void operator_row_expire(struct row *row)
{
	memset(&row->decision, 0, sizeof(row->decision));
	row->decision.state = VERIFICATION_EXPIRED;
	row->decision.reason = REASON_DEADLINE;
}

/* ---- What is sealed ---- */

static uint8_t *put(uint8_t *at, const void *ptr, size_t len)
{
	put_be16(at, (uint16_t)len);
	memcpy(at + 2, ptr, len);
	return at + 2 + len;
}

static size_t plain_write(const struct row *row, uint8_t plain[static PLAIN_MAX])
{
	const struct row_request *request = &row->request;
	uint8_t *at = plain + ROW_FINGERPRINT_SIZE;

	memcpy(plain, row->fingerprint, ROW_FINGERPRINT_SIZE);
	if (row->decision.state == VERIFICATION_PENDING) {
		at = put(at, request->audience, strlen(request->audience));
		at = put(at, request->number, strlen(request->number));
		at = put(at, request->nonce, request->nonce_len);
		at = put(at, request->token, request->token_len);
		return (size_t)(at - plain);
	}
	*at++ = (uint8_t)row->decision.refusal;
	memcpy(at, row->decision.card, SUBSCRIBER_CARD_SIZE);
	at += SUBSCRIBER_CARD_SIZE;
	memcpy(at, row->decision.credential, row->decision.credential_len);
	return (size_t)(at - plain) + row->decision.credential_len;
}

static bool take(struct bytes *in, void *out, size_t size, size_t *len)
{
	if (in->len < 2)
		return false;
	*len = get_be16(in->ptr);
	if (*len > size || *len > in->len - 2)
		return false;
	memcpy(out, in->ptr + 2, *len);
	in->ptr += 2 + *len;
	in->len -= 2 + *len;
	return true;
}

static bool plain_read(struct bytes in, struct row *row)
{
	struct row_request *request = &row->request;
	size_t len;

	if (in.len <= ROW_FINGERPRINT_SIZE)
		return false;
	memcpy(row->fingerprint, in.ptr, ROW_FINGERPRINT_SIZE);
	in = bytes_of(in.ptr + ROW_FINGERPRINT_SIZE, in.len - ROW_FINGERPRINT_SIZE);
	if (row->decision.state == VERIFICATION_PENDING)
		return take(&in, request->audience, sizeof(request->audience) - 1, &len) &&
		       take(&in, request->number, sizeof(request->number) - 1, &len) &&
		       take(&in, request->nonce, sizeof(request->nonce), &request->nonce_len) &&
		       take(&in, request->token, sizeof(request->token), &request->token_len) &&
		       in.len == 0;
	if (in.len < 1 + SUBSCRIBER_CARD_SIZE)
		return false;
	row->decision.refusal = (enum simtie_refusal)in.ptr[0];
	memcpy(row->decision.card, in.ptr + 1, SUBSCRIBER_CARD_SIZE);
	row->decision.credential_len = in.len - 1 - SUBSCRIBER_CARD_SIZE;
	if (row->decision.credential_len > sizeof(row->decision.credential))
		return false;
	memcpy(row->decision.credential, in.ptr + 1 + SUBSCRIBER_CARD_SIZE,
	       row->decision.credential_len);
	return true;
}

static int seal(const struct vault *vault, const struct row *row, uint8_t sealed[static SEALED_MAX],
		size_t *len, uint32_t *key_id)
{
	const struct vault_place place = {table, bytes_of(row->id, sizeof(row->id))};
	uint8_t plain[PLAIN_MAX];
	const size_t plain_len = plain_write(row, plain);
	const int error = vault_seal(vault, &place, bytes_of(plain, plain_len), sealed, SEALED_MAX,
				     len, key_id);

	bytes_wipe(plain, plain_len);
	return error ? DB_ERR_MEMORY : DB_OK;
}

/* ---- Reading ---- */

static int unseal(const struct vault *vault, struct db *db, struct row *row)
{
	const struct vault_place place = {table, bytes_of(row->id, sizeof(row->id))};
	uint8_t plain[PLAIN_MAX];
	size_t len = 0;
	bool ok = vault_unseal(vault, &place, (uint32_t)db_column_int(db, 13),
			       db_column_bytes(db, 14), plain, sizeof(plain), &len) == VAULT_OK &&
		  plain_read(bytes_of(plain, len), row);

	bytes_wipe(plain, sizeof(plain));
	return ok ? DB_OK : DB_ERR_DAMAGED;
}

/* Takes the row that db_next() gave. Of one that is damaged, or does not open, what can be read of
 * it: who and when. */
static int row_read(struct work *work, struct row *row)
{
	struct db *db = work->db;
	const struct bytes id = db_column_bytes(db, 1), boot = db_column_bytes(db, 8);
	const int64_t state = db_column_int(db, 4), reason = db_column_int(db, 5);

	memset(row, 0, sizeof(*row));
	row->subscriber.hi = db_column_int(db, 0);
	row->subscriber.lo = db_column_int(db, 2);
	row->service = db_column_int(db, 3);
	row->accepted.wall_ms = db_column_int(db, 6);
	row->deadline_at = db_column_int(db, 7);
	row->accepted.boot_ms = db_column_int(db, 9);
	row->decision.counter = (uint32_t)db_column_int(db, 10);
	row->decision.status_list = db_column_int(db, 11);
	row->decision.status_index = db_column_int(db, 12);
	row->order_at = db_column_int(db, 15);
	if (id.len == sizeof(row->id))
		memcpy(row->id, id.ptr, id.len);
	if (boot.len == sizeof(row->accepted.boot))
		memcpy(row->accepted.boot, boot.ptr, boot.len);
	if (id.len != sizeof(row->id) || boot.len != sizeof(row->accepted.boot) ||
	    state < VERIFICATION_PENDING || state > VERIFICATION_EXPIRED || reason < REASON_NONE ||
	    reason > REASON_DEADLINE)
		return DB_ERR_DAMAGED;
	row->decision.state = (enum verification_state)state;
	row->decision.reason = (enum verification_reason)reason;
	return unseal(work->service->vault, db, row);
}

static int find(struct work *work, const char *sql, const struct db_value *values, size_t count,
		struct row *row, bool *found)
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

int operator_row_find(struct work *work, const uint8_t id[static VAULT_ID_SIZE], struct row *row,
		      bool *found)
{
	static const char look[] =
		"SELECT " COLUMNS " FROM verifications WHERE hi = $1 AND id = $2";
	int64_t hi;

	*found = false;
	if (!vault_id_hi(work->service->vault, id, &hi))
		return DB_ERR_MEMORY;
	return find(work, look, DB_VALUES(db_int(hi), db_bytes(bytes_of(id, VAULT_ID_SIZE))), row,
		    found);
}

int operator_row_find_again(struct work *work, const struct vault_index *subscriber,
			    int64_t service, const uint8_t key[static ROW_IDEMPOTENCY_SIZE],
			    struct row *row, bool *found)
{
	static const char look[] =
		"SELECT " COLUMNS " FROM verifications"
		" WHERE hi = $1 AND lo = $2 AND service = $3 AND idempotency = $4";

	return find(work, look,
		    DB_VALUES(db_int(subscriber->hi), db_int(subscriber->lo), db_int(service),
			      db_bytes(bytes_of(key, ROW_IDEMPOTENCY_SIZE))),
		    row, found);
}

int operator_row_take(struct work *work, const struct row_mark *after, struct row *rows,
		      size_t room, size_t *count)
{
	static const char look[] = "SELECT " COLUMNS " FROM verifications WHERE state = 1"
				   " AND (order_at, id) > ($2, $3)"
				   " ORDER BY order_at, id LIMIT $1 FOR UPDATE SKIP LOCKED";
	int result = db_query(work->db, look,
			      DB_VALUES(db_int((int64_t)room), db_int(after->order_at),
					db_bytes(bytes_of(after->id, sizeof(after->id)))));

	*count = 0;
	if (result == DB_OK)
		result = db_next(work->db);
	for (; result == DB_ROW && *count < room; result = db_next(work->db)) {
		struct row *row = &rows[(*count)++];

		if (row_read(work, row) != DB_OK)
			row->request.token_len = 0;
	}
	return result == DB_ROW ? DB_OK : result;
}

int operator_row_earlier(struct work *work, const struct row *row, bool *is)
{
	static const char look[] = "SELECT " COLUMNS " FROM verifications"
				   " WHERE hi = $1 AND lo = $2 AND state = 1 AND order_at < $3";
	struct row earlier;
	int result = db_query(work->db, look,
			      DB_VALUES(db_int(row->subscriber.hi), db_int(row->subscriber.lo),
					db_int(row->order_at)));

	*is = false;
	while (result == DB_OK && !*is && (result = db_next(work->db)) == DB_ROW) {
		*is = row_read(work, &earlier) == DB_OK;
		bytes_wipe(&earlier.request, sizeof(earlier.request));
		result = DB_OK;
	}
	db_end(work->db);
	return result;
}

/* ---- Writing ---- */

/* Puts one that waits behind the last of hers that does. Those of other subscribers go by their
 * deadlines alone. */
static int put_behind(struct work *work, const struct row *row, int64_t *order_at)
{
	static const char last[] = "SELECT MAX(order_at) FROM verifications"
				   " WHERE hi = $1 AND lo = $2 AND state = 1";
	int result = db_query(work->db, last,
			      DB_VALUES(db_int(row->subscriber.hi), db_int(row->subscriber.lo)));

	*order_at = row->order_at;
	if (result == DB_OK)
		result = db_next(work->db);
	if (result != DB_ROW)
		return result;
	if (!db_is_null(work->db, 0) && db_column_int(work->db, 0) >= *order_at)
		*order_at = db_column_int(work->db, 0) + 1;
	db_end(work->db);
	return DB_OK;
}

static struct db_value number_or_null(bool there, int64_t number)
{
	return there ? db_int(number) : db_null();
}

int operator_row_write(struct work *work, const struct row *row)
{
	static const char insert[] =
		"INSERT INTO verifications (hi, id, lo, service, idempotency, state, reason,"
		" accepted_at, deadline_at, boot, boot_ms, decided_at, counter, status_list,"
		" status_index, purge_at, key_id, sealed, order_at) VALUES ($1, $2, $3, $4, $5, $6,"
		" $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
		" ON CONFLICT DO NOTHING";
	const struct decision *decision = &row->decision;
	const bool verified = decision->state == VERIFICATION_VERIFIED;
	const struct bytes idempotency = bytes_of(row->idempotency, sizeof(row->idempotency));
	const int64_t purge_at =
		row->accepted.wall_ms + operator_of(work)->verification_days * DAY_MS;
	uint8_t sealed[SEALED_MAX];
	uint32_t key_id;
	int64_t changed = 0, order_at = row->order_at;
	size_t len;
	int result = seal(work->service->vault, row, sealed, &len, &key_id);

	if (result == DB_OK && decision->state == VERIFICATION_PENDING)
		result = put_behind(work, row, &order_at);
	if (result != DB_OK)
		return result;
	result = db_run(
		work->db, insert,
		DB_VALUES(db_int(row->subscriber.hi), db_bytes(bytes_of(row->id, sizeof(row->id))),
			  db_int(row->subscriber.lo), db_int(row->service),
			  row->has_idempotency ? db_bytes(idempotency) : db_null(),
			  db_int(decision->state), db_int(decision->reason),
			  db_int(row->accepted.wall_ms), db_int(row->deadline_at),
			  db_bytes(bytes_of(row->accepted.boot, sizeof(row->accepted.boot))),
			  db_int(row->accepted.boot_ms),
			  number_or_null(decision->state != VERIFICATION_PENDING,
					 row->accepted.wall_ms),
			  number_or_null(verified, decision->counter),
			  number_or_null(verified, decision->status_list),
			  number_or_null(verified, decision->status_index), db_int(purge_at),
			  db_int(key_id), db_bytes(bytes_of(sealed, len)), db_int(order_at)),
		&changed);
	return result == DB_OK && changed == 0 ? DB_ERR_BUSY : result;
}

int operator_row_decide(struct work *work, const struct row *row, bool *changed)
{
	static const char update[] =
		"UPDATE verifications SET state = $3, reason = $4, decided_at = $5, counter = $6,"
		" status_list = $7, status_index = $8, key_id = $9, sealed = $10"
		" WHERE hi = $1 AND id = $2 AND state = 1";
	const struct decision *decision = &row->decision;
	const bool verified = decision->state == VERIFICATION_VERIFIED;
	uint8_t sealed[SEALED_MAX];
	int64_t rows = 0;
	uint32_t key_id;
	size_t len;
	int result = seal(work->service->vault, row, sealed, &len, &key_id);

	if (result == DB_OK)
		result = db_run(work->db, update,
				DB_VALUES(db_int(row->subscriber.hi),
					  db_bytes(bytes_of(row->id, sizeof(row->id))),
					  db_int(decision->state), db_int(decision->reason),
					  db_int(clock_wall_ms()),
					  number_or_null(verified, decision->counter),
					  number_or_null(verified, decision->status_list),
					  number_or_null(verified, decision->status_index),
					  db_int(key_id), db_bytes(bytes_of(sealed, len))),
				&rows);
	*changed = rows > 0;
	return result;
}
