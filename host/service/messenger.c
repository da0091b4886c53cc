/*
 * The messenger's role: its table of routes and tasks, and its settings.
 */
#include "messenger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS       500
#define STATUS_MS    1000
#define CHALLENGE_MS 1000
#define RETENTION_MS 60000
#define URL_MAX      200 /* bytes of an operator's address */

/* Clients come to the public listener without a certificate: a registration's id is their right to
 * it. */
static const struct route routes[] = {
	{"POST", "/v1/registrations", LISTEN_PUBLIC, PEER_NONE, 0, 0, messenger_registration_post},
	{"GET", "/v1/registrations/{id}", LISTEN_PUBLIC, PEER_NONE, 0, 0,
	 messenger_registration_get},
	{"POST", "/v1/registrations/{id}/attestation", LISTEN_PUBLIC, PEER_NONE, 0, 0,
	 messenger_attestation_post},
	{"POST", "/v1/notices", LISTEN_PEERS, PEER_OPERATOR, 0, 0, messenger_notice_post},
};

static const struct task tasks[] = {
	{"ask", ASK_MS, messenger_ask_run},
	{"status", STATUS_MS, messenger_status_run},
	{"challenge", CHALLENGE_MS, messenger_challenge_run},
	{"retention", RETENTION_MS, messenger_retention_run},
};

static int read_numbers(struct messenger *messenger)
{
	const struct {
		const char *name;
		long min, max, value;
		long *at;
	} numbers[] = {
		{"challenge_s", 1, 86400, 300, &messenger->challenge_s},
		{"deadline_s", 1, 86400, 1200, &messenger->deadline_s},
		{"retention_days", 1, 3660, 30, &messenger->retention_days},
		{"challenges_max", 1, 10000000, 100000, &messenger->challenges_max},
	};
	struct config *config = messenger->service->config;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		*numbers[i].at = numbers[i].value;
		if (config_number(config, config_role(config), numbers[i].name, numbers[i].min,
				  numbers[i].max, numbers[i].at))
			return -1;
	}
	return config_flag(config, config_role(config), "allow_virtual", &messenger->allow_virtual);
}

static int read_operator(struct messenger *messenger, config_setting_t *group,
			 struct messenger_operator *out)
{
	struct config *config = messenger->service->config;

	if (config_text(config, group, "name", &out->name) ||
	    config_text(config, group, "url", &out->url))
		return -1;
	if (!out->name || !out->url)
		return config_wrong(config, group, "operator lacks one of name, url");
	if (strlen(out->name) > SIMTIE_AUDIENCE_MAX || strlen(out->url) > URL_MAX ||
	    strncmp(out->url, "https://", 8) != 0)
		return config_wrong(config, group,
				    "operator's name or url is too long, or url no https://");
	if (messenger_operator(messenger, out->name) != out)
		return config_wrong(config, group, "operator's name is there twice");
	return 0;
}

static int read_prefixes(struct messenger *messenger, config_setting_t *group,
			 const struct messenger_operator *to)
{
	struct config *config = messenger->service->config;
	struct messenger_prefix *grown;
	config_setting_t *list = NULL;
	size_t count;

	if (config_list(config, group, "prefixes", &list))
		return -1;
	count = list ? (size_t)config_setting_length(list) : 0;
	grown = realloc(messenger->prefixes,
			(messenger->prefix_count + count + 1) * sizeof(*grown));
	if (!grown)
		return -1;
	messenger->prefixes = grown;
	for (size_t i = 0; i < count; i++) {
		const char *digits = config_setting_get_string_elem(list, (int)i);

		if (!digits)
			return config_wrong(config, list, "holds what is no text in quotes");
		grown[messenger->prefix_count++] = (struct messenger_prefix){digits, to};
	}
	return 0;
}

static int read_operators(struct messenger *messenger)
{
	struct config *config = messenger->service->config;
	config_setting_t *list = NULL;
	const char *wrong;
	size_t count;

	if (config_list(config, config_role(config), "operators", &list))
		return -1;
	count = list ? (size_t)config_setting_length(list) : 0;
	messenger->operators = calloc(count + 1, sizeof(*messenger->operators));
	if (!messenger->operators)
		return -1;
	for (size_t i = 0; i < count; i++) {
		config_setting_t *group = config_setting_get_elem(list, (unsigned)i);

		messenger->operator_count++;
		if (read_operator(messenger, group, &messenger->operators[i]) ||
		    read_prefixes(messenger, group, &messenger->operators[i]))
			return -1;
	}
	if (messenger_route_sort(messenger, &wrong))
		return 0;
	fprintf(stderr,
		"simtied: %s: prefix \"%s\" is there twice, or is not \"+\" and 1 to 15 digits\n",
		config->path, wrong);
	return -1;
}

static int read_settings(struct messenger *messenger)
{
	struct config *config = messenger->service->config;

	if (config_text(config, config_role(config), "audience", &messenger->audience) ||
	    read_numbers(messenger) || read_operators(messenger))
		return -1;
	if (messenger->audience && strlen(messenger->audience) <= SIMTIE_AUDIENCE_MAX &&
	    config->has_public)
		return 0;
	fprintf(stderr,
		"simtied: %s: messenger.audience is missing or over %d bytes, or there is no "
		"listen.public, where clients come\n",
		config->path, SIMTIE_AUDIENCE_MAX);
	return -1;
}

static void messenger_close(void *state)
{
	struct messenger *messenger = state;

	if (!messenger)
		return;
	messenger_keys_free(messenger);
	messenger_talk_free(&messenger->talk);
	messenger_status_free(&messenger->status);
	free(messenger->prefixes);
	free(messenger->operators);
	free(messenger);
}

static int messenger_open(struct service *service, void **state)
{
	struct messenger *messenger = calloc(1, sizeof(*messenger));

	*state = NULL;
	if (!messenger)
		return -1;
	messenger->service = service;
	messenger->talk = messenger_talk_new();
	messenger->status = messenger_status_new();
	if (!messenger->talk || !messenger->status || read_settings(messenger) ||
	    messenger_keys_read(messenger)) {
		messenger_close(messenger);
		return -1;
	}
	*state = messenger;
	return 0;
}

static int messenger_reload(struct service *service, void *state)
{
	(void)service;
	return messenger_keys_read(state);
}

const struct role role_messenger = {
	.name = "messenger",
	.routes = routes,
	.route_count = sizeof(routes) / sizeof(routes[0]),
	.tasks = tasks,
	.task_count = sizeof(tasks) / sizeof(tasks[0]),
	.open = messenger_open,
	.reload = messenger_reload,
	.close = messenger_close,
};
