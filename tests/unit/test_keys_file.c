/* Key files: what is read, what is refused, and who may have rights on them. */
#include "keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "scp03_peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define A16 "00112233445566778899AABBCCDDEEFF"
#define B16 "F0E1D2C3B4A5968778695A4B3C2D1E0F"
#define C16 "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define A24 A16 "0011223344556677"
#define A32 A16 B16

static enum keys_result parse(const char *text, struct keys *keys, unsigned *line)
{
	memset(keys, 0xEE, sizeof(*keys));
	return keys_parse(text, strlen(text), keys, line);
}

static void reads(const char *text, uint8_t version, enum keys_kind kind, const char *enc,
		  const char *mac, const char *dek)
{
	struct keys keys;
	unsigned line = 99;

	assert_int_equal(parse(text, &keys, &line), KEYS_OK);
	assert_int_equal(line, 0);
	assert_int_equal(keys.set.version, version);
	assert_int_equal(keys.kind, kind);
	assert_bytes(keys.set.enc, keys.set.len, enc);
	assert_bytes(keys.set.mac, keys.set.len, mac);
	assert_bytes(keys.set.dek, keys.set.len, dek);
	keys_wipe(&keys);
}

static void test_right_files(void **state)
{
	(void)state;
	reads("version 30\nenc " A16 "\nmac " B16 "\ndek " C16 "\n", 0x30, KEYS_OF_CARD, A16, B16,
	      C16);
	reads("dek " C16 "\nenc " A16 "\nmac " B16, 0, KEYS_OF_CARD, A16, B16, C16);
	reads("key " A24, 0, KEYS_OF_CARD, A24, A24, A24);
	reads("key " A32 "\nversion FF\n", 0xFF, KEYS_OF_CARD, A32, A32, A32);
	reads("key " A16 "\nversion 01", 1, KEYS_OF_CARD, A16, A16, A16);
	reads("derive kdd\nkey " A32, 0, KEYS_MASTER_FOR_KDD, A32, A32, A32);
	reads("key " A32 "\nderive iccid\nversion 7f\n", 0x7F, KEYS_MASTER_FOR_ICCID, A32, A32,
	      A32);
	reads("# a comment\n\n \t\n  # another " A16 "\r\n\tkey\t " A16 " \r\n#\n#key 00", 0,
	      KEYS_OF_CARD, A16, A16, A16);
}

/* Each wrong file, what is said of it, and of which line. */
static void test_wrong_files(void **state)
{
	static const struct {
		const char *text;
		enum keys_result wanted;
		unsigned line;
	} cases[] = {
		{"", KEYS_MISSING, 0},
		{"# nothing\n\n", KEYS_MISSING, 0},
		{"version 30\n", KEYS_MISSING, 0},
		{"enc " A16 "\nmac " B16 "\n", KEYS_MISSING, 0},
		{"enc " A16 "\ndek " B16 "\n", KEYS_MISSING, 0},
		{"mac " A16 "\ndek " B16 "\n", KEYS_MISSING, 0},
		{"key\n", KEYS_BAD_WORD, 1},
		{"key " A16 " " A16 "\n", KEYS_BAD_WORD, 1},
		{"key=" A16 "\n", KEYS_BAD_WORD, 1},
		{"key: " A16 "\n", KEYS_BAD_WORD, 1},
		{A16 "\n", KEYS_BAD_WORD, 1},
		{"KEY " A16 "\n", KEYS_BAD_WORD, 1},
		{"keys " A16 "\n", KEYS_BAD_WORD, 1},
		{"ke " A16 "\n", KEYS_BAD_WORD, 1},
		{"\n\nkek " A16 "\n", KEYS_BAD_WORD, 3},
		{"key " A16 " # mine\n", KEYS_BAD_WORD, 1},
		{"key " A16 "\nkey " A16 "\n", KEYS_TWICE, 2},
		{"key " A16 "\nenc " A16 "\n", KEYS_TWICE, 2},
		{"dek " A16 "\n\nkey " A16 "\n", KEYS_TWICE, 3},
		{"version 30\nversion 30\nkey " A16, KEYS_TWICE, 2},
		{"derive kdd\nderive kdd\nkey " A16, KEYS_TWICE, 2},
		{"key " A16 "0\n", KEYS_BAD_HEX, 1},
		{"key 0x" A16 "\n", KEYS_BAD_HEX, 1},
		{"key 0g112233445566778899AABBCCDDEEFF\n", KEYS_BAD_HEX, 1},
		{"key g0112233445566778899AABBCCDDEEFF\n", KEYS_BAD_HEX, 1},
		{"key " A32 "0g\n", KEYS_BAD_HEX, 1},
		{"key 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\n", KEYS_BAD_HEX, 1},
		{"key " A16 "00\n", KEYS_BAD_LENGTH, 1},
		{"key 00112233445566778899AABBCCDDEE\n", KEYS_BAD_LENGTH, 1},
		{"key 0011223344556677\n", KEYS_BAD_LENGTH, 1},
		{"key " A32 "00\n", KEYS_BAD_LENGTH, 1},
		{"key " A32 A16 "\n", KEYS_BAD_LENGTH, 1},
		{"enc " A16 "\nmac " A24 "\ndek " A16, KEYS_BAD_LENGTH, 2},
		{"version 00\nkey " A16, KEYS_BAD_VERSION, 1},
		{"version 80\nkey " A16, KEYS_BAD_VERSION, 1},
		{"version FE\nkey " A16, KEYS_BAD_VERSION, 1},
		{"version 0030\nkey " A16, KEYS_BAD_VERSION, 1},
		{"version 3\nkey " A16, KEYS_BAD_HEX, 1},
		{"version 0x30\nkey " A16, KEYS_BAD_HEX, 1},
		{"derive KDD\nkey " A16, KEYS_BAD_KIND, 1},
		{"derive visa2\nkey " A16, KEYS_BAD_KIND, 1},
		{"derive kd\nkey " A16, KEYS_BAD_KIND, 1},
	};
	static const struct keys none;
	struct keys keys;
	unsigned line;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(parse(cases[i].text, &keys, &line), cases[i].wanted);
		assert_int_equal(line, cases[i].line);
		assert_memory_equal(&keys, &none, sizeof(none));
	}
	assert_int_equal(keys_parse("key " A16 "\n\0\n", strlen("key " A16) + 3, &keys, &line),
			 KEYS_BAD_WORD);
}

