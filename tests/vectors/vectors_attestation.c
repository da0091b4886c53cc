/* The worked examples of the attestation: read, built, rebuilt from the compact answer, verified.
 */
#include "check_vectors.h"

/* One example, out of its JSON. */
struct example {
	const char *name;
	const char *audience;
	struct simtie_card_key card;
	uint8_t service_public[SIMTIE_POINT_SIZE];
	uint8_t nonce[SIMTIE_NONCE_MAX];
	size_t nonce_len;
	uint8_t thumbprint[SIMTIE_THUMBPRINT_SIZE];
	size_t thumbprint_len; /* 0: none */
	uint8_t purpose, consent, debug_status;
	uint32_t counter;
	uint8_t sealed_counter[SIMTIE_SEALED_COUNTER_SIZE];
	uint8_t signature[SIMTIE_SIGNATURE_SIZE];
	uint8_t token[SIMTIE_TOKEN_MAX];
	size_t token_len;
	uint8_t compact[SIMTIE_COMPACT_SIZE];
};

static json_int_t number(const json_t *json, const char *name)
{
	return json_integer_value(json_object_get(json, name));
}

static bool example_read(const json_t *json, struct example *example)
{
	memset(example, 0, sizeof(*example));
	example->name = json_text(json, "name");
	example->audience = json_text(json, "audience");
	example->purpose = (uint8_t)number(json, "purpose");
	example->consent = (uint8_t)number(json, "consent");
	example->debug_status = (uint8_t)number(json, "debug_status");
	example->counter = (uint32_t)number(json, "counter");
	return json_hex_fixed(json, "device_public_key", example->card.device_public,
			      SIMTIE_POINT_SIZE) &&
	       json_hex_fixed(json, "chain_code", example->card.chain_code,
			      SIMTIE_CHAIN_CODE_SIZE) &&
	       json_hex_fixed(json, "service_public_key", example->service_public,
			      SIMTIE_POINT_SIZE) &&
	       json_hex(json, "nonce", example->nonce, SIMTIE_NONCE_MAX, &example->nonce_len) &&
	       json_hex(json, "confirmation_key_thumbprint", example->thumbprint,
			SIMTIE_THUMBPRINT_SIZE, &example->thumbprint_len) &&
	       json_hex_fixed(json, "sealed_counter", example->sealed_counter,
			      SIMTIE_SEALED_COUNTER_SIZE) &&
	       json_hex_fixed(json, "signature", example->signature, SIMTIE_SIGNATURE_SIZE) &&
	       json_hex(json, "token", example->token, SIMTIE_TOKEN_MAX, &example->token_len) &&
	       json_hex_fixed(json, "compact", example->compact, SIMTIE_COMPACT_SIZE);
}

static bool reads(const struct example *example)
{
	struct simtie_claims claims;

	return simtie_token_parse(example->token, example->token_len, &claims) == SIMTIE_ACCEPTED &&
	       strcmp(claims.audience, example->audience) == 0 &&
	       bytes_equal(bytes_of(claims.nonce, claims.nonce_len),
			   bytes_of(example->nonce, example->nonce_len)) &&
	       claims.has_thumbprint == (example->thumbprint_len != 0) &&
	       memcmp(claims.thumbprint, example->thumbprint, example->thumbprint_len) == 0 &&
	       claims.purpose == example->purpose && claims.consent == example->consent &&
	       claims.debug_status == example->debug_status &&
	       memcmp(claims.sealed_counter, example->sealed_counter, SIMTIE_SEALED_COUNTER_SIZE) ==
		       0 &&
	       memcmp(claims.signature, example->signature, SIMTIE_SIGNATURE_SIZE) == 0;
}

static bool builds(const struct example *example, const struct simtie_claims *claims)
{
	uint8_t built[SIMTIE_TOKEN_MAX];
	size_t len;

	return simtie_token_build(claims, built, &len) &&
	       bytes_equal(bytes_of(built, len), bytes_of(example->token, example->token_len));
}

