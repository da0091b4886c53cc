#include "link_messengers.h"

#include "service_internal.h"
#include "service_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base64url.h"
#include "token_fixture.h"
#include "vault.h"

#include <openssl/ec.h>
#include <openssl/rand.h>

#define NOW       1795480000 /* 2026-11-24T00:26:40Z: all of it happens on one day */
#define APART     80         /* seconds between two subscribers */
#define STATUS    "https://mno.example/v1/status/7"
#define LIST_BITS (1u << 20)

static const char *const audiences[LINK_SIDES] = {"chat.example", "talk.example"};

struct subscriber {
	struct simtie_card_key card;
	BIGNUM *d;
	uint32_t counter;
	char number[SIMTIE_NUMBER_SIZE];
	int64_t hi;
};

static struct simtie_service_key *issuer, *signer, *sealing;
static struct vault *vault;
static struct subscriber subscribers[LINK_SUBSCRIBERS];
struct gotten link_gotten[LINK_SIDES][LINK_SUBSCRIBERS];

void link_random(void *out, size_t len)
{
	assert_int_equal(RAND_bytes(out, (int)len), 1);
}

static uint32_t random_below(uint32_t below)
{
	uint64_t drawn;

	link_random(&drawn, sizeof(drawn));
	return (uint32_t)(drawn % below);
}

uint64_t link_be64(const uint8_t *bytes)
{
	return (uint64_t)get_be32(bytes) << 32 | get_be32(bytes + 4);
}

/* ---- The cards ---- */

static void subscriber_make(struct subscriber *subscriber, unsigned number)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = EC_POINT_new(group);
	struct vault_index index;

	subscriber->d = BN_new();
	assert_int_equal(BN_priv_rand_range(subscriber->d, EC_GROUP_get0_order(group)), 1);
	EC_POINT_mul(group, point, subscriber->d, NULL, NULL, NULL);
	EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED,
			   subscriber->card.device_public, SIMTIE_POINT_SIZE, NULL);
	link_random(subscriber->card.chain_code, SIMTIE_CHAIN_CODE_SIZE);
	subscriber->counter = random_below(200);
	snprintf(subscriber->number, sizeof(subscriber->number), "+4930%07u", number);
	assert_true(vault_index(
		vault, "number",
		bytes_of((const uint8_t *)subscriber->number, strlen(subscriber->number)), &index));
	subscriber->hi = index.hi;
	EC_POINT_free(point);
	EC_GROUP_free(group);
}

/* d' = d + t mod n, as the card derives it. */
static void service_private(const struct subscriber *subscriber, const char *audience,
			    uint8_t out[static 32])
{
	uint8_t info[sizeof(DERIVE_SERVICE_KEY_LABEL) + SIMTIE_AUDIENCE_MAX] =
		DERIVE_SERVICE_KEY_LABEL;
	uint8_t tweak[DERIVE_TWEAK_SIZE];
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *t;

	memcpy(info + sizeof(DERIVE_SERVICE_KEY_LABEL), audience, strlen(audience));
	assert_true(simtie_crypto_openssl()->hkdf_expand(
		bytes_of(subscriber->card.chain_code, SIMTIE_CHAIN_CODE_SIZE),
		bytes_of(info, sizeof(DERIVE_SERVICE_KEY_LABEL) + strlen(audience)), tweak,
		sizeof(tweak)));
	t = BN_bin2bn(tweak, sizeof(tweak), NULL);
	BN_nnmod(t, t, EC_GROUP_get0_order(group), ctx);
	BN_mod_add(t, t, subscriber->d, EC_GROUP_get0_order(group), ctx);
	assert_int_equal(BN_bn2binpad(t, out, 32), 32);
	BN_free(t);
	BN_CTX_free(ctx);
	EC_GROUP_free(group);
}

