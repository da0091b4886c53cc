/*
 * simtied messenger: the daemon.
 */
#include "commands.h"
#include "service.h"

static const char help[] =
	"Usage: simtied messenger --config FILE\n\n"
	"Serves as a messenger until SIGTERM: makes challenges, has operators verify what SIMs\n"
	"answer, and hears from them when a SIM changes. SIGHUP reads certificates anew.\n\n"
	"  --config FILE  the configuration; simtied(8) has all settings\n";

int messenger_main(int argc, char **argv)
{
	const char *path;
	int code = command_config(argc, argv, help, &path);

	return path ? service_run(&role_messenger, path) : code;
}
