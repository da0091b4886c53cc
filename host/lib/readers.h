/*
 * The choice of a reader by name. Owns the rule that simtie.h documents; talks to no reader.
 */
#ifndef SIMTIE_LIB_READERS_H
#define SIMTIE_LIB_READERS_H

#include "simtie.h"

/*
 * Index of the reader that `wanted` (see struct simtie_options) means, or SIMTIE_ERR_NO_READER or
 * SIMTIE_ERR_AMBIGUOUS; then `detail`, room for SIMTIE_DETAIL_MAX bytes, says what is there.
 */
int readers_choose(const struct simtie_reader *readers, size_t count, const char *wanted,
		   char *detail);

#endif
