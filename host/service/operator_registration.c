/*
 * PUT and DELETE /v1/registrations/{verificationId}: the record of a registration, the most
 * sensitive thing that is kept. It is made once, from a verification that said yes, while the SIM
 * that made that yes is still the subscriber's; it replaces an earlier one of the same messenger;
 * once ended it is kept until purge_at and no longer.
 */
#include "operator_registration.h"

#include "operator_verification.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS 86400000LL

/* ---- Finding ---- */

/* A registration's row. */
struct found {
	struct vault_index subscriber;
	int64_t state; /* 0: there is none of this messenger */
	int64_t status_list, status_index;
	struct registration registration; /* the caller's to wipe */
};

static int row_read(struct work *work, const uint8_t id[static VAULT_ID_SIZE], const char *audience,
		    struct found *found)
{
	struct db *db = work->db;
	int64_t service;

	found->subscriber.lo = db_column_int(db, 0);
	if (!subscriber_service(work->service->vault, &found->subscriber, audience, &service))
		return DB_ERR_MEMORY;
	if (service != db_column_int(db, 1)) /* another's is as unknown as none */
		return DB_OK;
	found->state = db_column_int(db, 2);
	found->status_list = db_column_int(db, 3);
	found->status_index = db_column_int(db, 4);
	return operator_registration_open(work->service->vault, id, (uint32_t)db_column_int(db, 5),
					  db_column_bytes(db, 6), &found->registration);
}

/* Finds the registration that the path names, of the messenger that asks. The verification may have
 * been deleted since. */
static int find(struct work *work, const struct request *request, struct found *found)
{
	static const char look[] =
		"SELECT lo, service, state, status_list, status_index, key_id, sealed"
		" FROM registrations WHERE hi = $1 AND id = $2";
	uint8_t id[VAULT_ID_SIZE];
	int result;

	memset(found, 0, sizeof(*found));
	if (!vault_id_read(request->segment[0], id))
		return DB_OK;
	if (!vault_id_hi(work->service->vault, id, &found->subscriber.hi))
		return DB_ERR_MEMORY;
	result = db_query(
		work->db, look,
		DB_VALUES(db_int(found->subscriber.hi), db_bytes(bytes_of(id, sizeof(id)))));
	if (result == DB_OK)
		result = db_next(work->db);
	if (result == DB_ROW) {
		result = row_read(work, id, request->peer.name, found);
		db_end(work->db);
	}
	return result;
}

/* ---- PUT ---- */

/* Whether the card that made this verification's attestation is the subscriber's, and she and it
 * may still register; and whether its credential stands, since one that was suspended and resumed
 * is the same card, and yet to be verified anew. Between yes and this request a SIM may have been
 * swapped: nobody would tell the messenger of a registration that began after the event. Holds her
 * row. */
static int still_fits(struct work *work, const struct row *row, bool *fits)
{
	static const char hold[] = "SELECT state, card_state, card FROM subscribers"
				   " WHERE hi = $1 AND lo = $2 FOR UPDATE";
	static const char look[] = "SELECT 1 FROM status_entries"
				   " WHERE list = $1 AND idx = $2 AND revoked_at IS NULL";
	const struct decision *yes = &row->decision;
	struct db *db = work->db;
	int result = db_query(db, hold,
			      DB_VALUES(db_int(row->subscriber.hi), db_int(row->subscriber.lo)));

	*fits = false;
	if (result == DB_OK)
		result = db_next(db);
	if (result != DB_ROW)
		return result;
	*fits = db_column_int(db, 0) == SUBSCRIBER_ACTIVE &&
		db_column_int(db, 1) == SUBSCRIBER_CARD_GOOD &&
		bytes_equal(db_column_bytes(db, 2), bytes_of(yes->card, sizeof(yes->card)));
	db_end(db);
	result = db_query(db, look, DB_VALUES(db_int(yes->status_list), db_int(yes->status_index)));
	if (result == DB_OK)
		result = db_next(db);
	*fits &= result == DB_ROW;
	db_end(db);
	return result == DB_ROW ? DB_OK : result;
}

/* Ends what stands of this messenger and subscriber, and revokes its credential. */
static int end_earlier(struct work *work, const struct row *row, int64_t now)
{
	static const char revoke[] =
		"UPDATE status_entries SET revoked_at = $4 WHERE revoked_at IS NULL"
		" AND (list, idx) IN (SELECT status_list, status_index FROM registrations"
		" WHERE hi = $1 AND lo = $2 AND service = $3 AND state = 1)";
	static const char end[] = "UPDATE registrations SET state = 4, ended_at = $4, purge_at = $5"
				  " WHERE hi = $1 AND lo = $2 AND service = $3 AND state = 1";
	const struct db_value hi = db_int(row->subscriber.hi), lo = db_int(row->subscriber.lo);
	const struct db_value service = db_int(row->service), at = db_int(now);
	const int64_t purge_at = now + operator_of(work)->retention_days * DAY_MS;
	int result = db_run(work->db, revoke, DB_VALUES(hi, lo, service, at), NULL);

	if (result == DB_OK)
		result = db_run(work->db, end, DB_VALUES(hi, lo, service, at, db_int(purge_at)),
				NULL);
	return result;
}

