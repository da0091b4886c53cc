/*
 * For the tests of state files: a folder of its own for each, and what they do with the file in it.
 */
#ifndef SIMTIE_TEST_STATE_PLACE_H
#define SIMTIE_TEST_STATE_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "port/posix/posix.h"
#include "port/posix/state_header.h"

struct place {
	char folder[64];
	char state[96]; /* path of the state file; not made yet */
};

static const struct bytes no_seed = {NULL, 0};
static const uint8_t unit[8] = {0xF0, 1, 2, 3, 4, 5, 6, 7};
static const uint8_t blank[8] = {255, 255, 255, 255, 255, 255, 255, 255};

/* cmocka's setup and teardown; *state is the struct place. */
int place_set_up(void **state);
int place_tear_down(void **state);

unsigned place_files(const struct place *place);

size_t place_read(const char *path, uint8_t *out, size_t size);

/* Makes the file anew, mode 0600. */
void place_write(const char *path, const uint8_t *data, size_t len);

/* Leaves a state file with `unit` at offset 0, and its bytes in `out`. */
void place_make_state(const struct place *place, uint8_t out[static STATE_FILE_SIZE]);

/* The file must be refused for that reason, with a sentence that names it, and keep every byte. */
void place_expect_refused(const char *path, enum posix_start start, enum posix_result why);

/* Programs one unit; reads `len` (up to 64) bytes back and compares. */
void place_program(struct posix_port *posix, uint32_t offset, const uint8_t data[static 8]);
void place_expect_image(struct posix_port *posix, uint32_t offset, const uint8_t *data, size_t len);

#endif
