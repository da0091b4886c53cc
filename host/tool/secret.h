/*
 * PINs and PUKs: where they come from.
 *
 * Owns the prompt, the files, the descriptors and the environment variables that a secret may come
 * from. Refuses to take one from the command line, to print one, or to keep one: the buffer is the
 * caller's, who wipes it with secret_wipe() at the end.
 */
#ifndef SIMTIE_TOOL_SECRET_H
#define SIMTIE_TOOL_SECRET_H

#include "options.h"

/* Room for 8 digits and the terminator. */
#define SECRET_SIZE 9

/* Filled in by the options of SECRET_OPTIONS(); `name`, `option` and `environment` beforehand. */
struct secret_source {
	const char *name;        /* "PIN", for the prompt and for error texts */
	const char *option;      /* "pin", as in --pin-file */
	const char *environment; /* "SIMTIE_PIN" */
	unsigned min_digits;
	const char *file;        /* --X-file: a path, or "-" for a line of standard input */
	struct option_number fd; /* --X-fd: a descriptor that is already open */
};

#define SECRET_PIN                                                                                 \
	{                                                                                          \
		.name = "PIN", .option = "pin", .environment = "SIMTIE_PIN", .min_digits = 4       \
	}
#define SECRET_NEW_PIN                                                                             \
	{                                                                                          \
		.name = "new PIN", .option = "new-pin", .environment = "SIMTIE_NEW_PIN",           \
		.min_digits = 4                                                                    \
	}
#define SECRET_PUK                                                                                 \
	{                                                                                          \
		.name = "PUK", .option = "puk", .environment = "SIMTIE_PUK", .min_digits = 8       \
	}

/* Two entries of an option table, --OPTION-file and --OPTION-fd, into a struct secret_source:
 * SECRET_OPTIONS("pin", "the PIN", source). */
#define SECRET_OPTIONS(text, meaning, source)                                                      \
	{.name = text "-file",                                                                     \
	 .kind = OPTION_TEXT,                                                                      \
	 .target = &(source).file,                                                                 \
	 .value = "FILE",                                                                          \
	 .min = 1,                                                                                 \
	 .help = "file with " meaning "; - takes a line of standard input"},                       \
	{                                                                                          \
		.name = text "-fd", .kind = OPTION_NUMBER, .target = &(source).fd, .value = "N",   \
		.max = 65535, .help = "open descriptor with " meaning                              \
	}

/*
 * Reads a secret: from the file or the descriptor named, else from the environment (which is
 * wiped), else by a prompt on the terminal with echo off. One line; the end of line is dropped. It
 * must be `min_digits` to 8 decimal digits. `twice` asks again when it comes from a prompt. Returns
 * TOOL_DONE, TOOL_USAGE or TOOL_IO; a failure is already printed.
 */
int secret_read(const struct command *command, const struct secret_source *source, bool twice,
		char secret[SECRET_SIZE]);

/*
 * Makes up a secret of `digits` random digits and writes it to the file that the source names,
 * mode 0600, flushed; the file must not be there yet. Returns as secret_read().
 */
int secret_generate(const struct command *command, const struct secret_source *source,
		    unsigned digits, char secret[SECRET_SIZE]);

/* Whether it would have to ask at the terminal. */
bool secret_asks(const struct secret_source *source);

void secret_wipe(char secret[SECRET_SIZE]);

#endif