static int insert(struct work *work, const struct row *row, const struct registration *registration,
		  bool *inserted)
{
	static const char sql[] =
		"INSERT INTO registrations (hi, id, lo, service, state, status_list, status_index,"
		" key_id, sealed) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8)"
		" ON CONFLICT DO NOTHING";
	uint8_t sealed[REGISTRATION_SEALED_MAX];
	uint32_t key_id;
	int64_t changed = 0;
	size_t len;
	int result = operator_registration_seal(work->service->vault, registration, sealed, &len,
						&key_id);

	if (result == DB_OK)
		result = db_run(work->db, sql,
				DB_VALUES(db_int(row->subscriber.hi),
					  db_bytes(bytes_of(row->id, sizeof(row->id))),
					  db_int(row->subscriber.lo), db_int(row->service),
					  db_int(row->decision.status_list),
					  db_int(row->decision.status_index), db_int(key_id),
					  db_bytes(bytes_of(sealed, len))),
				&changed);
	*inserted = changed > 0;
	return result;
}

static int answer(struct reply *reply, unsigned status, const struct request *request,
		  const struct registration *registration)
{
	char at[CLOCK_TEXT_SIZE];

	clock_text(registration->registered_at, at);
	return reply_json(reply, status,
			  json_pack("{s:s, s:s, s:s}", "verificationId", request->segment[0],
				    "identificationCode", registration->code, "registeredAt", at));
}

static int register_new(struct work *work, const struct request *request, const struct row *row,
			const char *code, struct reply *reply)
{
	struct registration registration = {
		.registered_at = clock_wall_ms(),
		.counter = row->decision.counter,
	};
	bool fits, inserted = false;
	int result = still_fits(work, row, &fits);

	if (result == DB_OK && !fits)
		return reply_error(reply, 409, "CONFLICT",
				   "the SIM or the subscription changed since: verify anew");
	memcpy(registration.id, row->id, sizeof(registration.id));
	snprintf(registration.audience, sizeof(registration.audience), "%s", request->peer.name);
	snprintf(registration.code, sizeof(registration.code), "%s", code);
	if (result == DB_OK)
		result = end_earlier(work, row, registration.registered_at);
	if (result == DB_OK)
		result = insert(work, row, &registration, &inserted);
	if (result == DB_OK && !inserted) /* another request just did: look at what it wrote */
		result = DB_ERR_BUSY;
	if (result == DB_OK)
		answer(reply, 201, request, &registration);
	bytes_wipe(&registration, sizeof(registration));
	return result;
}

static int put_new(struct work *work, const struct request *request, const char *code,
		   struct reply *reply)
{
	struct row row;
	bool found;
	int result = operator_verification_find(work, request, &row, reply, &found);

	if (result != DB_OK || !found)
		return result;
	bytes_wipe(&row.request, sizeof(row.request));
	if (row.decision.state != VERIFICATION_VERIFIED)
		return reply_error(reply, 409, "CONFLICT", "this verification is not VERIFIED");
	return register_new(work, request, &row, code, reply);
}

static int put(struct work *work, const struct request *request, const char *code,
	       struct reply *reply)
{
	struct found found;
	int result = find(work, request, &found);

	if (result != DB_OK)
		return result;
	if (found.state == 0)
		result = put_new(work, request, code, reply);
	else if (found.state != REGISTRATION_STANDS)
		reply_error(reply, 409, "CONFLICT", "this registration has ended: verify anew");
	else if (strcmp(found.registration.code, code) != 0)
		reply_error(reply, 409, "CONFLICT",
			    "this verification has another identificationCode already");
	else
		answer(reply, 200, request, &found.registration);
	bytes_wipe(&found, sizeof(found));
	return result;
}

int operator_registration_put(struct work *work, const struct request *request, struct reply *reply)
{
	const char *code = NULL;
	const struct field fields[] = {
		{"identificationCode", FIELD_TEXT, &code, true, 1, REGISTRATION_CODE_MAX},
	};
	json_t *root = NULL;
	int result = DB_OK;

	if (request_fields(request, fields, sizeof(fields) / sizeof(fields[0]), &root, reply))
		result = put(work, request, code, reply);
	json_decref(root);
	return result;
}

/* ---- DELETE ---- */

int operator_registration_delete(struct work *work, const struct request *request,
				 struct reply *reply)
{
	static const char end[] = "UPDATE registrations SET state = 2, ended_at = $3, purge_at = $4"
				  " WHERE hi = $1 AND id = $2 AND state = 1";
	const int64_t now = clock_wall_ms();
	const int64_t purge_at = now + operator_of(work)->retention_days * DAY_MS;
	struct found found;
	uint8_t id[VAULT_ID_SIZE];
	int result = find(work, request, &found);

	bytes_wipe(&found.registration, sizeof(found.registration));
	if (result != DB_OK)
		return result;
	if (found.state == 0 || !vault_id_read(request->segment[0], id))
		return reply_error(reply, 404, "NOT_FOUND", "There is no such registration.");
	result = db_run(work->db, end,
			DB_VALUES(db_int(found.subscriber.hi), db_bytes(bytes_of(id, sizeof(id))),
				  db_int(now), db_int(purge_at)),
			NULL);
	if (result == DB_OK)
		result = operator_status_revoke(work, found.status_list, found.status_index);
	reply_clear(reply);
	reply->status = 204;
	return result;
}
