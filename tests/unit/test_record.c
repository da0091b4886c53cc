/* Card records as files: what is written, what is read back, and everything that is refused. */
#include "token_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define POINT                                                                                      \
	"04d74d4bd9549f5f9bf059de84f4d12d4eebce5f6c4cc04df88c58b72de8ebe490"                       \
	"719a1a81398027b7ee930b83946f910aa5cdda92ab42689ea7529087b04a14c9"
#define CHAIN   "7ade73b1392a58349a7d8a5c74d626e86b91743ea6820d9b9fbe7daa8dc3486f"
#define FORMAT  "\"format\":\"simtie-card-record/1\""
#define KEYS    "\"devicePublicKey\":\"" POINT "\",\"chainCode\":\"" CHAIN "\""
#define VERSION "\"appletVersion\":\"1.0.0\""
#define CREATED "\"createdAt\":\"2025-11-24T06:04:00Z\""
#define RIGHT   "{" FORMAT "," KEYS "," VERSION "," CREATED "}"

/* A directory of the test's own, and a path in it. */
struct place {
	char directory[64];
	char path[96];
};

static int place_make(void **state)
{
	static struct place place;

	snprintf(place.directory, sizeof(place.directory), "/tmp/simtie-record-XXXXXX");
	if (!mkdtemp(place.directory))
		return -1;
	snprintf(place.path, sizeof(place.path), "%s/record.json", place.directory);
	*state = &place;
	return 0;
}

/* Removes the directory, which holds at most the one file. */
static int place_remove(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	return rmdir(place->directory);
}

