#include "token_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

/* Card, service key, nonce and sealed counter are those of the worked example public-0. */
#define DEVICE_PUBLIC                                                                              \
	"04 D74D4BD9549F5F9BF059DE84F4D12D4EEBCE5F6C4CC04DF88C58B72DE8EBE490"                      \
	"719A1A81398027B7EE930B83946F910AA5CDDA92AB42689EA7529087B04A14C9"
#define CHAIN_CODE      "7ADE73B1392A58349A7D8A5C74D626E86B91743EA6820D9B9FBE7DAA8DC3486F"
#define SERVICE_PRIVATE "293BF20B780B395696B88F487F274657FDFC13E8575AC336C1F57A43D2694B31"
#define NONCE           "2E1310F784BE4892174916366262A5D9"
#define SEALED_COUNTER  "E9C66645970BA26E"
#define THUMBPRINT      "A5*32"

static int digit(char c)
{
	const char *digits = "0123456789ABCDEF";
	const char *at = c ? strchr(digits, c >= 'a' ? c - 'a' + 'A' : c) : NULL;

	assert_non_null(at);
	return (int)(at - digits);
}

size_t token_fixture_bytes(const char *text, uint8_t *out, size_t size)
{
	size_t len = 0;

	while (*text) {
		if (*text == ' ') {
			text++;
		} else if (*text == '\'') {
			for (text++; *text != '\''; text++) {
				assert_true(len < size && *text);
				out[len++] = (uint8_t)*text;
			}
			text++;
		} else if (*text == '*') {
			unsigned long count = strtoul(text + 1, (char **)&text, 10);

			assert_true(len > 0 && count > 0 && len + count - 1 <= size);
			memset(out + len, out[len - 1], count - 1);
			len += count - 1;
		} else {
			assert_true(len < size);
			out[len++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
			text += 2;
		}
	}
	return len;
}

static size_t fixed(const char *text, uint8_t *out, size_t size)
{
	assert_int_equal(token_fixture_bytes(text, out, size), size);
	return size;
}

const struct simtie_card_key *token_fixture_card(void)
{
	static struct simtie_card_key card;

	fixed(DEVICE_PUBLIC, card.device_public, sizeof(card.device_public));
	fixed(CHAIN_CODE, card.chain_code, sizeof(card.chain_code));
	return &card;
}

const uint8_t *token_fixture_service_public(void)
{
	static uint8_t point[SIMTIE_POINT_SIZE];

	fixed("04 5B0857DDEC62440E1B0D82465ED93E768279ABCCE1ED538C837F1B6E870D3D07"
	      "0A05D8BDE421B0E4638EF895B6F4AC54F13774BEDDFCE18792B6ABC0BBBBBAD2",
	      point, sizeof(point));
	return point;
}

struct simtie_policy token_fixture_policy(void)
{
	static uint8_t nonce[16], thumbprint[SIMTIE_THUMBPRINT_SIZE];

	fixed(NONCE, nonce, sizeof(nonce));
	fixed(THUMBPRINT, thumbprint, sizeof(thumbprint));
	return (struct simtie_policy){
		.audience = FIXTURE_AUDIENCE,
		.nonce = nonce,
		.nonce_len = sizeof(nonce),
		.thumbprint = thumbprint,
		.min_counter = FIXTURE_COUNTER,
	};
}

struct token_recipe token_fixture_good(void)
{
	return (struct token_recipe){{
		[SLOT_PREFIX] = "D2 84",
		[SLOT_PROTECTED_HEAD] = "",
		[SLOT_PROTECTED] = "A2 01 26 10 190107",
		[SLOT_UNPROTECTED] = "A0",
		[SLOT_PAYLOAD_HEAD] = "",
		[SLOT_MAP] = "",
		[SLOT_AUDIENCE] = "03 6C '" FIXTURE_AUDIENCE "'",
		[SLOT_CONFIRMATION] = "08 A1 05 5820 " THUMBPRINT,
		[SLOT_NONCE] = "0A 50 " NONCE,
		[SLOT_DEBUG_STATUS] = "190107 03",
		[SLOT_PROFILE] = "190109 6E 'urn:x-simtie:1'",
		[SLOT_PURPOSE] = "190113 02",
		[SLOT_PURPOSE_AGAIN] = "",
		[SLOT_COUNTER] = "3A00011170 48 " SEALED_COUNTER,
		[SLOT_CONSENT] = "3A00011171 01",
		[SLOT_UNKNOWN] = "",
		[SLOT_SIGNATURE] = "",
		[SLOT_SUFFIX] = "",
	}};
}

void token_fixture_change(struct token_recipe *recipe, const struct token_change *changes)
{
	for (; changes->text; changes++)
		recipe->slot[changes->slot] = changes->text;
}

static void append(struct token_fixture *to, const char *text)
{
	to->len += token_fixture_bytes(text, to->bytes + to->len, sizeof(to->bytes) - to->len);
}

/* Appends `body` as a byte string, under `head` or the shortest one. */
static void append_wrapped(struct token_fixture *to, const char *head,
			   const struct token_fixture *body)
{
	assert_true(body->len < 65536 && to->len + body->len + 3 <= sizeof(to->bytes));
	if (*head) {
		append(to, head);
	} else if (body->len < 24) {
		to->bytes[to->len++] = (uint8_t)(0x40 | body->len);
	} else if (body->len < 256) {
		to->bytes[to->len++] = 0x58;
		to->bytes[to->len++] = (uint8_t)body->len;
	} else {
		to->bytes[to->len++] = 0x59;
		to->bytes[to->len++] = (uint8_t)(body->len >> 8);
		to->bytes[to->len++] = (uint8_t)body->len;
	}
	memcpy(to->bytes + to->len, body->bytes, body->len);
	to->len += body->len;
}

void token_fixture_sign(const uint8_t d[static 32], const uint8_t point[static SIMTIE_POINT_SIZE],
			const uint8_t digest[static 32],
			uint8_t signature[static SIMTIE_SIGNATURE_SIZE])
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *scalar = BN_bin2bn(d, 32, NULL);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;
	uint8_t der[80];
	const uint8_t *at = der;
	size_t len = sizeof(der);
	ECDSA_SIG *sig;

	OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar);
	OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, SIMTIE_POINT_SIZE);
	params = OSSL_PARAM_BLD_to_param(build);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(ctx);
	ctx = EVP_PKEY_CTX_new(key, NULL);
	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, der, &len, digest, 32), 1);
	sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32), 32);
	ECDSA_SIG_free(sig);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	BN_free(scalar);
	OSSL_PARAM_BLD_free(build);
}

