#include "db_postgres.h"

#include <stdio.h>
#include <string.h>

#define STATEMENT_WAITS 10 /* a statement may take so many times what it may wait for a lock */

/* ---- Errors ---- */

/* SQLSTATEs by what they begin with; the first that fits counts. See PostgreSQL's appendix A. */
static const struct {
	const char *state;
	int error;
} states[] = {
	{"40001", DB_ERR_BUSY},     /* serialization_failure */
	{"40P01", DB_ERR_BUSY},     /* deadlock_detected */
	{"55P03", DB_ERR_BUSY},     /* lock_not_available */
	{"57014", DB_ERR_BUSY},     /* query_canceled: statement_timeout */
	{"23505", DB_ERR_CONFLICT}, /* unique_violation */
	{"23514", DB_ERR_CONFLICT}, /* check_violation */
	{"23P01", DB_ERR_CONFLICT}, /* exclusion_violation */
	{"53100", DB_ERR_FULL},     /* disk_full */
	{"53200", DB_ERR_MEMORY},   /* out_of_memory */
	{"53", DB_ERR_GONE},        /* too many connections */
	{"08P01", DB_ERR_SQL},      /* protocol_violation: not as many values as parameters */
	{"08", DB_ERR_GONE},        /* connection_exception */
	{"25006", DB_ERR_GONE},     /* read only: a standby, another server is the one by now */
	{"26000", DB_ERR_GONE},     /* the prepared statement is not there: another session */
	{"28", DB_ERR_GONE},        /* not let in */
	{"3D000", DB_ERR_GONE},     /* no such database */
	{"57P", DB_ERR_GONE},       /* shut down, crashed, starting */
	{"58030", DB_ERR_DAMAGED},  /* io_error */
	{"58P01", DB_ERR_DAMAGED},  /* a file of the server's is not there */
	{"XX001", DB_ERR_DAMAGED},  /* data_corrupted */
	{"XX002", DB_ERR_DAMAGED},  /* index_corrupted */
};

static int error_of(const struct postgres *postgres, const char *state)
{
	/* Without a state it is not the server that speaks: it ended before libpq took notice. */
	if (PQstatus(postgres->connection) != CONNECTION_OK || !state)
		return DB_ERR_GONE;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (strncmp(state, states[i].state, strlen(states[i].state)) == 0)
			return states[i].error;
	return DB_ERR_SQL;
}

/* What the server said, first line; never its DETAIL, which quotes values, and nothing of a data
 * exception (class 22), whose first line does. */
int db_postgres_fail(struct postgres *postgres, const PGresult *result)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	int error = error_of(postgres, state);

	postgres->gone = postgres->gone || error == DB_ERR_GONE;
	if (!text)
		text = PQerrorMessage(postgres->connection);
	if (state && strncmp(state, "22", 2) == 0)
		text = "a value is none that its column or function takes";
	return db_fail(&postgres->db, error, "PostgreSQL: %s%s%.*s", state ? state : "",
		       state ? ": " : "", (int)strcspn(text, "\n"), text);
}

static void heed_notice(void *context, const PGresult *result)
{
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	struct postgres *postgres = context;

	if (severity && strcmp(severity, "WARNING") == 0)
		postgres->warned = true;
}

/* ---- Opening ---- */

/* fsync off would make each "committed" a lie; so would synchronous_commit off, which is ours to
 * set. What is stricter than on stays. */
static const char settings[] =
	"SELECT current_setting('fsync'), set_config('lock_timeout', $1, false), "
	"set_config('statement_timeout', $2, false), "
	"set_config('default_transaction_isolation', 'read committed', false), "
	"set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
	"WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";

static int set_up(struct postgres *postgres)
{
	char wait[16], limit[16];
	const char *const values[] = {wait, limit};
	PGresult *result;
	int error = DB_OK;

	snprintf(wait, sizeof(wait), "%u", postgres->wait_ms);
	snprintf(limit, sizeof(limit), "%u", postgres->wait_ms * STATEMENT_WAITS);
	result = PQexecParams(postgres->connection, settings, 2, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		error = db_postgres_fail(postgres, result);
	else if (strcmp(PQgetvalue(result, 0, 0), "on") != 0)
		error = db_fail(&postgres->db, DB_ERR_GONE,
				"PostgreSQL: fsync is off there, a power cut would lose what was "
				"acknowledged; set it to on");
	PQclear(result);
	return error;
}

void db_postgres_disconnect(struct postgres *postgres)
{
	db_statements_free(&postgres->db);
	PQfinish(postgres->connection);
	postgres->connection = NULL;
}

int db_postgres_connect(struct postgres *postgres)
{
	char seconds[16], user_timeout[16];
	/* What comes later counts: the caller may say otherwise of all but the encoding. */
	const char *const names[] = {"fallback_application_name", "connect_timeout",
				     "tcp_user_timeout",          "dbname",
				     "client_encoding",           NULL};
	const char *const values[] = {"simtied",       seconds, user_timeout,
				      postgres->where, "UTF8",  NULL};

	snprintf(seconds, sizeof(seconds), "%u", postgres->wait_ms / 1000 + 2);
	snprintf(user_timeout, sizeof(user_timeout), "%u",
		 postgres->wait_ms * STATEMENT_WAITS + 2000);
	postgres->gone = false;
	postgres->connection = PQconnectdbParams(names, values, 1);
	if (!postgres->connection)
		return db_fail(&postgres->db, DB_ERR_MEMORY, "out of memory");
	if (PQstatus(postgres->connection) != CONNECTION_OK)
		return db_postgres_fail(postgres, NULL);
	PQsetNoticeReceiver(postgres->connection, heed_notice, postgres);
	return set_up(postgres);
}

int db_postgres_reconnect(struct postgres *postgres)
{
	int error;

	db_postgres_disconnect(postgres);
	error = db_postgres_connect(postgres);
	if (error)
		db_postgres_disconnect(postgres);
	return error;
}
