/*
 * Verifying a token. Nothing of it is believed before the signature holds, and the signature is
 * looked at only when everything else fits: a token that was meant for someone else costs no
 * elliptic curve.
 */
#include "token.h"

static const struct {
	const char *code;
	const char *text;
} refusals[] = {
#define REFUSAL_TEXT(name, text) {#name, text},
	SIMTIE_REFUSALS(REFUSAL_TEXT)
#undef REFUSAL_TEXT
};

static size_t refusal_row(enum simtie_refusal refusal)
{
	size_t row = (size_t)refusal;

	return row < sizeof(refusals) / sizeof(refusals[0]) ? row : SIMTIE_INTERNAL_ERROR;
}

const char *simtie_refusal_code(enum simtie_refusal refusal)
{
	return refusals[refusal_row(refusal)].code;
}

const char *simtie_refusal_text(enum simtie_refusal refusal)
{
	return refusals[refusal_row(refusal)].text;
}

static enum simtie_verdict service_key(const struct simtie_crypto *crypto,
				       const struct simtie_card_key *card, struct bytes audience,
				       uint8_t service_public[static SIMTIE_POINT_SIZE])
{
	/* The label's terminator is the 0x00 that parts it from the audience. */
	uint8_t info[sizeof(DERIVE_SERVICE_KEY_LABEL) + SIMTIE_AUDIENCE_MAX] =
		DERIVE_SERVICE_KEY_LABEL;
	uint8_t tweak[DERIVE_TWEAK_SIZE];
	enum simtie_verdict verdict = VERDICT_FAILED;

	if (!simtie_audience_valid(audience))
		return VERDICT_BAD;
	memcpy(info + sizeof(DERIVE_SERVICE_KEY_LABEL), audience.ptr, audience.len);
	if (crypto->hkdf_expand(bytes_of(card->chain_code, sizeof(card->chain_code)),
				bytes_of(info, sizeof(DERIVE_SERVICE_KEY_LABEL) + audience.len),
				tweak, sizeof(tweak)))
		verdict = crypto->p256_tweak(card->device_public, tweak, service_public);
	bytes_wipe(tweak, sizeof(tweak));
	return verdict;
}

bool simtie_service_key(const struct simtie_crypto *crypto, const struct simtie_card_key *card,
			const char *audience, uint8_t service_public[SIMTIE_POINT_SIZE])
{
	return service_key(crypto, card, bytes_of((const uint8_t *)audience, strlen(audience)),
			   service_public) == VERDICT_GOOD;
}

bool simtie_counter_open(const struct simtie_crypto *crypto, const struct simtie_card_key *card,
			 const struct simtie_claims *claims, uint32_t *counter)
{
	uint8_t info[sizeof(DERIVE_COUNTER_SEAL_LABEL) + 1 + SIMTIE_AUDIENCE_MAX +
		     SIMTIE_NONCE_MAX + SIMTIE_SALT_SIZE] = DERIVE_COUNTER_SEAL_LABEL;
	size_t audience_len = strlen(claims->audience);
	uint8_t *at = info + sizeof(DERIVE_COUNTER_SEAL_LABEL); /* its terminator counts here too */
	uint8_t mask[SIMTIE_SEALED_COUNTER_SIZE - SIMTIE_SALT_SIZE];

	*at++ = (uint8_t)audience_len;
	memcpy(at, claims->audience, audience_len);
	at += audience_len;
	memcpy(at, claims->nonce, claims->nonce_len);
	at += claims->nonce_len;
	memcpy(at, claims->sealed_counter, SIMTIE_SALT_SIZE);
	at += SIMTIE_SALT_SIZE;
	if (!crypto->hkdf_expand(bytes_of(card->chain_code, sizeof(card->chain_code)),
				 bytes_of(info, (size_t)(at - info)), mask, sizeof(mask)))
		return false;
	*counter = get_be32(claims->sealed_counter + SIMTIE_SALT_SIZE) ^ get_be32(mask);
	bytes_wipe(mask, sizeof(mask));
	return true;
}

