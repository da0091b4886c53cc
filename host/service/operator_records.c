/*
 * POST /v1/admin/records?import=NAME&offset=BYTES: card records and subscribers, as lines of JSON.
 *
 * A file is sent in parts, each of whole lines, each in one transaction with how far the import has
 * come. A part that is sent again, whole or from an earlier offset, changes nothing; one that would
 * leave a gap is refused with the offset to go on from. A line that is wrong is named by its
 * number, and nothing of its part is kept. The lines:
 *
 *   a card record (simtie-card-record/1) with "iccid", as `simtie provision` writes them: into
 * stock
 *   {"phoneNumber": "+…", "iccid": "…"}: the subscriber of this number has this card
 *   {"phoneNumber": "+…"}: a subscriber without a card
 *   a card record with "iccid" and "phoneNumber": both at once
 *
 * Importing is not changing a SIM: who has a card gets another by the event SIM_SWAPPED.
 */
#include "audit.h"
#include "operator.h"
#include "stock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_IMPORT 64
#define LINE_MAX_IMPORT 4096

/* An import and how far it has come. */
struct import {
	struct work *work;
	const struct operator_state *op;
	char name[NAME_MAX_IMPORT + 1];
	int64_t offset;   /* of this part in its file, bytes */
	int64_t position; /* bytes of the file that are in */
	int64_t lines;
	const char *wrong; /* what is wrong with the line at `lines` + 1; NULL: nothing */
};

/* ---- The query ---- */

static bool name_valid(const char *name, size_t len)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";

	return len > 0 && len <= NAME_MAX_IMPORT && strspn(name, allowed) == len;
}

/* import=NAME and offset=DIGITS, each once, in either order. */
static bool query_read(const char *query, struct import *import)
{
	bool named = false, placed = false;
	char copy[129], *rest = copy, *item, *end;

	snprintf(copy, sizeof(copy), "%s", query);
	while ((item = strsep(&rest, "&"))) {
		if (strncmp(item, "import=", 7) == 0 && !named) {
			named = name_valid(item + 7, strlen(item + 7));
			snprintf(import->name, sizeof(import->name), "%s", item + 7);
			if (!named)
				return false;
		} else if (strncmp(item, "offset=", 7) == 0 && !placed) {
			size_t digits = strspn(item + 7, "0123456789");

			import->offset = strtoll(item + 7, &end, 10);
			placed = digits > 0 && digits <= 15 && *end == '\0';
			if (!placed)
				return false;
		} else {
			return false;
		}
	}
	return named && placed;
}

/* ---- How far ---- */

static int progress_read(struct import *import)
{
	static const char select[] =
		"SELECT position, lines FROM imports WHERE name = $1 FOR UPDATE";
	struct db *db = import->work->db;
	int result = db_query(db, select, DB_VALUES(db_text(import->name)));

	if (result == DB_OK && (result = db_next(db)) == DB_ROW) {
		import->position = db_column_int(db, 0);
		import->lines = db_column_int(db, 1);
		result = DB_OK;
	}
	db_end(db);
	return result;
}

static int progress_write(const struct import *import)
{
	static const char upsert[] =
		"INSERT INTO imports (name, position, lines, updated_at) VALUES ($1, $2, $3, $4)"
		" ON CONFLICT (name) DO UPDATE SET position = excluded.position,"
		" lines = excluded.lines, updated_at = excluded.updated_at";

	return db_run(import->work->db, upsert,
		      DB_VALUES(db_text(import->name), db_int(import->position),
				db_int(import->lines), db_int(clock_wall_ms())),
		      NULL);
}

/* ---- Lines ---- */

static int refuse(struct import *import, const char *wrong)
{
	import->wrong = wrong;
	return DB_OK;
}

