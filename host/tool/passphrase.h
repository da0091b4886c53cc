/*
 * The passphrase of a key at rest: where it comes from.
 *
 * Owns the order of its sources: the file or the descriptor named, SIMTIE_CA_PASSPHRASE (which is
 * wiped), a prompt with echo off. Refuses to take one from the command line, to print one, or to
 * keep one: the buffer is the caller's, who wipes it with passphrase_wipe() at the end.
 */
#ifndef SIMTIE_TOOL_PASSPHRASE_H
#define SIMTIE_TOOL_PASSPHRASE_H

#include "options.h"

/* Room for 1024 bytes, a carriage return that some editors leave, and the terminator. */
#define PASSPHRASE_SIZE 1026

/* Filled in by the options of PASSPHRASE_OPTIONS(). */
struct passphrase_source {
	const char *file; /* a path, or "-" for a line of standard input */
	struct option_number fd;
};

#define PASSPHRASE_OPTIONS(source)                                                                 \
	{.name = "passphrase-file",                                                                \
	 .kind = OPTION_TEXT,                                                                      \
	 .target = &(source).file,                                                                 \
	 .value = "FILE",                                                                          \
	 .min = 1,                                                                                 \
	 .help = "file with the passphrase; - takes a line of standard input"},                    \
	{                                                                                          \
		.name = "passphrase-fd", .kind = OPTION_NUMBER, .target = &(source).fd,            \
		.value = "N", .max = 65535, .help = "open descriptor with the passphrase"          \
	}

/*
 * Reads it: one line of 1 to 1024 bytes, and of `min` at least; the end of line is dropped. `twice`
 * asks again when it comes from a prompt. Returns TOOL_DONE, TOOL_USAGE or TOOL_IO; a failure is
 * already printed.
 */
int passphrase_read(const struct command *command, const struct passphrase_source *source,
		    size_t min, bool twice, char passphrase[PASSPHRASE_SIZE]);

void passphrase_wipe(char passphrase[PASSPHRASE_SIZE]);

#endif
