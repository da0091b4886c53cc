/*
 * The configuration file: read whole, checked setting by setting, nothing left over.
 */
#include "config.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What was read carries this as libconfig's hook. */
static char seen;

static void mark(config_setting_t *setting)
{
	config_setting_set_hook(setting, &seen);
}

int config_wrong(const struct config *config, const config_setting_t *setting, const char *format,
		 ...)
{
	const char *name = setting ? config_setting_name(setting) : NULL;
	va_list arguments;

	fprintf(stderr, "simtied: %s:%u: ", config->path,
		setting ? config_setting_source_line(setting) : 1);
	if (name)
		fprintf(stderr, "%s ", name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -1;
}

static config_setting_t *member(config_setting_t *group, const char *name)
{
	config_setting_t *setting = group ? config_setting_get_member(group, name) : NULL;

	if (setting)
		mark(setting);
	return setting;
}

int config_text(struct config *config, config_setting_t *group, const char *name,
		const char **value)
{
	config_setting_t *setting = member(group, name);

	if (!setting)
		return 0;
	if (config_setting_type(setting) != CONFIG_TYPE_STRING)
		return config_wrong(config, setting, "is not a text in quotes");
	if (*config_setting_get_string(setting) == 0)
		return config_wrong(config, setting, "is empty: leave it out, or say which");
	*value = config_setting_get_string(setting);
	return 0;
}

int config_number(struct config *config, config_setting_t *group, const char *name, long min,
		  long max, long *value)
{
	config_setting_t *setting = member(group, name);
	long long number;

	if (!setting)
		return 0;
	if (config_setting_type(setting) != CONFIG_TYPE_INT &&
	    config_setting_type(setting) != CONFIG_TYPE_INT64)
		return config_wrong(config, setting, "is not a number");
	number = config_setting_get_int64(setting);
	if (number < min || number > max)
		return config_wrong(config, setting, "is not within %ld to %ld", min, max);
	*value = (long)number;
	return 0;
}

int config_flag(struct config *config, config_setting_t *group, const char *name, bool *value)
{
	config_setting_t *setting = member(group, name);

	if (!setting)
		return 0;
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return config_wrong(config, setting, "is not true or false");
	*value = config_setting_get_bool(setting);
	return 0;
}

int config_list(struct config *config, config_setting_t *group, const char *name,
		config_setting_t **list)
{
	*list = member(group, name);
	if (*list && !config_setting_is_list(*list) && !config_setting_is_array(*list))
		return config_wrong(config, *list, "is not a list: ( … )");
	return 0;
}

static bool any_seen(const config_setting_t *setting)
{
	if (config_setting_get_hook(setting) == &seen)
		return true;
	if (!config_setting_is_aggregate(setting))
		return false;
	for (int i = 0; i < config_setting_length(setting); i++) {
		if (any_seen(config_setting_get_elem(setting, (unsigned)i)))
			return true;
	}
	return false;
}

/* An array is read whole; of a group, or a list of groups, each member counts. */
static int unknown_in(struct config *config, const config_setting_t *setting)
{
	for (int i = 0; i < config_setting_length(setting); i++) {
		config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);

		if (!any_seen(element) && config_setting_is_group(setting))
			return config_wrong(config, element, "is not known here: misspelt?");
		if (config_setting_is_group(element) || config_setting_is_list(element)) {
			if (unknown_in(config, element))
				return -1;
		}
	}
	return 0;
}

int config_unknown(struct config *config)
{
	return unknown_in(config, config_root_setting(&config->file));
}

config_setting_t *config_role(const struct config *config)
{
	return config->role;
}

static int group_of(struct config *config, const char *name, config_setting_t **group)
{
	*group = member(config_root_setting(&config->file), name);
	if (*group && !config_setting_is_group(*group))
		return config_wrong(config, *group, "is not a group: { … }");
	return 0;
}

static int number_of(struct config *config, config_setting_t *group, const char *name, long min,
		     long max, unsigned *value)
{
	long number = (long)*value;
	int error = config_number(config, group, name, min, max, &number);

	*value = (unsigned)number;
	return error;
}

/* "127.0.0.1:8443", "[::1]:8443". */
static int listener(struct config *config, config_setting_t *group, const char *name,
		    struct config_listener *out, bool *given)
{
	const char *text = NULL, *colon;
	unsigned char ignored[sizeof(struct in6_addr)];
	size_t len, skip;
	long port;
	char *end;

	*given = false;
	if (config_text(config, group, name, &text))
		return -1;
	if (!text)
		return 0;
	colon = strrchr(text, ':');
	skip = *text == '[';
	len = colon ? (size_t)(colon - text) : 0;
	if (len > 2 * skip && (!skip || colon[-1] == ']') &&
	    len - 2 * skip < sizeof(out->address)) {
		memcpy(out->address, text + skip, len - 2 * skip);
		out->address[len - 2 * skip] = 0;
		port = strtol(colon + 1, &end, 10);
		if (colon[1] >= '0' && colon[1] <= '9' && *end == 0 && port <= 65535 &&
		    inet_pton(skip ? AF_INET6 : AF_INET, out->address, ignored) == 1) {
			out->port = (unsigned short)port;
			*given = true;
			return 0;
		}
	}
	return config_wrong(config, config_setting_get_member(group, name),
			    "is not ADDRESS:PORT or [ADDRESS]:PORT with a numeric address");
}

