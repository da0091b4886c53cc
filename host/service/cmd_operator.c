/*
 * simtied operator: the daemon, and the commands that an operator's people run.
 */
#include "commands.h"
#include "service.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: simtied operator --config FILE\n"
	"       simtied operator COMMAND ...\n\n"
	"Serves as an operator until SIGTERM: verifies that a SIM made a registration, keeps the\n"
	"record, tells messengers what changes. SIGHUP reads certificates and keys anew.\n\n"
	"  --config FILE  the configuration; simtied(8) has all settings\n";

int operator_main(int argc, char **argv)
{
	const struct subcommand *command;
	const char *path;
	int code;

	if (argc > 1 && argv[1][0] != '-') {
		command = commands_find(operator_commands, argv[1]);
		return command ? command->run(argc - 1, argv + 1)
			       : command_wrong("operator", "there is no such command");
	}
	if (command_help(argc, argv, help)) {
		if (operator_commands[0].name)
			puts("\nCommands:");
		commands_list(operator_commands);
		return command_end(COMMAND_DONE);
	}
	code = command_config(argc, argv, help, &path);
	return path ? service_run(&role_operator, path) : code;
}
