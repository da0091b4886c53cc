"""(rule, file, code, broken code, test that must fail) of each mutant of the store. Those of
PostgreSQL need one: lib/private-postgres -- tests/mutants/run store."""

DB, SQLITE, FILE = "host/registry/db.c", "host/registry/db_sqlite.c", "host/registry/db_sqlite_connect.c"
POSTGRES, LINK = "host/registry/db_postgres.c", "host/registry/db_postgres_connect.c"
MIGRATE, CLOCK = "host/registry/migrate.c", "host/registry/clock.c"

MUTANTS = [
    ("store: nothing is written behind an error", DB, "\tif (db->in_transaction && !db->failed)\n", "\tif (false)\n",
     "test_db"),
    ("store: a failed transaction does not commit", DB, "\tint error = db->failed;\n", "\tint error = DB_OK;\n", "test_db"),
    ("store: the file is its owner's from the first instant", FILE, "\tfd = mkostemp(draft, O_CLOEXEC);",
     "\tfd = open(path, O_RDWR | O_CREAT, 0666);", "test_db_open"),
    ("store: SQLite flushes each commit", FILE, "PRAGMA synchronous = FULL;", "PRAGMA synchronous = NORMAL;",
     "test_db_open"),
    ("store: what was purged leaves the file", FILE, "PRAGMA secure_delete = ON;", "PRAGMA secure_delete = OFF;",
     "test_db_open"),
    ("store: a file that is gone takes no commit", SQLITE, " || db_sqlite_moved(sqlite)) {", ") {", "test_db_faults"),
    ("store: a full disk is told from one that fails", FILE, "system_error == EDQUOT || system_error == EFBIG",
     "system_error == EDQUOT", "test_db_faults"),
    ("store: SQLite takes values by their parameters' names", SQLITE,
     "&values[statement->numbers[i]]", "&values[i]", "test_db"),
    ("store: waiting for a lock is bounded", FILE, ">= (int64_t)sqlite->wait_ms * 1000)",
     ">= (int64_t)sqlite->wait_ms * 100000)", "test_db_open"),
    ("store: PostgreSQL flushes each commit", LINK, "WHEN 'off' THEN 'on'", "WHEN 'off' THEN 'off'", "test_db_open"),
    ("store: no server without fsync", LINK, 'strcmp(PQgetvalue(result, 0, 0), "on") != 0', "false", "test_db_server"),
    ("store: no part of a password in a message", POSTGRES, "\tif (!options) {", "\tif (false) {", "test_db_open"),
    ("store: no value in a message", LINK, 'strncmp(state, "22", 2) == 0', "false", "test_db"),
    ("store: a commit without an answer is none", LINK,
     "\tif (PQstatus(postgres->connection) != CONNECTION_OK || !state)\n\t\treturn DB_ERR_GONE;",
     "\tif (!state)\n\t\treturn DB_ERR_SQL;", "test_db_faults"),
    ("store: a lost connection is made anew", POSTGRES, "\tif (error != DB_ERR_GONE)\n\t\treturn error;",
     "\tif (error || !error)\n\t\treturn error;", "test_db_faults"),
    ("store: statements are prepared anew with a connection", LINK, "\tdb_statements_free(&postgres->db);\n", "",
     "test_db_faults"),
    ("migrations: applied once", MIGRATE, "while (!error && *changed && *next)", "while (!error && *next)",
     "test_migrate"),
    ("migrations: whole or not at all", MIGRATE, "\t\terror = db_script(db, *next++);",
     "\t\t(error = db_script(db, *next++)) || (error = db_script(db, \"COMMIT; BEGIN\"));", "test_migrate"),
    ("migrations: no schema that is newer", MIGRATE, "\tif (newest > known)\n", "\tif (false)\n", "test_migrate"),
    ("migrations: no schema of another role", MIGRATE, "\tif (other)\n", "\tif (false)\n", "test_migrate"),
    ("clock: the wall clock is not believed within a boot", CLOCK, "clock_same_boot(&now, moment) ? now.boot_ms - moment->boot_ms\n\t\t\t\t\t\t\t    : ",
     "", "test_clock"),
    ("clock: an unknown boot is none", CLOCK, "memcmp(one->boot, unknown, CLOCK_BOOT_SIZE) != 0", "true", "test_clock"),
    ("clock: another boot's clock is not this one's", CLOCK,
     "memcmp(one->boot, other->boot, CLOCK_BOOT_SIZE) == 0 &&", "", "test_clock"),
]