/* The text lies in memory of just its size, so that a read beyond it shows. */
static void test_cut_files(void **state)
{
	static const char text[] = "version 30\r\nenc " A16 "\nmac " B16 "\ndek " C16;
	struct keys keys;
	unsigned line;

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		char *cut = test_malloc(len);

		memcpy(cut, text, len);
		assert_int_equal(keys_parse(cut, len, &keys, &line) == KEYS_OK,
				 len == sizeof(text) - 1);
		test_free(cut);
	}
}

static void test_long_files(void **state)
{
	static char text[KEYS_FILE_MAX + 1];
	struct keys keys;
	unsigned line;

	(void)state;
	memset(text, '\n', sizeof(text));
	memcpy(text, "key " A16, strlen("key " A16));
	assert_int_equal(keys_parse(text, KEYS_FILE_MAX, &keys, &line), KEYS_OK);
	assert_int_equal(keys_parse(text, KEYS_FILE_MAX + 1, &keys, &line), KEYS_TOO_LONG);
}

/* A file of the test's own. */
static int make_file(void **state)
{
	static char path[] = "/tmp/simtie-keys-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, "key " A16 "\n", 37) != 37 || close(fd) != 0)
		return -1;
	*state = path;
	return 0;
}

static int remove_file(void **state)
{
	return unlink(*state);
}

static void test_modes(void **state)
{
	struct keys keys;
	unsigned line;

	for (unsigned mode = 0; mode <= 0777; mode++) {
		enum keys_result wanted = mode & 077 ? KEYS_EXPOSED : KEYS_OK;

		assert_int_equal(chmod(*state, 0600), 0);
		int fd = open(*state, O_RDONLY);
		assert_int_equal(chmod(*state, mode), 0);
		assert_int_equal(keys_read_fd(fd, &keys, &line), wanted);
		assert_int_equal(keys.set.len, wanted == KEYS_OK ? 16 : 0);
		close(fd);
	}
	assert_int_equal(chmod(*state, 0644), 0);
	assert_int_equal(keys_read_file(*state, &keys, &line), KEYS_EXPOSED);
	assert_int_equal(chmod(*state, 0400), 0);
	assert_int_equal(keys_read_file(*state, &keys, &line), KEYS_OK);
	assert_bytes(keys.set.dek, keys.set.len, A16);
}

static void test_no_file(void **state)
{
	struct keys keys = {.set.len = 16};
	unsigned line;
	int ends[2];

	(void)state;
	assert_int_equal(keys_read_file("/nonexistent/keys", &keys, &line), KEYS_NO_FILE);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(keys.set.len, 0);
	assert_int_equal(keys_read_file("/", &keys, &line), KEYS_NOT_A_FILE);
	assert_int_equal(keys_read_file("/dev/null", &keys, &line), KEYS_NOT_A_FILE);
	assert_int_equal(keys_read_fd(-1, &keys, &line), KEYS_NO_FILE);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(keys_read_fd(ends[1], &keys, &line), KEYS_NO_FILE); /* its writing end */
	assert_int_equal(errno, EBADF);
	close(ends[0]);
	close(ends[1]);
}

/* A pipe, written in pieces by somebody else. */
static void test_pipe(void **state)
{
	struct keys keys;
	unsigned line;
	int ends[2];
	pid_t writer;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	writer = fork();
	if (writer == 0) {
		static const char text[] = "version 30\nkey " A16 "\n";

		for (const char *at = text; *at; at++)
			if (write(ends[1], at, 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(keys_read_fd(ends[0], &keys, &line), KEYS_OK);
	assert_int_equal(keys.set.version, 0x30);
	close(ends[0]);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_files),
		cmocka_unit_test(test_wrong_files),
		cmocka_unit_test(test_cut_files),
		cmocka_unit_test(test_long_files),
		cmocka_unit_test_setup_teardown(test_modes, make_file, remove_file),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_pipe),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
