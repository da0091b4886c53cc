/*
 * The operator's keys, read at the start and anew on SIGHUP.
 *
 * A handler may hold a key while others take its place. It holds it for one run, milliseconds; so
 * that a key that was replaced is freed only when keys are read once more and a minute has passed.
 */
#include "operator.h"

#include <errno.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HOLD_MS      60000
#define KEY_SETTINGS 3
#define SEALING      2 /* its place among the three */

struct retired {
	struct simtie_service_key *key;
	int64_t at_ms; /* by the boot clock */
	struct retired *next;
};

struct operator_keys {
	struct retired *retired;
	pthread_mutex_t lock; /* over the text */
	char *sealing_text;   /* the sealing certificate, PEM */
};

/* What one of the three is called, and where it belongs. */
struct place {
	const char *certificate, *key; /* settings */
	struct simtie_service_key *_Atomic *key_at;
};

static void places(struct operator_state *op, struct place out[static KEY_SETTINGS])
{
	out[0] = (struct place){"issuer_certificate", "issuer_key", &op->issuer};
	out[1] = (struct place){"signer_certificate", "signer_key", &op->signer};
	out[SEALING] = (struct place){"sealing_certificate", "sealing_key", &op->sealing};
}

static int read_one(struct operator_state *op, const struct place *place,
		    struct simtie_service_key **key)
{
	struct config *config = op->service->config;
	config_setting_t *group = config_role(config);
	const char *certificate = NULL, *private = NULL;
	struct stat status;
	int error;

	if (config_text(config, group, place->certificate, &certificate) ||
	    config_text(config, group, place->key, &private))
		return -1;
	if (!certificate || !private) {
		fprintf(stderr, "simtied: %s: group operator lacks %s\n", config->path,
			certificate ? place->key : place->certificate);
		return -1;
	}
	/* As for TLS: whoever has one of these speaks for the operator. */
	if (stat(private, &status) == 0 && status.st_mode & S_IRWXO) {
		fprintf(stderr, "simtied: %s: everybody can read this key: chmod o= it\n", private);
		return -1;
	}
	error = simtie_service_key_read(certificate, private, key);
	if (error == 0)
		return 0;
	fprintf(stderr, "simtied: %s and %s: %s%s%s\n", certificate, private,
		simtie_service_strerror(error), error == SIMTIE_SERVICE_ERR_FILE ? ": " : "",
		error == SIMTIE_SERVICE_ERR_FILE ? strerror(errno) : "");
	return -1;
}

/* The sealing certificate as others get it: its own block written anew, never the file, which may
 * hold the private key as well. NULL: it cannot be read. malloc()ed. */
static char *sealing_text(const struct operator_state *op)
{
	const char *path = NULL;
	X509 *certificate = NULL;
	BIO *in = NULL, *out = BIO_new(BIO_s_mem());
	char *text = NULL, *bytes;
	long len;

	if (out && config_text(op->service->config, config_role(op->service->config),
			       "sealing_certificate", &path) == 0)
		in = BIO_new_file(path, "r");
	if (in)
		certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
	if (certificate && PEM_write_bio_X509(out, certificate) == 1) {
		len = BIO_get_mem_data(out, &bytes);
		text = strndup(bytes, (size_t)len);
	}
	X509_free(certificate);
	BIO_free(in);
	BIO_free(out);
	return text;
}

/* Frees those that were retired long ago. */
static void sweep(struct operator_keys *keys, int64_t before_ms)
{
	struct retired **at = &keys->retired;

	while (*at) {
		struct retired *retired = *at;

		if (retired->at_ms > before_ms) {
			at = &retired->next;
			continue;
		}
		*at = retired->next;
		simtie_service_key_free(&retired->key);
		free(retired);
	}
}

static struct operator_keys *keys_new(void)
{
	struct operator_keys *keys = calloc(1, sizeof(*keys));

	if (keys)
		pthread_mutex_init(&keys->lock, NULL);
	return keys;
}

static void keys_swap(struct operator_state *op,
		      struct simtie_service_key *keys[static KEY_SETTINGS],
		      struct retired *retired[static KEY_SETTINGS], char **text)
{
	struct place place[KEY_SETTINGS];
	const int64_t now = clock_boot_ms();
	char *old;

	places(op, place);
	sweep(op->keys, now - HOLD_MS);
	for (int i = 0; i < KEY_SETTINGS; i++) {
		*retired[i] = (struct retired){atomic_exchange(place[i].key_at, keys[i]), now,
					       op->keys->retired};
		op->keys->retired = retired[i];
		keys[i] = NULL;
		retired[i] = NULL;
	}
	pthread_mutex_lock(&op->keys->lock);
	old = op->keys->sealing_text;
	op->keys->sealing_text = *text;
	*text = NULL;
	pthread_mutex_unlock(&op->keys->lock);
	free(old);
}

int operator_keys_read(struct operator_state *op)
{
	struct simtie_service_key *keys[KEY_SETTINGS] = {NULL};
	struct retired *retired[KEY_SETTINGS] = {NULL};
	struct place place[KEY_SETTINGS];
	char *text = NULL;
	int result = -1;

	places(op, place);
	if (!op->keys && !(op->keys = keys_new()))
		goto out;
	for (int i = 0; i < KEY_SETTINGS; i++) {
		retired[i] = calloc(1, sizeof(*retired[i]));
		if (!retired[i] || read_one(op, &place[i], &keys[i]))
			goto out;
	}
	text = sealing_text(op);
	if (!text)
		goto out;
	keys_swap(op, keys, retired, &text);
	result = 0;
out:
	for (int i = 0; i < KEY_SETTINGS; i++) {
		simtie_service_key_free(&keys[i]);
		free(retired[i]);
	}
	free(text);
	return result;
}

void operator_keys_free(struct operator_state *op)
{
	struct place place[KEY_SETTINGS];

	places(op, place);
	for (int i = 0; i < KEY_SETTINGS; i++) {
		struct simtie_service_key *key = atomic_exchange(place[i].key_at, NULL);

		simtie_service_key_free(&key);
	}
	if (!op->keys)
		return;
	sweep(op->keys, INT64_MAX);
	pthread_mutex_destroy(&op->keys->lock);
	free(op->keys->sealing_text);
	free(op->keys);
	op->keys = NULL;
}

int operator_sealing_get(struct work *work, const struct request *request, struct reply *reply)
{
	struct operator_keys *keys = operator_of(work)->keys;

	(void)request;
	pthread_mutex_lock(&keys->lock);
	reply->text = strdup(keys->sealing_text);
	pthread_mutex_unlock(&keys->lock);
	if (!reply->text)
		return DB_ERR_MEMORY;
	reply->status = 200;
	reply->content_type = "application/pem-certificate-chain";
	return DB_OK;
}
