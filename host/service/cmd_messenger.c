/*
 * simtied messenger: the daemon, and the commands that a messenger's people run.
 */
#include "commands.h"
#include "service.h"

static const char help[] =
	"Usage: simtied messenger --config FILE\n"
	"       simtied messenger COMMAND ...\n\n"
	"Serves as a messenger until SIGTERM: makes challenges, has operators verify what SIMs\n"
	"answer, and hears from them when a SIM changes. SIGHUP reads certificates anew.\n\n"
	"  --config FILE  the configuration; simtied(8) has all settings\n";

int messenger_main(int argc, char **argv)
{
	return command_role(argc, argv, help, messenger_commands, &role_messenger);
}
