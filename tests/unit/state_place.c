#include "state_place.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int place_set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	snprintf(place->folder, sizeof(place->folder), "/tmp/simtie-posix-XXXXXX");
	if (!mkdtemp(place->folder))
		return -1;
	snprintf(place->state, sizeof(place->state), "%s/card.state", place->folder);
	*state = place;
	return 0;
}

int place_tear_down(void **state)
{
	struct place *place = *state;
	DIR *folder = opendir(place->folder);
	struct dirent *entry;

	while ((entry = readdir(folder)))
		unlinkat(dirfd(folder), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	closedir(folder);
	rmdir(place->folder);
	free(place);
	return 0;
}

size_t place_read(const char *path, uint8_t *out, size_t size)
{
	FILE *file = fopen(path, "rb");
	size_t n;

	assert_non_null(file);
	n = fread(out, 1, size, file);
	fclose(file);
	return n;
}

void place_write(const char *path, const uint8_t *data, size_t len)
{
	FILE *file;

	unlink(path);
	file = fopen(path, "wb");
	assert_non_null(file);
	if (len > 0)
		assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	fclose(file);
}

unsigned place_files(const struct place *place)
{
	DIR *folder = opendir(place->folder);
	unsigned n = 0;

	while (readdir(folder))
		n++;
	closedir(folder);
	return n - 2;
}

void place_program(struct posix_port *posix, uint32_t offset, const uint8_t data[static 8])
{
	assert_true(posix->port.program(posix, offset, data, 8));
}

void place_expect_image(struct posix_port *posix, uint32_t offset, const uint8_t *data, size_t len)
{
	uint8_t found[64];

	assert_true(posix->port.read(posix, offset, found, len));
	assert_memory_equal(found, data, len);
}

void place_make_state(const struct place *place, uint8_t out[static STATE_FILE_SIZE])
{
	struct posix_port posix;

	assert_int_equal(posix_port_file(&posix, place->state, no_seed, POSIX_KEEP), POSIX_OK);
	place_program(&posix, 0, unit);
	assert_true(posix.port.sync(&posix));
	posix_port_close(&posix);
	assert_int_equal(place_read(place->state, out, STATE_FILE_SIZE), STATE_FILE_SIZE);
}

void place_expect_refused(const char *path, enum posix_start start, enum posix_result why)
{
	static uint8_t before[STATE_FILE_SIZE + 64], after[STATE_FILE_SIZE + 64];
	size_t len = place_read(path, before, sizeof(before));
	struct posix_port posix;
	struct stat old, new;

	stat(path, &old);
	assert_int_equal(posix_port_file(&posix, path, no_seed, start), why);
	assert_int_equal(posix.error.result, why);
	assert_non_null(strstr(posix.error.text, path));
	assert_non_null(strstr(posix.error.text, "; ")); /* what to do */
	posix_port_close(&posix);
	stat(path, &new);
	assert_int_equal(place_read(path, after, sizeof(after)), len);
	assert_memory_equal(before, after, len);
	assert_true(old.st_ino == new.st_ino &&old.st_mode == new.st_mode);
}