/* Signs the parts as they will stand in the token, wrong ones too. */
static void append_signature(struct token_fixture *token, const char *protected_head,
			     const struct token_fixture *protected_header, const char *payload_head,
			     const struct token_fixture *payload)
{
	struct token_fixture message = {.len = 0};
	uint8_t d[32], digest[32], signature[SIMTIE_SIGNATURE_SIZE];

	append(&message, "84 6A 'Signature1'");
	append_wrapped(&message, protected_head, protected_header);
	append(&message, "40");
	append_wrapped(&message, payload_head, payload);
	fixed(SERVICE_PRIVATE, d, sizeof(d));
	assert_int_equal(EVP_Digest(message.bytes, message.len, digest, NULL, EVP_sha256(), NULL),
			 1);
	token_fixture_sign(d, token_fixture_service_public(), digest, signature);
	append(token, "5840");
	memcpy(token->bytes + token->len, signature, sizeof(signature));
	token->len += sizeof(signature);
}

void token_fixture_cook(const struct token_recipe *recipe, struct token_fixture *token)
{
	const char *const *slot = recipe->slot;
	struct token_fixture protected_header = {.len = 0}, payload = {.len = 0};

	append(&protected_header, slot[SLOT_PROTECTED]);
	payload.bytes[payload.len++] = 0xA0;
	for (int i = SLOT_AUDIENCE; i <= SLOT_UNKNOWN; i++)
		payload.bytes[0] += *slot[i] ? 1 : 0;
	if (*slot[SLOT_MAP])
		payload.len = token_fixture_bytes(slot[SLOT_MAP], payload.bytes, 64);
	for (int i = SLOT_AUDIENCE; i <= SLOT_UNKNOWN; i++)
		append(&payload, slot[i]);

	token->len = 0;
	append(token, slot[SLOT_PREFIX]);
	append_wrapped(token, slot[SLOT_PROTECTED_HEAD], &protected_header);
	append(token, slot[SLOT_UNPROTECTED]);
	append_wrapped(token, slot[SLOT_PAYLOAD_HEAD], &payload);
	if (*slot[SLOT_SIGNATURE])
		append(token, slot[SLOT_SIGNATURE]);
	else
		append_signature(token, slot[SLOT_PROTECTED_HEAD], &protected_header,
				 slot[SLOT_PAYLOAD_HEAD], &payload);
	append(token, slot[SLOT_SUFFIX]);
}

enum simtie_refusal token_fixture_parse(const uint8_t *token, size_t len,
					struct simtie_claims *claims)
{
	uint8_t *exact = malloc(len ? len : 1);
	enum simtie_refusal refusal;

	assert_non_null(exact);
	memcpy(exact, token, len);
	refusal = simtie_token_parse(exact, len, claims);
	free(exact);
	return refusal;
}

enum simtie_refusal token_fixture_verify(const struct simtie_policy *policy, const uint8_t *token,
					 size_t len)
{
	const struct simtie_verify_key key = {.card = token_fixture_card()};
	uint8_t *exact = malloc(len ? len : 1);
	enum simtie_refusal refusal;

	assert_non_null(exact);
	memcpy(exact, token, len);
	refusal =
		simtie_token_verify(simtie_crypto_openssl(), &key, policy, exact, len, NULL, NULL);
	free(exact);
	return refusal;
}
