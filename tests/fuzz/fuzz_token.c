/*
 * Fuzzes the token's way into the library: any bytes are parsed, built again and verified, by
 * crypto that believes everything, so that what the checks before it let through is seen.
 *
 * Holds: what parsing accepts is within the bounds of simtie-token.h and builds to the same bytes;
 * verification refuses for the reason that parsing gave; and accepts nothing but what the policy
 * asked for.
 */
#include "token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AUDIENCE "chat.example"

static const uint8_t nonce[] = {0x2E, 0x13, 0x10, 0xF7, 0x84, 0xBE, 0x48, 0x92,
				0x17, 0x49, 0x16, 0x36, 0x62, 0x62, 0xA5, 0xD9};

static void need(bool holds)
{
	if (!holds)
		abort();
}

static bool any_digest(struct bytes data, uint8_t digest[static SIMTIE_DIGEST_SIZE])
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < data.len; i++) /* reads all of it, for the sanitizer */
		sum ^= data.ptr[i];
	memset(digest, sum, SIMTIE_DIGEST_SIZE);
	return true;
}

static bool any_expand(struct bytes prk, struct bytes info, uint8_t *out, size_t len)
{
	uint8_t digest[SIMTIE_DIGEST_SIZE];

	any_digest(prk, digest);
	any_digest(info, digest);
	memset(out, digest[0], len);
	return true;
}

static enum simtie_verdict any_point(const uint8_t point[static SIMTIE_POINT_SIZE])
{
	(void)point;
	return VERDICT_GOOD;
}

static enum simtie_verdict any_signature(const uint8_t point[static SIMTIE_POINT_SIZE],
					 const uint8_t digest[static SIMTIE_DIGEST_SIZE],
					 const uint8_t signature[static SIMTIE_SIGNATURE_SIZE])
{
	(void)point;
	(void)digest;
	(void)signature;
	return VERDICT_GOOD;
}

static enum simtie_verdict any_tweak(const uint8_t point[static SIMTIE_POINT_SIZE],
				     const uint8_t tweak[static DERIVE_TWEAK_SIZE],
				     uint8_t sum[static SIMTIE_POINT_SIZE])
{
	(void)tweak;
	memcpy(sum, point, SIMTIE_POINT_SIZE);
	return VERDICT_GOOD;
}

static const struct simtie_crypto gullible = {
	.name = "gullible",
	.sha256 = any_digest,
	.hkdf_expand = any_expand,
	.p256_point = any_point,
	.p256_verify = any_signature,
	.p256_tweak = any_tweak,
};

static void check_accepted(const struct simtie_claims *claims, const uint8_t *data, size_t size)
{
	size_t audience_len = strnlen(claims->audience, sizeof(claims->audience));
	uint8_t built[SIMTIE_TOKEN_MAX];
	size_t len;

	need(audience_len >= SIMTIE_AUDIENCE_MIN && audience_len <= SIMTIE_AUDIENCE_MAX);
	need(claims->nonce_len >= SIMTIE_NONCE_MIN && claims->nonce_len <= SIMTIE_NONCE_MAX);
	need(claims->debug_status <= SIMTIE_DEBUG_STATUS_DISABLED_FULLY);
	need(claims->purpose >= SIMTIE_PURPOSE_GENERIC &&
	     claims->purpose <= SIMTIE_PURPOSE_PROVISIONING);
	need(claims->consent <= SIMTIE_CONSENT_TERMINAL);
	need(simtie_token_build(claims, built, &len));
	need(len == size && memcmp(built, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct simtie_card_key card;
	const struct simtie_verify_key key = {.card = &card};
	const struct simtie_policy strict = {
		.audience = AUDIENCE, .nonce = nonce, .nonce_len = sizeof(nonce)};
	struct simtie_claims claims;
	enum simtie_refusal parsed = simtie_token_parse(data, size, &claims);
	enum simtie_refusal verified;
	uint32_t counter;

	if (parsed == SIMTIE_ACCEPTED) {
		const struct simtie_policy its_own = {
			.audience = claims.audience,
			.nonce = claims.nonce,
			.nonce_len = claims.nonce_len,
			.purpose = claims.purpose,
			.allow_no_consent = true,
			.allow_virtual = true,
		};

		check_accepted(&claims, data, size);
		need(simtie_token_verify(&gullible, &key, &its_own, data, size, NULL, &counter) ==
		     SIMTIE_ACCEPTED);
	}
	verified = simtie_token_verify(&gullible, &key, &strict, data, size, &claims, &counter);
	need(parsed == SIMTIE_ACCEPTED || verified == parsed);
	if (verified == SIMTIE_ACCEPTED) {
		need(strcmp(claims.audience, AUDIENCE) == 0);
		need(claims.nonce_len == sizeof(nonce) &&
		     memcmp(claims.nonce, nonce, sizeof(nonce)) == 0);
		need(claims.purpose == SIMTIE_PURPOSE_REGISTRATION);
		need(claims.consent != SIMTIE_CONSENT_NONE);
		need(claims.debug_status >= SIMTIE_DEBUG_STATUS_DISABLED_PERMANENTLY);
	}
	return 0;
}
