/*
 * The command line of one subcommand: a table that is parsed (getopt_long), printed as --help and
 * listed for the shell's completion, so that the three cannot disagree.
 *
 * Owns syntax, bounds and the wording of wrong usage. Refuses abbreviated and repeated options, and
 * never prints a value that was given: it could be a PIN in the wrong place.
 */
#ifndef SIMTIE_TOOL_OPTIONS_H
#define SIMTIE_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tool.h"

/* Kinds of option and what `target` points to; it is written only when the option is given. */
enum option_kind {
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char *: into argv, `min` to `max` bytes; max 0 means no bound */
	OPTION_NUMBER, /* struct option_number: decimal, `min` to `max` */
	OPTION_HEX,    /* struct option_bytes: `min` to `max` bytes in hexadecimal */
	OPTION_CHOICE, /* unsigned: index into `choices` */
};

struct option_number {
	bool given;
	uint32_t value;
};

#define OPTION_BYTES_MAX 65

struct option_bytes {
	size_t len; /* 0: not given */
	uint8_t bytes[OPTION_BYTES_MAX];
};

struct option_entry {
	const char *name; /* without the dashes */
	char letter;      /* its short form, or 0 */
	enum option_kind kind;
	void *target;
	const char *value; /* what the value is called in help; NULL for a flag */
	const char *help;  /* a line, or several parted by \n; at most 70 columns each */
	bool required;
	uint32_t min;
	uint32_t max;
	const char *const *choices; /* NULL-terminated */
};

/* Options that many subcommands share. --help is always there. */
enum option_group {
	OPTIONS_READER = 1, /* --reader, --trace, --trace-secrets */
	OPTIONS_JSON = 2,   /* --json */
};

struct common_options {
	const char *reader; /* or SIMTIE_READER of the environment, or NULL */
	const char *trace;
	bool trace_secrets;
	bool json;
	unsigned
		protocol; /* enum simtie_protocol; for the subcommands that have an option for it */
};

struct command {
	const char *name;      /* "attest" */
	const char *arguments; /* of the usage line, "FILE|-"; NULL for none */
	const char *text;      /* what it does; at most 100 columns a line */
	unsigned groups;       /* of enum option_group */
	const struct option_entry *options;
	size_t count;
	unsigned min_arguments; /* how many words beside options */
	unsigned max_arguments;
};

/* What options_parse() returns when the subcommand shall go on. */
#define OPTIONS_GO (-1)

/*
 * Parses argv (argv[0] is the subcommand's name). *arguments gets the words that are no options
 * (NULL-terminated, within argv) and may be NULL. Returns OPTIONS_GO, or the exit code to end with:
 * TOOL_DONE after --help, TOOL_USAGE after wrong usage, both already printed.
 */
int options_parse(const struct command *command, struct common_options *common, int argc,
		  char **argv, char ***arguments);

/*
 * Says what is wrong with the command line, the usage line and where help is. Returns TOOL_USAGE.
 * `format` names the option, not the value that was given.
 */
int options_wrong(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
