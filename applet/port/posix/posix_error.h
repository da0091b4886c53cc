/*
 * Puts what went wrong into one sentence. Owns the wording's frame and its bound; refuses nothing:
 * what is too long is cut.
 */
#ifndef SIMTIE_PORT_POSIX_ERROR_H
#define SIMTIE_PORT_POSIX_ERROR_H

#include "posix.h"

/* Records "<path>: <what>" and, when error_number is not 0, " (<text of the errno>)". Of a long
 * path the end is kept; path NULL leaves it out. Returns `result`. */
enum posix_result posix_error_set(struct posix_error *error, enum posix_result result,
				  int error_number, const char *path, const char *what);

#endif
