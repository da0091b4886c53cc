/* The list of PINs taken up again: after its end, for another, cut short, damaged, out of room,
 * killed. */
#include "pin_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <openssl/ec.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define DAY   PIN_PLACE_DAY
#define KILLS 20

static void test_finished_and_not(void **state)
{
	struct pin_place *place = *state;
	struct pinmail *list = pin_place_open(place, false);
	struct pinmail_row row = pin_place_row(9);

	pin_place_append(list, 0);
	assert_int_equal(pin_place_finish(list, false), 1);
	pin_place_expect(place, 1);
	pin_place_append(list, 1);
	assert_int_equal(pin_place_error(place, false), PINMAIL_ERR_BUSY);
	pinmail_close(&list);
	list = pin_place_open(place, false);
	pin_place_append(list, 2);
	assert_int_equal(pin_place_finish(list, true), 3);
	pin_place_expect(place, 3);
	assert_int_equal(pinmail_append(list, &row), PINMAIL_ERR_FINISHED);
	assert_int_equal(pinmail_finish(list, true, NULL), PINMAIL_ERR_FINISHED);
	pinmail_close(&list);
	assert_int_equal(pin_place_error(place, false), PINMAIL_ERR_FINISHED);
	pin_place_expect(place, 3);
}

static void test_lists_of_others(void **state)
{
	struct pin_place *place = *state;
	static const uint8_t other[PINMAIL_SECRET_SIZE] = {4};
	struct pinmail_settings settings = pin_place_settings(place, false);
	struct pinmail *list = pin_place_open(place, false);

	pin_place_append(list, 0);
	pinmail_close(&list);
	settings.secret = other;
	assert_int_equal(pinmail_open(&settings, &list), PINMAIL_ERR_SECRET);
	assert_int_equal(pin_place_error(place, true), PINMAIL_ERR_OTHER);
	pin_place_recipient(place, EVP_EC_gen("P-256"), NULL, -DAY, DAY);
	assert_int_equal(pin_place_error(place, false), PINMAIL_ERR_OTHER);
	settings = pin_place_settings(place, false);
	settings.plain = true;
	assert_int_equal(pinmail_open(&settings, &list), PINMAIL_ERR_ARGUMENT);
	settings = pin_place_settings(place, true);
	settings.plain = false;
	assert_int_equal(pinmail_open(&settings, &list), PINMAIL_ERR_ARGUMENT);
}

/* Cut at any byte behind its first row, the journal has that row and goes on. */
static void test_a_row_cut_short(void **state)
{
	struct pin_place *place = *state;
	struct pinmail *list = pin_place_open(place, false);
	struct pinmail_row row = pin_place_row(1), found;
	static char text[PIN_PLACE_TEXT];
	size_t first, whole;

	first = pin_place_read(place->journal, text);
	for (size_t len = 0; len <= first; len++) { /* the first line too */
		pinmail_close(&list);
		pin_place_write(place->journal, text, len);
		list = pin_place_open(place, false);
	}
	pin_place_append(list, 0);
	first = pin_place_read(place->journal, text);
	pin_place_append(list, 1);
	whole = pin_place_read(place->journal, text);
	for (size_t len = first; len < whole; len += 3) {
		pinmail_close(&list);
		pin_place_write(place->journal, text, len);
		list = pin_place_open(place, false);
		assert_int_equal(pinmail_find(list, row.iccid, &found), PINMAIL_ERR_NO_ROW);
		row = pin_place_row(0);
		assert_int_equal(pinmail_find(list, row.iccid, &found), PINMAIL_OK);
		row = pin_place_row(1);
	}
	pin_place_append(list, 1);
	assert_int_equal(pin_place_finish(list, true), 2);
	pinmail_close(&list);
	pin_place_expect(place, 2);
}

/* Whether both rows are pin_place_there, as they were. */
static bool rows_right(const struct pin_place *place)
{
	struct pinmail *list = pin_place_open(place, false);
	bool right = true;

	for (unsigned i = 0; i < 2; i++) {
		struct pinmail_row row = pin_place_row(i), found;

		right = right && pinmail_find(list, row.iccid, &found) == PINMAIL_OK &&
			memcmp(&found, &row, sizeof(row)) == 0;
	}
	pinmail_close(&list);
	return right;
}

/* What is not authenticated is how the recipient gets the key: there a change may pass, but both
 * rows are read as they were. Everything else is refused, and left as it is. */