static unsigned files_in(const struct place *place)
{
	DIR *directory = opendir(place->directory);
	unsigned count = 0;

	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

static void text_write(const struct place *place, const char *text, size_t len)
{
	FILE *file = fopen(place->path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static struct simtie_record right(void)
{
	return (struct simtie_record){.key = *token_fixture_card(),
				      .applet_version = "1.0.0",
				      .created_at = "2025-11-24T06:04:00Z"};
}

static void test_written_form(void **state)
{
	struct place *place = *state;
	struct simtie_record record = right();
	char text[1024] = "";
	struct stat info;
	mode_t mask = umask(0);
	FILE *file;

	assert_int_equal(simtie_record_write(place->path, &record), 0);
	umask(mask);
	file = fopen(place->path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_string_equal(text, RIGHT "\n");
	assert_int_equal(stat(place->path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(files_in(place), 1);
}

static void test_read_back(void **state)
{
	struct place *place = *state;
	struct simtie_record record = right(), back;

	assert_int_equal(simtie_record_write(place->path, &record), 0);
	assert_int_equal(simtie_record_read(place->path, &back), 0);
	assert_memory_equal(&back.key, &record.key, sizeof(record.key));
	assert_string_equal(back.applet_version, record.applet_version);
	assert_string_equal(back.created_at, record.created_at);
}

/* Whatever has the name, a link to nowhere included, keeps it, and nothing is left beside it. */
static void test_never_over_a_file(void **state)
{
	struct place *place = *state;
	struct simtie_record record = right();
	char text[8] = "";
	FILE *file;

	text_write(place, "mine", 4);
	errno = 0;
	assert_int_equal(simtie_record_write(place->path, &record), SIMTIE_ERR_FILE);
	assert_int_equal(errno, EEXIST);
	file = fopen(place->path, "r");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, sizeof(text), file), 4);
	fclose(file);
	assert_string_equal(text, "mine");
	assert_int_equal(files_in(place), 1);

	assert_int_equal(unlink(place->path), 0);
	assert_int_equal(symlink("nowhere", place->path), 0);
	assert_int_equal(simtie_record_write(place->path, &record), SIMTIE_ERR_FILE);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(files_in(place), 1);
}

static void test_no_place(void **state)
{
	struct place *place = *state;
	struct simtie_record record = right();
	char path[160];

	snprintf(path, sizeof(path), "%s/none/record.json", place->directory);
	errno = 0;
	assert_int_equal(simtie_record_write(path, &record), SIMTIE_ERR_FILE);
	assert_int_equal(errno, ENOENT);
	errno = 0;
	assert_int_equal(simtie_record_read(place->path, &record), SIMTIE_ERR_FILE);
	assert_int_equal(errno, ENOENT);
	errno = 0;
	assert_int_equal(simtie_record_read(place->directory, &record), SIMTIE_ERR_FILE);
	assert_int_equal(errno, EISDIR);
}

/* A file that cannot be written to its end leaves nothing. */
static void test_no_room(void **state)
{
	struct place *place = *state;
	struct simtie_record record = right();
	struct rlimit before, small;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	errno = 0;
	assert_int_equal(simtie_record_write(place->path, &record), SIMTIE_ERR_FILE);
	assert_int_equal(errno, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, handler);
	assert_int_equal(files_in(place), 0);
}

/* A name without a directory is one in the working directory. */
static void test_bare_name(void **state)
{
	struct place *place = *state;
	struct simtie_record record = right();
	char *before = getcwd(NULL, 0);

	assert_int_equal(chdir(place->directory), 0);
	assert_int_equal(simtie_record_write("record.json", &record), 0);
	assert_int_equal(simtie_record_read("record.json", &record), 0);
	assert_int_equal(chdir(before), 0);
	free(before);
}

static void test_refuses_to_write(void **state)
{
	static const char *const versions[] = {"",        "1",      "1.0",  "1.0.",  "1.0.0.",
					       "1.0.0\"", "v1.0.0", "1..0", "-1.0.0"};
	static const char *const times[] = {"",
					    "2025-11-24",
					    "2025-11-24 06:04:00Z",
					    "2025-11-24T06:04:00",
					    "2025-11-24T06:04Z",
					    "2025-11-24T06:04:00.Z",
					    "2025-11-24T06:04:00Z\"",
					    "2025-11-24T06:04:00+0100",
					    "2025-13-24T06:04:00Z",
					    "2025-02-29T06:04:00Z",
					    "2025-11-24T24:04:00Z",
					    "2025-11-24T06:60:00Z"};
	struct place *place = *state;
	struct simtie_record record;

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		record = right();
		snprintf(record.applet_version, sizeof(record.applet_version), "%s", versions[i]);
		assert_int_equal(simtie_record_write(place->path, &record), SIMTIE_ERR_ARGUMENT);
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		record = right();
		snprintf(record.created_at, sizeof(record.created_at), "%s", times[i]);
		assert_int_equal(simtie_record_write(place->path, &record), SIMTIE_ERR_ARGUMENT);
	}
	record = right();
	record.key.device_public[64] ^= 1;
	assert_int_equal(simtie_record_write(place->path, &record), SIMTIE_ERR_ARGUMENT);
	record = right();
	memset(record.applet_version, '1', sizeof(record.applet_version)); /* not terminated */
	assert_int_equal(simtie_record_write(place->path, &record), SIMTIE_ERR_ARGUMENT);
	assert_int_equal(files_in(place), 0);
}

static void test_reads(void **state)
{
	static const char *const texts[] = {
		RIGHT,
		RIGHT "\n\n",
		"\n { " CREATED " , " VERSION " , " KEYS " , " FORMAT " }",
		"{" FORMAT "," KEYS "," VERSION "," CREATED
		",\"msisdn\":null,\"notes\":{\"a\":[1]}}",
		"{" FORMAT "," KEYS "," VERSION ",\"createdAt\":\"2024-02-29T23:59:59.125+00:00\"}",
	};
	struct place *place = *state;
	struct simtie_record record;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		text_write(place, texts[i], strlen(texts[i]));
		assert_int_equal(simtie_record_read(place->path, &record), 0);
		assert_memory_equal(&record.key, token_fixture_card(), sizeof(record.key));
		assert_string_equal(record.applet_version, "1.0.0");
	}
}

static void test_refuses_to_read(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"{}",
		"[]",
		"null",
		"[" RIGHT "]",
		RIGHT "x",
		RIGHT RIGHT,
		"\xEF\xBB\xBF" RIGHT,
		/* a member that is not there */
		"{" KEYS "," VERSION "," CREATED "}",
		"{" FORMAT "," VERSION "," CREATED "}",
		"{" FORMAT "," KEYS "," CREATED "}",
		"{" FORMAT "," KEYS "," VERSION "}",
		/* one that is there twice */
		"{" FORMAT "," KEYS "," VERSION "," CREATED "," VERSION "}",
		"{" FORMAT "," KEYS "," VERSION "," CREATED ",\"a\":1,\"a\":2}",
		/* another format */
		"{\"format\":\"simtie-card-record/2\"," KEYS "," VERSION "," CREATED "}",
		"{\"format\":\"simtie-card-record/1 \"," KEYS "," VERSION "," CREATED "}",
		"{\"Format\":\"simtie-card-record/1\"," KEYS "," VERSION "," CREATED "}",
		/* the wrong type */
		"{\"format\":1," KEYS "," VERSION "," CREATED "}",
		"{" FORMAT ",\"devicePublicKey\":[\"" POINT "\"],\"chainCode\":\"" CHAIN
		"\"," VERSION "," CREATED "}",
		"{" FORMAT "," KEYS ",\"appletVersion\":1.0," CREATED "}",
		"{" FORMAT "," KEYS "," VERSION ",\"createdAt\":1763964240}",
		"{" FORMAT "," KEYS "," VERSION ",\"createdAt\":null}",
		/* bad hex: a digit short, long, no digit */
		"{" FORMAT ",\"devicePublicKey\":\"" POINT "\",\"chainCode\":\"" CHAIN
		"0\"," VERSION "," CREATED "}",
		"{" FORMAT ",\"devicePublicKey\":\"" POINT "\",\"chainCode\":\"\"," VERSION
		"," CREATED "}",
		"{" FORMAT ",\"devicePublicKey\":\"" POINT "00\",\"chainCode\":\"" CHAIN
		"\"," VERSION "," CREATED "}",
		"{" FORMAT ",\"devicePublicKey\":\"g" POINT "\",\"chainCode\":\"" CHAIN
		"\"," VERSION "," CREATED "}",
		"{" FORMAT ",\"devicePublicKey\":\"" POINT
		"\",\"chainCode\":\"zade73b1392a58349a7d8a5c"
		"74d626e86b91743ea6820d9b9fbe7daa8dc3486f\"," VERSION "," CREATED "}",
		/* a point that is not on the curve */
		"{" FORMAT
		",\"devicePublicKey\":\"04d74d4bd9549f5f9bf059de84f4d12d4eebce5f6c4cc04df88c"
		"58b72de8ebe490719a1a81398027b7ee930b83946f910aa5cdda92ab42689ea7529087b04a14c8\","
		"\"chainCode\":\"" CHAIN "\"," VERSION "," CREATED "}",
		/* out of bounds */
		"{" FORMAT "," KEYS ",\"appletVersion\":\"1.0.000000000000000000\"," CREATED "}",
		"{" FORMAT "," KEYS "," VERSION ",\"createdAt\":\"yesterday\"}",
	};
	struct place *place = *state;
	struct simtie_record record, zero;

	memset(&zero, 0, sizeof(zero));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		text_write(place, texts[i], strlen(texts[i]));
		if (simtie_record_read(place->path, &record) != SIMTIE_ERR_FORMAT)
			fail_msg("%zu: %s", i, texts[i]);
		assert_memory_equal(&record, &zero, sizeof(record));
	}
}

