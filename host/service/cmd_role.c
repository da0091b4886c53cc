/*
 * What the subcommands of both roles do alike: serve, or run a command of the role.
 */
#include "commands.h"
#include "service.h"

#include <stdio.h>

int command_role(int argc, char **argv, const char *help, const struct subcommand *table,
		 const struct role *role)
{
	const struct subcommand *command;
	const char *path;
	int code;

	if (argc > 1 && argv[1][0] != '-') {
		command = commands_find(table, argv[1]);
		return command ? command->run(argc - 1, argv + 1)
			       : command_wrong(role->name, "there is no such command");
	}
	if (command_help(argc, argv, help)) {
		puts("\nCommands:");
		commands_list(table);
		return command_end(COMMAND_DONE);
	}
	code = command_config(argc, argv, help, &path);
	return path ? service_run(role, path) : code;
}
