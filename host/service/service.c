/*
 * One daemon from its configuration to its end.
 */
#include "service.h"

#include "migrate.h"
#include "server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Exit codes of commands.h. */
#define EXIT_CONFIG 2
#define EXIT_IO     4

static int check_schema(const struct service *service)
{
	const char *where = service->config->store;
	char detail[DB_DETAIL_MAX] = "";
	struct db *db;
	int missing = db_open(where, false, 1000, &db, detail);

	if (missing == DB_OK)
		missing = migrate_missing(db, service_migrations(service->role));
	if (missing < 0)
		fprintf(stderr, "simtied: the store: %s%s%s\n", db_strerror(missing),
			detail[0] ? ": " : "", detail);
	if (missing > 0)
		fprintf(stderr,
			"simtied: the store lacks %d migrations: run `simtied migrate --config "
			"%s`\n",
			missing, service->config->path);
	db_close(&db);
	return missing == 0 ? 0 : -1;
}

static int start_engine(struct service *service)
{
	const struct config *config = service->config;
	char detail[DB_DETAIL_MAX] = "";
	const struct engine_settings settings = {
		.where = config->store,
		.name = config->name,
		.workers = config->workers,
		.batch_max = config->batch_max,
		.queue_max = config->queue_max,
		.tasks = service->role->tasks,
		.task_count = service->role->task_count,
	};
	int error = engine_start(&service->engine, service, &settings, detail);

	if (error != DB_OK)
		fprintf(stderr, "simtied: the store: %s%s%s\n", db_strerror(error),
			detail[0] ? ": " : "", detail);
	return error == DB_OK ? 0 : -1;
}

int service_open(struct service *service, const struct role *role, const char *config_path)
{
	unsigned line = 0;
	int error;

	memset(service, 0, sizeof(*service));
	service->role = role;
	if (config_open(config_path, role->name, &service->config))
		return EXIT_CONFIG;
	service->metrics = metrics_new();
	error = vault_open(service->config->keys, &service->vault, &line);
	if (error == VAULT_ERR_FORMAT)
		fprintf(stderr, "simtied: %s:%u: %s\n", service->config->keys, line,
			vault_strerror(error));
	else if (error)
		fprintf(stderr, "simtied: %s: %s\n", service->config->keys, vault_strerror(error));
	if (error || !service->metrics)
		return error == VAULT_ERR_FORMAT || error == VAULT_ERR_MODE ? EXIT_CONFIG : EXIT_IO;
	if (role->open(service, &service->state) || config_unknown(service->config))
		return EXIT_CONFIG;
	return 0;
}

void service_close(struct service *service)
{
	if (service->state)
		service->role->close(service->state);
	service->state = NULL;
	vault_close(&service->vault);
	metrics_free(&service->metrics);
	config_close(&service->config);
}

static int run(struct service *service)
{
	if (check_schema(service) || server_open(service, &service->server) ||
	    start_engine(service))
		return EXIT_IO;
	if (service->role->start && service->role->start(service, service->state))
		return EXIT_IO;
	server_run(service->server);
	return 0;
}

int service_run(const struct role *role, const char *config_path)
{
	struct service service;
	int code = service_open(&service, role, config_path);

	signal(SIGPIPE, SIG_IGN);
	if (code == 0)
		code = run(&service);
	engine_stop(&service.engine);
	server_close(&service.server);
	service_close(&service);
	return code;
}
