/*
 * simtied migrate: the store's schema, to what this version works with.
 */
#include "commands.h"
#include "service.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] =
	"Usage: simtied migrate --config FILE\n\n"
	"Applies the migrations that the store lacks, each whole or not at all; makes a SQLite\n"
	"file that is not there. May run while older daemons still serve, and on many machines\n"
	"at once. Keep a backup: there is no way back.\n\n"
	"  --config FILE  the configuration of the daemon; the role's group says which schema\n";

int migrate_main(int argc, char **argv)
{
	char detail[DB_DETAIL_MAX] = "";
	const struct role *role = NULL;
	struct config *config = NULL;
	struct db *db = NULL;
	unsigned applied = 0;
	const char *path;
	int code = command_config(argc, argv, help, &path);
	int error;

	if (!path)
		return code;
	role = service_role_of(path);
	if (!role || config_open(path, role->name, &config))
		return COMMAND_USAGE;
	error = db_open(config->store, true, 5000, &db, detail);
	if (error == DB_OK)
		error = migrate_run(db, service_migrations(role), &applied);
	if (error != DB_OK)
		fprintf(stderr, "simtied migrate: %s%s%s\n", db_strerror(error),
			detail[0] || db ? ": " : "",
			detail[0] ? detail
			: db      ? db_detail(db)
				  : "");
	else
		printf("%u applied; the store is that of this version\n", applied);
	db_close(&db);
	config_close(&config);
	return error == DB_OK ? command_end(COMMAND_DONE) : COMMAND_IO;
}
