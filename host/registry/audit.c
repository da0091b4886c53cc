/*
 * Lines and chains. What a line's MAC covers is its plaintext, so that new encryption keys change
 * no chain; and it is a MAC, so that whoever has the tables alone can neither make a line nor guess
 * what one says. Cut off at its end a chain is found out by its head, and a head that was set back
 * by whoever noted it elsewhere (`simtied operator audit verify` prints them).
 */
#include "audit.h"

#include "clock.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MAC_SIZE  32
#define LINE_MAX  2048 /* bytes of a line's text */
#define PAGE_ROWS 500

/* A line as a row has it. */
struct row {
	char chain[80];
	int64_t seq, at;
	bool of_subscriber;
	struct vault_index subscriber;
	char text[LINE_MAX]; /* JSON, terminated */
	size_t len;
	uint8_t mac[MAC_SIZE];
};

#define PLACE_SIZE 32

/* A row's key for the vault: its number and as much of its chain as fits. */
static struct bytes row_place(const char *chain, int64_t seq, uint8_t out[static PLACE_SIZE])
{
	size_t len = strnlen(chain, PLACE_SIZE - 8);

	vault_put_int(out, seq);
	memcpy(out + 8, chain, len);
	return bytes_of(out, 8 + len);
}

/* The MAC of a line that follows the one with `before` (zeros for the first). Every part has a
 * fixed length but the last two, which are parted by a zero. */
static bool row_mac(const struct vault *vault, const uint8_t before[static MAC_SIZE],
		    const struct row *row, uint8_t mac[static MAC_SIZE])
{
	uint8_t data[MAC_SIZE + 4 * 8 + 1 + sizeof(row->chain) + LINE_MAX];
	size_t chain_len = strlen(row->chain) + 1, at = 0;
	const int64_t numbers[] = {row->seq, row->at, row->of_subscriber ? row->subscriber.hi : 0,
				   row->of_subscriber ? row->subscriber.lo : 0};

	memcpy(data, before, MAC_SIZE);
	at = MAC_SIZE;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++, at += 8)
		vault_put_int(data + at, numbers[i]);
	data[at++] = row->of_subscriber;
	memcpy(data + at, row->chain, chain_len);
	at += chain_len;
	memcpy(data + at, row->text, row->len);
	return vault_mac(vault, "audit", bytes_of(data, at + row->len), mac);
}

/* ---- Writing ---- */

static int head_read(struct db *db, const char *chain, int64_t *seq, uint8_t mac[static MAC_SIZE])
{
	int result = db_query(db, "SELECT seq, mac FROM audit_heads WHERE chain = $1 FOR UPDATE",
			      DB_VALUES(db_text(chain)));

	*seq = 0;
	memset(mac, 0, MAC_SIZE);
	if (result)
		return result;
	result = db_next(db);
	if (result != DB_ROW)
		return result;
	*seq = db_column_int(db, 0);
	if (db_column_bytes(db, 1).len == MAC_SIZE)
		memcpy(mac, db_column_bytes(db, 1).ptr, MAC_SIZE);
	else
		result = DB_ERR_DAMAGED;
	db_end(db);
	return result == DB_ROW ? DB_OK : result;
}

static int row_insert(struct db *db, const struct vault *vault, const struct row *row)
{
	static const char insert[] =
		"INSERT INTO audit (chain, seq, at, hi, lo, key_id, sealed, mac)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
	static const char advance[] =
		"INSERT INTO audit_heads (chain, seq, mac) VALUES ($1, $2, $3)"
		" ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, mac = excluded.mac";
	uint8_t place[PLACE_SIZE], sealed[LINE_MAX + VAULT_OVERHEAD];
	const struct vault_place where = {"audit", row_place(row->chain, row->seq, place)};
	const bool about = row->of_subscriber;
	uint32_t key_id;
	size_t len;
	int result;

	if (vault_seal(vault, &where, bytes_of((const uint8_t *)row->text, row->len), sealed,
		       sizeof(sealed), &len, &key_id))
		return DB_ERR_MEMORY;
	result = db_run(db, insert,
			DB_VALUES(db_text(row->chain), db_int(row->seq), db_int(row->at),
				  about ? db_int(row->subscriber.hi) : db_null(),
				  about ? db_int(row->subscriber.lo) : db_null(), db_int(key_id),
				  db_bytes(bytes_of(sealed, len)),
				  db_bytes(bytes_of(row->mac, MAC_SIZE))),
			NULL);
	if (result)
		return result;
	return db_run(db, advance,
		      DB_VALUES(db_text(row->chain), db_int(row->seq),
				db_bytes(bytes_of(row->mac, MAC_SIZE))),
		      NULL);
}

