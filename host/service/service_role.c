/*
 * Which role a configuration is for.
 */
#include "service.h"

#include <stdio.h>
#include <string.h>

static const struct role *const roles[] = {
	&role_operator,
	&role_messenger,
};

enum migrate_role service_migrations(const struct role *role)
{
	return strcmp(role->name, "messenger") == 0 ? MIGRATE_MESSENGER : MIGRATE_OPERATOR;
}

const struct role *service_role_of(const char *config_path)
{
	const struct role *found = NULL;
	config_t file;

	config_init(&file);
	if (config_read_file(&file, config_path) != CONFIG_TRUE) {
		fprintf(stderr, "simtied: %s:%d: %s\n", config_path, config_error_line(&file),
			config_error_text(&file));
	} else {
		for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
			if (config_lookup(&file, roles[i]->name))
				found = roles[i];
		}
		if (!found)
			fprintf(stderr, "simtied: %s has no group operator or messenger\n",
				config_path);
	}
	config_destroy(&file);
	return found;
}
