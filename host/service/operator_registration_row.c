/*
 * Registrations as rows: the sealed part, and those of one subscriber.
 */
#include "operator_registration.h"

#include <stdlib.h>
#include <string.h>

static const char table[] = "registrations";

/* ---- The sealed part ---- */

int operator_registration_seal(const struct vault *vault, const struct registration *registration,
			       uint8_t sealed[static REGISTRATION_SEALED_MAX], size_t *len,
			       uint32_t *key_id)
{
	const struct vault_place place = {table,
					  bytes_of(registration->id, sizeof(registration->id))};
	json_t *json = json_pack("{s:s, s:s, s:I, s:I}", "service", registration->audience,
				 "identificationCode", registration->code, "registeredAt",
				 (json_int_t)registration->registered_at, "counter",
				 (json_int_t)registration->counter);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int error = VAULT_ERR_LIBRARY;

	if (text) {
		error = vault_seal(vault, &place, bytes_of((const uint8_t *)text, strlen(text)),
				   sealed, REGISTRATION_SEALED_MAX, len, key_id);
		bytes_wipe(text, strlen(text));
	}
	free(text);
	json_decref(json);
	return error ? DB_ERR_MEMORY : DB_OK;
}

static bool copy(char *out, size_t size, const char *text)
{
	if (!text || strlen(text) >= size)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

int operator_registration_open(const struct vault *vault, const uint8_t id[static VAULT_ID_SIZE],
			       uint32_t key_id, struct bytes sealed,
			       struct registration *registration)
{
	const struct vault_place place = {table, bytes_of(id, VAULT_ID_SIZE)};
	uint8_t plain[REGISTRATION_SEALED_MAX];
	size_t len = 0;
	json_t *json = NULL;
	bool ok;

	memset(registration, 0, sizeof(*registration));
	memcpy(registration->id, id, VAULT_ID_SIZE);
	if (vault_unseal(vault, &place, key_id, sealed, plain, sizeof(plain), &len) == VAULT_OK)
		json = json_loadb((const char *)plain, len, JSON_REJECT_DUPLICATES, NULL);
	ok = json &&
	     copy(registration->audience, sizeof(registration->audience),
		  json_string_value(json_object_get(json, "service"))) &&
	     copy(registration->code, sizeof(registration->code),
		  json_string_value(json_object_get(json, "identificationCode")));
	registration->registered_at = json_integer_value(json_object_get(json, "registeredAt"));
	registration->counter = (uint32_t)json_integer_value(json_object_get(json, "counter"));
	bytes_wipe(plain, sizeof(plain));
	json_decref(json);
	return ok ? DB_OK : DB_ERR_DAMAGED;
}

/* ---- A subscriber's ---- */

/* Takes the row that db_next() gave into the list. */
static int list_take(struct work *work, struct registration **list, size_t *count)
{
	struct registration *grown = realloc(*list, (*count + 1) * sizeof(**list));
	const struct bytes id = db_column_bytes(work->db, 0);
	struct registration *registration;
	int result;

	if (!grown)
		return DB_ERR_MEMORY;
	*list = grown;
	registration = &grown[*count];
	if (id.len != VAULT_ID_SIZE)
		return DB_ERR_DAMAGED;
	result = operator_registration_open(work->service->vault, id.ptr,
					    (uint32_t)db_column_int(work->db, 1),
					    db_column_bytes(work->db, 2), registration);
	registration->state = (enum registration_state)db_column_int(work->db, 3);
	registration->ended_at = db_column_int(work->db, 4);
	*count += result == DB_OK;
	return result;
}

static int list_read(struct work *work, const char *sql, const struct db_value *values,
		     size_t value_count, struct registration **list, size_t *count)
{
	int result = db_query(work->db, sql, values, value_count);

	*list = NULL;
	*count = 0;
	if (result == DB_OK)
		result = db_next(work->db);
	while (result == DB_ROW) {
		result = list_take(work, list, count);
		if (result == DB_OK)
			result = db_next(work->db);
		else
			db_end(work->db);
	}
	return result;
}

int operator_registration_standing(struct work *work, const struct vault_index *subscriber,
				   struct registration **list, size_t *count)
{
	static const char look[] = "SELECT id, key_id, sealed, state, ended_at FROM registrations"
				   " WHERE hi = $1 AND lo = $2 AND state = 1";

	return list_read(work, look, DB_VALUES(db_int(subscriber->hi), db_int(subscriber->lo)),
			 list, count);
}

int operator_registration_recorded(struct work *work, const struct vault_index *subscriber,
				   struct registration **list, size_t *count, bool *complete)
{
	static const char look[] = "SELECT id, key_id, sealed, state, ended_at FROM registrations"
				   " WHERE hi = $1 AND lo = $2 AND state <> $3"
				   " ORDER BY CASE state WHEN 1 THEN 0 ELSE 1 END, ended_at DESC"
				   " LIMIT $4";
	const int result = list_read(work, look,
				     DB_VALUES(db_int(subscriber->hi), db_int(subscriber->lo),
					       db_int(REGISTRATION_OF_EARLIER),
					       db_int(REGISTRATIONS_SHOWN_MAX + 1)),
				     list, count);

	*complete = *count <= REGISTRATIONS_SHOWN_MAX;
	if (!*complete)
		--*count;
	return result;
}

static const char *ended_by(enum registration_state state)
{
	switch (state) {
	case REGISTRATION_ENDED:
		return "MESSENGER";
	case REGISTRATION_ENDED_BY_EVENT:
		return "CONTRACT";
	case REGISTRATION_REPLACED:
		return "REPLACED";
	case REGISTRATION_STANDS:
	case REGISTRATION_OF_EARLIER:
		break;
	}
	return NULL;
}

json_t *operator_registration_json(const struct registration *registration)
{
	const bool ended = registration->state != REGISTRATION_STANDS;
	char at[CLOCK_TEXT_SIZE], ended_at[CLOCK_TEXT_SIZE];

	clock_text(registration->registered_at, at);
	clock_text(registration->ended_at, ended_at);
	return json_pack("{s:s,s:s,s:s,s:s*,s:s*}", "service", registration->audience,
			 "identificationCode", registration->code, "registeredAt", at, "endedAt",
			 ended ? ended_at : NULL, "endedBy", ended_by(registration->state));
}
