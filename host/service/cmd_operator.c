/*
 * simtied operator: the daemon, and the commands that an operator's people run.
 */
#include "commands.h"
#include "service.h"

static const char help[] =
	"Usage: simtied operator --config FILE\n"
	"       simtied operator COMMAND ...\n\n"
	"Serves as an operator until SIGTERM: verifies that a SIM made a registration, keeps the\n"
	"record, tells messengers what changes. SIGHUP reads certificates and keys anew.\n\n"
	"  --config FILE  the configuration; simtied(8) has all settings\n";

int operator_main(int argc, char **argv)
{
	return command_role(argc, argv, help, operator_commands, &role_operator);
}
