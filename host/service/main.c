/*
 * simtied: the table of subcommands, and what holds for all of them before any starts.
 */
#include "commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void print_help(void)
{
	fputs("Usage: simtied SUBCOMMAND [OPTION...] [ARGUMENT...]\n\n"
	      "The services of simtie: the operator that vouches for its SIMs, and the messenger\n"
	      "that asks it.\n\n",
	      stdout);
	commands_list(commands);
	fputs("\n`simtied SUBCOMMAND --help` says more; `simtied --version` which one this is.\n"
	      "Exit codes: 0 done, 1 refused or broken, 2 wrong usage or configuration, 4 input,\n"
	      "output or store failed.\n",
	      stdout);
}

/* Keys pass through this process: it leaves no core file and lets nobody look in. */
static void harden(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct subcommand *command = commands_find(commands, name);

	harden();
	if (command)
		return command->run(argc - 1, argv + 1);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		print_help();
		return command_end(COMMAND_DONE);
	}
	if (strcmp(name, "--version") == 0) {
		puts("simtied " SIMTIE_VERSION);
		return command_end(COMMAND_DONE);
	}
	fputs(argc > 1 ? "simtied: there is no such subcommand; `simtied --help` lists them\n"
		       : "simtied: which subcommand? `simtied --help` lists them\n",
	      stderr);
	return COMMAND_USAGE;
}
