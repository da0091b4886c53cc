/*
 * What a whole verification costs an operator without HTTP: the handler and its statements, on
 * SQLite, in groups as the engine commits them, against the bare signature check that is in it
 * (OpenSSL's EVP_PKEY_verify() with everything made ready). One thread; processor time, so that the
 * disk does not count, and the rate by the clock beside it.
 *
 * bench_verification [ROUNDS [GROUP]]
 */
#include "base64url.h"
#include "crypto.h"
#include "migrate.h"
#include "operator.h"
#include "operator_cache.h"
#include "operator_guess.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AUDIENCE    "chat.example"
#define SUBSCRIBERS 500
#define NONCE_SIZE  16

struct sim {
	struct simtie_card_key key;
	BIGNUM *service_private;
	uint32_t counter;
};

static char folder[] = "/tmp/simtie-bench-XXXXXX";
static struct sim sims[SUBSCRIBERS];
static EC_GROUP *group;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_verification: %s\n", what);
	exit(EXIT_FAILURE);
}

static const char *path_of(const char *name)
{
	static char paths[2][64];
	static int next;
	char *path = paths[next++ % 2];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* ---- A SIM that signs at OpenSSL's speed ---- */

static void sim_make(struct sim *sim)
{
	uint8_t info[sizeof(DERIVE_SERVICE_KEY_LABEL) + sizeof(AUDIENCE) - 1] =
		DERIVE_SERVICE_KEY_LABEL;
	uint8_t tweak[DERIVE_TWEAK_SIZE];
	const BIGNUM *n = EC_GROUP_get0_order(group);
	EC_POINT *point = EC_POINT_new(group);
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *device = BN_new(), *t;

	need(BN_priv_rand_range(device, n) && EC_POINT_mul(group, point, device, NULL, NULL, ctx),
	     "no device key");
	EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, sim->key.device_public,
			   SIMTIE_POINT_SIZE, ctx);
	RAND_bytes(sim->key.chain_code, sizeof(sim->key.chain_code));
	memcpy(info + sizeof(DERIVE_SERVICE_KEY_LABEL), AUDIENCE, sizeof(AUDIENCE) - 1);
	simtie_crypto_openssl()->hkdf_expand(
		bytes_of(sim->key.chain_code, sizeof(sim->key.chain_code)),
		bytes_of(info, sizeof(info)), tweak, sizeof(tweak));
	t = BN_bin2bn(tweak, sizeof(tweak), NULL);
	sim->service_private = BN_new();
	need(BN_nnmod(t, t, n, ctx) && BN_mod_add(sim->service_private, device, t, n, ctx),
	     "no service key");
	BN_free(t);
	BN_free(device);
	BN_CTX_free(ctx);
	EC_POINT_free(point);
}

/* ECDSA by its formula (FIPS 186-5 §6.4.1). */
static void sign(const struct sim *sim, const uint8_t *digest, uint8_t *signature)
{
	const BIGNUM *n = EC_GROUP_get0_order(group);
	EC_POINT *point = EC_POINT_new(group);
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *k = BN_new(), *r = BN_new(), *s = BN_new(), *e = BN_bin2bn(digest, 32, NULL);

	need(BN_priv_rand_range(k, n) && EC_POINT_mul(group, point, k, NULL, NULL, ctx) &&
		     EC_POINT_get_affine_coordinates(group, point, r, NULL, ctx) &&
		     BN_nnmod(r, r, n, ctx) && BN_mod_mul(s, r, sim->service_private, n, ctx) &&
		     BN_mod_add(s, s, e, n, ctx) && BN_mod_inverse(k, k, n, ctx) &&
		     BN_mod_mul(s, s, k, n, ctx),
	     "no signature");
	BN_bn2binpad(r, signature, 32);
	BN_bn2binpad(s, signature + 32, 32);
	BN_free(k);
	BN_free(r);
	BN_free(s);
	BN_free(e);
	BN_CTX_free(ctx);
	EC_POINT_free(point);
}

