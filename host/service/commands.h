/*
 * The subcommands of simtied, and what all of them do alike.
 *
 * Owns the tables: main.c's of the first word, and the operator's of the second. To add one: a file
 * with its function, its declaration here, a row in commands.c.
 */
#ifndef SIMTIE_SERVICE_COMMANDS_H
#define SIMTIE_SERVICE_COMMANDS_H

#include <stdbool.h>

/* Exit codes, the same in every subcommand; 3 is simtie's alone. */
enum command_exit {
	COMMAND_DONE = 0,
	COMMAND_REFUSED = 1, /* what was looked at is not as it should be */
	COMMAND_USAGE = 2,   /* command line or configuration is wrong */
	COMMAND_IO = 4,      /* a file, the store or the network failed */
};

struct subcommand {
	const char *name;
	/* argv[0] is the name. Returns an exit code. */
	int (*run)(int argc, char **argv);
	const char *text; /* one line for --help */
};

/* Both end with a row without a name. */
extern const struct subcommand commands[];
extern const struct subcommand operator_commands[]; /* simtied operator NAME … */
extern const struct subcommand messenger_commands[];

const struct subcommand *commands_find(const struct subcommand *table, const char *name);
void commands_list(const struct subcommand *table);

/* What is printed is on its way. Returns `code`, or COMMAND_IO when it could not be written. */
int command_end(int code);

/* Whether the first argument asks for help, which is then printed. */
bool command_help(int argc, char **argv, const char *help);

/* Says that the command line is wrong and where help is. Returns COMMAND_USAGE. */
int command_wrong(const char *name, const char *what);

/* For those with --config FILE alone: *path gets it. COMMAND_DONE and a *path of NULL: help was
 * printed. COMMAND_USAGE: said so. */
int command_config(int argc, char **argv, const char *help, const char **path);

struct role;

/* Serves in a role, or runs a command of its table (cmd_role.c). */
int command_role(int argc, char **argv, const char *help, const struct subcommand *table,
		 const struct role *role);

/* ---- Each in the file of its name: cmd_NAME.c ---- */

int operator_main(int argc, char **argv);
int messenger_main(int argc, char **argv);
int migrate_main(int argc, char **argv);
int check_config_main(int argc, char **argv);
int keys_main(int argc, char **argv);
int certs_main(int argc, char **argv);

#endif
