/* Everything that a state file is refused for; each refusal leaves it as it was. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "state_place.h"

static void header_can_be_read_by_people(void **state)
{
	static uint8_t bytes[STATE_FILE_SIZE];
	static const char start[] = "simtie virtual SIM state\n"
				    "format 0001\n"
				    "memory 0008 pages of 00004096 bytes\n"
				    "sha256 ";

	place_make_state(*state, bytes);
	assert_memory_equal(bytes, start, sizeof(start) - 1);
}

static void every_altered_byte_is_damage(void **state)
{
	static uint8_t good[STATE_FILE_SIZE], bad[STATE_FILE_SIZE];
	const struct place *place = *state;
	unsigned seen[POSIX_IO + 1] = {0};
	struct posix_port posix;

	place_make_state(place, good);
	for (size_t i = 0; i < STATE_FILE_SIZE; i += i < STATE_HEADER_SIZE + 16 ? 1 : 509) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bad, good, sizeof(bad));
			bad[i] ^= (uint8_t)(1 << bit);
			place_write(place->state, bad, sizeof(bad));
			assert_int_not_equal(
				posix_port_file(&posix, place->state, no_seed, POSIX_KEEP),
				POSIX_OK);
			seen[posix.error.result]++;
			if (posix.error.result == POSIX_DAMAGED)
				assert_non_null(strstr(posix.error.text, i < STATE_HEADER_SIZE
										 ? "its header"
										 : "memory in it"));
			posix_port_close(&posix);
			assert_int_equal(place_read(place->state, bad, sizeof(bad)), sizeof(bad));
			assert_int_equal(bad[i], good[i] ^ 1 << bit);
			bad[i] = good[i];
			assert_memory_equal(bad, good, sizeof(bad));
		}
	}
	assert_int_equal(seen[POSIX_FOREIGN], 25 * 8); /* the first line */
	assert_true(seen[POSIX_VERSION] > 0);          /* one digit becomes another */
	assert_true(seen[POSIX_DAMAGED] > 1000);
	assert_int_equal(seen[POSIX_BUSY] + seen[POSIX_IO] + seen[POSIX_EXPOSED], 0);
}

static void every_cut_is_damage(void **state)
{
	static uint8_t good[STATE_FILE_SIZE + 1];
	const struct place *place = *state;

	place_make_state(place, good);
	for (size_t len = 0; len < STATE_FILE_SIZE; len += len < STATE_HEADER_SIZE + 16 ? 1 : 251) {
		place_write(place->state, good, len);
		place_expect_refused(place->state, POSIX_KEEP,
				     len < 25 ? POSIX_FOREIGN : POSIX_DAMAGED);
	}
	place_write(place->state, good, STATE_FILE_SIZE - 1);
	place_expect_refused(place->state, POSIX_KEEP, POSIX_DAMAGED);
	place_write(place->state, good, STATE_FILE_SIZE + 1);
	place_expect_refused(place->state, POSIX_KEEP, POSIX_DAMAGED);
	place_write(place->state, good, STATE_FILE_SIZE);
	assert_int_equal(state_header_check(bytes_of(good, STATE_HEADER_SIZE), STATE_FILE_SIZE,
					    good + STATE_HEADER_SIZE),
			 STATE_WHOLE);
}

/* Changes a line of the header and makes its checksum right again. */
static void forge(uint8_t *bytes, size_t at, char digit)
{
	const size_t line = STATE_HEADER_SIZE - 72;
	struct bytes covered = {bytes, line};
	uint8_t digest[SHA256_SIZE];

	bytes[at] = (uint8_t)digit;
	assert_true(crypto_sha256(&covered, 1, digest));
	for (size_t i = 0; i < SHA256_SIZE; i++) {
		char hex[3];

		snprintf(hex, sizeof(hex), "%02x", digest[i]);
		memcpy(bytes + line + 7 + 2 * i, hex, 2);
	}
}

