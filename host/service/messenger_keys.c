/*
 * The operators' certificates, read at the start and anew on SIGHUP. One that was replaced is freed
 * a minute later at the earliest, when no handler can hold it any more.
 */
#include "messenger.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLD_MS 60000

struct messenger_retired {
	struct simtie_service_key *key;
	int64_t at_ms; /* by the boot clock */
	struct messenger_retired *next;
};

static int read_one(struct messenger *messenger, config_setting_t *group, const char *setting,
		    struct messenger_retired **out)
{
	struct config *config = messenger->service->config;
	struct messenger_retired *fresh = calloc(1, sizeof(*fresh));
	const char *path = NULL;
	int error;

	*out = fresh;
	if (!fresh || config_text(config, group, setting, &path))
		return -1;
	if (!path)
		return config_wrong(config, group, "operator lacks %s", setting);
	error = simtie_service_key_read(path, NULL, &fresh->key);
	if (error == 0)
		return 0;
	fprintf(stderr, "simtied: %s: %s%s%s\n", path, simtie_service_strerror(error),
		error == SIMTIE_SERVICE_ERR_FILE ? ": " : "",
		error == SIMTIE_SERVICE_ERR_FILE ? strerror(errno) : "");
	return -1;
}

static void sweep(struct messenger *messenger, int64_t before_ms)
{
	struct messenger_retired **at = &messenger->retired;

	while (*at) {
		struct messenger_retired *retired = *at;

		if (retired->at_ms > before_ms) {
			at = &retired->next;
			continue;
		}
		*at = retired->next;
		simtie_service_key_free(&retired->key);
		free(retired);
	}
}

/* Puts the fresh key in its place; what was there is retired in the fresh one's node. */
static void swap(struct messenger *messenger, struct simtie_service_key *_Atomic *place,
		 struct messenger_retired *node)
{
	node->key = atomic_exchange(place, node->key);
	node->at_ms = clock_boot_ms();
	node->next = messenger->retired;
	messenger->retired = node;
}

int messenger_keys_read(struct messenger *messenger)
{
	struct config *config = messenger->service->config;
	const size_t count = messenger->operator_count;
	struct messenger_retired **fresh =
		calloc(2 * count + 1, sizeof(struct messenger_retired *));
	config_setting_t *list = NULL;
	int result = fresh ? config_list(config, config_role(config), "operators", &list) : -1;

	for (size_t i = 0; i < count && result == 0; i++) {
		config_setting_t *group = config_setting_get_elem(list, (unsigned)i);

		if (read_one(messenger, group, "issuer_certificate", &fresh[2 * i]) ||
		    read_one(messenger, group, "signer_certificate", &fresh[2 * i + 1]))
			result = -1;
	}
	sweep(messenger, clock_boot_ms() - HOLD_MS);
	for (size_t i = 0; i < count && fresh; i++) {
		if (result == 0) {
			swap(messenger, &messenger->operators[i].issuer, fresh[2 * i]);
			swap(messenger, &messenger->operators[i].signer, fresh[2 * i + 1]);
			continue;
		}
		for (size_t k = 2 * i; k < 2 * i + 2; k++) {
			if (fresh[k])
				simtie_service_key_free(&fresh[k]->key);
			free(fresh[k]);
		}
	}
	free(fresh);
	return result;
}

void messenger_keys_free(struct messenger *messenger)
{
	for (size_t i = 0; i < messenger->operator_count; i++) {
		struct simtie_service_key *issuer = messenger->operators[i].issuer;
		struct simtie_service_key *signer = messenger->operators[i].signer;

		simtie_service_key_free(&issuer);
		simtie_service_key_free(&signer);
	}
	sweep(messenger, INT64_MAX);
}
