#include "tokens.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

static void need(bool ok)
{
	if (ok)
		return;
	fputs("simtie-load: OpenSSL failed\n", stderr);
	exit(EXIT_FAILURE);
}

/* 32 bytes that follow from seed, index and purpose. */
static void draw(const char *seed, uint32_t index, const char *what, uint8_t out[static 32])
{
	char text[128];
	int len = snprintf(text, sizeof(text), "%s/%u/%s", seed, index, what);

	need(len > 0 && (size_t)len < sizeof(text));
	need(EVP_Digest(text, (size_t)len, out, NULL, EVP_sha256(), NULL) == 1);
}

static void put_point(const EC_GROUP *group, const BIGNUM *scalar, BN_CTX *ctx,
		      uint8_t out[static SIMTIE_POINT_SIZE])
{
	EC_POINT *point = EC_POINT_new(group);

	need(point && EC_POINT_mul(group, point, scalar, NULL, NULL, ctx) == 1);
	need(EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, SIMTIE_POINT_SIZE,
				ctx) == SIMTIE_POINT_SIZE);
	EC_POINT_free(point);
}

static EVP_PKEY *private_key(const BIGNUM *scalar, const uint8_t point[static SIMTIE_POINT_SIZE])
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;

	need(build && ctx);
	need(OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
	     OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1 &&
	     OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
					      SIMTIE_POINT_SIZE) == 1);
	params = OSSL_PARAM_BLD_to_param(build);
	need(params && EVP_PKEY_fromdata_init(ctx) == 1 &&
	     EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* t of the service key, before it is reduced. */
static void tweak(const struct simtie_card_key *key, const char *audience,
		  uint8_t out[static DERIVE_TWEAK_SIZE])
{
	char info[sizeof("simtie/1 service key") + SIMTIE_AUDIENCE_MAX];
	size_t label = sizeof("simtie/1 service key"), len = strlen(audience);

	memcpy(info, "simtie/1 service key", label); /* its zero goes along */
	memcpy(info + label, audience, len);
	need(simtie_crypto_openssl()->hkdf_expand(bytes_of(key->chain_code, SIMTIE_CHAIN_CODE_SIZE),
						  bytes_of((const uint8_t *)info, label + len), out,
						  DERIVE_TWEAK_SIZE));
}

void load_sim_make(struct load_sim *sim, const char *seed, uint32_t index, const char *audience)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *scalar = BN_new(), *t = BN_new();
	uint8_t secret[32], wide[DERIVE_TWEAK_SIZE], point[SIMTIE_POINT_SIZE];

	need(group && ctx && scalar && t);
	draw(seed, index, "key", secret);
	draw(seed, index, "chain code", sim->key.chain_code);
	need(BN_bin2bn(secret, sizeof(secret), scalar) &&
	     BN_nnmod(scalar, scalar, EC_GROUP_get0_order(group), ctx) == 1);
	put_point(group, scalar, ctx, sim->key.device_public);
	sim->service = NULL;
	if (audience) {
		tweak(&sim->key, audience, wide);
		need(BN_bin2bn(wide, sizeof(wide), t) &&
		     BN_mod_add(scalar, scalar, t, EC_GROUP_get0_order(group), ctx) == 1);
		put_point(group, scalar, ctx, point);
		sim->service = private_key(scalar, point);
	}
	BN_free(scalar);
	BN_free(t);
	BN_CTX_free(ctx);
	EC_GROUP_free(group);
}

void load_sim_number(uint32_t index, char text[static LOAD_TEXT_SIZE])
{
	snprintf(text, LOAD_TEXT_SIZE, "+49151%08u", index);
}

void load_sim_iccid(uint32_t index, char text[static LOAD_TEXT_SIZE])
{
	snprintf(text, LOAD_TEXT_SIZE, "8949%016u", index);
}

/* salt, and the counter under the mask that only the card's record gives. */
static void seal_counter(const struct load_sim *sim, struct simtie_claims *claims, uint32_t counter)
{
	static const char label[] = "simtie/1 counter seal"; /* its zero goes along */
	uint8_t info[sizeof(label) + 1 + SIMTIE_AUDIENCE_MAX + SIMTIE_NONCE_MAX + 4], mask[4];
	size_t audience = strlen(claims->audience), at = sizeof(label);

	need(RAND_bytes(claims->sealed_counter, 4) == 1);
	memcpy(info, label, sizeof(label));
	info[at++] = (uint8_t)audience;
	memcpy(info + at, claims->audience, audience);
	at += audience;
	memcpy(info + at, claims->nonce, claims->nonce_len);
	at += claims->nonce_len;
	memcpy(info + at, claims->sealed_counter, 4);
	need(simtie_crypto_openssl()->hkdf_expand(
		bytes_of(sim->key.chain_code, SIMTIE_CHAIN_CODE_SIZE), bytes_of(info, at + 4), mask,
		sizeof(mask)));
	put_be32(claims->sealed_counter + 4, counter ^ get_be32(mask));
}

static void sign(EVP_PKEY *key, const uint8_t *data, size_t len,
		 uint8_t signature[static SIMTIE_SIGNATURE_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[80];
	const uint8_t *at = der;
	size_t der_len = sizeof(der);
	ECDSA_SIG *pair;

	need(ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	     EVP_DigestSign(ctx, der, &der_len, data, len) == 1);
	pair = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
	need(pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32 &&
	     BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32);
	ECDSA_SIG_free(pair);
	EVP_MD_CTX_free(ctx);
}

void load_sim_attest(const struct load_sim *sim, const char *audience, uint32_t counter,
		     uint8_t nonce[static 16], uint8_t token[static SIMTIE_TOKEN_MAX], size_t *len)
{
	struct simtie_claims claims = {.nonce_len = 16,
				       .purpose = PURPOSE_REGISTRATION,
				       .consent = SIMTIE_CONSENT_PIN},
			     read;
	struct simtie_token_parts parts;
	uint8_t to_sign[SIMTIE_SIGNED_MAX];
	size_t to_sign_len;

	snprintf(claims.audience, sizeof(claims.audience), "%s", audience);
	need(RAND_bytes(claims.nonce, 16) == 1);
	memcpy(nonce, claims.nonce, 16);
	seal_counter(sim, &claims, counter);
	need(simtie_token_build(&claims, token, len) &&
	     simtie_token_split(bytes_of(token, *len), &read, &parts) == SIMTIE_ACCEPTED);
	to_sign_len = simtie_token_signed(&parts, to_sign);
	need(to_sign_len > 0);
	sign(sim->service, to_sign, to_sign_len, claims.signature);
	need(simtie_token_build(&claims, token, len));
}
