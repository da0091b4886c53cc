/*
 * GET /v1/status/{list}: anybody may ask, for any list, as often as the listener lets him.
 *
 * What is published changes only at ticks, multiples of status_tick_s on the wall clock: two
 * credentials of one subscriber that end together show together with all that ended in that time,
 * and whoever watches the list learns no finer time. All daemons cut at the same ticks.
 *
 * To make a list costs a walk over all that is revoked in it, a compression and a signature. That
 * is bounded whatever is asked, twice. What was made lies in the store, and serves all daemons
 * until the next tick: more requests make nothing more, whichever lists they are for, but while the
 * first is not committed. And of the lists that there are a daemon makes one at a time, and rests
 * so long after each that in the long run a fifth of one core goes into it at most. Meanwhile the
 * one of the tick before serves, which a client may have kept as well; where there is none, the
 * answer is 503 with Retry-After.
 *
 * With SQLite a list is made before the transaction, so that nobody who writes waits for it.
 */
#include "operator.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LIVES     2    /* ticks that a published list may be kept */
#define SHARE     5    /* a list that took a time is paid off after that many times it */
#define CREDIT_MS 2000 /* that may be owed when the next one is begun */
#define PAGE_ROWS 8192 /* of what is revoked, read at a time */

struct operator_status_maker {
	pthread_mutex_t lock;
	bool busy;
	int64_t paid_off_ms; /* by the boot clock */
};

struct operator_status_maker *operator_status_new(void)
{
	struct operator_status_maker *maker = calloc(1, sizeof(*maker));

	if (maker)
		pthread_mutex_init(&maker->lock, NULL);
	return maker;
}

void operator_status_free(struct operator_status_maker **maker)
{
	if (!*maker)
		return;
	pthread_mutex_destroy(&(*maker)->lock);
	free(*maker);
	*maker = NULL;
}

/* ---- The share ---- */

/* Whether a list may be made now; then maker_end() is to be called. *wait_s: if not, how long to
 * wait. */
static bool maker_begin(struct operator_status_maker *maker, int64_t now_ms, unsigned *wait_s)
{
	int64_t owed_ms;
	bool may;

	pthread_mutex_lock(&maker->lock);
	owed_ms = maker->paid_off_ms - now_ms;
	may = !maker->busy && owed_ms <= CREDIT_MS;
	maker->busy |= may;
	pthread_mutex_unlock(&maker->lock);
	*wait_s = owed_ms > CREDIT_MS ? (unsigned)((owed_ms - CREDIT_MS) / 1000) + 1 : 1;
	return may;
}

/* A list counts for a millisecond more than it took: short ones are not for nothing. */
static void maker_end(struct operator_status_maker *maker, int64_t began_ms)
{
	const int64_t cost_ms = (clock_boot_ms() - began_ms + 1) * SHARE;

	pthread_mutex_lock(&maker->lock);
	if (maker->paid_off_ms < began_ms)
		maker->paid_off_ms = began_ms;
	maker->paid_off_ms += cost_ms;
	maker->busy = false;
	pthread_mutex_unlock(&maker->lock);
}

/* ---- Making ---- */

/* A list as it is asked for, or was made. */
struct listed {
	int64_t list;
	int64_t size;    /* bits; 0: there is no such list */
	int64_t tick_ms; /* of `jwt` */
	char *jwt;       /* malloc()ed; or NULL */
};

/* The bits that were set before the tick, from the store. */
static int read_bits(struct work *work, const struct listed *listed, uint8_t *bits)
{
	static const char look[] =
		"SELECT idx, revoked_at FROM status_entries WHERE list = $1 AND idx >= $2"
		" AND revoked_at IS NOT NULL ORDER BY idx LIMIT $3";
	int64_t next = 0, rows = PAGE_ROWS;
	int result = DB_OK;

	while (result == DB_OK && rows == PAGE_ROWS) {
		rows = 0;
		result = db_query(work->db, look,
				  DB_VALUES(db_int(listed->list), db_int(next), db_int(PAGE_ROWS)));
		if (result == DB_OK)
			result = db_next(work->db);
		for (; result == DB_ROW; result = db_next(work->db), rows++) {
			const int64_t index = db_column_int(work->db, 0);

			next = index + 1;
			if (index < listed->size && db_column_int(work->db, 1) < listed->tick_ms)
				bits[index / 8] |= (uint8_t)(1u << (index % 8));
		}
	}
	return result;
}

/* Makes listed->jwt as the list was at listed->tick_ms. `ahead`: its transaction only reads, and
 * ends as soon as it has been read: whoever settles the store's log waits for those who read. */
static int make(struct work *work, struct listed *listed, bool ahead)
{
	const struct operator_state *op = operator_of(work);
	char uri[SIMTIE_STATUS_URI_MAX + 1];
	uint8_t *bits = calloc(1, (size_t)listed->size / 8);
	int result = bits ? read_bits(work, listed, bits) : DB_ERR_MEMORY;

	if (ahead)
		db_rollback(work->db);
	if (result == DB_OK &&
	    (!operator_status_uri(op, listed->list, uri) ||
	     simtie_status_issue(op->signer, uri, bits, (uint32_t)listed->size,
				 listed->tick_ms / 1000, (uint32_t)(LIVES * op->status_tick_s),
				 &listed->jwt)))
		result = DB_ERR_MEMORY;
	free(bits);
	return result;
}

/* ---- What was made ---- */

