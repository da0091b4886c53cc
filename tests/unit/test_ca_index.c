/* The index: what counts of it, what a writer that died leaves, and what is damage. */
#include "ca_place.h"

#include "ca_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define KILLS 20

static size_t count_issued(const struct ca_place *place)
{
	struct ca_contents contents = ca_place_contents(place);
	size_t count = contents.count;

	ca_contents_free(&contents);
	return count;
}

/* Takes the writers' lock, which puts the end right. */
static int settle(const struct ca_place *place)
{
	int directory = open(place->path, O_RDONLY | O_DIRECTORY);
	struct ca_index index;
	int error = ca_index_open(directory, true, &index);

	assert_int_equal(error, CA_OK);
	error = ca_index_lock(&index, true);
	ca_index_close(&index);
	close(directory);
	return error;
}

static struct ca_line issued_line(void)
{
	struct ca_line line = {.kind = CA_LINE_ISSUED,
			       .entry = {.iccid = CA_PLACE_ICCID,
					 .not_before = 1795000000,
					 .not_after = 4000000000}};

	memset(line.entry.serial, 0xA5, CA_SERIAL_SIZE);
	memset(line.entry.fingerprint, 0x5A, CA_FINGERPRINT_SIZE);
	return line;
}

static void test_lines(void **state)
{
	struct ca_line lines[] = {
		issued_line(),
		{.kind = CA_LINE_REVOKED,
		 .entry = {.serial = {9}, .revoked_at = 1795000000, .reason = CA_KEY_COMPROMISE}},
		{.kind = CA_LINE_CRL, .number = 77, .this_update = 1, .next_update = 5000000000},
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char text[CA_INDEX_LINE_MAX];
		size_t len = ca_line_write(&lines[i], text);
		struct ca_line back;

		assert_true(len > 0);
		assert_int_equal(text[len - 1], '\n');
		assert_true(ca_line_read(text, len, &back));
		assert_memory_equal(&back, &lines[i], sizeof(back));
		for (size_t cut = 0; cut < len; cut++)
			assert_false(ca_line_read(text, cut, &back));
		for (size_t bit = 0; bit < 8 * len; bit++) {
			text[bit / 8] ^= (char)(1 << bit % 8);
			assert_false(ca_line_read(text, len, &back));
			text[bit / 8] ^= (char)(1 << bit % 8);
		}
	}
}

/* The form is a promise: other programs may read it. */
static void test_written_form(void **state)
{
	static const char expected[] =
		"issued A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5 8949000000000000017 2026-11-18T11:06:40Z "
		"2096-10-02T07:06:40Z "
		"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a "
		"CHECK\n";
	struct ca_line line = issued_line();
	char text[CA_INDEX_LINE_MAX];
	size_t len = ca_line_write(&line, text);

	(void)state;
	assert_int_equal(len, sizeof(expected) - 1 - 5 + 16);
	assert_memory_equal(text, expected, sizeof(expected) - 1 - 6);
}

/* Cut at any byte of its last line, the index holds all lines before. */
static void test_a_line_cut_short(void **state)
{
	struct ca_place *place = *state;
	struct ca *ca = ca_place_open(place);
	char text[CA_PLACE_FILE_MAX], after[CA_PLACE_FILE_MAX];
	size_t whole, before;

	ca_place_issue(ca, CA_PLACE_ICCID);
	before = ca_place_read(place, "index", text);
	ca_place_issue(ca, CA_PLACE_OTHER);
	whole = ca_place_read(place, "index", text);
	for (size_t len = before; len < whole; len++) {
		ca_place_write(place, "index", text, len);
		assert_int_equal(count_issued(place), 1);
		assert_int_equal(ca_place_read(place, "index", after), len); /* a reader cuts not */
		assert_int_equal(settle(place), CA_OK);
		assert_int_equal(ca_place_read(place, "index", after), before);
		assert_memory_equal(after, text, before);
	}
	ca_close(&ca);
	ca = ca_place_open(place);
	ca_place_issue(ca, CA_PLACE_ICCID);
	assert_int_equal(count_issued(place), 2);
	ca_close(&ca);
}