static void other_versions_are_told_from_damage(void **state)
{
	static uint8_t good[STATE_FILE_SIZE], other[STATE_FILE_SIZE];
	const struct place *place = *state;

	place_make_state(place, good);
	memcpy(other, good, sizeof(good));
	other[25 + 10] = '2'; /* "format 0001": the next format may keep its checksum elsewhere */
	place_write(place->state, other, sizeof(other));
	place_expect_refused(place->state, POSIX_KEEP, POSIX_VERSION);
	place_write(place->state, other, 60);
	place_expect_refused(place->state, POSIX_KEEP, POSIX_VERSION);

	memcpy(other, good, sizeof(good));
	forge(other, 37 + 9, '4'); /* "memory 0004 pages": whole, but not this card's */
	place_write(place->state, other, sizeof(other));
	place_expect_refused(place->state, POSIX_KEEP, POSIX_VERSION);

	memcpy(other, good, sizeof(good));
	forge(other, 37 + 10, '8'); /* what it was: forging itself does no harm */
	assert_memory_equal(other, good, sizeof(good));
}

static void what_is_no_state_is_refused(void **state)
{
	const struct place *place = *state;
	struct posix_port posix;
	char link[128];

	place_write(place->state, (const uint8_t *)"dear diary", 10);
	place_expect_refused(place->state, POSIX_KEEP, POSIX_FOREIGN);
	place_expect_refused(place->state, POSIX_FACTORY, POSIX_FOREIGN);
	place_write(place->state, NULL, 0);
	place_expect_refused(place->state, POSIX_KEEP, POSIX_FOREIGN);
	place_expect_refused(place->state, POSIX_FACTORY, POSIX_FOREIGN);
	assert_int_equal(place_files(place), 1);

	unlink(place->state);
	assert_int_equal(mkfifo(place->state, 0600), 0);
	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_FOREIGN);
	posix_port_close(&posix);
	assert_int_equal(posix_port_file(&posix, place->folder, no_seed, POSIX_KEEP), POSIX_IO);
	assert_int_equal(posix.error.error_number, EISDIR);
	posix_port_close(&posix);
	assert_int_equal(posix_port_file(&posix, "/", no_seed, POSIX_KEEP), POSIX_IO);
	assert_int_equal(posix.error.error_number, EISDIR);
	posix_port_close(&posix);
	assert_int_equal(posix_port_file(&posix, "", no_seed, POSIX_KEEP), POSIX_IO);
	posix_port_close(&posix);
	assert_int_equal(posix_port_file(&posix, "/nowhere/card", no_seed, POSIX_KEEP), POSIX_IO);
	assert_int_equal(posix.error.error_number, ENOENT);
	posix_port_close(&posix);

	snprintf(link, sizeof(link), "%s/link", place->folder);
	assert_int_equal(symlink("nothing", link), 0);
	assert_int_equal(posix_port_file(&posix, link, no_seed, POSIX_KEEP), POSIX_FOREIGN);
	posix_port_close(&posix);
	assert_int_equal(place_files(place), 2);
}

static void file_open_to_others_is_refused(void **state)
{
	static uint8_t good[STATE_FILE_SIZE];
	static const mode_t modes[] = {0640, 0604, 0620, 0601, 0644};
	const struct place *place = *state;

	place_make_state(place, good);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(place->state, modes[i]), 0);
		place_expect_refused(place->state, POSIX_KEEP, POSIX_EXPOSED);
		place_expect_refused(place->state, POSIX_FACTORY, POSIX_EXPOSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(header_can_be_read_by_people, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(every_altered_byte_is_damage, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(every_cut_is_damage, place_set_up, place_tear_down),
		cmocka_unit_test_setup_teardown(other_versions_are_told_from_damage, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_state_is_refused, place_set_up,
						place_tear_down),
		cmocka_unit_test_setup_teardown(file_open_to_others_is_refused, place_set_up,
						place_tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