static int read_listen(struct config *config)
{
	config_setting_t *group;
	bool has_peers;

	if (group_of(config, "listen", &group) ||
	    listener(config, group, "peers", &config->peers, &has_peers) ||
	    listener(config, group, "public", &config->public, &config->has_public))
		return -1;
	if (!has_peers)
		return config_wrong(config, group, "lacks listen.peers: where peers connect");
	return 0;
}

static int read_tls(struct config *config)
{
	config_setting_t *group;

	if (group_of(config, "tls", &group) ||
	    config_text(config, group, "certificate", &config->tls.certificate) ||
	    config_text(config, group, "key", &config->tls.key) ||
	    config_text(config, group, "client_ca", &config->tls.client_ca) ||
	    config_text(config, group, "client_crl", &config->tls.client_crl) ||
	    config_text(config, group, "server_ca", &config->tls.server_ca) ||
	    config_text(config, group, "server_crl", &config->tls.server_crl) ||
	    config_text(config, group, "public_certificate", &config->tls.public_certificate) ||
	    config_text(config, group, "public_key", &config->tls.public_key))
		return -1;
	if (!config->tls.certificate || !config->tls.key || !config->tls.client_ca)
		return config_wrong(config, group,
				    "lacks one of tls.certificate, tls.key, tls.client_ca");
	if (!config->tls.public_certificate != !config->tls.public_key)
		return config_wrong(config, group,
				    "has one of public_certificate and public_key, not both");
	return 0;
}

static int read_limits(struct config *config)
{
	config_setting_t *engine, *limits;

	if (group_of(config, "engine", &engine) || group_of(config, "limits", &limits))
		return -1;
	return number_of(config, engine, "workers", 1, 16, &config->workers) ||
			       number_of(config, engine, "batch_max", 1, 4096,
					 &config->batch_max) ||
			       number_of(config, engine, "queue_max", 1, 1000000,
					 &config->queue_max) ||
			       number_of(config, limits, "body_max", 1, 1 << 20,
					 &config->limits.body_max) ||
			       number_of(config, limits, "header_max", 512, 65536,
					 &config->limits.header_max) ||
			       number_of(config, limits, "idle_ms", 100, 3600000,
					 &config->limits.idle_ms) ||
			       number_of(config, limits, "connections_max", 1, 1000000,
					 &config->limits.connections_max) ||
			       number_of(config, limits, "wait_max_s", 0, 3600,
					 &config->limits.wait_max_s) ||
			       number_of(config, limits, "rate", 0, 1000000,
					 &config->limits.rate) ||
			       number_of(config, limits, "burst", 1, 1000000, &config->limits.burst)
		       ? -1
		       : 0;
}

static int read_all(struct config *config, const char *role)
{
	config_setting_t *root = config_root_setting(&config->file);

	if (config_text(config, root, "name", &config->name) ||
	    config_text(config, root, "store", &config->store) ||
	    config_text(config, root, "keys", &config->keys) || read_listen(config) ||
	    read_tls(config) || read_limits(config) || group_of(config, role, &config->role))
		return -1;
	if (!config->store || !config->keys)
		return config_wrong(config, NULL, "lacks one of store, keys");
	if (strlen(config->name) > 48)
		return config_wrong(config, NULL, "name is over 48 bytes");
	if (!config->role)
		return config_wrong(config, NULL, "lacks the group %s: is it another role's file?",
				    role);
	return 0;
}

static void defaults(struct config *config)
{
	if (gethostname(config->host, sizeof(config->host) - 1))
		memcpy(config->host, "simtied", sizeof("simtied"));
	config->name = config->host;
	config->workers = 2;
	config->batch_max = 64;
	config->queue_max = 1024;
	config->limits.body_max = 16384;
	config->limits.header_max = 8192;
	config->limits.idle_ms = 5000;
	config->limits.connections_max = 4096;
	config->limits.wait_max_s = 30;
	config->limits.rate = 2000;
	config->limits.burst = 4000;
}

int config_open(const char *path, const char *role, struct config **out)
{
	struct config *config = calloc(1, sizeof(*config));

	*out = NULL;
	if (!config) {
		fputs("simtied: out of memory\n", stderr);
		return -1;
	}
	config->path = path;
	config_init(&config->file);
	defaults(config);
	if (config_read_file(&config->file, path) != CONFIG_TRUE) {
		if (config_error_type(&config->file) == CONFIG_ERR_FILE_IO)
			fprintf(stderr, "simtied: %s cannot be read\n", path);
		else
			fprintf(stderr, "simtied: %s:%d: %s\n", path,
				config_error_line(&config->file), config_error_text(&config->file));
		config_close(&config);
		return -1;
	}
	if (read_all(config, role)) {
		config_close(&config);
		return -1;
	}
	*out = config;
	return 0;
}

void config_close(struct config **config)
{
	if (!*config)
		return;
	config_destroy(&(*config)->file);
	free(*config);
	*config = NULL;
}