/* The card that `iccid` names becomes the subscriber's. */
static int give_card(struct import *import, struct subscriber *subscriber, const char *iccid)
{
	struct work *work = import->work;
	struct simtie_card_key key;
	enum stock_state state;
	bool same;
	int result = stock_take(work->db, work->service->vault, iccid, &key, &state);

	if (result)
		return result;
	same = subscriber->card_state != SUBSCRIBER_CARD_NONE &&
	       memcmp(subscriber->key.device_public, key.device_public, SIMTIE_POINT_SIZE) == 0;
	if (state == STOCK_UNKNOWN)
		result = refuse(import, "no card of this ICCID was imported");
	else if (state == STOCK_TAKEN && !same)
		result = refuse(import, "a subscriber has this card, or had it");
	else if (state == STOCK_GIVEN && subscriber->card_state != SUBSCRIBER_CARD_NONE)
		result = refuse(import, "the subscriber has a card: another is the event "
					"SIM_SWAPPED");
	else if (state == STOCK_GIVEN) {
		subscriber->key = key;
		subscriber->card_state = SUBSCRIBER_CARD_GOOD;
	}
	bytes_wipe(&key, sizeof(key));
	return result;
}

/* Who has the number now sees the log from here on, not what is noted of who had it before, nor her
 * registrations. The card of that one comes back with nobody: its counters may go. */
static int begin_anew(const struct import *import, const struct vault_index *index)
{
	static const char hide[] = "UPDATE registrations SET state = 5 WHERE hi = $1 AND lo = $2";
	struct work *work = import->work;
	const struct audit_line line = {
		.actor = "operator", .action = AUDIT_NEW_SUBSCRIBER, .subscriber = index};
	int result = db_run(work->db, hide, DB_VALUES(db_int(index->hi), db_int(index->lo)), NULL);

	if (result == DB_OK)
		result = operator_ended_counters(work, index);
	return result ? result : audit_write(work->db, work->service->vault, work->chain, &line);
}

static int take_subscriber(struct import *import, const char *number, const char *iccid)
{
	struct work *work = import->work;
	struct vault *vault = work->service->vault;
	struct subscriber subscriber;
	bool found;
	int result = subscriber_find(work->db, vault, number, SUBSCRIBER_LOCK, &subscriber, &found);

	if (result == DB_OK && (!found || subscriber.state == SUBSCRIBER_TERMINATED ||
				subscriber.state == SUBSCRIBER_PORTED_OUT)) {
		/* New, or a number that was given back and has somebody new. */
		int64_t changed = found ? clock_wall_ms() : 0;
		struct vault_index index = subscriber.index;

		bytes_wipe(&subscriber, sizeof(subscriber));
		subscriber = (struct subscriber){
			.index = index, .state = SUBSCRIBER_ACTIVE, .sim_changed_at = changed};
		snprintf(subscriber.number, sizeof(subscriber.number), "%s", number);
		if (found)
			result = begin_anew(import, &index);
	}
	if (result == DB_OK && iccid)
		result = give_card(import, &subscriber, iccid);
	if (result == DB_OK && !import->wrong)
		result = subscriber_write(work->db, vault, &subscriber);
	bytes_wipe(&subscriber, sizeof(subscriber));
	return result;
}

static int take_card(struct import *import, const char *line, size_t len, const json_t *root,
		     const char *iccid)
{
	struct simtie_record record;
	int result;

	if (json_is_true(json_object_get(root, "testKeys")) && !import->op->allow_virtual)
		return refuse(import, "the card was made with test keys (see allow_virtual)");
	if (simtie_record_parse(line, len, &record))
		return refuse(import, "it is no card record");
	result = stock_put(import->work->db, import->work->service->vault, iccid, &record.key);
	bytes_wipe(&record, sizeof(record));
	return result == DB_ERR_CONFLICT ? refuse(import, "another card has this ICCID") : result;
}