/* The sealed counter, and the signature over the claims. */
static void sim_sign(struct sim *sim, struct simtie_claims *claims, uint8_t *token, size_t *len)
{
	enum { HEAD = 2, PROTECTED = 8, MAP = 1, SIGNATURE = 2 + SIMTIE_SIGNATURE_SIZE };
	uint8_t info[256] = DERIVE_COUNTER_SEAL_LABEL;
	uint8_t *at = info + sizeof(DERIVE_COUNTER_SEAL_LABEL);
	uint8_t mask[4], message[SIMTIE_TOKEN_MAX + 32], digest[32], *to = message;
	size_t payload;

	RAND_bytes(claims->sealed_counter, 4);
	*at++ = sizeof(AUDIENCE) - 1;
	memcpy(at, AUDIENCE, sizeof(AUDIENCE) - 1);
	at += sizeof(AUDIENCE) - 1;
	memcpy(at, claims->nonce, claims->nonce_len);
	at += claims->nonce_len;
	memcpy(at, claims->sealed_counter, 4);
	at += 4;
	simtie_crypto_openssl()->hkdf_expand(
		bytes_of(sim->key.chain_code, sizeof(sim->key.chain_code)),
		bytes_of(info, (size_t)(at - info)), mask, sizeof(mask));
	put_be32(claims->sealed_counter + 4, ++sim->counter ^ get_be32(mask));
	need(simtie_token_build(claims, token, len), "no token");
	/* RFC 9052 §4.4: context, protected header, external_aad, payload. */
	payload = *len - HEAD - PROTECTED - MAP - SIGNATURE;
	to += sprintf((char *)to, "\x84\x6ASignature1");
	memcpy(to, token + HEAD, PROTECTED);
	to += PROTECTED;
	*to++ = 0x40;
	memcpy(to, token + HEAD + PROTECTED + MAP, payload);
	to += payload;
	simtie_crypto_openssl()->sha256(bytes_of(message, (size_t)(to - message)), digest);
	sign(sim, digest, token + *len - SIMTIE_SIGNATURE_SIZE);
}

/* A request's body, malloc()ed. */
static char *sim_request(struct sim *sim, unsigned number)
{
	struct simtie_claims claims = {.audience = AUDIENCE,
				       .nonce_len = NONCE_SIZE,
				       .debug_status = SIMTIE_DEBUG_STATUS_DISABLED_PERMANENTLY,
				       .purpose = SIMTIE_PURPOSE_REGISTRATION,
				       .consent = SIMTIE_CONSENT_PIN};
	uint8_t token[SIMTIE_TOKEN_MAX];
	char nonce[BASE64URL_LEN(NONCE_SIZE) + 1], text[BASE64URL_LEN(SIMTIE_TOKEN_MAX) + 1];
	char *body = malloc(2048);
	size_t len;

	RAND_bytes(claims.nonce, NONCE_SIZE);
	sim_sign(sim, &claims, token, &len);
	nonce[base64url_write(bytes_of(claims.nonce, NONCE_SIZE), nonce)] = 0;
	text[base64url_write(bytes_of(token, len), text)] = 0;
	snprintf(body, 2048,
		 "{\"phoneNumber\":\"+49151%07u\",\"nonce\":\"%s\",\"attestation\":\"%s\"}", number,
		 nonce, text);
	return body;
}

/* ---- The operator ---- */

static struct simtie_service_key *key_make(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509V3_CTX ctx;
	X509_EXTENSION *id;
	struct simtie_service_key *read;
	char certificate_path[64], key_path[64];
	FILE *file;

	snprintf(certificate_path, sizeof(certificate_path), "%s/%s.pem", folder, name);
	snprintf(key_path, sizeof(key_path), "%s/%s.key", folder, name);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	X509_set_pubkey(certificate, key);
	X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
	id = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_key_identifier, "hash");
	X509_add_ext(certificate, id, -1);
	X509_EXTENSION_free(id);
	X509_sign(certificate, key, EVP_sha256());
	file = fopen(certificate_path, "w");
	need(file && PEM_write_X509(file, certificate), "no certificate file");
	fclose(file);
	file = fopen(key_path, "w");
	need(file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), "no key file");
	fclose(file);
	need(simtie_service_key_read(certificate_path, key_path, &read) == 0, "no service key");
	X509_free(certificate);
	EVP_PKEY_free(key);
	return read;
}

static void operator_make(struct operator_state *op, struct service *service)
{
	*op = (struct operator_state){
		.service = service,
		.name = "mno.example",
		.base_url = "https://mno.example",
		.deadline_s = 1200,
		.answer_within_ms = 1000,
		.retention_days = 180,
		.verification_days = 30,
		.credential_days = 365,
		.status_list_size = 1048576,
		.status_tick_s = 60,
	};
	op->issuer = key_make("issuer");
	op->signer = key_make("signer");
	op->sealing = key_make("sealing");
	op->cache = operator_cache_new(65536);
	op->guess = operator_guess_new();
	op->status = operator_status_new();
	service->state = op;
	service->metrics = metrics_new();
	need(vault_create(path_of("keys")) == 0 &&
		     vault_open(path_of("keys"), &service->vault, NULL) == 0,
	     "no vault");
}

