/*
 * For LD_PRELOAD into simtied: numbers the calls that run a statement, of SQLite or PostgreSQL,
 * from when the file $KILL_ARM is there, and kills the process just before ($KILL_HOW "before") or
 * just after the one of $KILL_AT. The file goes then.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sqlite3_stmt;
struct sqlite3;
struct pg_conn;
struct pg_result;

static atomic_int calls;

/* Kills the process if the call with this number is the one; 0: it was not numbered. */
static void hit(int number, const char *how)
{
	const char *at = getenv("KILL_AT"), *arm = getenv("KILL_ARM");

	if (number == 0 || !at || number != atoi(at) || strcmp(how, getenv("KILL_HOW")) != 0)
		return;
	unlink(arm);
	raise(SIGKILL);
}

static int number(void)
{
	const char *arm = getenv("KILL_ARM");

	return arm && access(arm, F_OK) == 0 ? atomic_fetch_add(&calls, 1) + 1 : 0;
}

/* Puts a call in the place of the library's. */
#define WRAP(type, name, parameters, arguments)                                                    \
	type name parameters;                                                                      \
	type name parameters                                                                       \
	{                                                                                          \
		type(*real) parameters;                                                            \
		const int this = number();                                                         \
		type result;                                                                       \
                                                                                                   \
		*(void **)&real = dlsym(RTLD_NEXT, #name);                                         \
		hit(this, "before");                                                               \
		result = real arguments;                                                           \
		hit(this, "after");                                                                \
		return result;                                                                     \
	}

WRAP(int, sqlite3_step, (struct sqlite3_stmt * statement), (statement))
WRAP(int, sqlite3_exec,
     (struct sqlite3 * db, const char *sql, int (*see)(void *, int, char **, char **),
      void *context, char **error),
     (db, sql, see, context, error))
WRAP(struct pg_result *, PQexec, (struct pg_conn * connection, const char *sql), (connection, sql))
WRAP(struct pg_result *, PQexecPrepared,
     (struct pg_conn * connection, const char *name, int count, const char *const *values,
      const int *lengths, const int *formats, int format),
     (connection, name, count, values, lengths, formats, format))
