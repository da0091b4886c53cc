/*
 * One line of secret text: from a descriptor, a file, or the terminal with echo off.
 *
 * Owns the terminal's echo while it asks. Refuses a line that does not fit or holds a NUL byte;
 * what was read until then is the caller's to wipe, as the line is.
 */
#ifndef SIMTIE_TOOL_LINE_H
#define SIMTIE_TOOL_LINE_H

#include <stddef.h>

enum line_result {
	LINE_READ,
	LINE_FAILED,    /* see errno; from line_ask(): there is no terminal */
	LINE_MALFORMED, /* too long, a NUL byte, or a file of several lines */
};

/* Reads up to the end of a line, byte by byte: what follows may be another's. The end of line (LF
 * or CR LF) is dropped. `size` counts the terminator. */
enum line_result line_read(int fd, char *line, size_t size);

/* The same from a file that holds the line and nothing else. */
enum line_result line_read_file(const char *path, char *line, size_t size);

/* Asks at the terminal, "QUESTION: ". A signal finds the terminal as it was. */
enum line_result line_ask(const char *question, char *line, size_t size);

#endif