/* One line. DB_OK with import->wrong set: it is refused. */
static int take_line(struct import *import, const char *line, size_t len)
{
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *iccid = json_string_value(json_object_get(root, "iccid"));
	const char *number = json_string_value(json_object_get(root, "phoneNumber"));
	const char *secret = json_string_value(json_object_get(root, "chainCode"));
	const bool card = json_object_get(root, "format") != NULL;
	int result = DB_OK;

	if (!json_is_object(root))
		result = refuse(import, "it is no JSON object, or has a member twice");
	else if (json_object_get(root, "phoneNumber") && (!number || !simtie_number_valid(number)))
		result = refuse(import, "phoneNumber is none: + and 5 to 15 digits (E.164)");
	else if (json_object_get(root, "iccid") && (!iccid || !stock_iccid_valid(iccid)))
		result = refuse(import, "iccid is none: 18 to 20 digits");
	else if (!number && !card)
		result = refuse(import, "it is neither a card record nor a subscriber");
	else if (card && !iccid)
		result = refuse(import, "a card record needs its iccid");
	if (result == DB_OK && !import->wrong && card)
		result = take_card(import, line, len, root, iccid);
	if (result == DB_OK && !import->wrong && number)
		result = take_subscriber(import, number, iccid);
	if (secret)
		bytes_wipe((char *)secret, strlen(secret));
	json_decref(root);
	return result;
}

/* All whole lines of a part, from what is new in it. */
static int take_lines(struct import *import, struct bytes body)
{
	const size_t known = (size_t)(import->position - import->offset);
	const char *at = (const char *)body.ptr + known, *end = (const char *)body.ptr + body.len;
	const char *newline;
	int result = DB_OK;

	while (result == DB_OK && !import->wrong && at < end &&
	       (newline = memchr(at, '\n', (size_t)(end - at)))) {
		size_t len = (size_t)(newline - at);

		if (len > LINE_MAX_IMPORT)
			result = refuse(import, "it is over 4096 bytes long");
		else if (len > 0)
			result = take_line(import, at, len);
		if (result == DB_OK && !import->wrong) {
			import->position += newline + 1 - at;
			import->lines++;
		}
		at = newline + 1;
	}
	return result;
}

/* ---- The request ---- */

static int answer(const struct import *import, struct reply *reply)
{
	return reply_json(reply, 200,
			  json_pack("{s:I,s:I}", "position", (json_int_t)import->position, "lines",
				    (json_int_t)import->lines));
}

static int note(const struct import *import, const struct request *request)
{
	char actor[SIMTIE_AUDIENCE_MAX + 16], action[NAME_MAX_IMPORT + 64];
	const struct audit_line line = {.actor = actor, .action = action};

	snprintf(actor, sizeof(actor), "admin %s", request->peer.name);
	snprintf(action, sizeof(action), "import %s to line %lld", import->name,
		 (long long)import->lines);
	return audit_write(import->work->db, import->work->service->vault, import->work->chain,
			   &line);
}

/* Takes what is new in the part, all of it or nothing. */
static int take_part(struct import *import, const struct request *request, struct reply *reply)
{
	struct db *db = import->work->db;
	const int64_t before = import->position;
	int result = db_script(db, "SAVEPOINT part");

	if (result == DB_OK)
		result = take_lines(import, request->body);
	if (result == DB_OK && import->wrong) {
		result = db_script(db, "ROLLBACK TO SAVEPOINT part");
		return result ? result
			      : reply_error(reply, 400, "INVALID_ARGUMENT",
					    "Line %lld: %s. Nothing of this part was kept.",
					    (long long)import->lines + 1, import->wrong);
	}
	if (result == DB_OK && import->position > before)
		result = progress_write(import);
	if (result == DB_OK && import->position > before)
		result = note(import, request);
	return result ? result : answer(import, reply);
}

int operator_records_post(struct work *work, const struct request *request, struct reply *reply)
{
	struct import import = {.work = work, .op = work->service->state};
	int result;

	if (!query_read(request->query, &import))
		return reply_error(
			reply, 400, "INVALID_ARGUMENT",
			"The query is ?import=NAME&offset=BYTES: a name of letters, "
			"digits, '.', '_', '-', and where in its file this part begins.");
	result = progress_read(&import);
	if (result)
		return result;
	if (import.offset > import.position)
		return reply_error(reply, 409, "CONFLICT",
				   "The import has come to byte %lld: go on from there.",
				   (long long)import.position);
	if (import.position - import.offset >= (int64_t)request->body.len)
		return answer(&import,
			      reply); /* all of it is in, or it is empty: how far it has come */
	return take_part(&import, request, reply);
}
