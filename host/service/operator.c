/*
 * The operator's role: its table of routes and tasks, and its settings.
 */
#include "operator.h"

#include "operator_cache.h"
#include "operator_guess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG_MS   500
#define STATUS_MS    10000
#define OUTBOX_MS    1000
#define RETENTION_MS 60000

/* Bytes of one part of an import. */
#define RECORDS_PART_MAX 1048576

static const struct route routes[] = {
	{"POST", "/v1/verifications", LISTEN_PEERS, PEER_MESSENGER, 0, 0,
	 operator_verification_post},
	{"GET", "/v1/verifications/{id}", LISTEN_PEERS, PEER_MESSENGER, 0, 0,
	 operator_verification_get},
	{"PUT", "/v1/registrations/{id}", LISTEN_PEERS, PEER_MESSENGER, 0, 0,
	 operator_registration_put},
	{"DELETE", "/v1/registrations/{id}", LISTEN_PEERS, PEER_MESSENGER, 0, 0,
	 operator_registration_delete},
	{"GET", "/v1/status/{list}", LISTEN_PEERS | LISTEN_PUBLIC, PEER_NONE, 0, 0,
	 operator_status_get},
	{"GET", "/v1/sealing-key", LISTEN_PEERS | LISTEN_PUBLIC, PEER_NONE, 0, 0,
	 operator_sealing_get},
	{"POST", "/sim-swap/v2/check", LISTEN_PEERS, PEER_MESSENGER, SCOPE_SIM_SWAP, 0,
	 operator_sim_swap_check},
	{"POST", "/sim-swap/v2/retrieve-date", LISTEN_PEERS, PEER_MESSENGER, SCOPE_SIM_SWAP, 0,
	 operator_sim_swap_date},
	{"POST", "/v1/me/challenges", LISTEN_PEERS | LISTEN_PUBLIC, PEER_NONE, 0, 0,
	 operator_me_challenge},
	{"POST", "/v1/me/registrations", LISTEN_PEERS | LISTEN_PUBLIC, PEER_NONE, 0, 0,
	 operator_me_registrations},
	{"POST", "/v1/admin/subscribers/{number}/events", LISTEN_PEERS, PEER_ADMIN, SCOPE_EVENTS, 0,
	 operator_event_post},
	{"POST", "/v1/admin/records", LISTEN_PEERS, PEER_ADMIN, SCOPE_RECORDS, RECORDS_PART_MAX,
	 operator_records_post},
};

static const struct task tasks[] = {
	{"backlog", BACKLOG_MS, operator_backlog_run},
	{"status", STATUS_MS, operator_status_run},
	{"outbox", OUTBOX_MS, operator_outbox_run},
	{"retention", RETENTION_MS, operator_retention_run},
};

static int read_text(struct operator_state *op, const char *name, const char **value)
{
	struct config *config = op->service->config;

	if (config_text(config, config_role(config), name, value))
		return -1;
	if (*value)
		return 0;
	fprintf(stderr, "simtied: %s: group operator lacks %s\n", config->path, name);
	return -1;
}

static int read_numbers(struct operator_state *op)
{
	const struct {
		const char *name;
		long min, max, value;
		long *at;
	} numbers[] = {
		{"deadline_s", 1, 86400, 1200, &op->deadline_s},
		{"answer_within_ms", 0, 60000, 1000, &op->answer_within_ms},
		{"backlog_batch", 0, 1000, 200, &op->backlog_batch},
		{"refusal_ms", 0, 10000, 25, &op->refusal_ms},
		{"retention_days", 1, 3660, 180, &op->retention_days},
		{"verification_days", 1, 366, 30, &op->verification_days},
		{"credential_days", 1, 3660, 365, &op->credential_days},
		{"clone_days", 1, 3660, 90, &op->clone_days},
		{"subscriber_days", 1, 3660, 180, &op->subscriber_days},
		{"status_list_size", 64, 16777216, 1048576, &op->status_list_size},
		{"status_tick_s", 1, 3600, 60, &op->status_tick_s},
		{"cache_size", 0, 16777216, 65536, &op->cache_size},
	};
	struct config *config = op->service->config;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		*numbers[i].at = numbers[i].value;
		if (config_number(config, config_role(config), numbers[i].name, numbers[i].min,
				  numbers[i].max, numbers[i].at))
			return -1;
	}
	if (op->status_list_size % 8 != 0) {
		fprintf(stderr, "simtied: %s: status_list_size must be a multiple of 8\n",
			config->path);
		return -1;
	}
	/* A registration rests on the row of its attestation. */
	if (op->clone_days < op->verification_days) {
		fprintf(stderr, "simtied: %s: clone_days must not be less than verification_days\n",
			config->path);
		return -1;
	}
	return 0;
}

