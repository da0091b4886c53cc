/* The trace as text, and which files it will not write to. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace_place.h"

/* ---- Text ---- */

static void line_for_line(void **state)
{
	struct trace_place *place = *state;
	char *line;
	unsigned long at;
	int end = 0;

	trace_place_send(place, (struct scripted)SCRIPT("0020000108313233343536FFFF > 63C2"),
			 SENT("0020000108313233343536FFFF"), false);
	line = strtok(place->content, "\n");
	assert_int_equal(strncmp(line, "# simtie ", 9), 0);
	assert_non_null(
		strstr(line, ", Scripted Reader, T=0, ATR 3B00; secrets are blanked as **"));
	line = strtok(NULL, "\n");
	assert_int_equal(
		sscanf(line, "@%luus > 0020000108****************   VERIFY PIN%n", &at, &end), 1);
	assert_int_equal(strlen(line), end);
	line = strtok(NULL, "\n");
	end = 0;
	assert_int_equal(sscanf(line,
				"+%luus < 63C2   wrong PIN or PUK, or not given; 2 tries left%n",
				&at, &end),
			 1);
	assert_int_equal(strlen(line), end);
	assert_null(strtok(NULL, "\n"));
}

static void failures_and_resets(void **state)
{
	struct trace_place *place = *state;
	const struct simtie_options options = {.trace = place->path};
	struct scripted script = SCRIPT("* > transport", "* > gone");
	struct simtie_session *session = scripted_session(&script, &options);
	char out[SCRIPTED_OUT];

	assert_int_equal(scripted_send(session, "00010203", out), SIMTIE_ERR_TRANSPORT);
	assert_int_equal(simtie_reset(session), 0);
	assert_int_equal(scripted_send(session, "00010203", out), SIMTIE_ERR_GONE);
	simtie_close(&session);
	assert_int_equal(script.resets, 1);
	assert_int_equal(script.closes, 1);
	trace_place_load(place);
	assert_true(trace_place_has(place, "us > 00010203   unknown command\n"));
	assert_true(trace_place_has(place, "us ! the line to the card failed"));
	assert_true(trace_place_has(place, "us reset, T=0, ATR 3B00\n"));
	assert_true(trace_place_has(place, "us ! reader, card or PC/SC service went away"));
}

static void sessions_follow_one_another(void **state)
{
	struct trace_place *place = *state;
	size_t first;

	trace_place_send(place, (struct scripted)SCRIPT("* > 9000"), SENT("00010203"), false);
	first = place->len;
	trace_place_send(place, (struct scripted)SCRIPT("* > 9000"), SENT("00010203"), false);
	assert_true(place->len >= 2 * first - 8);
}

static void name_of_a_reader_ends_no_line(void **state)
{
	struct trace_place *place = *state;
	const struct simtie_options options = {.trace = place->path};
	struct scripted script = {0};
	struct card_line line = scripted_line(&script);
	struct simtie_session *session;

	snprintf(line.reader, sizeof line.reader, "A\nB\x1B[2J");
	assert_int_equal(session_on(scripted_link(&script), &line, &options, &session), 0);
	simtie_close(&session);
	trace_place_load(place);
	assert_true(trace_place_has(place, ", A?B?[2J, T=0"));
}

/* ---- The file ---- */

static int refusal(const char *path, bool secrets, char detail[SIMTIE_DETAIL_MAX])
{
	struct simtie_options options = {.trace = path, .trace_secrets = secrets, .detail = detail};
	struct scripted script = {0};
	struct card_line line = scripted_line(&script);
	struct simtie_session *session;
	int error;

	detail[0] = '\0';
	error = session_on(scripted_link(&script), &line, &options, &session);
	if (error)
		assert_null(session);
	simtie_close(&session);
	assert_int_equal(script.closes, 1);
	return error;
}

static void file_is_private(void **state)
{
	struct trace_place *place = *state;
	char detail[SIMTIE_DETAIL_MAX];
	struct stat status;
	mode_t mask = umask(0);

	assert_int_equal(refusal(place->path, false, detail), 0);
	umask(mask);
	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}

static void files_that_are_refused(void **state)
{
	struct trace_place *place = *state;
	char detail[SIMTIE_DETAIL_MAX], target[128];
	struct stat status;

	snprintf(target, sizeof target, "%s/target", place->folder);
	assert_int_equal(symlink(target, place->path), 0);
	assert_int_equal(refusal(place->path, false, detail), SIMTIE_ERR_FILE);
	assert_non_null(strstr(detail, "symbolic link"));
	assert_int_equal(stat(target, &status), -1); /* not made through the link */
	assert_int_equal(unlink(place->path), 0);

	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_int_equal(refusal(place->path, false, detail), SIMTIE_ERR_FILE);
	assert_int_equal(unlink(place->path), 0);

	assert_int_equal(refusal("/dev/null", false, detail), SIMTIE_ERR_FILE);
	assert_non_null(strstr(detail, "no regular file"));
	assert_int_equal(refusal(place->folder, false, detail), SIMTIE_ERR_FILE);
	assert_int_equal(refusal("/nonexistent/trace", false, detail), SIMTIE_ERR_FILE);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(detail, "/nonexistent/trace: No such file or directory");
}

static void secrets_stay_private(void **state)
{
	struct trace_place *place = *state;
	char detail[SIMTIE_DETAIL_MAX];

	assert_int_equal(refusal(place->path, true, detail), 0);
	assert_int_equal(chmod(place->path, 0640), 0);
	assert_int_equal(refusal(place->path, true, detail), SIMTIE_ERR_FILE);
	assert_non_null(strstr(detail, "chmod 600"));
	assert_int_equal(refusal(place->path, false, detail), 0);
}

/* A full disk: the answer that is in is given, and nothing more is sent. */
static void file_that_is_full(void **state)
{
	struct trace_place *place = *state;
	const struct simtie_options options = {.trace = place->path};
	struct scripted script = SCRIPT("* > AABB9000");
	struct simtie_session *session = scripted_session(&script, &options);
	struct rlimit before, limit;
	struct stat status;
	char out[SCRIPTED_OUT];
	int first, second, third;

	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	limit = before;
	limit.rlim_cur = (rlim_t)status.st_size + 40; /* room for the command alone */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	first = scripted_send(session, "0001020302", out);
	second = simtie_reset(session);
	third = scripted_send(session, "0001020302", out);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(first, 0);
	assert_int_equal(second, SIMTIE_ERR_FILE);
	assert_int_equal(third, SIMTIE_ERR_FILE);
	assert_int_equal(script.resets, 0);
	assert_true(scripted_done(&script)); /* once */
	simtie_close(&session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(line_for_line, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(failures_and_resets, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(sessions_follow_one_another, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(name_of_a_reader_ends_no_line, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(file_is_private, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(files_that_are_refused, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(secrets_stay_private, trace_place_make,
						trace_place_remove),
		cmocka_unit_test_setup_teardown(file_that_is_full, trace_place_make,
						trace_place_remove),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
