/*
 * Reading a token, most structural fault first: the order is that of SIMTIE_REFUSALS. Two faults at
 * once get the earlier name, wherever in the token they stand.
 */
#include "token.h"

#define NIL 0xF6 /* RFC 8949 §3.3 */

/* The claims by their place in the profile's order. */
enum claim_index {
#define CLAIM_INDEX(name, key, text) AT_##name,
	CLAIMS(CLAIM_INDEX)
#undef CLAIM_INDEX
		CLAIM_COUNT
};

/* Encoded values, borrowed from the token; ptr is NULL when the claim is not there. */
struct claim_values {
	struct bytes at[CLAIM_COUNT];
};

/* One of the four parts of a COSE_Sign1. */
struct part {
	struct simtie_cbor_item head;
	struct bytes whole;
};

enum part_index { PART_PROTECTED, PART_UNPROTECTED, PART_PAYLOAD, PART_SIGNATURE, PART_COUNT };

static bool part_fits(enum part_index index, const struct simtie_cbor_item *head)
{
	switch (index) {
	case PART_PROTECTED:
	case PART_SIGNATURE:
		return head->kind == CBOR_KIND_BYTES;
	case PART_UNPROTECTED:
		return head->kind == CBOR_KIND_MAP;
	case PART_PAYLOAD: /* nil is a detached payload (RFC 9052 §4.1): a COSE_Sign1 all the same
			    */
		return head->kind == CBOR_KIND_BYTES || head->initial == NIL;
	case PART_COUNT:
		break;
	}
	return false;
}

/* Splits a token, known to be one item, into its parts. False: it is no tagged COSE_Sign1. */
static bool sign1_split(struct bytes token, struct part parts[static PART_COUNT])
{
	struct simtie_cbor_item tag, array;
	bool deterministic;

	if (!simtie_cbor_head(&token, &tag) || tag.kind != CBOR_KIND_TAG ||
	    tag.argument != COSE_TAG)
		return false;
	if (!simtie_cbor_head(&token, &array) || array.kind != CBOR_KIND_ARRAY)
		return false;
	for (int i = 0; i < PART_COUNT; i++) {
		struct bytes at = token;

		if (!simtie_cbor_item(&token, &parts[i].whole, &deterministic) ||
		    !simtie_cbor_head(&at, &parts[i].head) ||
		    !part_fits((enum part_index)i, &parts[i].head))
			return false;
	}
	return array.indefinite ? token.len == 1 : array.argument == PART_COUNT;
}

/* Whether a byte string holds one CBOR item and nothing more. */
static bool wraps_item(struct bytes content, bool *deterministic)
{
	struct bytes whole;

	return simtie_cbor_item(&content, &whole, deterministic) && content.len == 0;
}

/* Place of an encoded key; CLAIM_COUNT when the profile does not know it. */
static enum claim_index claim_find(struct bytes key)
{
	static const int64_t keys[CLAIM_COUNT] = {
#define CLAIM_KEY(name, key, text) key,
		CLAIMS(CLAIM_KEY)
#undef CLAIM_KEY
	};
	struct simtie_cbor_item item;
	int i;

	if (!simtie_cbor_head(&key, &item))
		return CLAIM_COUNT;
	for (i = 0; i < CLAIM_COUNT; i++) {
		bool negative = keys[i] < 0;

		if (item.kind == (negative ? CBOR_KIND_NEGINT : CBOR_KIND_UINT) &&
		    item.argument == (uint64_t)(negative ? -1 - keys[i] : keys[i]))
			break;
	}
	return (enum claim_index)i;
}

/* Finds the value of each claim. `payload` is one item, deterministic. */
static enum simtie_refusal claims_find(struct bytes payload, struct claim_values *values)
{
	struct simtie_cbor_item map;
	bool deterministic, unknown = false, twice = false, missing = false;

	if (!simtie_cbor_head(&payload, &map) || map.kind != CBOR_KIND_MAP)
		return SIMTIE_NOT_CLAIMS;
	for (uint64_t i = 0; i < map.argument; i++) {
		struct bytes key, value;
		enum claim_index index;

		if (!simtie_cbor_item(&payload, &key, &deterministic) ||
		    !simtie_cbor_item(&payload, &value, &deterministic))
			return SIMTIE_NOT_CLAIMS;
		index = claim_find(key);
		if (index == CLAIM_COUNT) {
			unknown = true;
			continue;
		}
		twice |= values->at[index].ptr != NULL;
		values->at[index] = value;
	}
	for (int i = 0; i < CLAIM_COUNT; i++)
		missing |= i != AT_CONFIRMATION && !values->at[i].ptr;
	if (unknown)
		return SIMTIE_UNKNOWN_CLAIM;
	if (twice)
		return SIMTIE_DUPLICATE_CLAIM;
	return missing ? SIMTIE_MISSING_CLAIM : SIMTIE_ACCEPTED;
}

/* A string of `kind` and at most `max` bytes. */
static bool read_string(struct bytes value, enum simtie_cbor_kind kind, size_t max, void *out,
			size_t *len)
{
	struct simtie_cbor_item item;

	if (!simtie_cbor_head(&value, &item) || item.kind != kind || item.content.len > max)
		return false;
	memcpy(out, item.content.ptr, item.content.len);
	*len = item.content.len;
	return true;
}

static bool read_fixed(struct bytes value, uint8_t *out, size_t size)
{
	size_t len;

	return read_string(value, CBOR_KIND_BYTES, size, out, &len) && len == size;
}

