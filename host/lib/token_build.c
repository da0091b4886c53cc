/* Writing a token, byte for byte as the card does. */
#include "token.h"

#include <cbor/encoding.h>

/* Where libcbor's encoders write to; each says 0 when its item does not fit. */
struct output {
	uint8_t *at;
	size_t left;
	bool full;
};

static void put(struct output *out, size_t written)
{
	out->full |= written == 0;
	out->at += written;
	out->left -= written;
}

static void put_int(struct output *out, int64_t value)
{
	if (value < 0)
		put(out, cbor_encode_negint((uint64_t)(-1 - value), out->at, out->left));
	else
		put(out, cbor_encode_uint((uint64_t)value, out->at, out->left));
}

static void put_array(struct output *out, size_t count)
{
	put(out, cbor_encode_array_start(count, out->at, out->left));
}

static void put_map(struct output *out, size_t count)
{
	put(out, cbor_encode_map_start(count, out->at, out->left));
}

/* Bytes as they are, without a head. */
static void put_raw(struct output *out, struct bytes raw)
{
	if (raw.len > out->left) {
		out->full = true;
		return;
	}
	if (raw.len)
		memcpy(out->at, raw.ptr, raw.len);
	out->at += raw.len;
	out->left -= raw.len;
}

static void put_bytes(struct output *out, const uint8_t *ptr, size_t len)
{
	put(out, cbor_encode_bytestring_start(len, out->at, out->left));
	put_raw(out, bytes_of(ptr, len));
}

static void put_text(struct output *out, const char *text)
{
	size_t len = strlen(text);

	put(out, cbor_encode_string_start(len, out->at, out->left));
	put_raw(out, bytes_of((const uint8_t *)text, len));
}

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
static void put_claims(struct output *out, const struct simtie_claims *claims)
{
	put_map(out, CLAIMS_REQUIRED + (claims->has_thumbprint ? 1 : 0));
	put_int(out, CLAIM_AUDIENCE);
	put_text(out, claims->audience);
	if (claims->has_thumbprint) {
		put_int(out, CLAIM_CONFIRMATION);
		put_map(out, 1);
		put_int(out, COSE_KEY_THUMBPRINT);
		put_bytes(out, claims->thumbprint, sizeof(claims->thumbprint));
	}
	put_int(out, CLAIM_NONCE);
	put_bytes(out, claims->nonce, claims->nonce_len);
	put_int(out, CLAIM_DEBUG_STATUS);
	put_int(out, claims->debug_status);
	put_int(out, CLAIM_PROFILE);
	put_text(out, SIMTIE_PROFILE);
	put_int(out, CLAIM_PURPOSE);
	put_int(out, claims->purpose);
	put_int(out, CLAIM_SEALED_COUNTER);
	put_bytes(out, claims->sealed_counter, sizeof(claims->sealed_counter));
	put_int(out, CLAIM_CONSENT);
	put_int(out, claims->consent);
}

size_t simtie_token_protected(uint8_t out[static SIMTIE_PROTECTED_MAX])
{
	struct output to = {out, SIMTIE_PROTECTED_MAX, false};

	put_map(&to, 2);
	put_int(&to, COSE_HEADER_ALG);
	put_int(&to, COSE_ALG_ES256);
	put_int(&to, COSE_HEADER_TYP);
	put_int(&to, COSE_TYP_EAT_CWT);
	return (size_t)(to.at - out);
}

bool simtie_token_build(const struct simtie_claims *claims, uint8_t token[SIMTIE_TOKEN_MAX],
			size_t *len)
{
	struct output to = {token, SIMTIE_TOKEN_MAX, false};
	uint8_t protected_header[SIMTIE_PROTECTED_MAX];
	uint8_t payload[SIMTIE_TOKEN_MAX];
	struct output inner = {payload, sizeof(payload), false};

	if (!simtie_claims_valid(claims))
		return false;
	put_claims(&inner, claims);
	put(&to, cbor_encode_tag(COSE_TAG, to.at, to.left));
	put_array(&to, 4);
	put_bytes(&to, protected_header, simtie_token_protected(protected_header));
	put_map(&to, 0);
	put_bytes(&to, payload, (size_t)(inner.at - payload));
	put_bytes(&to, claims->signature, sizeof(claims->signature));
	*len = (size_t)(to.at - token);
	return !inner.full && !to.full;
}

size_t simtie_token_signed(const struct simtie_token_parts *parts,
			   uint8_t out[static SIMTIE_SIGNED_MAX])
{
	struct output to = {out, SIMTIE_SIGNED_MAX, false};

	put_array(&to, 4);
	put_text(&to, COSE_SIGN1_CONTEXT);
	put_raw(&to, parts->protected_header);
	put_bytes(&to, NULL, 0); /* external_aad */
	put_raw(&to, parts->payload);
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