static void token_make(struct subscriber *subscriber, const char *audience, enum flaw flaw,
		       const uint8_t service_public[static SIMTIE_POINT_SIZE],
		       struct simtie_claims *claims, uint8_t token[static SIMTIE_TOKEN_MAX],
		       size_t *len)
{
	struct simtie_token_parts parts;
	struct simtie_claims parsed;
	uint8_t message[SIMTIE_SIGNED_MAX], digest[32], d[32];
	uint32_t masked;

	memset(claims, 0, sizeof(*claims));
	strcpy(claims->audience, audience);
	claims->nonce_len = 16;
	link_random(claims->nonce, claims->nonce_len);
	claims->debug_status = 3;
	claims->purpose = SIMTIE_PURPOSE_REGISTRATION;
	claims->consent = SIMTIE_CONSENT_PIN;
	link_random(claims->sealed_counter, SIMTIE_SALT_SIZE);
	put_be32(claims->sealed_counter + SIMTIE_SALT_SIZE, ++subscriber->counter);
	/* XOR opens and seals. */
	assert_true(
		simtie_counter_open(simtie_crypto_openssl(), &subscriber->card, claims, &masked));
	if (flaw != COUNTER_IN_CLEAR)
		put_be32(claims->sealed_counter + SIMTIE_SALT_SIZE, masked);
	assert_true(simtie_token_build(claims, token, len));
	assert_int_equal(simtie_token_split(bytes_of(token, *len), &parsed, &parts),
			 SIMTIE_ACCEPTED);
	assert_true(simtie_crypto_openssl()->sha256(
		bytes_of(message, simtie_token_signed(&parts, message)), digest));
	service_private(subscriber, audience, d);
	token_fixture_sign(d, service_public, digest, claims->signature);
	assert_true(simtie_token_build(claims, token, len));
}

/* ---- What a messenger gets ---- */

static void keep(struct gotten *to, const void *bytes, size_t len)
{
	assert_true(to->len + len <= LINK_ALL_MAX);
	memcpy(to->all + to->len, bytes, len);
	to->len += len;
}

/* The parts of a JWT, decoded. */
static void keep_jwt(struct gotten *to, const char *jwt)
{
	while (jwt) {
		const char *dot = strchr(jwt, '.');
		uint8_t part[LINK_ALL_MAX];
		size_t len;

		assert_true(base64url_read(jwt, dot ? (size_t)(dot - jwt) : strlen(jwt), part,
					   sizeof(part), &len));
		keep(to, part, len);
		jwt = dot ? dot + 1 : NULL;
	}
}

static void get_token(struct gotten *to, struct subscriber *subscriber, const char *audience,
		      enum flaw flaw, uint8_t service_public[static SIMTIE_POINT_SIZE],
		      struct simtie_claims *claims)
{
	struct simtie_policy policy = {.audience = audience};
	struct simtie_verify_key key = {.service_public = service_public};
	uint8_t token[SIMTIE_TOKEN_MAX];
	size_t len;

	assert_true(simtie_service_key(simtie_crypto_openssl(), &subscriber->card, audience,
				       service_public));
	token_make(subscriber, audience, flaw, service_public, claims, token, &len);
	policy.nonce = claims->nonce;
	policy.nonce_len = claims->nonce_len;
	assert_int_equal(
		simtie_token_verify(simtie_crypto_openssl(), &key, &policy, token, len, NULL, NULL),
		SIMTIE_ACCEPTED);
	keep(to, token, len);
	to->value[VALUE_KEY] = link_be64(service_public + 1);
	to->value[VALUE_SALT] = get_be32(claims->sealed_counter);
	to->value[VALUE_COUNTER] = get_be32(claims->sealed_counter + SIMTIE_SALT_SIZE);
	to->value[VALUE_SIGNATURE] = link_be64(claims->signature);
}

static void get_sealed(struct gotten *to, const struct subscriber *subscriber, const char *audience,
		       enum flaw flaw, const struct simtie_claims *claims)
{
	static uint8_t first[LINK_SUBSCRIBERS][SIMTIE_SEALED_NUMBER_MAX];
	uint8_t *sealed = first[subscriber - subscribers];
	bool again = flaw == SEAL_REPEATED && audience == audiences[1];
	size_t len = 151;

	if (!again)
		assert_int_equal(simtie_number_seal(sealing, audience, claims->nonce,
						    claims->nonce_len, subscriber->number, sealed,
						    &len),
				 SIMTIE_SERVICE_OK);
	keep(to, sealed, len);
	to->value[VALUE_SEALED] = link_be64(sealed + 24);
	to->value[VALUE_SEALED_KEY] = link_be64(sealed + 83);
}