/* Cut anywhere, or larger than any record is. */
static void test_refuses_sizes(void **state)
{
	struct place *place = *state;
	struct simtie_record record;
	char large[4200];

	for (size_t len = 0; len < strlen(RIGHT); len++) {
		text_write(place, RIGHT, len);
		assert_int_equal(simtie_record_read(place->path, &record), SIMTIE_ERR_FORMAT);
	}
	memset(large, ' ', sizeof(large));
	memcpy(large, RIGHT, strlen(RIGHT));
	text_write(place, large, 4096);
	assert_int_equal(simtie_record_read(place->path, &record), 0);
	text_write(place, large, 4097);
	assert_int_equal(simtie_record_read(place->path, &record), SIMTIE_ERR_FORMAT);
}

int main(void)
{
#define RECORD_TEST(test) cmocka_unit_test_setup_teardown(test, place_make, place_remove)
	const struct CMUnitTest tests[] = {
		RECORD_TEST(test_written_form),      RECORD_TEST(test_read_back),
		RECORD_TEST(test_never_over_a_file), RECORD_TEST(test_no_place),
		RECORD_TEST(test_no_room),           RECORD_TEST(test_bare_name),
		RECORD_TEST(test_refuses_to_write),  RECORD_TEST(test_reads),
		RECORD_TEST(test_refuses_to_read),   RECORD_TEST(test_refuses_sizes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
