/*
 * Status lists (IETF Token Status List), list by list and page by page: a list may have a million
 * bits, and as many registrations name it.
 */
#include "messenger_status.h"

#include "service_internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE       1000 /* registrations of one transaction */
#define RETRY_MS   60000
#define TIMEOUT_MS 30000
#define LEASE_MS   300000 /* over the time-out and a walk through the registrations */
#define KEEP_MIN_S 1
#define KEEP_MAX_S 86400

/* Further ahead than any list is kept: the clock was set back since. */
#define AHEAD_MAX 172800000LL

int messenger_status_note(struct work *work, const struct messenger_row *row)
{
	static const char insert[] = "INSERT INTO status_lists (operator, uri, due_at)"
				     " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

	return db_run(
		work->db, insert,
		DB_VALUES(db_text(row->to), db_text(row->status_uri), db_int(clock_wall_ms())),
		NULL);
}

/* ---- The schedule ---- */

static bool take_text(char *out, size_t size, struct bytes text)
{
	if (text.len >= size)
		return false;
	memcpy(out, text.ptr, text.len);
	out[text.len] = '\0';
	return true;
}

static int set_due(struct work *work, const struct messenger_list *list, int64_t due_at)
{
	static const char update[] =
		"UPDATE status_lists SET due_at = $1 WHERE operator = $2 AND uri = $3";

	return db_run(work->db, update,
		      DB_VALUES(db_int(due_at), db_text(list->operator_name), db_text(list->uri)),
		      NULL);
}

static int is_named(struct work *work, const struct messenger_list *list, bool *named)
{
	static const char look[] = "SELECT 1 FROM registrations"
				   " WHERE operator = $1 AND status_uri = $2 LIMIT 1";
	int result = db_query(work->db, look,
			      DB_VALUES(db_text(list->operator_name), db_text(list->uri)));

	if (result == DB_OK)
		result = db_next(work->db);
	*named = result == DB_ROW;
	db_end(work->db);
	return result == DB_ROW ? DB_OK : result;
}

int messenger_status_claim(struct work *work, unsigned lease_ms, struct messenger_list *list,
			   bool *found)
{
	static const char due[] = "SELECT operator, uri FROM status_lists"
				  " WHERE due_at <= $1 OR due_at > $2 ORDER BY due_at LIMIT 1"
				  " FOR UPDATE SKIP LOCKED";
	const struct messenger_operator *to;
	const int64_t now = clock_wall_ms();
	bool named;
	int result = db_query(work->db, due, DB_VALUES(db_int(now), db_int(now + AHEAD_MAX)));

	memset(list, 0, sizeof(*list));
	list->done = -1;
	if (result == DB_OK)
		result = db_next(work->db);
	*found = result == DB_ROW;
	if (!*found)
		return result;
	named = take_text(list->operator_name, sizeof(list->operator_name),
			  db_column_bytes(work->db, 0)) &&
		take_text(list->uri, sizeof(list->uri), db_column_bytes(work->db, 1));
	db_end(work->db);
	if (!named)
		return DB_ERR_DAMAGED;
	result = is_named(work, list, found);
	to = messenger_operator(messenger_of(work), list->operator_name);
	list->signer = to ? to->signer : NULL;
	return result == DB_OK ? set_due(work, list, now + (*found ? lease_ms : RETRY_MS)) : result;
}

/* ---- Looking up ---- */

static bool is_revoked(const struct messenger_list *list, int64_t index)
{
	return index >= 0 && index < list->size && list->bits[index / 8] >> (index % 8) & 1;
}

/* Verified when it is first looked into, by the operator's certificate of now. */
static void verify(struct messenger_list *list)
{
	struct service_status status;
	const int64_t now = clock_wall_ms() / 1000;
	int error;

	if (list->verified || !list->jwt || !list->signer)
		return;
	error = service_status_read(list->signer, list->uri, now, list->jwt, list->jwt_len,
				    &status);
	if (error) {
		fprintf(stderr, "simtied: a status list of operator %s is not taken: %s\n",
			list->operator_name, simtie_service_strerror(error));
		free(list->jwt);
		list->jwt = NULL;
		return;
	}
	list->verified = true;
	list->bits = status.bits;
	list->size = status.size;
	list->until = status.until;
	if (list->until < now + KEEP_MIN_S)
		list->until = now + KEEP_MIN_S;
	if (list->until > now + KEEP_MAX_S)
		list->until = now + KEEP_MAX_S;
}

/* A page of those that name the list: the keys of what is revoked, and how many rows there were. */
static int read_page(struct work *work, struct messenger_list *list, struct vault_index *revoked,
		     size_t *count, unsigned *rows)
{
	static const char page[] = "SELECT status_index, hi, lo FROM registrations"
				   " WHERE operator = $1 AND status_uri = $2 AND status_index > $3"
				   " ORDER BY status_index LIMIT $4";
	int result = db_query(work->db, page,
			      DB_VALUES(db_text(list->operator_name), db_text(list->uri),
					db_int(list->done), db_int(PAGE)));

	*count = *rows = 0;
	list->reached = list->done;
	if (result == DB_OK)
		result = db_next(work->db);
	for (; result == DB_ROW && *rows < PAGE; result = db_next(work->db)) {
		++*rows;
		list->reached = db_column_int(work->db, 0);
		if (is_revoked(list, list->reached))
			revoked[(*count)++] = (struct vault_index){db_column_int(work->db, 1),
								   db_column_int(work->db, 2)};
	}
	db_end(work->db);
	return result == DB_ROW ? DB_OK : result;
}

