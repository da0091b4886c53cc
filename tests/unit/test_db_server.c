/* A PostgreSQL of this test's own, killed and started again in the middle: nothing that was
 * acknowledged is lost. And one that would lose it is not taken. Runs in the checkout's root. */
#include "db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define WAIT_MS 1000
#define ROUNDS  2
#define ACKS    300 /* before a kill, and after it */

/* SIMTIE_POSTGRES says that there is one on this machine. */
struct server {
	pid_t pid;
	FILE *out; /* the connection string, then the control program */
	int in;    /* closed: it ends */
	char where[256], control[256];
};

static void read_line(FILE *file, char *line, int size)
{
	assert_non_null(fgets(line, size, file));
	line[strcspn(line, "\n")] = 0;
}

static void start(struct server *server, const char *settings)
{
	int in[2], out[2];

	if (!getenv("SIMTIE_POSTGRES") || !getenv("SIMTIE_POSTGRES")[0])
		skip();
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	server->pid = fork();
	if (server->pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		setenv("POSTGRES_SETTINGS", settings, 1);
		execl("tests/lib/private-postgres", "private-postgres", "--", "sh", "-c",
		      "echo \"$SIMTIE_POSTGRES\"; echo \"$POSTGRES_CTL\"; cat", NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	server->in = in[1];
	server->out = fdopen(out[0], "r");
	read_line(server->out, server->where, sizeof(server->where));
	read_line(server->out, server->control, sizeof(server->control));
}

static void stop(struct server *server)
{
	int status;

	close(server->in);
	fclose(server->out);
	assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
	assert_int_equal(status, 0);
}

static void control(const struct server *server, const char *what)
{
	char command[320];

	snprintf(command, sizeof(command), "%s %s", server->control, what);
	assert_int_equal(system(command), 0);
}

/* ---- A writer that tries each number until it is acknowledged ---- */

struct writer {
	struct db *db;
	atomic_llong acknowledged;
	atomic_bool stop;
	int64_t gone; /* how often the server was not there */
	int strange;  /* an error that is none of these */
};

static const char put_sql[] = "INSERT INTO acks (n) VALUES ($1) ON CONFLICT (n) DO NOTHING";

static int put(struct db *db, int64_t n)
{
	int error = db_begin(db);

	if (!error)
		error = db_run(db, put_sql, DB_VALUES(db_int(n)), NULL);
	if (!error)
		return db_commit(db);
	db_rollback(db);
	return error;
}

static void *write_on(void *argument)
{
	struct writer *writer = argument;

	while (!atomic_load(&writer->stop) && !writer->strange) {
		int error = put(writer->db, atomic_load(&writer->acknowledged));

		if (error == DB_OK)
			atomic_fetch_add(&writer->acknowledged, 1);
		else if (error == DB_ERR_GONE)
			writer->gone++;
		else if (error != DB_ERR_BUSY)
			writer->strange = error;
	}
	return NULL;
}

static void wait_for(struct writer *writer, int64_t acknowledged)
{
	while (atomic_load(&writer->acknowledged) < acknowledged && !writer->strange)
		usleep(1000);
	assert_int_equal(writer->strange, 0);
}

static void test_killed_and_started_again(void **state)
{
	static const char make_sql[] = "CREATE TABLE acks (n BIGINT PRIMARY KEY)";
	static const char count_sql[] = "SELECT COUNT(*), COALESCE(MAX(n), -1) FROM acks";
	struct server server;
	struct writer writer = {0};
	pthread_t thread;
	int64_t total;

	(void)state;
	start(&server, "");
	assert_int_equal(db_open(server.where, false, WAIT_MS, &writer.db, NULL), DB_OK);
	assert_int_equal(db_script(writer.db, make_sql), DB_OK);
	assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
	for (int i = 0; i < ROUNDS; i++) {
		wait_for(&writer, atomic_load(&writer.acknowledged) + ACKS);
		control(&server, "stop -m immediate"); /* as a power cut leaves it */
		control(&server, "start");
	}
	wait_for(&writer, atomic_load(&writer.acknowledged) + ACKS);
	atomic_store(&writer.stop, true);
	pthread_join(thread, NULL);
	total = atomic_load(&writer.acknowledged);
	assert_true(writer.gone >= ROUNDS);
	assert_int_equal(db_query(writer.db, count_sql, DB_NONE), DB_OK);
	assert_int_equal(db_next(writer.db), DB_ROW);
	/* One more may be there: committed, but the answer was lost. */
	assert_in_range(db_column_int(writer.db, 0), total, total + 1);
	assert_int_equal(db_column_int(writer.db, 1), db_column_int(writer.db, 0) - 1);
	db_close(&writer.db);
	stop(&server);
}

static void test_without_fsync(void **state)
{
	char detail[DB_DETAIL_MAX];
	struct server server;
	struct db *db;

	(void)state;
	start(&server, "fsync = off");
	assert_int_equal(db_open(server.where, false, WAIT_MS, &db, detail), DB_ERR_GONE);
	assert_non_null(strstr(detail, "fsync"));
	stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_and_started_again),
		cmocka_unit_test(test_without_fsync),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db server", tests, NULL, NULL);
}
