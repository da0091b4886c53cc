/*
 * The store in PostgreSQL, through libpq: prepared statements, values in binary form.
 */
#include "db_postgres.h"

#include <stdio.h>
#include <stdlib.h>

/* Types as pg_type numbers them (src/include/catalog/pg_type.dat). */
enum oid {
	OID_ANY = 0, /* the server sees from the statement what a NULL stands for */
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
};

#define BINARY 1

struct postgres_statement {
	struct db_statement head;
	char name[16];
};

static const struct db_methods methods;

static struct postgres *of(struct db *db)
{
	return (struct postgres *)db;
}

static const struct postgres *of_const(const struct db *db)
{
	return (const struct postgres *)db;
}

/* ---- Opening, closing ---- */

static void postgres_close(struct db *db)
{
	struct postgres *postgres = of(db);

	db_postgres_disconnect(postgres);
	if (postgres->where)
		bytes_wipe(postgres->where, strlen(postgres->where));
	free(postgres->where);
	free(postgres);
}

int db_postgres_open(const char *where, unsigned wait_ms, struct db **db, char *detail)
{
	/* libpq quotes what it does not understand, and that may be a part of a password. */
	PQconninfoOption *options = PQconninfoParse(where, NULL);
	struct postgres *postgres;
	int error;

	if (!options) {
		snprintf(detail, DB_DETAIL_MAX,
			 "neither sqlite:FILE nor what libpq takes "
			 "(postgresql://HOST/DATABASE, \"host=… dbname=…\")");
		return DB_ERR_GONE;
	}
	PQconninfoFree(options);
	postgres = calloc(1, sizeof(*postgres));
	if (!postgres || !(postgres->where = strdup(where))) {
		free(postgres);
		snprintf(detail, DB_DETAIL_MAX, "out of memory");
		return DB_ERR_MEMORY;
	}
	postgres->db.methods = &methods;
	postgres->wait_ms = wait_ms ? wait_ms : 1; /* to the server 0 is for ever */
	error = db_postgres_connect(postgres);
	if (error) {
		memcpy(detail, postgres->db.detail, DB_DETAIL_MAX);
		postgres_close(&postgres->db);
		return error;
	}
	*db = &postgres->db;
	return DB_OK;
}

/* ---- Transactions ---- */