/* What a power cut leaves where a file grew and its bytes never came. */
static void test_zeros_at_the_end(void **state)
{
	struct ca_place *place = *state;
	struct ca *ca = ca_place_open(place);
	char text[CA_PLACE_FILE_MAX], after[CA_PLACE_FILE_MAX];
	size_t len;

	ca_place_issue(ca, CA_PLACE_ICCID);
	ca_close(&ca);
	len = ca_place_read(place, "index", text);
	memset(text + len, 0, 200);
	ca_place_write(place, "index", text, len + 200);
	assert_int_equal(count_issued(place), 1);
	assert_int_equal(settle(place), CA_OK);
	assert_int_equal(ca_place_read(place, "index", after), len);
}

/* The same with a whole line behind it is no power cut: each was flushed before the next. */
static void test_zeros_in_the_middle(void **state)
{
	struct ca_place *place = *state;
	struct ca *ca = ca_place_open(place);
	char text[CA_PLACE_FILE_MAX], after[CA_PLACE_FILE_MAX];
	size_t first, len;

	first = ca_place_read(place, "index", text);
	ca_place_issue(ca, CA_PLACE_ICCID);
	ca_place_issue(ca, CA_PLACE_ICCID);
	ca_close(&ca);
	len = ca_place_read(place, "index", text);
	memset(text + first, 0, 50);
	ca_place_write(place, "index", text, len);
	assert_int_equal(settle(place), CA_ERR_DAMAGED);
	assert_int_equal(ca_place_read(place, "index", after), len);
}

/* Without the crl line behind it a revocation never was. */
static void test_half_a_revocation(void **state)
{
	struct ca_place *place = *state;
	struct ca *ca = ca_place_open(place);
	const struct ca_selector selector = {.iccid = CA_PLACE_ICCID};
	char text[CA_PLACE_FILE_MAX], after[CA_PLACE_FILE_MAX];
	size_t before, count;

	ca_place_issue(ca, CA_PLACE_ICCID);
	ca_place_issue(ca, CA_PLACE_ICCID);
	before = ca_place_read(place, "index", text);
	assert_int_equal(ca_revoke(ca, &selector, CA_UNSPECIFIED, &count), CA_OK);
	ca_close(&ca);
	ca_place_read(place, "index", text);
	ca_place_write(place, "index", text, (size_t)(strstr(text, "crl 2") - text));
	assert_int_equal(settle(place), CA_OK);
	assert_int_equal(ca_place_read(place, "index", after), before);
	ca = ca_place_open(place);
	assert_int_equal(ca_revoke(ca, &selector, CA_UNSPECIFIED, &count), CA_OK);
	assert_int_equal(count, 2);
	assert_int_equal(ca_place_crl_number(place), 3); /* crl.pem was 2, and the index not */
	ca_close(&ca);
}

static void test_damage_is_refused(void **state)
{
	struct ca_place *place = *state;
	struct ca *ca = ca_place_open(place);
	char text[CA_PLACE_FILE_MAX], after[CA_PLACE_FILE_MAX];
	struct ca_contents contents;
	size_t len, last;

	ca_place_issue(ca, CA_PLACE_ICCID);
	last = ca_place_read(place, "index", text);
	ca_place_issue(ca, CA_PLACE_ICCID);
	ca_close(&ca);
	len = ca_place_read(place, "index", text);
	for (size_t at = 0; at < len - 1; at++) {
		text[at] ^= 1;
		ca_place_write(place, "index", text, len);
		assert_int_equal(settle(place), CA_ERR_DAMAGED); /* the last line's too */
		assert_int_equal(ca_contents_read(place->path, &contents), CA_ERR_DAMAGED);
		ca_contents_free(&contents);
		assert_int_equal(ca_place_read(place, "index", after), len);
		assert_memory_equal(text, after, len);
		text[at] ^= 1;
	}
	/* A line gone from the middle leaves the others whole; but what is cut off under an open
	 * authority is seen. */
	ca_place_write(place, "index", text, len);
	ca = ca_place_open(place);
	ca_place_write(place, "index", text, last);
	assert_int_equal(ca_renew_crl(ca, 0), CA_ERR_DAMAGED);
	ca_close(&ca);
}

