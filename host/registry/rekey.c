#include "rekey.h"

#include <stdlib.h>
#include <string.h>

/* How the key of a table's rows is made, and what a row's seal is bound to. */
enum key_form {
	KEY_INDEX, /* (hi, lo): both */
	KEY_ID,    /* (hi, id): the id */
	KEY_CHAIN, /* (chain, seq): seq, then as much of chain as fits (audit.c) */
};

struct sealed_table {
	const char *name;
	enum key_form form;
	const char *select; /* $1, $2: after this row; $3: the newest key; $4: how many */
	const char *update; /* $1 key_id, $2 sealed, of the row $3, $4 if it still has key $5 */
};

/* A table's statements; what is NULL is sealed under no key. A row that somebody writes meanwhile
 * has the newest key already. */
#define TABLE(name, form, first, second)                                                           \
	{                                                                                          \
		name, form,                                                                        \
			"SELECT " first ", " second ", key_id, sealed FROM " name " WHERE (" first \
			", " second ") > ($1, $2) AND key_id <> $3 AND sealed IS NOT NULL"         \
			" ORDER BY " first ", " second " LIMIT $4 FOR UPDATE",                     \
			"UPDATE " name " SET key_id = $1, sealed = $2 WHERE " first                \
			" = $3 AND " second " = $4 AND key_id = $5",                               \
	}

static const struct sealed_table operator_tables[] = {
	TABLE("subscribers", KEY_INDEX, "hi", "lo"), TABLE("stock", KEY_INDEX, "hi", "lo"),
	TABLE("verifications", KEY_ID, "hi", "id"),  TABLE("registrations", KEY_ID, "hi", "id"),
	TABLE("outbox", KEY_ID, "hi", "id"),         TABLE("audit", KEY_CHAIN, "chain", "seq"),
};

static const struct sealed_table messenger_tables[] = {
	TABLE("registrations", KEY_INDEX, "hi", "lo"),
};

static const struct {
	const struct sealed_table *tables;
	unsigned count;
} roles[] = {
	[MIGRATE_OPERATOR] = {operator_tables,
			      sizeof(operator_tables) / sizeof(operator_tables[0])},
	[MIGRATE_MESSENGER] = {messenger_tables,
			       sizeof(messenger_tables) / sizeof(messenger_tables[0])},
};

static const struct sealed_table *table_of(const struct rekey *rekey)
{
	return &roles[rekey->role].tables[rekey->table];
}

#define SEALED_MAX 4096 /* bytes; no row has so many */

struct row {
	int64_t number, second;
	char text[80];
	uint8_t bytes[VAULT_ID_SIZE];
	uint32_t key_id;
	size_t len;
	uint8_t sealed[SEALED_MAX];
};

static struct db_value first_value(enum key_form form, int64_t number, const char *text)
{
	return form == KEY_CHAIN ? db_text(text) : db_int(number);
}

static struct db_value second_value(enum key_form form, int64_t second, const uint8_t *bytes,
				    bool begun)
{
	if (form == KEY_ID)
		return db_bytes(bytes_of(bytes, begun ? VAULT_ID_SIZE : 0));
	return db_int(second);
}

/* Goes to the first row of a table: one before every key. */
static void begin_table(struct rekey *rekey, unsigned table)
{
	rekey->table = table;
	rekey->number = INT64_MIN;
	rekey->second = INT64_MIN;
	rekey->text[0] = '\0';
	memset(rekey->bytes, 0, sizeof(rekey->bytes));
}

static int row_take(struct db *db, enum key_form form, struct row *row)
{
	struct bytes first = db_column_bytes(db, 0), second = db_column_bytes(db, 1);
	struct bytes sealed = db_column_bytes(db, 3);

	memset(row, 0, sizeof(*row));
	if (sealed.len > sizeof(row->sealed) ||
	    (form == KEY_CHAIN && first.len >= sizeof(row->text)) ||
	    (form == KEY_ID && second.len != VAULT_ID_SIZE))
		return DB_ERR_DAMAGED;
	if (form == KEY_CHAIN)
		memcpy(row->text, first.ptr, first.len);
	else
		row->number = db_column_int(db, 0);
	if (form == KEY_ID)
		memcpy(row->bytes, second.ptr, second.len);
	else
		row->second = db_column_int(db, 1);
	row->key_id = (uint32_t)db_column_int(db, 2);
	row->len = sealed.len;
	memcpy(row->sealed, sealed.ptr, sealed.len);
	return DB_OK;
}