/* What the messenger asked for, against what the token says. */
static enum simtie_refusal policy_check(const struct simtie_policy *policy,
					const struct simtie_claims *claims)
{
	uint8_t purpose = policy->purpose ? policy->purpose : SIMTIE_PURPOSE_REGISTRATION;

	if (strcmp(claims->audience, policy->audience) != 0)
		return SIMTIE_WRONG_AUDIENCE;
	if (claims->nonce_len != policy->nonce_len ||
	    !bytes_equal_secret(claims->nonce, policy->nonce, claims->nonce_len))
		return SIMTIE_WRONG_NONCE;
	if (policy->thumbprint &&
	    (!claims->has_thumbprint || !bytes_equal_secret(claims->thumbprint, policy->thumbprint,
							    sizeof(claims->thumbprint))))
		return SIMTIE_WRONG_THUMBPRINT;
	if (claims->purpose != purpose)
		return SIMTIE_WRONG_PURPOSE;
	if (claims->consent == SIMTIE_CONSENT_NONE && !policy->allow_no_consent)
		return SIMTIE_NO_CONSENT;
	if (claims->debug_status < SIMTIE_DEBUG_STATUS_DISABLED_PERMANENTLY &&
	    !policy->allow_virtual)
		return SIMTIE_DEBUGGABLE;
	return SIMTIE_ACCEPTED;
}

enum simtie_refusal simtie_token_check(const struct simtie_policy *policy, struct bytes token,
				       struct simtie_claims *claims)
{
	struct simtie_token_parts parts;
	enum simtie_refusal refusal = simtie_token_split(token, claims, &parts);

	return refusal == SIMTIE_ACCEPTED ? policy_check(policy, claims) : refusal;
}

static enum simtie_refusal signature_check(const struct simtie_crypto *crypto,
					   const struct simtie_verify_key *key,
					   const struct simtie_claims *claims,
					   const struct simtie_token_parts *parts)
{
	struct bytes audience =
		bytes_of((const uint8_t *)claims->audience, strlen(claims->audience));
	uint8_t derived[SIMTIE_POINT_SIZE];
	const uint8_t *service_public = key->service_public;
	uint8_t message[SIMTIE_SIGNED_MAX];
	uint8_t digest[SIMTIE_DIGEST_SIZE];
	size_t len = simtie_token_signed(parts, message);
	enum simtie_verdict verdict = VERDICT_GOOD;

	if (!service_public) {
		verdict = service_key(crypto, key->card, audience, derived);
		service_public = derived;
	}
	if (verdict == VERDICT_GOOD) {
		if (len == 0 || !crypto->sha256(bytes_of(message, len), digest))
			return SIMTIE_INTERNAL_ERROR;
		verdict = crypto->p256_verify(service_public, digest, claims->signature);
	}
	switch (verdict) {
	case VERDICT_GOOD:
		return SIMTIE_ACCEPTED;
	case VERDICT_BAD:
		return SIMTIE_BAD_SIGNATURE;
	case VERDICT_FAILED:
		break;
	}
	return SIMTIE_INTERNAL_ERROR;
}

/* Whether the caller gave what a verification needs; if not, no token may be called anything. */
static bool request_valid(const struct simtie_crypto *crypto, const struct simtie_verify_key *key,
			  const struct simtie_policy *policy)
{
	return crypto && policy->audience && policy->nonce &&
	       (key->card || (key->service_public && policy->min_counter == 0));
}

enum simtie_refusal simtie_token_verify(const struct simtie_crypto *crypto,
					const struct simtie_verify_key *key,
					const struct simtie_policy *policy, const uint8_t *token,
					size_t len, struct simtie_claims *claims, uint32_t *counter)
{
	struct simtie_claims own;
	struct simtie_token_parts parts;
	uint32_t opened = 0;
	enum simtie_refusal refusal;

	if (!claims)
		claims = &own;
	memset(claims, 0, sizeof(*claims));
	if (counter)
		*counter = 0;
	if (!request_valid(crypto, key, policy))
		return SIMTIE_INTERNAL_ERROR;
	refusal = simtie_token_split(bytes_of(token, len), claims, &parts);
	if (refusal == SIMTIE_ACCEPTED)
		refusal = policy_check(policy, claims);
	if (refusal == SIMTIE_ACCEPTED)
		refusal = signature_check(crypto, key, claims, &parts);
	if (refusal != SIMTIE_ACCEPTED || !key->card)
		return refusal;
	if (!simtie_counter_open(crypto, key->card, claims, &opened))
		return SIMTIE_INTERNAL_ERROR;
	if (counter)
		*counter = opened;
	return opened < policy->min_counter ? SIMTIE_OLD_COUNTER : SIMTIE_ACCEPTED;
}