/* False: out of memory, or it is longer than a line may be. */
static bool row_text(struct row *row, const struct audit_line *line)
{
	json_t *object = json_pack("{s:s,s:s,s:s*}", "actor", line->actor, "action", line->action,
				   "reason", line->reason);

	row->len = object ? json_dumpb(object, row->text, sizeof(row->text) - 1, JSON_COMPACT) : 0;
	json_decref(object);
	if (row->len == 0 || row->len >= sizeof(row->text))
		return false;
	row->text[row->len] = '\0';
	return true;
}

int audit_write(struct db *db, const struct vault *vault, const char *chain,
		const struct audit_line *line)
{
	struct row row = {.at = clock_wall_ms(), .of_subscriber = line->subscriber != NULL};
	uint8_t before[MAC_SIZE];
	int result;

	if (!chain || !*chain || strlen(chain) >= sizeof(row.chain) || !line->actor ||
	    !line->action)
		return DB_ERR_SQL;
	strcpy(row.chain, chain);
	if (line->subscriber)
		row.subscriber = *line->subscriber;
	if (!row_text(&row, line))
		return DB_ERR_MEMORY;
	result = head_read(db, chain, &row.seq, before);
	if (result)
		return result;
	row.seq++;
	if (!row_mac(vault, before, &row, row.mac))
		return DB_ERR_MEMORY;
	return row_insert(db, vault, &row);
}

/* ---- Reading ---- */

#define COLUMNS "SELECT chain, seq, at, hi, lo, key_id, sealed, mac FROM audit"

/* Takes the current row of such a query. *opens: its text could be unsealed. */
static int row_take(struct db *db, const struct vault *vault, struct row *row, bool *opens)
{
	struct bytes chain = db_column_bytes(db, 0), mac = db_column_bytes(db, 7);
	uint8_t place[PLACE_SIZE];

	memset(row, 0, sizeof(*row));
	if (chain.len >= sizeof(row->chain) || mac.len != MAC_SIZE)
		return DB_ERR_DAMAGED;
	memcpy(row->chain, chain.ptr, chain.len);
	memcpy(row->mac, mac.ptr, MAC_SIZE);
	row->seq = db_column_int(db, 1);
	row->at = db_column_int(db, 2);
	row->of_subscriber = !db_is_null(db, 3);
	row->subscriber.hi = db_column_int(db, 3);
	row->subscriber.lo = db_column_int(db, 4);
	*opens = vault_unseal(vault,
			      &(const struct vault_place){"audit",
							  row_place(row->chain, row->seq, place)},
			      (uint32_t)db_column_int(db, 5), db_column_bytes(db, 6),
			      (uint8_t *)row->text, sizeof(row->text) - 1, &row->len) == VAULT_OK;
	row->text[*opens ? row->len : 0] = '\0';
	return DB_OK;
}

int audit_read(struct db *db, const struct vault *vault, const struct vault_index *subscriber,
	       unsigned limit,
	       void (*see)(void *context, int64_t at, const struct audit_line *line), void *context)
{
	static const char about[] =
		COLUMNS " WHERE hi = $1 AND lo = $2 ORDER BY at DESC, seq DESC LIMIT $3";
	struct row row;
	bool opens, hers = true;
	int result = db_query(
		db, about,
		DB_VALUES(db_int(subscriber->hi), db_int(subscriber->lo), db_int((int64_t)limit)));

	if (result)
		return result;
	while (hers && (result = db_next(db)) == DB_ROW) {
		struct audit_line line = {.subscriber = subscriber};
		json_t *object;

		result = row_take(db, vault, &row, &opens);
		if (result == DB_OK && !opens)
			result = DB_ERR_DAMAGED;
		if (result)
			break;
		object = json_loads(row.text, 0, NULL);
		line.actor = json_string_value(json_object_get(object, "actor"));
		line.action = json_string_value(json_object_get(object, "action"));
		line.reason = json_string_value(json_object_get(object, "reason"));
		hers = !line.action || (strcmp(line.action, AUDIT_NEW_SUBSCRIBER) != 0 &&
					strcmp(line.action, AUDIT_SUBSCRIBER_DELETED) != 0);
		if (hers)
			see(context, row.at, &line);
		json_decref(object);
	}
	db_end(db);
	return result;
}

/* ---- Verifying ---- */

/* How far the walk has come. */
struct walk {
	const struct vault *vault;
	char chain[80]; /* "" before the first */
	int64_t seq;
	uint8_t mac[MAC_SIZE];
	int64_t lines;
	bool broken;
	struct audit_fault *fault;
};

static void walk_break(struct walk *walk, const char *chain, int64_t seq, const char *what)
{
	if (walk->broken)
		return;
	walk->broken = true;
	strcpy(walk->fault->chain, chain);
	walk->fault->seq = seq;
	walk->fault->what = what;
}