static bool read_byte(struct bytes value, uint8_t *out)
{
	struct simtie_cbor_item item;

	if (!simtie_cbor_head(&value, &item) || item.kind != CBOR_KIND_UINT ||
	    item.argument > UINT8_MAX)
		return false;
	*out = (uint8_t)item.argument;
	return true;
}

/* {5: thumbprint} and nothing more. */
static bool read_confirmation(struct bytes value, uint8_t thumbprint[static SIMTIE_THUMBPRINT_SIZE])
{
	struct simtie_cbor_item map, key;

	return simtie_cbor_head(&value, &map) && map.kind == CBOR_KIND_MAP && map.argument == 1 &&
	       simtie_cbor_head(&value, &key) && key.kind == CBOR_KIND_UINT &&
	       key.argument == COSE_KEY_THUMBPRINT &&
	       read_fixed(value, thumbprint, SIMTIE_THUMBPRINT_SIZE);
}

/* Fills in the claims. False: one of them has the wrong type, length or range. */
static bool claims_read(const struct claim_values *values, struct simtie_claims *claims,
			struct bytes *profile)
{
	const struct bytes *at = values->at;
	struct bytes profile_value = at[AT_PROFILE];
	struct simtie_cbor_item item;
	size_t audience_len;

	if (!read_string(at[AT_AUDIENCE], CBOR_KIND_TEXT, SIMTIE_AUDIENCE_MAX, claims->audience,
			 &audience_len))
		return false;
	claims->has_thumbprint = at[AT_CONFIRMATION].ptr != NULL;
	if (claims->has_thumbprint && !read_confirmation(at[AT_CONFIRMATION], claims->thumbprint))
		return false;
	if (!simtie_cbor_head(&profile_value, &item) || item.kind != CBOR_KIND_TEXT ||
	    !simtie_utf8_valid(item.content))
		return false;
	*profile = item.content;
	return read_string(at[AT_NONCE], CBOR_KIND_BYTES, sizeof(claims->nonce), claims->nonce,
			   &claims->nonce_len) &&
	       read_byte(at[AT_DEBUG_STATUS], &claims->debug_status) &&
	       read_byte(at[AT_PURPOSE], &claims->purpose) &&
	       read_fixed(at[AT_SEALED_COUNTER], claims->sealed_counter,
			  sizeof(claims->sealed_counter)) &&
	       read_byte(at[AT_CONSENT], &claims->consent) &&
	       /* a NUL within the audience must not shorten it */
	       strlen(claims->audience) == audience_len && simtie_claims_valid(claims);
}

/* The last word on determinism, whatever a later libcbor may read: what is accepted is what
 * simtie_token_build() writes. */
static bool rebuilds(struct bytes token, const struct simtie_claims *claims)
{
	uint8_t rebuilt[SIMTIE_TOKEN_MAX];
	size_t len;

	return simtie_token_build(claims, rebuilt, &len) &&
	       bytes_equal(token, bytes_of(rebuilt, len));
}

enum simtie_refusal simtie_token_split(struct bytes token, struct simtie_claims *claims,
				       struct simtie_token_parts *out)
{
	struct bytes rest = token, whole, profile;
	struct part parts[PART_COUNT];
	struct claim_values values = {0};
	uint8_t header[SIMTIE_PROTECTED_MAX];
	size_t header_len = simtie_token_protected(header);
	bool deterministic = true, payload_fits;
	enum simtie_refusal refusal;

	memset(claims, 0, sizeof(*claims));
	if (token.len == 0 || token.len > SIMTIE_TOKEN_MAX)
		return SIMTIE_TOO_LARGE;
	if (!simtie_cbor_item(&rest, &whole, &deterministic))
		return SIMTIE_NOT_CBOR;
	if (rest.len)
		return SIMTIE_TRAILING_BYTES;
	if (!sign1_split(token, parts))
		return SIMTIE_NOT_SIGN1;
	wraps_item(parts[PART_PROTECTED].head.content, &deterministic);
	payload_fits = wraps_item(parts[PART_PAYLOAD].head.content, &deterministic);
	if (!deterministic)
		return SIMTIE_NOT_DETERMINISTIC;
	if (!bytes_equal(parts[PART_PROTECTED].head.content, bytes_of(header, header_len)))
		return SIMTIE_WRONG_HEADER;
	if (parts[PART_UNPROTECTED].head.argument != 0)
		return SIMTIE_UNPROTECTED_HEADER;
	if (!payload_fits)
		return SIMTIE_NOT_CLAIMS;
	refusal = claims_find(parts[PART_PAYLOAD].head.content, &values);
	if (refusal != SIMTIE_ACCEPTED)
		return refusal;
	if (!claims_read(&values, claims, &profile))
		return SIMTIE_MALFORMED_CLAIM;
	if (!read_fixed(parts[PART_SIGNATURE].whole, claims->signature, sizeof(claims->signature)))
		return SIMTIE_MALFORMED_SIGNATURE;
	if (!bytes_equal(profile,
			 bytes_of((const uint8_t *)SIMTIE_PROFILE, strlen(SIMTIE_PROFILE))))
		return SIMTIE_WRONG_PROFILE;
	if (!rebuilds(token, claims))
		return SIMTIE_NOT_DETERMINISTIC;
	out->protected_header = parts[PART_PROTECTED].whole;
	out->payload = parts[PART_PAYLOAD].whole;
	return SIMTIE_ACCEPTED;
}

enum simtie_refusal simtie_token_parse(const uint8_t *token, size_t len,
				       struct simtie_claims *claims)
{
	struct simtie_token_parts parts;

	return simtie_token_split(bytes_of(token, len), claims, &parts);
}
