/* Writing a token, byte for byte as the card does. */
#include "token.h"

bool simtie_claims_valid(const struct simtie_claims *claims)
{
	size_t len = strnlen(claims->audience, sizeof(claims->audience));

	return simtie_audience_valid(bytes_of((const uint8_t *)claims->audience, len)) &&
	       claims->nonce_len >= SIMTIE_NONCE_MIN && claims->nonce_len <= SIMTIE_NONCE_MAX &&
	       claims->debug_status <= SIMTIE_DEBUG_STATUS_DISABLED_FULLY &&
	       claims->purpose >= SIMTIE_PURPOSE_GENERIC &&
	       claims->purpose <= SIMTIE_PURPOSE_PROVISIONING &&
	       claims->consent <= SIMTIE_CONSENT_TERMINAL;
}

/* The claims set, keys in the order of deterministic CBOR. */
static void put_claims(struct simtie_cbor_output *out, const struct simtie_claims *claims)
{
	simtie_cbor_put_map(out, CLAIMS_REQUIRED + (claims->has_thumbprint ? 1 : 0));
	simtie_cbor_put_int(out, CLAIM_AUDIENCE);
	simtie_cbor_put_text(out, claims->audience);
	if (claims->has_thumbprint) {
		simtie_cbor_put_int(out, CLAIM_CONFIRMATION);
		simtie_cbor_put_map(out, 1);
		simtie_cbor_put_int(out, COSE_KEY_THUMBPRINT);
		simtie_cbor_put_bytes(out, claims->thumbprint, sizeof(claims->thumbprint));
	}
	simtie_cbor_put_int(out, CLAIM_NONCE);
	simtie_cbor_put_bytes(out, claims->nonce, claims->nonce_len);
	simtie_cbor_put_int(out, CLAIM_DEBUG_STATUS);
	simtie_cbor_put_int(out, claims->debug_status);
	simtie_cbor_put_int(out, CLAIM_PROFILE);
	simtie_cbor_put_text(out, SIMTIE_PROFILE);
	simtie_cbor_put_int(out, CLAIM_PURPOSE);
	simtie_cbor_put_int(out, claims->purpose);
	simtie_cbor_put_int(out, CLAIM_SEALED_COUNTER);
	simtie_cbor_put_bytes(out, claims->sealed_counter, sizeof(claims->sealed_counter));
	simtie_cbor_put_int(out, CLAIM_CONSENT);
	simtie_cbor_put_int(out, claims->consent);
}

size_t simtie_token_protected(uint8_t out[static SIMTIE_PROTECTED_MAX])
{
	struct simtie_cbor_output to = {out, SIMTIE_PROTECTED_MAX, false};

	simtie_cbor_put_map(&to, 2);
	simtie_cbor_put_int(&to, COSE_HEADER_ALG);
	simtie_cbor_put_int(&to, COSE_ALG_ES256);
	simtie_cbor_put_int(&to, COSE_HEADER_TYP);
	simtie_cbor_put_int(&to, COSE_TYP_EAT_CWT);
	return (size_t)(to.at - out);
}

bool simtie_token_build(const struct simtie_claims *claims, uint8_t token[SIMTIE_TOKEN_MAX],
			size_t *len)
{
	struct simtie_cbor_output to = {token, SIMTIE_TOKEN_MAX, false};
	uint8_t protected_header[SIMTIE_PROTECTED_MAX];
	uint8_t payload[SIMTIE_TOKEN_MAX];
	struct simtie_cbor_output inner = {payload, sizeof(payload), false};

	if (!simtie_claims_valid(claims))
		return false;
	put_claims(&inner, claims);
	simtie_cbor_put_tag(&to, COSE_TAG);
	simtie_cbor_put_array(&to, 4);
	simtie_cbor_put_bytes(&to, protected_header, simtie_token_protected(protected_header));
	simtie_cbor_put_map(&to, 0);
	simtie_cbor_put_bytes(&to, payload, (size_t)(inner.at - payload));
	simtie_cbor_put_bytes(&to, claims->signature, sizeof(claims->signature));
	*len = (size_t)(to.at - token);
	return !inner.full && !to.full;
}

size_t simtie_token_signed(const struct simtie_token_parts *parts,
			   uint8_t out[static SIMTIE_SIGNED_MAX])
{
	struct simtie_cbor_output to = {out, SIMTIE_SIGNED_MAX, false};

	simtie_cbor_put_array(&to, 4);
	simtie_cbor_put_text(&to, COSE_SIGN1_CONTEXT);
	simtie_cbor_put_raw(&to, parts->protected_header);
	simtie_cbor_put_bytes(&to, NULL, 0); /* external_aad */
	simtie_cbor_put_raw(&to, parts->payload);
	return to.full ? 0 : (size_t)(to.at - out);
}

bool simtie_token_from_compact(const struct simtie_challenge *challenge,
			       const uint8_t compact[static SIMTIE_COMPACT_SIZE],
			       struct simtie_claims *claims)
{
	size_t audience_len = strlen(challenge->audience);
	uint8_t states = compact[SIMTIE_SEALED_COUNTER_SIZE];

	memset(claims, 0, sizeof(*claims));
	if (audience_len > SIMTIE_AUDIENCE_MAX || challenge->nonce_len > SIMTIE_NONCE_MAX)
		return false;
	memcpy(claims->audience, challenge->audience, audience_len);
	memcpy(claims->nonce, challenge->nonce, challenge->nonce_len);
	claims->nonce_len = challenge->nonce_len;
	claims->has_thumbprint = challenge->thumbprint != NULL;
	if (claims->has_thumbprint)
		memcpy(claims->thumbprint, challenge->thumbprint, sizeof(claims->thumbprint));
	claims->purpose = challenge->purpose ? challenge->purpose : SIMTIE_PURPOSE_REGISTRATION;
	memcpy(claims->sealed_counter, compact, SIMTIE_SEALED_COUNTER_SIZE);
	claims->debug_status = states >> 4;
	claims->consent = states & 0x0F;
	memcpy(claims->signature, compact + SIMTIE_SEALED_COUNTER_SIZE + 1, SIMTIE_SIGNATURE_SIZE);
	return simtie_claims_valid(claims);
}
