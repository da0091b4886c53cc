/*
 * What one daemon consists of: configuration, engine, vault, signing keys, event loop.
 *
 * Owns the order of start and stop. A role (operator, messenger) is a table of routes and tasks and
 * a state of its own; it knows nothing of sockets.
 */
#ifndef SIMTIE_SERVICE_SERVICE_H
#define SIMTIE_SERVICE_SERVICE_H

#include "outgoing.h"
#include "clock.h"
#include "config.h"
#include "engine.h"
#include "metrics.h"
#include "migrate.h"
#include "request.h"
#include "vault.h"

struct role {
	const char *name; /* "operator" */
	const struct route *routes;
	size_t route_count;
	/* What can be found out for this route before the transaction (see engine.h); NULL:
	 * nothing. Freed when the request is done. May be NULL. */
	struct prepared *(*prepare)(struct work *work, const struct route *route,
				    const struct request *request);
	const struct task *tasks;
	size_t task_count;
	/* Reads the role's own settings and keys; *state is handed back. Says on standard error
	 * what is wrong; 0 or a negative value. */
	int (*open)(struct service *service, void **state);
	/* The event loop runs, jobs may be submitted. May be NULL. */
	int (*start)(struct service *service, void *state);
	/* SIGHUP: reads keys and settings anew that may change while it runs. May be NULL. */
	int (*reload)(struct service *service, void *state);
	void (*close)(void *state);
};

struct service {
	const struct role *role;
	void *state; /* the role's */
	struct config *config;
	struct engine *engine;
	struct vault *vault;
	struct metrics *metrics;
	struct server *server; /* server.c's: listeners and the event loop */
};

extern const struct role role_operator;
extern const struct role role_messenger;

/* Runs until SIGTERM or SIGINT, then drains. Returns an exit code. */
int service_run(const struct role *role, const char *config_path);

/*
 * For subcommands that work without a server: reads configuration, vault's keys and the role's
 * settings, but for the store, the engine and the server, which stay NULL. 0, or an exit code with
 * a sentence on standard error; service_close() in both cases.
 */
int service_open(struct service *service, const struct role *role, const char *config_path);
void service_close(struct service *service);

/* The role that a configuration has a group for. NULL: none, or it cannot be read; said so. */
const struct role *service_role_of(const char *config_path);

/* Whose migrations the role's store has. */
enum migrate_role service_migrations(const struct role *role);

/* Calls `run` in the event loop's thread, once, after `delay_ms`. From any thread. */
bool service_later(struct service *service, unsigned delay_ms, void (*run)(void *context),
		   void *context);

#endif