static void walk_line(struct walk *walk, const struct row *row, bool opens)
{
	uint8_t mac[MAC_SIZE];

	walk->lines++;
	if (row->seq != walk->seq + 1)
		walk_break(walk, row->chain, walk->seq + 1, "it is missing");
	else if (!opens)
		walk_break(walk, row->chain, row->seq, "it does not open: changed or moved");
	else if (!row_mac(walk->vault, walk->mac, row, mac) || memcmp(mac, row->mac, MAC_SIZE) != 0)
		walk_break(walk, row->chain, row->seq, "it was changed, or the one before it was");
	walk->seq = row->seq;
	memcpy(walk->mac, row->mac, MAC_SIZE);
}

/* The next line of the chain, written since its page was read. */
static int walk_on(struct walk *walk, struct db *db, bool *found)
{
	static const char next[] = COLUMNS " WHERE chain = $1 AND seq > $2 ORDER BY seq LIMIT 1";
	struct row row;
	bool opens;
	int result = db_query(db, next, DB_VALUES(db_text(walk->chain), db_int(walk->seq)));

	if (result == DB_OK)
		result = db_next(db);
	*found = result == DB_ROW;
	if (*found)
		result = row_take(db, walk->vault, &row, &opens);
	db_end(db);
	if (*found && result == DB_OK)
		walk_line(walk, &row, opens);
	return result;
}

/* The chain that was walked has come to its end: whether that is where its head says. Daemons write
 * on meanwhile, line and head at once: a head may count lines that came after the walk, and they
 * are there. */
static int walk_end(struct walk *walk, struct db *db)
{
	uint8_t mac[MAC_SIZE];
	int64_t seq;
	bool found = true;
	int result;

	if (!walk->chain[0])
		return DB_OK;
	result = head_read(db, walk->chain, &seq, mac);
	while (result == DB_OK && seq > walk->seq && found)
		result = walk_on(walk, db, &found);
	if (result)
		return result;
	if (seq > walk->seq)
		walk_break(walk, walk->chain, walk->seq + 1, "it is missing: the head counts more");
	else if (seq < walk->seq)
		walk_break(walk, walk->chain, seq + 1, "the head does not know of it");
	else if (memcmp(mac, walk->mac, MAC_SIZE) != 0)
		walk_break(walk, walk->chain, seq, "the head has another MAC for it");
	return DB_OK;
}

/* The next rows after where the walk stands, into `rows`. */
static int walk_page(struct walk *walk, struct db *db, struct row *rows, bool *opens, size_t *count)
{
	static const char page[] = COLUMNS " WHERE (chain, seq) > ($1, $2)"
					   " ORDER BY chain, seq LIMIT $3";
	int result = db_query(
		db, page, DB_VALUES(db_text(walk->chain), db_int(walk->seq), db_int(PAGE_ROWS)));

	*count = 0;
	while (result == DB_OK && *count < PAGE_ROWS && (result = db_next(db)) == DB_ROW) {
		result = row_take(db, walk->vault, &rows[*count], &opens[*count]);
		++*count;
	}
	db_end(db);
	return result;
}

/* Heads of chains that have no line left. */
static int walk_orphans(struct walk *walk, struct db *db)
{
	static const char orphans[] = "SELECT chain FROM audit_heads WHERE NOT EXISTS"
				      " (SELECT 1 FROM audit WHERE audit.chain = "
				      "audit_heads.chain) ORDER BY chain LIMIT 1";
	int result = db_query(db, orphans, DB_NONE);

	if (result == DB_OK && (result = db_next(db)) == DB_ROW) {
		struct bytes chain = db_column_bytes(db, 0);
		char name[80] = "";

		memcpy(name, chain.ptr, chain.len < sizeof(name) ? chain.len : sizeof(name) - 1);
		walk_break(walk, name, 1, "every line of the chain is missing");
		result = DB_OK;
	}
	db_end(db);
	return result;
}

int audit_verify(struct db *db, const struct vault *vault, int64_t *lines, bool *broken,
		 struct audit_fault *fault)
{
	struct walk walk = {.vault = vault, .fault = fault};
	struct row *rows = calloc(PAGE_ROWS, sizeof(*rows));
	bool opens[PAGE_ROWS];
	size_t count = PAGE_ROWS;
	int result = rows ? DB_OK : DB_ERR_MEMORY;

	while (result == DB_OK && count == PAGE_ROWS) {
		result = walk_page(&walk, db, rows, opens, &count);
		for (size_t i = 0; i < count && result == DB_OK; i++) {
			if (strcmp(rows[i].chain, walk.chain) != 0) {
				result = walk_end(&walk, db);
				strcpy(walk.chain, rows[i].chain);
				walk.seq = 0;
				memset(walk.mac, 0, MAC_SIZE);
			}
			walk_line(&walk, &rows[i], opens[i]);
		}
	}
	free(rows);
	if (result == DB_OK)
		result = walk_end(&walk, db);
	if (result == DB_OK)
		result = walk_orphans(&walk, db);
	*lines = walk.lines;
	*broken = walk.broken;
	return result;
}
