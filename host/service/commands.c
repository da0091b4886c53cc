/*
 * The tables, and what subcommands do alike.
 */
#include "commands.h"
#include "desk.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

const struct subcommand commands[] = {
	{"operator", operator_main, "serve as an operator; its other commands: operator --help"},
	{"messenger", messenger_main, "serve as a messenger"},
	{"migrate", migrate_main, "bring the store to what this version works with"},
	{"check-config", check_config_main, "read a configuration and all files that it names"},
	{"keys", keys_main, "make the store's key file, or add a key to it"},
	{"certs", certs_main, "make certificates for development"},
	{NULL, NULL, NULL},
};

const struct subcommand operator_commands[] = {
	{"audit", desk_audit_main, "verify the audit log"},
	{"outbox", desk_outbox_main, "notices that are not delivered"},
	{"record", desk_record_main, "what is recorded of one subscriber, for a reason"},
	{"import", desk_import_main, "card records and subscribers from a file"},
	{"rekey", desk_rekey_main, "seal the store anew under the newest key"},
	{NULL, NULL, NULL},
};

const struct subcommand messenger_commands[] = {
	{"rekey", desk_rekey_messenger_main, "seal the store anew under the newest key"},
	{NULL, NULL, NULL},
};

const struct subcommand *commands_find(const struct subcommand *table, const char *name)
{
	for (; table->name; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

void commands_list(const struct subcommand *table)
{
	for (; table->name; table++)
		printf("  %-14s %s\n", table->name, table->text);
}

int command_end(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fputs("simtied: standard output cannot be written\n", stderr);
	return COMMAND_IO;
}

bool command_help(int argc, char **argv, const char *help)
{
	if (argc < 2 || (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0))
		return false;
	fputs(help, stdout);
	return true;
}

int command_wrong(const char *name, const char *what)
{
	fprintf(stderr, "simtied %s: %s; see `simtied %s --help`\n", name, what, name);
	return COMMAND_USAGE;
}

int command_config(int argc, char **argv, const char *help, const char **path)
{
	static const char equals[] = "--config=";

	*path = NULL;
	if (command_help(argc, argv, help))
		return command_end(COMMAND_DONE);
	if (argc == 3 && strcmp(argv[1], "--config") == 0)
		*path = argv[2];
	else if (argc == 2 && strncmp(argv[1], equals, sizeof(equals) - 1) == 0)
		*path = argv[1] + sizeof(equals) - 1;
	if (!*path || !**path)
		return command_wrong(argv[0], "--config FILE is what it takes, and nothing else");
	return COMMAND_DONE;
}
