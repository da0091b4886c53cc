/*
 * The configuration file (libconfig's syntax), and every limit that it can set.
 *
 * Owns parsing, defaults and the sentence for what is wrong, with file and line. Refuses unknown
 * settings, so that a misspelt one is not a default in silence.
 *
 *   name = "simtied-1";              of this daemon, the host's name by default
 *   store = "sqlite:FILE";           or "postgresql://…"
 *   keys = "FILE";                   the vault's key file, or "fd:N"
 *   listen = { peers = "127.0.0.1:8443"; public = "127.0.0.1:8444"; };
 *   tls = { certificate, key, client_ca, client_crl, server_ca, server_crl,
 *           public_certificate, public_key };
 *   engine = { workers, batch_max, queue_max };
 *   limits = { body_max, header_max, idle_ms, connections_max, wait_max_s, rate, burst };
 *   operator = { … };                or messenger: the role's own
 */
#ifndef SIMTIE_SERVICE_CONFIG_H
#define SIMTIE_SERVICE_CONFIG_H

#include <libconfig.h>
#include <stdbool.h>

struct config_listener {
	char address[64];    /* numeric */
	unsigned short port; /* 0: any that is free, printed at the start */
};

/* What both roles have. Strings belong to the configuration. */
struct config {
	config_t file; /* roles read their own group, "operator" or "messenger", through
			  config_role() */
	config_setting_t *role;
	const char *path; /* the caller's */
	char host[49];
	const char *name;             /* of this daemon; the host's name by default */
	const char *store;            /* "sqlite:FILE" or PostgreSQL's */
	const char *keys;             /* vault's key file, or "fd:N" */
	struct config_listener peers; /* mutual TLS */
	bool has_public;
	struct config_listener public; /* TLS without client certificates */
	struct {
		const char *certificate; /* PEM, chain included */
		const char *key;
		const char *client_ca;          /* who may sign peers' certificates */
		const char *client_crl;         /* or NULL */
		const char *server_ca;          /* who may sign those that we call; client_ca */
		const char *server_crl;         /* or NULL: client_crl, under client_ca */
		const char *public_certificate; /* or NULL: the same */
		const char *public_key;
	} tls;
	unsigned workers, batch_max, queue_max; /* 2, 64, 1024: see engine.h */
	struct {
		unsigned body_max;        /* bytes, 16384 */
		unsigned header_max;      /* bytes, 8192 */
		unsigned idle_ms;         /* 5000: a connection that sends nothing, or too slowly */
		unsigned connections_max; /* 4096 */
		unsigned wait_max_s;      /* 30: of ?wait= */
		unsigned rate;            /* requests a second and client, 2000; 0: no quota */
		unsigned burst;           /* at once, 4000 */
	} limits;
};

/* 0, or -1 with a sentence on standard error. `role` is the group that is the role's own. */
int config_open(const char *path, const char *role, struct config **config);
void config_close(struct config **config);

/* The role's group; never NULL after config_open(). Roles read all that they have of it by the
 * functions below, from role->open(); what stays unread then is unknown. */
config_setting_t *config_role(const struct config *config);

/* Reading of settings, each with its default; -1 and a sentence with file and line when it is there
 * and wrong (type, range). What is read is noted: config_unknown() complains of the rest. */
int config_text(struct config *config, config_setting_t *group, const char *name,
		const char **value);
int config_number(struct config *config, config_setting_t *group, const char *name, long min,
		  long max, long *value);
int config_flag(struct config *config, config_setting_t *group, const char *name, bool *value);
/* A list of groups, in parentheses: *list is NULL when it is absent. config_unknown() looks into
 * each of its groups as well. */
int config_list(struct config *config, config_setting_t *group, const char *name,
		config_setting_t **list);

/* Complains of settings that nobody read. */
int config_unknown(struct config *config);

/* A sentence on standard error about a setting, with file and line. Returns -1. */
int config_wrong(const struct config *config, const config_setting_t *setting, const char *format,
		 ...) __attribute__((format(printf, 3, 4)));

#endif