static int run(struct postgres *postgres, const char *sql)
{
	PGresult *result;
	int error = DB_OK;

	if (!postgres->connection)
		return db_fail(&postgres->db, DB_ERR_GONE, "PostgreSQL: not connected");
	result = PQexec(postgres->connection, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		error = db_postgres_fail(postgres, result);
	PQclear(result);
	return error;
}

static int postgres_begin(struct db *db, bool read_only)
{
	const char *sql = read_only ? "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
				    : "BEGIN ISOLATION LEVEL READ COMMITTED";
	struct postgres *postgres = of(db);
	int error = DB_ERR_GONE;

	if (postgres->connection && !postgres->gone)
		error = run(postgres, sql);
	if (error != DB_ERR_GONE)
		return error;
	error = db_postgres_reconnect(postgres);
	return error ? error : run(postgres, sql);
}

/* A connection that breaks here leaves unsaid whether it is committed: that is an error. So is a
 * commit that a standby was to have and may not have: the server only warns of it. */
static int postgres_commit(struct db *db)
{
	struct postgres *postgres = of(db);
	PGresult *result;
	int error = DB_OK;

	postgres->warned = false;
	result = PQexec(postgres->connection, "COMMIT");
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		error = db_postgres_fail(postgres, result);
	else if (strcmp(PQcmdStatus(result), "COMMIT") != 0)
		error = db_fail(db, DB_ERR_SQL, "PostgreSQL: rolled back");
	else if (postgres->warned)
		error = db_fail(db, DB_ERR_GONE, "PostgreSQL: committed, but not on the standby");
	PQclear(result);
	return error;
}

static void postgres_rollback(struct db *db)
{
	struct postgres *postgres = of(db);

	if (!postgres->connection || PQstatus(postgres->connection) != CONNECTION_OK ||
	    PQtransactionStatus(postgres->connection) == PQTRANS_IDLE)
		return;
	if (run(postgres, "ROLLBACK") != DB_OK)
		postgres->gone = true; /* it ends with the connection */
}

static int postgres_settle(struct db *db, struct db_log *log)
{
	(void)db;
	(void)log;
	return DB_OK;
}

/* ---- Statements ---- */

static void free_statement(struct db_statement *head)
{
	free(head);
}

static Oid type_of(enum db_kind kind)
{
	switch (kind) {
	case DB_NULL:
		return OID_ANY;
	case DB_INT:
		return OID_INT8;
	case DB_BYTES:
		return OID_BYTEA;
	case DB_TEXT:
		return OID_TEXT;
	}
	return OID_ANY;
}

/* Types are told, so that "$1 + 1" is not taken for 32 bits. They are a part of what is prepared,
 * and NULL has none: one statement, one variant for each sequence of kinds. */
static uint64_t variant_of(const struct db_value *values, size_t count)
{
	uint64_t variant = 1; /* so that the count tells as well */

	for (size_t i = 0; i < count; i++)
		variant = variant << 2 | (uint64_t)values[i].kind;
	return variant;
}

/* How many parameters: the server takes values for more without a word. */
static size_t parameters_of(const char *sql)
{
	size_t most = 0;

	for (sql = strchr(sql, '$'); sql; sql = strchr(sql + 1, '$')) {
		size_t number = strtoul(sql + 1, NULL, 10);

		if (number > most)
			most = number;
	}
	return most;
}

static int prepare(struct postgres *postgres, const char *sql, const struct db_value *values,
		   size_t count, struct postgres_statement **out)
{
	struct postgres_statement *statement = calloc(1, sizeof(*statement));
	Oid types[DB_PARAMETERS_MAX];
	PGresult *result;
	int error = DB_OK;

	if (!statement)
		return db_fail(&postgres->db, DB_ERR_MEMORY, "out of memory");
	if (parameters_of(sql) != count) {
		free(statement);
		return db_fail(&postgres->db, DB_ERR_SQL,
			       "%zu values for a statement with %zu parameters", count,
			       parameters_of(sql));
	}
	for (size_t i = 0; i < count; i++)
		types[i] = type_of(values[i].kind);
	snprintf(statement->name, sizeof(statement->name), "s%u", postgres->prepared++);
	result = PQprepare(postgres->connection, statement->name, sql, (int)count, types);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		error = db_postgres_fail(postgres, result);
	PQclear(result);
	if (error) {
		free(statement);
		return error;
	}
	statement->head.sql = sql;
	statement->head.variant = variant_of(values, count);
	db_statement_keep(&postgres->db, &statement->head);
	*out = statement;
	return DB_OK;
}

/* ---- Queries ---- */

static void postgres_end(struct db *db)
{
	struct postgres *postgres = of(db);

	PQclear(postgres->result);
	postgres->result = NULL;
}

static bool is_known(Oid type)
{
	switch ((enum oid)type) {
	case OID_BOOL:
	case OID_BYTEA:
	case OID_NAME:
	case OID_INT8:
	case OID_INT2:
	case OID_INT4:
	case OID_TEXT:
	case OID_BPCHAR:
	case OID_VARCHAR:
		return true;
	case OID_ANY:
		break;
	}
	return false;
}

static int read_result(struct postgres *postgres)
{
	PGresult *result = postgres->result;

	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		return db_postgres_fail(postgres, result);
	for (int i = 0; i < PQnfields(result); i++)
		if (!is_known(PQftype(result, i)))
			return db_fail(&postgres->db, DB_ERR_SQL,
				       "column %d is no integer, text or bytes; cast it (a SUM is "
				       "NUMERIC)",
				       i);
	postgres->row = -1;
	postgres->rows = PQntuples(result);
	postgres->changed = strtoll(PQcmdTuples(result), NULL, 10);
	return DB_OK;
}

static void put_be64(uint8_t *p, uint64_t value)
{
	put_be32(p, (uint32_t)(value >> 32));
	put_be32(p + 4, (uint32_t)value);
}

static PGresult *execute(struct postgres *postgres, const struct postgres_statement *statement,
			 const struct db_value *values, size_t count)
{
	const char *at[DB_PARAMETERS_MAX];
	int lengths[DB_PARAMETERS_MAX], formats[DB_PARAMETERS_MAX];
	uint8_t numbers[DB_PARAMETERS_MAX][8];

	for (size_t i = 0; i < count; i++) {
		const struct bytes *bytes = &values[i].bytes;

		formats[i] = BINARY;
		at[i] = NULL;
		lengths[i] = 0;
		if (values[i].kind == DB_INT) {
			put_be64(numbers[i], (uint64_t)values[i].number);
			at[i] = (const char *)numbers[i];
			lengths[i] = 8;
		} else if (values[i].kind != DB_NULL) {
			at[i] = bytes->ptr ? (const char *)bytes->ptr : "";
			lengths[i] = (int)bytes->len;
		}
	}
	return PQexecPrepared(postgres->connection, statement->name, (int)count, at, lengths,
			      formats, BINARY);
}

static int postgres_query(struct db *db, const char *sql, const struct db_value *values,
			  size_t count)
{
	struct postgres *postgres = of(db);
	struct postgres_statement *statement;
	int error;

	if (!postgres->connection)
		return db_fail(db, DB_ERR_GONE, "PostgreSQL: not connected");
	statement =
		(struct postgres_statement *)db_statement_find(db, sql, variant_of(values, count));
	if (!statement) {
		error = prepare(postgres, sql, values, count, &statement);
		if (error)
			return error;
	}
	postgres->result = execute(postgres, statement, values, count);
	return read_result(postgres);
}

static int postgres_next(struct db *db)
{
	struct postgres *postgres = of(db);

	if (!postgres->result || postgres->row + 1 >= postgres->rows)
		return DB_OK;
	postgres->row++;
	return DB_ROW;
}

static int64_t postgres_changed(const struct db *db)
{
	return of_const(db)->changed;
}

/* libpq itself takes a column that is not there for NULL. */
static bool postgres_is_null(const struct db *db, int column)
{
	const struct postgres *postgres = of_const(db);

	return !postgres->result || postgres->row < 0 || column >= PQnfields(postgres->result) ||
	       PQgetisnull(postgres->result, postgres->row, column);
}

static struct bytes postgres_column_bytes(const struct db *db, int column)
{
	const struct postgres *postgres = of_const(db);
	struct bytes bytes = {0};

	if (postgres_is_null(db, column))
		return bytes;
	bytes.ptr = (const uint8_t *)PQgetvalue(postgres->result, postgres->row, column);
	bytes.len = (size_t)PQgetlength(postgres->result, postgres->row, column);
	return bytes;
}

static int64_t postgres_column_int(const struct db *db, int column)
{
	struct bytes bytes = postgres_column_bytes(db, column);

	switch (bytes.len) {
	case 1: /* BOOLEAN */
		return bytes.ptr[0];
	case 2:
		return (int16_t)get_be16(bytes.ptr);
	case 4:
		return (int32_t)get_be32(bytes.ptr);
	case 8:
		return (int64_t)((uint64_t)get_be32(bytes.ptr) << 32 | get_be32(bytes.ptr + 4));
	}
	return 0;
}

static int postgres_script(struct db *db, const char *sql)
{
	return run(of(db), sql);
}

static const struct db_methods methods = {
	.engine = DB_POSTGRESQL,
	.begin = postgres_begin,
	.commit = postgres_commit,
	.rollback = postgres_rollback,
	.settle = postgres_settle,
	.query = postgres_query,
	.next = postgres_next,
	.end = postgres_end,
	.changed = postgres_changed,
	.is_null = postgres_is_null,
	.column_int = postgres_column_int,
	.column_bytes = postgres_column_bytes,
	.script = postgres_script,
	.free_statement = free_statement,
	.close = postgres_close,
};