#define PLACE_MAX 32

static struct bytes place_of(enum key_form form, const struct row *row,
			     uint8_t out[static PLACE_MAX])
{
	size_t len = 0;

	switch (form) {
	case KEY_ID:
		return bytes_of(row->bytes, VAULT_ID_SIZE);
	case KEY_INDEX:
		vault_put_int(out, row->number);
		vault_put_int(out + 8, row->second);
		return bytes_of(out, 16);
	case KEY_CHAIN:
		break;
	}
	len = strnlen(row->text, PLACE_MAX - 8);
	vault_put_int(out, row->second);
	memcpy(out + 8, row->text, len);
	return bytes_of(out, 8 + len);
}

/* Unseals a row, seals it, writes it. */
static int row_renew(struct db *db, const struct vault *vault, const struct sealed_table *table,
		     const struct row *row)
{
	uint8_t place_bytes[PLACE_MAX], plain[SEALED_MAX], sealed[SEALED_MAX + VAULT_OVERHEAD];
	const struct vault_place place = {table->name, place_of(table->form, row, place_bytes)};
	size_t plain_len, len;
	uint32_t key_id;
	int result = DB_ERR_DAMAGED;

	if (vault_unseal(vault, &place, row->key_id, bytes_of(row->sealed, row->len), plain,
			 sizeof(plain), &plain_len) == VAULT_OK &&
	    vault_seal(vault, &place, bytes_of(plain, plain_len), sealed, sizeof(sealed), &len,
		       &key_id) == VAULT_OK)
		result = db_run(db, table->update,
				DB_VALUES(db_int(key_id), db_bytes(bytes_of(sealed, len)),
					  first_value(table->form, row->number, row->text),
					  second_value(table->form, row->second, row->bytes, true),
					  db_int(row->key_id)),
				NULL);
	bytes_wipe(plain, sizeof(plain));
	return result;
}

/* The next rows of the table that need it. */
static int collect(struct db *db, const struct vault *vault, const struct rekey *rekey,
		   struct row *rows, unsigned room, unsigned *count)
{
	const struct sealed_table *table = table_of(rekey);
	const bool begun = rekey->number != INT64_MIN;
	int result =
		db_query(db, table->select,
			 DB_VALUES(first_value(table->form, rekey->number, rekey->text),
				   second_value(table->form, rekey->second, rekey->bytes, begun),
				   db_int(vault_newest(vault)), db_int((int64_t)room)));

	*count = 0;
	while (result == DB_OK && *count < room && (result = db_next(db)) == DB_ROW) {
		result = row_take(db, table->form, &rows[*count]);
		++*count;
	}
	db_end(db);
	return result;
}

int rekey_step(struct db *db, const struct vault *vault, struct rekey *rekey, unsigned room,
	       bool *more, const char **damaged)
{
	struct row *rows = calloc(room ? room : 1, sizeof(*rows));
	unsigned count = 0;
	int result = rows ? DB_OK : DB_ERR_MEMORY;

	*more = true;
	*damaged = NULL;
	if (rekey->table == 0 && rekey->number == 0 && rekey->second == 0)
		begin_table(rekey, 0);
	if (result == DB_OK)
		result = collect(db, vault, rekey, rows, room, &count);
	for (unsigned i = 0; i < count && result == DB_OK; i++)
		result = row_renew(db, vault, table_of(rekey), &rows[i]);
	if (result == DB_ERR_DAMAGED)
		*damaged = table_of(rekey)->name;
	if (result == DB_OK && count > 0) {
		rekey->number = rows[count - 1].number;
		rekey->second = rows[count - 1].second;
		memcpy(rekey->text, rows[count - 1].text, sizeof(rekey->text));
		memcpy(rekey->bytes, rows[count - 1].bytes, sizeof(rekey->bytes));
		rekey->changed += count;
	}
	if (result == DB_OK && count < room) {
		*more = rekey->table + 1 < roles[rekey->role].count;
		if (*more)
			begin_table(rekey, rekey->table + 1);
	}
	free(rows);
	return result;
}
