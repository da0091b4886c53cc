/*
 * simtied keys: the file of keys under which the store is sealed.
 */
#include "commands.h"
#include "vault.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: simtied keys new|add FILE\n\n"
	"  new FILE  makes a key file, mode 0600; refuses to overwrite one. Whoever loses it "
	"loses\n"
	"            what is sealed: keep a copy where the backups of the store are not.\n"
	"  add FILE  adds a key, which seals from the next start on; the others still open. Then\n"
	"            `simtied operator rekey` seals anew what is there. Give every daemon on the\n"
	"            store the new file before any of them starts with it.\n";

int keys_main(int argc, char **argv)
{
	uint32_t id = 1;
	bool add;
	int error;

	if (command_help(argc, argv, help))
		return command_end(COMMAND_DONE);
	if (argc != 3 || (strcmp(argv[1], "new") != 0 && strcmp(argv[1], "add") != 0))
		return command_wrong("keys", "new or add, and a FILE, are what it takes");
	add = strcmp(argv[1], "add") == 0;
	error = add ? vault_add_key(argv[2], &id) : vault_create(argv[2]);
	if (error) {
		fprintf(stderr, "simtied keys: %s: %s\n", argv[2], vault_strerror(error));
		return COMMAND_IO;
	}
	printf("%s: key %u %s\n", argv[2], id, add ? "added" : "made");
	return command_end(COMMAND_DONE);
}
