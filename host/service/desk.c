#include "desk.h"

#include "commands.h"
#include "migrate.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_MS 5000
#define TRIES   10

static int open_store(struct desk *desk)
{
	char detail[DB_DETAIL_MAX] = "";
	int missing;
	int error = db_open(desk->service.config->store, false, WAIT_MS, &desk->db, detail);

	if (error != DB_OK) {
		fprintf(stderr, "simtied %s: %s%s%s\n", desk->name, db_strerror(error),
			detail[0] ? ": " : "", detail);
		return COMMAND_IO;
	}
	missing = migrate_missing(desk->db, service_migrations(desk->service.role));
	if (missing == 0)
		return COMMAND_DONE;
	fprintf(stderr, "simtied %s: the store's schema is not this version's: %s\n", desk->name,
		missing > 0 ? "run `simtied migrate` first" : db_strerror(missing));
	return COMMAND_IO;
}

int desk_open(struct desk *desk, const struct role *role, const char *name, const char *config_path)
{
	int code;

	*desk = (struct desk){.name = name};
	code = service_open(&desk->service, role, config_path);
	if (code != COMMAND_DONE)
		return code;
	snprintf(desk->chain, sizeof(desk->chain), "%.70s/desk", desk->service.config->name);
	return open_store(desk);
}

void desk_close(struct desk *desk)
{
	db_close(&desk->db);
	service_close(&desk->service);
}

int desk_run(struct desk *desk, int (*run)(struct work *work, void *context), void *context)
{
	struct work work = {.service = &desk->service,
			    .db = desk->db,
			    .chain = desk->chain,
			    .tries_left = TRIES};
	int result;

	do {
		result = db_begin(desk->db);
		if (result == DB_OK)
			result = run(&work, context);
		if (result == DB_OK)
			result = db_commit(desk->db);
		if (result != DB_OK)
			db_rollback(desk->db);
	} while (result == DB_ERR_BUSY && work.tries_left-- > 0);
	return result;
}

int desk_failed(const struct desk *desk, int error)
{
	fprintf(stderr, "simtied %s: %s\n", desk->name, db_strerror(error));
	return COMMAND_IO;
}

/* The option that `word` names, "--name" or "--name=value"; NULL: none. *value: what follows "=".
 */
static struct desk_option *find(struct desk_option *options, size_t count, const char *word,
				const char **value)
{
	size_t len = strcspn(word, "=");

	*value = word[len] ? word + len + 1 : NULL;
	for (size_t i = 0; i < count; i++)
		if (strlen(options[i].name) == len && memcmp(options[i].name, word, len) == 0)
			return &options[i];
	return NULL;
}

int desk_arguments(int argc, char **argv, const char *name, const char *help, const char **config,
		   struct desk_option *options, size_t count, const char **words, size_t words_max)
{
	struct desk_option path = {"config", NULL};
	size_t found = 0;

	*config = NULL;
	if (command_help(argc, argv, help))
		return command_end(COMMAND_DONE);
	for (int i = 1; i < argc; i++) {
		struct desk_option *option;
		const char *value;

		if (strncmp(argv[i], "--", 2) != 0) {
			if (found == words_max)
				return command_wrong(name, "there is a word too many");
			words[found++] = argv[i];
			continue;
		}
		option = find(&path, 1, argv[i] + 2, &value);
		if (!option)
			option = find(options, count, argv[i] + 2, &value);
		if (!option)
			return command_wrong(name, "there is an option that it does not have");
		if (!value && ++i < argc)
			value = argv[i];
		if (!value || !*value || option->value)
			return command_wrong(name, "an option lacks its value, or is there twice");
		option->value = value;
	}
	if (!path.value)
		return command_wrong(name, "--config FILE is missing");
	*config = path.value;
	return COMMAND_DONE;
}
