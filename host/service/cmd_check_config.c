/*
 * simtied check-config: everything that a start would refuse, without starting.
 */
#include "commands.h"
#include "service.h"
#include "tls.h"

#include <stdio.h>

static const char help[] = "Usage: simtied check-config --config FILE\n\n"
			   "Reads a configuration, its certificates and its keys as the daemon "
			   "would, and says what is\n"
			   "wrong, or out of date. Opens no port and no store.\n\n"
			   "  --config FILE  the configuration\n";

int check_config_main(int argc, char **argv)
{
	struct service service = {0};
	struct tls *tls = NULL;
	const struct role *role;
	const char *path;
	int code = command_config(argc, argv, help, &path);

	if (!path)
		return code;
	role = service_role_of(path);
	code = role ? service_open(&service, role, path) : COMMAND_USAGE;
	if (code == COMMAND_DONE && tls_open(service.config, &tls))
		code = COMMAND_USAGE;
	if (code == COMMAND_DONE)
		printf("%s: good, for the role %s\n", path, role->name);
	tls_close(&tls);
	service_close(&service);
	return command_end(code);
}