static int look_up(struct work *work, int64_t list, struct listed *listed)
{
	static const char look[] =
		"SELECT l.size, t.tick_at, t.jwt FROM status_lists l"
		" LEFT JOIN status_tokens t ON t.list = l.list WHERE l.list = $1";
	struct bytes jwt;
	int result = db_query(work->db, look, DB_VALUES(db_int(list)));

	*listed = (struct listed){.list = list};
	if (result == DB_OK)
		result = db_next(work->db);
	if (result != DB_ROW)
		return result;
	result = DB_OK;
	listed->size = db_column_int(work->db, 0);
	listed->tick_ms = db_column_int(work->db, 1);
	jwt = db_column_bytes(work->db, 2);
	if (jwt.len) {
		listed->jwt = strndup((const char *)jwt.ptr, jwt.len);
		if (!listed->jwt)
			result = DB_ERR_MEMORY;
	}
	db_end(work->db);
	return result;
}

/* By a daemon whose clock is a little behind none is put in the place of a later one. */
static int keep(struct work *work, const struct listed *listed)
{
	static const char upsert[] =
		"INSERT INTO status_tokens (list, tick_at, jwt) VALUES ($1, $2, $3)"
		" ON CONFLICT (list) DO UPDATE SET tick_at = excluded.tick_at, jwt = excluded.jwt"
		" WHERE status_tokens.tick_at < $2 OR status_tokens.tick_at > $4";
	const int64_t next_ms = listed->tick_ms + operator_of(work)->status_tick_s * 1000;

	return db_run(
		work->db, upsert,
		DB_VALUES(db_int(listed->list), db_int(listed->tick_ms),
			  db_bytes(bytes_of((const uint8_t *)listed->jwt, strlen(listed->jwt))),
			  db_int(next_ms)),
		NULL);
}

/* How many ticks ago it was made: 0 too if a daemon made it whose clock is a little ahead; -1 when
 * it is from no such time. */
static int64_t age_of(const struct listed *listed, int64_t tick_ms, int64_t tick)
{
	if (!listed->jwt || listed->tick_ms > tick_ms + tick)
		return -1;
	return listed->tick_ms >= tick_ms ? 0 : (tick_ms - listed->tick_ms) / tick;
}

/* ---- The request ---- */

/* A list that was made ahead. */
struct made {
	struct prepared head;
	struct listed listed;
};

static void made_free(struct prepared *head)
{
	free(((struct made *)head)->listed.jwt);
	free(head);
}

/* Decimal digits without a leading zero, as operator_status_uri() writes them; 0: none. */
static int64_t list_number(const char *text)
{
	char *end;
	long long number;

	if (text[0] < '1' || text[0] > '9' || strlen(text) > 18)
		return 0;
	number = strtoll(text, &end, 10);
	return *end ? 0 : number;
}

/* The list to be published: of this tick, the one in the store or one *made now; if this daemon
 * has no time for it, an older one that may serve still; or none. */
static int published(struct work *work, int64_t list, bool ahead, struct listed *listed, bool *made,
		     unsigned *wait_s)
{
	const struct operator_state *op = operator_of(work);
	const int64_t tick = op->status_tick_s * 1000, tick_ms = clock_wall_ms() / tick * tick;
	const int64_t began_ms = clock_boot_ms();
	int result = look_up(work, list, listed);
	int64_t age;

	*made = false;
	if (result != DB_OK || listed->size == 0)
		return result;
	age = age_of(listed, tick_ms, tick);
	if (age == 0)
		return DB_OK;
	if (age < 0 || age >= LIVES) {
		free(listed->jwt);
		listed->jwt = NULL;
	}
	if (!maker_begin(op->status, began_ms, wait_s))
		return DB_OK;
	free(listed->jwt);
	listed->jwt = NULL;
	listed->tick_ms = tick_ms;
	result = make(work, listed, ahead);
	*made = result == DB_OK;
	metrics_time(work->service->metrics, "status_list", "",
		     (clock_boot_ms() - began_ms) * 1000);
	maker_end(op->status, began_ms);
	return result;
}

struct prepared *operator_status_prepare(struct work *work, const struct request *request)
{
	struct made *made = calloc(1, sizeof(*made));
	const int64_t list = list_number(request->segment[0]);
	unsigned wait_s;
	bool now = false;

	if (!made)
		return NULL;
	made->head.free = made_free;
	if (list != 0)
		published(work, list, true, &made->listed, &now, &wait_s);
	if (now)
		return &made->head;
	made_free(&made->head);
	return NULL;
}

static int answer(struct reply *reply, const struct listed *listed, unsigned wait_s)
{
	if (listed->size == 0)
		return reply_error(reply, 404, "NOT_FOUND", "There is no such status list.");
	if (!listed->jwt) {
		reply_error(reply, 503, "UNAVAILABLE",
			    "Too many lists are asked for: try again later.");
		reply->retry_after_s = wait_s;
		return DB_OK;
	}
	reply->text = strdup(listed->jwt);
	if (!reply->text)
		return DB_ERR_MEMORY;
	reply->status = 200;
	reply->content_type = "application/statuslist+jwt";
	return DB_OK;
}

int operator_status_get(struct work *work, const struct request *request, struct reply *reply)
{
	const struct made *ahead = (const struct made *)work->prepared;
	const int64_t list = list_number(request->segment[0]);
	struct listed listed = {.list = list};
	unsigned wait_s = 0;
	bool made = false;
	int result = DB_OK;

	if (ahead) {
		result = keep(work, &ahead->listed);
		return result == DB_OK ? answer(reply, &ahead->listed, 0) : result;
	}
	if (list != 0)
		result = published(work, list, false, &listed, &made, &wait_s);
	if (result == DB_OK && made)
		result = keep(work, &listed);
	if (result == DB_OK)
		result = answer(reply, &listed, wait_s);
	free(listed.jwt);
	return result;
}