static bool builds_from_claims(const struct example *example)
{
	struct simtie_claims claims = {
		.nonce_len = example->nonce_len,
		.has_thumbprint = example->thumbprint_len != 0,
		.debug_status = example->debug_status,
		.purpose = example->purpose,
		.consent = example->consent,
	};

	if (strlen(example->audience) > SIMTIE_AUDIENCE_MAX)
		return false;
	strcpy(claims.audience, example->audience);
	memcpy(claims.nonce, example->nonce, sizeof(claims.nonce));
	memcpy(claims.thumbprint, example->thumbprint, sizeof(claims.thumbprint));
	memcpy(claims.sealed_counter, example->sealed_counter, sizeof(claims.sealed_counter));
	memcpy(claims.signature, example->signature, sizeof(claims.signature));
	return builds(example, &claims);
}

static bool builds_from_compact(const struct example *example)
{
	const struct simtie_challenge challenge = {
		.audience = example->audience,
		.nonce = example->nonce,
		.nonce_len = example->nonce_len,
		.thumbprint = example->thumbprint_len ? example->thumbprint : NULL,
		.purpose = example->purpose,
	};
	struct simtie_claims claims;

	return simtie_token_from_compact(&challenge, example->compact, &claims) &&
	       builds(example, &claims);
}

static struct simtie_policy policy_for(const struct example *example)
{
	return (struct simtie_policy){
		.audience = example->audience,
		.nonce = example->nonce,
		.nonce_len = example->nonce_len,
		.thumbprint = example->thumbprint_len ? example->thumbprint : NULL,
		.purpose = example->purpose,
		.allow_no_consent = true,
		.allow_virtual = true,
	};
}

/* Accepted with the counter that was sealed, up to that counter and no further. */
static bool verifies(const struct simtie_crypto *crypto, const struct example *example)
{
	const struct simtie_verify_key key = {.card = &example->card};
	struct simtie_policy policy = policy_for(example);
	uint8_t service_public[SIMTIE_POINT_SIZE];
	uint32_t counter;

	if (!simtie_service_key(crypto, &example->card, example->audience, service_public) ||
	    memcmp(service_public, example->service_public, sizeof(service_public)) != 0)
		return false;
	policy.min_counter = example->counter;
	if (simtie_token_verify(crypto, &key, &policy, example->token, example->token_len, NULL,
				&counter) != SIMTIE_ACCEPTED ||
	    counter != example->counter)
		return false;
	policy.min_counter++;
	return simtie_token_verify(crypto, &key, &policy, example->token, example->token_len, NULL,
				   NULL) == SIMTIE_OLD_COUNTER;
}

/* No token that differs in one bit passes, whatever the bit. */
static bool refuses_flips(const struct example *example)
{
	const struct simtie_verify_key key = {&example->card, example->service_public};
	const struct simtie_policy policy = policy_for(example);
	uint8_t token[SIMTIE_TOKEN_MAX];

	memcpy(token, example->token, example->token_len);
	for (size_t bit = 0; bit < 8 * example->token_len; bit++) {
		enum simtie_refusal refusal;

		token[bit / 8] ^= (uint8_t)(1u << bit % 8);
		refusal = simtie_token_verify(simtie_crypto_openssl(), &key, &policy, token,
					      example->token_len, NULL, NULL);
		token[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (refusal == SIMTIE_ACCEPTED || refusal == SIMTIE_INTERNAL_ERROR)
			return false;
	}
	return true;
}

void check_attestation(const char *file, const json_t *root)
{
	struct tally read = {.file = file, .what = "token read"};
	struct tally build = {.file = file, .what = "token built from claims"};
	struct tally compact = {.file = file, .what = "token built from the compact answer"};
	struct tally flips = {.file = file, .what = "token refused with any bit changed"};
	struct tally verify[ADAPTER_COUNT];
	struct example example;
	const json_t *json;
	size_t i;

	for (int k = 0; k < ADAPTER_COUNT; k++)
		verify[k] = (struct tally){.file = file, .what = adapter(k)->name};
	json_array_foreach(root, i, json)
	{
		bool complete = example_read(json, &example);

		tally_case(&read, complete && reads(&example), example.name);
		tally_case(&build, complete && builds_from_claims(&example), example.name);
		tally_case(&compact, complete && builds_from_compact(&example), example.name);
		for (int k = 0; k < ADAPTER_COUNT; k++)
			tally_case(&verify[k], complete && verifies(adapter(k), &example),
				   example.name);
		tally_case(&flips, complete && refuses_flips(&example), example.name);
	}
	tally_print(&read);
	tally_print(&build);
	tally_print(&compact);
	for (int k = 0; k < ADAPTER_COUNT; k++)
		tally_print(&verify[k]);
	tally_print(&flips);
}