static int read_messengers(struct operator_state *op)
{
	struct config *config = op->service->config;
	config_setting_t *list = NULL;

	if (config_list(config, config_role(config), "messengers", &list))
		return -1;
	if (!list)
		return 0;
	op->messenger_count = (size_t)config_setting_length(list);
	op->messengers =
		calloc(op->messenger_count ? op->messenger_count : 1, sizeof(*op->messengers));
	if (!op->messengers)
		return -1;
	for (size_t i = 0; i < op->messenger_count; i++) {
		config_setting_t *group = config_setting_get_elem(list, (unsigned)i);

		if (config_text(config, group, "audience", &op->messengers[i].audience) ||
		    config_text(config, group, "notify", &op->messengers[i].notify))
			return -1;
		if (!op->messengers[i].audience) {
			fprintf(stderr, "simtied: %s: messenger %zu has no audience\n",
				config->path, i + 1);
			return -1;
		}
	}
	return 0;
}

static int read_settings(struct operator_state *op)
{
	struct config *config = op->service->config;
	char uri[SIMTIE_STATUS_URI_MAX + 1];

	if (read_text(op, "name", &op->name) || read_text(op, "base_url", &op->base_url) ||
	    read_numbers(op) ||
	    config_flag(config, config_role(config), "allow_virtual", &op->allow_virtual) ||
	    read_messengers(op))
		return -1;
	if (strlen(op->name) > SIMTIE_AUDIENCE_MAX || !operator_status_uri(op, INT64_MAX, uri)) {
		fprintf(stderr, "simtied: %s: name or base_url is too long\n", config->path);
		return -1;
	}
	return 0;
}

static void operator_close(void *state)
{
	struct operator_state *op = state;

	if (!op)
		return;
	operator_keys_free(op);
	operator_cache_free(&op->cache);
	operator_status_free(&op->status);
	operator_guess_free(&op->guess);
	operator_backlog_free(&op->backlog);
	operator_outbox_free(&op->outbox);
	free(op->messengers);
	free(op);
}

static int operator_open(struct service *service, void **state)
{
	struct operator_state *op = calloc(1, sizeof(*op));

	*state = NULL;
	if (!op)
		return -1;
	op->service = service;
	if (read_settings(op) || operator_keys_read(op))
		goto fail;
	op->cache = operator_cache_new((size_t)op->cache_size);
	op->status = operator_status_new();
	op->guess = operator_guess_new();
	op->backlog = operator_backlog_new();
	op->outbox = operator_outbox_new(op->messenger_count);
	if (!op->cache || !op->status || !op->guess || !op->backlog || !op->outbox)
		goto fail;
	*state = op;
	return 0;
fail:
	operator_close(op);
	return -1;
}

static int operator_reload(struct service *service, void *state)
{
	(void)service;
	return operator_keys_read(state);
}

static struct prepared *operator_prepare(struct work *work, const struct route *route,
					 const struct request *request)
{
	if (route->run == operator_verification_post)
		return operator_verification_prepare(work, request);
	return route->run == operator_status_get ? operator_status_prepare(work, request) : NULL;
}

const struct role role_operator = {
	.name = "operator",
	.routes = routes,
	.route_count = sizeof(routes) / sizeof(routes[0]),
	.prepare = operator_prepare,
	.tasks = tasks,
	.task_count = sizeof(tasks) / sizeof(tasks[0]),
	.open = operator_open,
	.reload = operator_reload,
	.close = operator_close,
};