static void get_credential(struct gotten *to, const struct subscriber *subscriber, unsigned order,
			   const char *audience, enum flaw flaw,
			   const uint8_t service_public[static SIMTIE_POINT_SIZE])
{
	const size_t serial_at = 4 + 4 + 5 + 2;
	struct simtie_credential credential = {.not_before = NOW + APART * (int64_t)order,
					       .status_uri = STATUS,
					       .status_index = random_below(LIST_BITS)},
				 read;
	uint8_t der[SIMTIE_CREDENTIAL_MAX], id[SERVICE_KEY_ID_SIZE];
	size_t len;

	strcpy(credential.audience, audience);
	memcpy(credential.service_public, service_public, SIMTIE_POINT_SIZE);
	if (flaw == KEY_FOR_ALL)
		memcpy(credential.service_public, subscriber->card.device_public,
		       SIMTIE_POINT_SIZE);
	credential.not_after = credential.not_before + 365L * 86400;
	if (flaw == INDEX_IN_ORDER)
		credential.status_index = order * 7;
	if (flaw == INDEX_OF_CARD)
		credential.status_index = get_be32(subscriber->card.device_public + 1) % LIST_BITS;
	assert_int_equal(simtie_credential_issue(issuer, &credential, der, &len),
			 SIMTIE_SERVICE_OK);
	assert_int_equal(simtie_credential_verify(issuer, audience, NOW, der, len, &read),
			 SIMTIE_SERVICE_OK);
	if (flaw == SERIAL_OF_CARD)
		memcpy(der + serial_at, subscriber->card.device_public + 1, 16);
	keep(to, der, len);
	assert_true(service_key_id(read.service_public, id));
	to->value[VALUE_KEY_ID] = link_be64(id);
	to->value[VALUE_SERIAL] = link_be64(der + serial_at);
	to->value[VALUE_INDEX] = read.status_index;
	to->value[VALUE_BEGIN] =
		(uint64_t)(flaw == TIME_IN_SECONDS ? credential.not_before : read.not_before);
	to->value[VALUE_END] = (uint64_t)read.not_after;
}

static void get_notice(struct gotten *to, const struct subscriber *subscriber, const char *audience,
		       enum flaw flaw)
{
	static uint8_t first[LINK_SUBSCRIBERS][16];
	uint8_t registration[VAULT_ID_SIZE], id[16];
	uint8_t *shared = first[subscriber - subscribers];
	/* Sent when a while of the day has passed, in an order of its own. */
	struct simtie_notice notice = {.issuer = "mno.example",
				       .event = SIMTIE_EVENT_SIM_SWAPPED,
				       .issued_at = NOW + random_below(86400)},
			     read;
	char *jwt;

	strcpy(notice.audience, audience);
	assert_true(vault_id_make(vault, subscriber->hi, registration));
	if (flaw == ID_OF_CARD)
		memcpy(registration, &subscriber->hi, sizeof(subscriber->hi));
	link_random(id, sizeof(id));
	if (flaw == NOTICE_ID_SHARED && audience == audiences[1])
		memcpy(id, shared, sizeof(id));
	memcpy(shared, id, sizeof(id));
	vault_id_text(registration, notice.registration);
	vault_id_text(id, notice.id);
	assert_int_equal(simtie_notice_issue(signer, &notice, &jwt), SIMTIE_SERVICE_OK);
	assert_int_equal(simtie_notice_verify(signer, "mno.example", audience, notice.issued_at,
					      jwt, strlen(jwt), &read),
			 SIMTIE_SERVICE_OK);
	keep_jwt(to, jwt);
	keep(to, registration, sizeof(registration));
	keep(to, id, sizeof(id));
	to->value[VALUE_REGISTRATION] = link_be64(registration);
	to->value[VALUE_NOTICE] = link_be64(id);
	free(jwt);
}

void link_get_all(enum flaw flaw, unsigned count)
{
	for (unsigned side = 0; side < LINK_SIDES; side++)
		for (unsigned i = 0; i < count; i++) {
			struct gotten *to = &link_gotten[side][i];
			uint8_t service_public[SIMTIE_POINT_SIZE];
			struct simtie_claims claims;

			memset(to, 0, sizeof(*to));
			to->who = i;
			get_token(to, &subscribers[i], audiences[side], flaw, service_public,
				  &claims);
			get_sealed(to, &subscribers[i], audiences[side], flaw, &claims);
			get_credential(to, &subscribers[i], i, audiences[side], flaw,
				       service_public);
			get_notice(to, &subscribers[i], audiences[side], flaw);
			to->value[VALUE_SIZE] = to->len;
		}
}

int link_make(void **state)
{
	if (service_place_make(state))
		return -1;
	issuer = service_place_key("issuer");
	signer = service_place_key("signer");
	sealing = service_place_key("sealing");
	if (vault_create(service_place_path("vault")) ||
	    vault_open(service_place_path("vault"), &vault, NULL))
		return -1;
	for (unsigned i = 0; i < LINK_SUBSCRIBERS; i++)
		subscriber_make(&subscribers[i], i);
	return 0;
}

int link_free(void **state)
{
	for (unsigned i = 0; i < LINK_SUBSCRIBERS; i++)
		BN_free(subscribers[i].d);
	vault_close(&vault);
	simtie_service_key_free(&issuer);
	simtie_service_key_free(&signer);
	simtie_service_key_free(&sealing);
	return service_place_remove(state);
}