static void test_damage_is_refused(void **state)
{
	struct pin_place *place = *state;
	struct pinmail *list = pin_place_open(place, false);
	static char text[PIN_PLACE_TEXT], after[PIN_PLACE_TEXT];
	unsigned refused = 0, passed = 0;
	size_t len;

	pin_place_append(list, 0);
	pin_place_append(list, 1);
	pinmail_close(&list);
	len = pin_place_read(place->journal, text);
	for (size_t at = 0; at < len; at += 5) {
		text[at] ^= 1;
		pin_place_write(place->journal, text, len);
		if (pin_place_error(place, false) != PINMAIL_OK) {
			refused++;
			assert_int_equal(pin_place_read(place->journal, after), len);
			assert_memory_equal(text, after, len);
		} else if (at < len - strlen("-----END CMS-----\n")) {
			passed++;
			assert_true(rows_right(place));
		}
		text[at] ^= 1;
	}
	assert_true(refused > passed / 2 && passed > 0);
}

static void test_no_room(void **state)
{
	struct pin_place *place = *state;
	struct pinmail *list = pin_place_open(place, false);
	struct pinmail_row row = pin_place_row(1);
	static char text[PIN_PLACE_TEXT];
	struct rlimit limit, before;
	size_t len;

	pin_place_append(list, 0);
	len = pin_place_read(place->journal, text);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = (struct rlimit){len + 100, before.rlim_max};
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(pinmail_append(list, &row), PINMAIL_ERR_FILE);
	assert_int_equal(errno, EFBIG);
	limit.rlim_cur = 100;
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(pinmail_finish(list, true, NULL), PINMAIL_ERR_FILE);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_false(pin_place_there(place->path));
	assert_int_equal(pin_place_read(place->journal, text), len);
	pin_place_append(list, 1);
	assert_int_equal(pin_place_finish(list, true), 2);
	pinmail_close(&list);
	pin_place_expect(place, 2);
}

#define WORKERS 4
#define EACH    25

static void *work(void *argument)
{
	static _Atomic unsigned next;

	for (unsigned i = 0; i < EACH; i++) {
		struct pinmail_row row = pin_place_row(next++);

		if (pinmail_append(argument, &row) != PINMAIL_OK)
			return argument;
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct pinmail *list = pin_place_open(*state, false);
	pthread_t threads[WORKERS];

	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, list), 0);
	for (size_t i = 0; i < WORKERS; i++) {
		void *failed = threads;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(pin_place_finish(list, true), WORKERS * EACH);
	pinmail_close(&list);
}

/* Appends without end, and says which rows were taken. */
static void child(struct pinmail *list, unsigned next, int pipe)
{
	for (;; next++) {
		struct pinmail_row row = pin_place_row(next);

		if (pinmail_append(list, &row) != PINMAIL_OK ||
		    write(pipe, &next, sizeof(next)) < 0)
			_exit(1);
	}
}

static void test_killed_at_any_time(void **state)
{
	struct pin_place *place = *state;
	unsigned answered = 0;
	struct pinmail *list;

	for (unsigned i = 0; i < KILLS; i++) {
		int ends[2], status;
		unsigned got;
		pid_t pid;

		list = pin_place_open(place, false);
		assert_int_equal(pipe(ends), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			child(list, answered, ends[1]);
		pinmail_close(&list);
		close(ends[1]);
		for (int wait = 1 + rand() % 8; wait; wait--)
			assert_int_equal(read(ends[0], &got, sizeof(got)), sizeof(got));
		answered = got + 1;
		usleep((useconds_t)(rand() % 5000));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		while (read(ends[0], &got, sizeof(got)) == sizeof(got))
			answered = got + 1;
		close(ends[0]);
	}
	list = pin_place_open(place, false);
	pin_place_append(list,
			 answered); /* perhaps there already, and not answered: once in the list */
	assert_int_equal(pin_place_finish(list, true), answered + 1);
	pinmail_close(&list);
	pin_place_expect(place, answered + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pin_place_set_up, pin_place_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_finished_and_not),
		TEST(test_lists_of_others),
		TEST(test_a_row_cut_short),
		TEST(test_damage_is_refused),
		TEST(test_no_room),
		TEST(test_threads),
		TEST(test_killed_at_any_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pinmail crash", tests, NULL, NULL);
}