/* The disk is full in the middle of a line. */
static void test_no_room(void **state)
{
	const struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	struct ca_place *place = *state;
	struct ca *ca = ca_place_open(place);
	struct rlimit limit, before;
	struct ca_issued issued;
	char text[CA_PLACE_FILE_MAX], after[CA_PLACE_FILE_MAX];
	size_t len = ca_place_read(place, "index", text);

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = (struct rlimit){len + 100, before.rlim_max};
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(ca_issue(ca, &request, &issued), CA_ERR_FILE);
	assert_int_equal(errno, EFBIG);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(ca_place_read(place, "index", after), len);
	assert_int_equal(ca_issue(ca, &request, &issued), CA_OK);
	assert_int_equal(count_issued(place), 1);
	ca_close(&ca);
}

/* Issues and revokes without end, and says what was answered. */
static void child(struct ca *ca, int pipe)
{
	const struct ca_request request = ca_place_request(CA_PLACE_ICCID);
	struct ca_issued issued;
	size_t count;

	for (;;) {
		struct ca_selector selector = {.serial = issued.entry.serial};

		if (ca_issue(ca, &request, &issued) != CA_OK)
			_exit(1);
		if (write(pipe, &issued.entry, sizeof(issued.entry)) < 0)
			_exit(1);
		if (ca_revoke(ca, &selector, CA_SUPERSEDED, &count) != CA_OK || count != 1)
			_exit(1);
		issued.entry.revoked = true;
		if (write(pipe, &issued.entry, sizeof(issued.entry)) < 0)
			_exit(1);
	}
}

static void check_answered(const struct ca_place *place, const struct ca_entry *answered,
			   size_t count)
{
	struct ca_contents contents = ca_place_contents(place);

	assert_false(contents.crl_behind);
	for (size_t i = 0; i < count; i++) {
		const struct ca_entry *entry = ca_contents_find(&contents, answered[i].fingerprint);

		assert_non_null(entry);
		assert_memory_equal(entry->serial, answered[i].serial, CA_SERIAL_SIZE);
		if (!answered[i].revoked)
			continue;
		assert_true(entry->revoked);
		assert_true(ca_place_on_crl(place, entry->serial));
	}
	ca_contents_free(&contents);
}

static void test_killed_at_any_time(void **state)
{
	static struct ca_entry answered[20000];
	struct ca_place *place = *state;
	size_t count = 0;
	struct ca *ca;

	for (unsigned i = 0; i < KILLS; i++) {
		int ends[2], status;
		ssize_t got;
		pid_t pid;

		ca = ca_place_open(place); /* what the one before left is put right here */
		check_answered(place, answered, count);
		assert_int_equal(pipe(ends), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			child(ca, ends[1]);
		ca_close(&ca);
		close(ends[1]);
		for (int wait = 1 + rand() % 8; wait; wait--)
			assert_int_equal(read(ends[0], &answered[count++], sizeof(answered[0])),
					 sizeof(answered[0]));
		usleep((useconds_t)(rand() % 5000));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		while ((got = read(ends[0], &answered[count], sizeof(answered[0]))) > 0) {
			assert_int_equal(got, sizeof(answered[0]));
			count++;
			assert_true(count < sizeof(answered) / sizeof(answered[0]));
		}
		close(ends[0]);
	}
	ca = ca_place_open(place);
	check_answered(place, answered, count);
	ca_close(&ca);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ca_place_set_up, ca_place_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_written_form),
		TEST(test_a_line_cut_short),
		TEST(test_zeros_at_the_end),
		TEST(test_zeros_in_the_middle),
		TEST(test_half_a_revocation),
		TEST(test_damage_is_refused),
		TEST(test_no_room),
		TEST(test_killed_at_any_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ca index", tests, ca_place_begin, ca_place_end);
}
