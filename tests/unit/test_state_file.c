/* The state file in use: what lasts, who may use it, and what becomes of it under others' hands. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "state_place.h"

static void state_outlives_the_card(void **state)
{
	const struct place *place = *state;
	struct posix_port posix;
	struct stat status;

	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	assert_int_equal(stat(place->state, &status), 0); /* made at once, to be locked */
	assert_int_equal(status.st_mode & 07777, 0600);
	place_program(&posix, 0, unit);
	assert_true(posix.port.sync(&posix));
	place_program(&posix, 8, unit); /* never synced */
	posix_port_close(&posix);
	assert_int_equal(stat(place->state, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, STATE_FILE_SIZE);
	assert_int_equal(place_files(place), 1);

	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	assert_int_equal(posix.error.result, POSIX_OK);
	place_expect_image(&posix, 0, unit, 8);
	place_expect_image(&posix, 8, blank, 8);
	posix_port_close(&posix);
}

static void sync_writes_only_changes(void **state)
{
	const struct place *place = *state;
	struct posix_port posix;
	struct stat before, after;

	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	stat(place->state, &before);
	assert_true(posix.port.erase(&posix, 2)); /* blank already */
	assert_true(posix.port.sync(&posix));
	stat(place->state, &after);
	assert_true(before.st_ino == after.st_ino &&
		    before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	place_program(&posix, 0, unit);
	assert_true(posix.port.sync(&posix));
	stat(place->state, &after);
	assert_false(before.st_ino == after.st_ino &&
		     before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	posix_port_close(&posix);
}

static void second_user_is_refused(void **state)
{
	const struct place *place = *state;
	struct posix_port first, second;

	assert_int_equal(posix_port_file(&first, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	place_expect_refused(place->state, POSIX_KEEP, POSIX_BUSY);
	place_expect_refused(place->state, POSIX_FACTORY, POSIX_BUSY);
	place_program(&first, 0, unit);
	assert_true(first.port.sync(&first)); /* another inode now; the lock has to go along */
	place_expect_refused(place->state, POSIX_KEEP, POSIX_BUSY);
	posix_port_close(&first);
	assert_int_equal(posix_port_file(&second, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	posix_port_close(&second);
}

/* Many processes open the file while its owner keeps replacing it: none may ever get in. */
static void lock_has_no_gap(void **state)
{
	const struct place *place = *state;
	struct posix_port posix;
	pid_t intruders[4];
	int status;

	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	for (int i = 0; i < 4; i++) {
		intruders[i] = fork();
		if (intruders[i] == 0) {
			struct posix_port mine;

			posix_port_close(&posix); /* what fork() copied, the lock too */
			for (int n = 0; n < 500; n++) {
				enum posix_result result =
					posix_port_file(&mine, place->state, no_seed, POSIX_KEEP);

				posix_port_close(&mine);
				if (result != POSIX_BUSY)
					_exit(1);
			}
			_exit(0);
		}
	}
	for (uint32_t i = 0; i < 500; i++) {
		place_program(&posix, i * 8, unit);
		assert_true(posix.port.sync(&posix));
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(waitpid(intruders[i], &status, 0), intruders[i]);
		assert_int_equal(status, 0);
	}
	posix_port_close(&posix);
}

/* Several cards want to make the same new file: one gets it, the others hear that it is in use. */
static void one_of_many_makes_the_file(void **state)
{
	enum { CARDS = 8 };
	const struct place *place = *state;
	int start[2], end[2], results[2];
	unsigned winners = 0;

	assert_true(pipe(start) == 0 && pipe(end) == 0 && pipe(results) == 0);
	for (int i = 0; i < CARDS; i++) {
		if (fork() == 0) {
			struct posix_port posix;
			uint8_t result, none;

			close(start[1]);
			close(end[1]);
			(void)!read(start[0], &none, 1); /* all begin at once ... */
			result =
				(uint8_t)posix_port_file(&posix, place->state, no_seed, POSIX_KEEP);
			(void)!write(results[1], &result, 1);
			(void)!read(end[0], &none, 1); /* ... and hold what they got */
			posix_port_close(&posix);
			_exit(0);
		}
	}
	close(start[1]);
	for (int i = 0; i < CARDS; i++) {
		uint8_t result;

		assert_int_equal(read(results[0], &result, 1), 1);
		assert_true(result == POSIX_OK || result == POSIX_BUSY);
		winners += result == POSIX_OK;
	}
	close(end[1]);
	for (int i = 0; i < CARDS; i++)
		assert_true(wait(NULL) > 0);
	assert_int_equal(winners, 1);
	close(start[0]);
	close(end[0]);
	close(results[0]);
	close(results[1]);
	assert_int_equal(place_files(place), 1);
}

static void factory_begins_anew(void **state)
{
	static uint8_t bytes[STATE_FILE_SIZE];
	const struct place *place = *state;
	struct posix_port posix;

	place_make_state(place, bytes);
	bytes[1000] ^= 1; /* damaged, but a state file */
	place_write(place->state, bytes, 20000);
	place_expect_refused(place->state, POSIX_KEEP, POSIX_DAMAGED);
	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_FACTORY), POSIX_OK);
	place_expect_image(&posix, 0, blank, 8);
	place_program(&posix, 0, unit);
	assert_true(posix.port.sync(&posix));
	assert_int_equal(posix_port_factory(&posix), POSIX_OK);
	posix_port_close(&posix); /* without a sync: factory has made it last already */
	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	place_expect_image(&posix, 0, blank, 8);
	posix_port_close(&posix);
}

static void symbolic_link_stays_one(void **state)
{
	const struct place *place = *state;
	struct posix_port posix;
	struct stat status;
	char link[128];

	snprintf(link, sizeof(link), "%s/link", place->folder);
	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	posix_port_close(&posix);
	assert_int_equal(symlink("card.state", link), 0);
	assert_int_equal(posix_port_file(&posix, link, no_seed, POSIX_KEEP), POSIX_OK);
	place_program(&posix, 0, unit);
	assert_true(posix.port.sync(&posix));
	place_expect_refused(place->state, POSIX_KEEP,
			     POSIX_BUSY); /* one file, whatever its name */
	posix_port_close(&posix);
	assert_int_equal(lstat(link, &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	place_expect_image(&posix, 0, unit, 8);
	posix_port_close(&posix);
}

static void relative_name_holds_after_chdir(void **state)
{
	const struct place *place = *state;
	struct posix_port posix;
	int here = open(".", O_RDONLY | O_DIRECTORY);

	assert_int_equal(chdir(place->folder), 0);
	assert_int_equal(posix_port_file(&posix, "card.state", no_seed, POSIX_KEEP), POSIX_OK);
	assert_int_equal(fchdir(here), 0);
	close(here);
	place_program(&posix, 0, unit);
	assert_true(posix.port.sync(&posix));
	posix_port_close(&posix);
	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	place_expect_image(&posix, 0, unit, 8);
	posix_port_close(&posix);
}

static void file_replaced_under_a_card_is_left_alone(void **state)
{
	static uint8_t bytes[STATE_FILE_SIZE], after[STATE_FILE_SIZE];
	const struct place *place = *state;
	struct posix_port posix;

	place_make_state(place, bytes);
	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	place_write(place->state, bytes, sizeof(bytes)); /* a copy brought back, say */
	place_program(&posix, 8, unit);
	assert_false(posix.port.sync(&posix));
	assert_int_equal(posix.error.result, POSIX_REPLACED);
	place_read(place->state, after, sizeof(after));
	assert_memory_equal(after, bytes, sizeof(after));
	unlink(place->state);
	assert_false(posix.port.sync(&posix)); /* nor is it made again */
	assert_int_equal(place_files(place), 0);
	posix_port_close(&posix);
}

static void failed_sync_can_be_tried_again(void **state)
{
	const struct place *place = *state;
	struct posix_port posix;
	char new_name[128];

	snprintf(new_name, sizeof(new_name), "%s.new", place->state);
	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	assert_int_equal(mkdir(new_name, 0700), 0); /* in the way of the next state */
	place_program(&posix, 0, unit);
	assert_false(posix.port.sync(&posix));
	assert_int_equal(posix.error.result, POSIX_IO);
	assert_int_equal(posix.error.error_number, EISDIR);
	assert_non_null(strstr(posix.error.text, place->state));
	assert_int_equal(rmdir(new_name), 0);
	assert_true(posix.port.sync(&posix));
	posix_port_close(&posix);
	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	place_expect_image(&posix, 0, unit, 8);
	posix_port_close(&posix);
}

/* A card killed while it wrote leaves half a file beside; a file that others can read, or that has
 * another name too, is no place to write keys into. */
static void leftovers_are_used_with_care(void **state)
{
	const struct place *place = *state;
	struct posix_port posix;
	char new_name[128], other[128];
	uint8_t found[8];

	snprintf(new_name, sizeof(new_name), "%s.new", place->state);
	snprintf(other, sizeof(other), "%s/other", place->folder);
	place_write(new_name, unit, sizeof(unit));
	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	assert_int_equal(place_files(place), 1);
	place_write(new_name, unit, sizeof(unit));
	assert_int_equal(chmod(new_name, 0644), 0);
	place_program(&posix, 0, unit);
	assert_false(posix.port.sync(&posix));
	unlink(new_name);
	place_write(other, unit, sizeof(unit));
	assert_int_equal(link(other, new_name), 0);
	assert_false(posix.port.sync(&posix));
	unlink(new_name);
	assert_int_equal(symlink(other, new_name), 0);
	assert_false(posix.port.sync(&posix));
	unlink(new_name);
	assert_true(posix.port.sync(&posix));
	posix_port_close(&posix);
	assert_int_equal(place_read(other, found, sizeof(found)), sizeof(unit));
	assert_memory_equal(found, unit, sizeof(unit));
}

static void long_path_keeps_its_sentence(void **state)
{
	struct posix_port posix;
	char path[3000];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	snprintf(path + 2900, 100, "/the-end");
	assert_int_equal(posix_port_file(&posix, path, no_seed, POSIX_KEEP), POSIX_IO);
	assert_int_equal(posix.error.error_number, ENAMETOOLONG);
	assert_true(strncmp(posix.error.text, "...", 3) == 0);
	assert_non_null(strstr(posix.error.text, "/the-end: "));
	assert_non_null(strstr(posix.error.text, strerror(ENAMETOOLONG)));
	posix_port_close(&posix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(state_outlives_the_card, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(sync_writes_only_changes, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(second_user_is_refused, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(lock_has_no_gap, place_set_up, place_tear_down),
		cmocka_unit_test_setup_teardown(one_of_many_makes_the_file, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(factory_begins_anew, place_set_up, place_tear_down),
		cmocka_unit_test_setup_teardown(symbolic_link_stays_one, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(relative_name_holds_after_chdir, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(file_replaced_under_a_card_is_left_alone,
						place_set_up, place_tear_down),
		cmocka_unit_test_setup_teardown(failed_sync_can_be_tried_again, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(leftovers_are_used_with_care, place_set_up,
						place_tear_down),
		cmocka_unit_test(long_path_keeps_its_sentence),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
