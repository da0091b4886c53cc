/*
 * Bytes in memory of exactly their size, so that a sanitizer sees every read past them.
 */
#ifndef SIMTIE_TEST_EXACT_BYTES_H
#define SIMTIE_TEST_EXACT_BYTES_H

#include "bytes.h"

/* From hexadecimal, blanks allowed; ends the test on anything else. The caller frees them. */
struct bytes exact_bytes(const char *hex);
void exact_bytes_free(struct bytes bytes);

#endif