static void subscribers_make(struct db *db, struct service *service)
{
	need(db_begin(db) == DB_OK, "no transaction");
	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		struct subscriber subscriber = {.state = SUBSCRIBER_ACTIVE,
						.card_state = SUBSCRIBER_CARD_GOOD};

		sim_make(&sims[i]);
		subscriber.key = sims[i].key;
		snprintf(subscriber.number, sizeof(subscriber.number), "+49151%07u", i);
		need(subscriber_write(db, service->vault, &subscriber) == DB_OK, "no subscriber");
	}
	need(db_commit(db) == DB_OK, "no commit");
}

/* ---- Measuring ---- */

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

struct figure {
	double processor, clock;
	unsigned long count;
};

static void start(struct figure *figure)
{
	figure->processor -= seconds(CLOCK_PROCESS_CPUTIME_ID);
	figure->clock -= seconds(CLOCK_MONOTONIC);
}

static void stop(struct figure *figure, unsigned long count)
{
	figure->processor += seconds(CLOCK_PROCESS_CPUTIME_ID);
	figure->clock += seconds(CLOCK_MONOTONIC);
	figure->count += count;
}

static void bare(struct figure *figure)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	uint8_t digest[32] = {1}, der[80];
	size_t len = sizeof(der);

	need(EVP_PKEY_sign_init(ctx) == 1 &&
		     EVP_PKEY_sign(ctx, der, &len, digest, sizeof(digest)) == 1 &&
		     EVP_PKEY_verify_init(ctx) == 1,
	     "OpenSSL cannot sign");
	start(figure);
	for (int i = 0; i < SUBSCRIBERS; i++)
		need(EVP_PKEY_verify(ctx, der, len, digest, sizeof(digest)) == 1,
		     "OpenSSL refuses its own signature");
	stop(figure, SUBSCRIBERS);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static void verify_all(struct work *work, unsigned batch, struct figure *figure)
{
	char *bodies[SUBSCRIBERS];
	struct request request = {.peer = {.role = PEER_MESSENGER, .name = AUDIENCE}};
	struct reply reply = {.status = 0};

	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		bodies[i] = sim_request(&sims[i], i);
	start(figure);
	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		const char *status;

		if (i % batch == 0)
			need(db_begin(work->db) == DB_OK, "no transaction");
		request.body = bytes_of((const uint8_t *)bodies[i], strlen(bodies[i]));
		need(operator_verification_post(work, &request, &reply) == DB_OK, "no answer");
		status = json_string_value(json_object_get(reply.body, "status"));
		need(status && strcmp(status, "VERIFIED") == 0, "not verified");
		reply_clear(&reply);
		if (i % batch == batch - 1 || i == SUBSCRIBERS - 1)
			need(db_commit(work->db) == DB_OK, "no commit");
	}
	stop(figure, SUBSCRIBERS);
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		free(bodies[i]);
}

static void show(const char *name, const struct figure *figure, const struct figure *against)
{
	const double cost = figure->processor / (double)figure->count;
	const double unit = against->processor / (double)against->count;

	printf("%-34s %8.0f/s of a core  %5.2f x bare verify's rate  %8.0f/s by the clock\n", name,
	       1 / cost, unit / cost, (double)figure->count / figure->clock);
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 20;
	const unsigned batch = argc > 2 ? (unsigned)atoi(argv[2]) : 64;
	static struct figure bare_verify, first, cached;
	static struct operator_state op;
	static struct service service;
	struct work work = {.service = &service, .chain = "bench/0", .tries_left = 5};
	char where[80], detail[DB_DETAIL_MAX], command[64];

	need(rounds > 0 && batch > 0 && mkdtemp(folder) != NULL,
	     "bench_verification [ROUNDS [GROUP]]");
	group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	operator_make(&op, &service);
	snprintf(where, sizeof(where), "sqlite:%s", path_of("store.db"));
	need(db_open(where, true, 1000, &work.db, detail) == DB_OK &&
		     migrate_run(work.db, MIGRATE_OPERATOR, NULL) == DB_OK,
	     "no store");
	subscribers_make(work.db, &service);
	verify_all(&work, batch, &first);
	for (int round = 0; round < rounds; round++) {
		bare(&bare_verify);
		verify_all(&work, batch, &cached);
	}
	show("bare EVP_PKEY_verify", &bare_verify, &bare_verify);
	show("verification, key derived", &first, &bare_verify);
	show("verification, key cached", &cached, &bare_verify);
	db_close(&work.db);
	vault_close(&service.vault);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}
