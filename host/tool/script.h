/*
 * The commands that `simtie apdu` sends: its arguments or the lines of a file, and the values that
 * they name.
 *
 * Owns the text of the script until script_release(), which wipes it: it may hold PINs. Asks for a
 * PIN or PUK only when a line names it.
 */
#ifndef SIMTIE_TOOL_SCRIPT_H
#define SIMTIE_TOOL_SCRIPT_H

#include "example.h"
#include "options.h"
#include "secret.h"

struct script {
	const char *path; /* or "-"; NULL: the arguments are the script */
	char **arguments;
	const char *set; /* NAME=HEX,...; or NULL */
	struct secret_source pin, puk, new_pin;
	char *text;
	size_t len;
};

struct script_line {
	const char *text;
	size_t len;
	unsigned number; /* from 1 */
};

/* All of these return TOOL_DONE, or the exit code of a failure that is already printed. */

/* Reads the file; refuses a script from both places, or from none. */
int script_load(struct script *script, const struct command *command);

enum script_use {
	SCRIPT_REHEARSAL, /* asks for no secret; zeros stand for them */
	SCRIPT_REAL,
};

/* Names the contract's fixtures, the PINs and PUKs (with wrong ones that differ from them) and what
 * --set says. */
int script_define(const struct script *script, const struct command *command, struct example *run,
		  enum script_use use);

/* Moves on to the next line; false when there is none. Zero *line before the first. */
bool script_next(const struct script *script, struct script_line *line);

void script_release(struct script *script);

#endif