/* As a notice would end it. One that a notice has ended names no list any more. */
static int end_one(struct work *work, const struct vault_index *key, struct messenger_list *list)
{
	struct messenger_row row;
	struct messenger_at before;
	bool found, changed = false;
	int result = messenger_row_find(work, key, &row, &found);

	if (result == DB_ERR_DAMAGED) {
		metrics_count(work->service->metrics, "damaged", "table=\"registrations\"", 1);
		return DB_OK;
	}
	if (result == DB_OK && found && strcmp(row.status_uri, list->uri) == 0) {
		before = messenger_row_at(&row);
		messenger_row_settle(&row, MESSENGER_REVERIFICATION_REQUIRED,
				     MESSENGER_REASON_REVOKED);
		result = messenger_row_update(work, &row, before, &changed);
	}
	bytes_wipe(&row, sizeof(row));
	list->ended += changed;
	return result;
}

int messenger_status_apply(struct work *work, struct messenger_list *list)
{
	struct vault_index revoked[PAGE];
	size_t count = 0;
	unsigned rows = 0;
	int result;

	verify(list);
	list->ended = 0;
	list->over = !list->verified;
	if (list->over)
		return set_due(work, list, clock_wall_ms() + RETRY_MS);
	result = read_page(work, list, revoked, &count, &rows);
	for (size_t i = 0; i < count && result == DB_OK; i++)
		result = end_one(work, &revoked[i], list);
	list->over = rows < PAGE;
	return result == DB_OK && list->over ? set_due(work, list, list->until * 1000) : result;
}

void messenger_status_clear(struct messenger_list *list)
{
	free(list->jwt);
	free(list->bits);
	memset(list, 0, sizeof(*list));
}

/* ---- Over the network ---- */

struct messenger_status {
	atomic_bool under_way; /* one list at a time */
};

struct flight {
	struct job job; /* first: the engine knows no more of it */
	struct messenger *messenger;
	struct messenger_list list;
};

static void flight_end(struct flight *flight)
{
	struct messenger *messenger = flight->messenger;

	messenger_status_clear(&flight->list);
	free(flight);
	atomic_store(&messenger->status->under_way, false);
}

static int apply(struct work *work, struct job *job)
{
	return messenger_status_apply(work, &((struct flight *)job)->list);
}

/* After a commit: on to the next page. What failed leaves the lease to run out. */
static void applied(struct job *job, int result)
{
	struct flight *flight = (struct flight *)job;
	struct messenger_list *list = &flight->list;
	struct service *service = flight->messenger->service;

	if (result == DB_OK && list->ended)
		metrics_count(service->metrics, "registrations",
			      "state=\"reverification_required\"", (uint64_t)list->ended);
	if (result == DB_OK && !list->over) {
		list->done = list->reached;
		if (engine_submit(service->engine, &flight->job))
			return;
	}
	metrics_count(service->metrics, "status_lists",
		      result == DB_OK && list->verified && list->over ? "outcome=\"read\""
								      : "outcome=\"failed\"",
		      1);
	flight_end(flight);
}

/* The event loop's thread: the list, or none. */
static void answered(void *context, const struct outgoing_answer *answer)
{
	struct flight *flight = context;
	struct messenger_list *list = &flight->list;

	if (answer->status == 200 && answer->body.len > 0)
		list->jwt = malloc(answer->body.len);
	if (list->jwt) {
		memcpy(list->jwt, answer->body.ptr, answer->body.len);
		list->jwt_len = answer->body.len;
	}
	if (!engine_submit(flight->messenger->service->engine, &flight->job))
		applied(&flight->job, DB_ERR_BUSY);
}

/* What cannot be sent off is settled as what was not answered. */
static void launch(struct messenger *messenger, struct flight *flight)
{
	const struct outgoing_request request = {
		.method = "GET",
		.url = flight->list.uri,
		.timeout_ms = TIMEOUT_MS,
		.done = answered,
		.context = flight,
	};
	const struct outgoing_answer none = {.status = 0};

	if (!flight->list.signer || !outgoing_send(messenger->service, &request))
		answered(flight, &none);
}

int messenger_status_run(struct work *work, bool *more)
{
	struct messenger *messenger = messenger_of(work);
	struct flight *flight;
	bool found;
	int result;

	*more = false;
	if (atomic_load(&messenger->status->under_way))
		return DB_OK;
	flight = calloc(1, sizeof(*flight));
	if (!flight)
		return DB_ERR_MEMORY;
	flight->job = (struct job){.run = apply, .done = applied};
	flight->messenger = messenger;
	result = messenger_status_claim(work, LEASE_MS, &flight->list, &found);
	if (result != DB_OK || !found) {
		free(flight);
		return result;
	}
	atomic_store(&messenger->status->under_way, true);
	launch(messenger, flight);
	return DB_OK;
}

struct messenger_status *messenger_status_new(void)
{
	return calloc(1, sizeof(struct messenger_status));
}

void messenger_status_free(struct messenger_status **status)
{
	free(*status);
	*status = NULL;
}
