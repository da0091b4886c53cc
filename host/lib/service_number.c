/*
 * The sealed number. All of the message but five strings of fixed length is the same each time, so
 * that reading it is: the right length, take the strings, write it anew, and compare. What is
 * accepted is what is written here, byte for byte.
 */
#include "service_internal.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#define COSE_ENCRYPT_TAG      96 /* RFC 9052 §2 */
#define COSE_HEADER_KID       4
#define COSE_HEADER_IV        5
#define COSE_HEADER_EPHEMERAL (-1) /* RFC 9053 §6.3.1 */
#define COSE_KEY_KTY          1
#define COSE_KTY_EC2          2
#define COSE_KEY_CRV          (-1)
#define COSE_CRV_P256         1
#define COSE_KEY_X            (-2)
#define COSE_KEY_Y            (-3)

#define NUMBER_CONTEXT "simtie number/1"

#define IV_SIZE       12
#define TAG_SIZE      16
#define KEY_SIZE      32
#define PLAIN_SIZE    (SIMTIE_NUMBER_SIZE - 1)
#define CIPHER_SIZE   (PLAIN_SIZE + TAG_SIZE)
#define HALF_SIZE     ((SIMTIE_POINT_SIZE - 1) / 2) /* of a point: x, or y */
#define EXTERNAL_MAX  (sizeof(NUMBER_CONTEXT) + SIMTIE_AUDIENCE_MAX + SIMTIE_NONCE_MAX + 8)
#define STRUCTURE_MAX (EXTERNAL_MAX + 24)
#define PROTECTED_MAX 8

/* The strings that differ. */
struct message {
	uint8_t iv[IV_SIZE];
	uint8_t cipher[CIPHER_SIZE];
	uint8_t kid[SERVICE_KID_SIZE];
	uint8_t ephemeral[SIMTIE_POINT_SIZE];
};

bool simtie_number_valid(const char *number)
{
	size_t digits = number[0] == '+' ? strspn(number + 1, "0123456789") : 0;

	return digits >= 5 && digits <= 15 && number[1] != '0' && number[1 + digits] == '\0';
}

/* {1: alg}, without the head of the byte string that wraps it. */
static struct bytes protected_write(enum service_cose_alg alg, uint8_t out[static PROTECTED_MAX])
{
	struct simtie_cbor_output to = {out, PROTECTED_MAX, false};

	simtie_cbor_put_map(&to, 1);
	simtie_cbor_put_int(&to, COSE_HEADER_ALG);
	simtie_cbor_put_int(&to, alg);
	return bytes_of(out, (size_t)(to.at - out));
}

static void put_protected(struct simtie_cbor_output *out, enum service_cose_alg alg)
{
	uint8_t header[PROTECTED_MAX];
	struct bytes written = protected_write(alg, header);

	simtie_cbor_put_bytes(out, written.ptr, written.len);
}

/* The COSE_recipient (RFC 9052 §5.1). Direct agreement leaves its ciphertext empty. */
static void put_recipient(struct simtie_cbor_output *out, const struct message *message)
{
	simtie_cbor_put_array(out, 3);
	put_protected(out, COSE_ALG_ECDH_ES_HKDF_256);
	simtie_cbor_put_map(out, 2);
	simtie_cbor_put_int(out, COSE_HEADER_KID);
	simtie_cbor_put_bytes(out, message->kid, SERVICE_KID_SIZE);
	simtie_cbor_put_int(out, COSE_HEADER_EPHEMERAL);
	simtie_cbor_put_map(out, 4);
	simtie_cbor_put_int(out, COSE_KEY_KTY);
	simtie_cbor_put_int(out, COSE_KTY_EC2);
	simtie_cbor_put_int(out, COSE_KEY_CRV);
	simtie_cbor_put_int(out, COSE_CRV_P256);
	simtie_cbor_put_int(out, COSE_KEY_X);
	simtie_cbor_put_bytes(out, message->ephemeral + 1, HALF_SIZE);
	simtie_cbor_put_int(out, COSE_KEY_Y);
	simtie_cbor_put_bytes(out, message->ephemeral + 1 + HALF_SIZE, HALF_SIZE);
	simtie_cbor_put_bytes(out, NULL, 0);
}

static size_t message_write(const struct message *message,
			    uint8_t out[static SIMTIE_SEALED_NUMBER_MAX])
{
	struct simtie_cbor_output to = {out, SIMTIE_SEALED_NUMBER_MAX, false};

	simtie_cbor_put_tag(&to, COSE_ENCRYPT_TAG);
	simtie_cbor_put_array(&to, 4);
	put_protected(&to, COSE_ALG_A256GCM);
	simtie_cbor_put_map(&to, 1);
	simtie_cbor_put_int(&to, COSE_HEADER_IV);
	simtie_cbor_put_bytes(&to, message->iv, IV_SIZE);
	simtie_cbor_put_bytes(&to, message->cipher, CIPHER_SIZE);
	simtie_cbor_put_array(&to, 1);
	put_recipient(&to, message);
	return to.full ? 0 : (size_t)(to.at - out);
}

/* The content of the byte string that is the next item. False: there is no such. */
static bool take_string(struct bytes *in, uint8_t *out, size_t size)
{
	struct simtie_cbor_item item;

	if (!simtie_cbor_head(in, &item) || item.kind != CBOR_KIND_BYTES ||
	    item.content.len != size)
		return false;
	memcpy(out, item.content.ptr, size);
	return true;
}

/* Passes over `count` heads and the strings that they stand before. */
static bool skip(struct bytes *in, unsigned count)
{
	struct simtie_cbor_item item;

	while (count--)
		if (!simtie_cbor_head(in, &item))
			return false;
	return true;
}

static bool message_read(struct bytes in, struct message *message)
{
	uint8_t rebuilt[SIMTIE_SEALED_NUMBER_MAX];
	struct bytes rest = in;

	message->ephemeral[0] = POINT_CONVERSION_UNCOMPRESSED;
	/* tag, array, protected, map and label; array, array, protected, map and label; label, map,
	 * kty and crv with their values, label; label */
	return skip(&rest, 5) && take_string(&rest, message->iv, IV_SIZE) &&
	       take_string(&rest, message->cipher, CIPHER_SIZE) && skip(&rest, 5) &&
	       take_string(&rest, message->kid, SERVICE_KID_SIZE) && skip(&rest, 7) &&
	       take_string(&rest, message->ephemeral + 1, HALF_SIZE) && skip(&rest, 1) &&
	       take_string(&rest, message->ephemeral + 1 + HALF_SIZE, HALF_SIZE) &&
	       bytes_equal(in, bytes_of(rebuilt, message_write(message, rebuilt)));
}

/* What is authenticated besides: the Enc_structure around ["simtie number/1", audience, nonce]. 0:
 * audience or nonce are out of their bounds. */
static size_t structure_write(const char *audience, const uint8_t *nonce, size_t nonce_len,
			      uint8_t out[static STRUCTURE_MAX])
{
	uint8_t external[EXTERNAL_MAX], header[PROTECTED_MAX];
	struct simtie_cbor_output to = {external, sizeof(external), false};

	if (!simtie_audience_valid(bytes_of((const uint8_t *)audience, strlen(audience))) ||
	    nonce_len < SIMTIE_NONCE_MIN || nonce_len > SIMTIE_NONCE_MAX)
		return 0;
	simtie_cbor_put_array(&to, 3);
	simtie_cbor_put_text(&to, NUMBER_CONTEXT);
	simtie_cbor_put_text(&to, audience);
	simtie_cbor_put_bytes(&to, nonce, nonce_len);
	return to.full ? 0
		       : service_cose_enc_structure(protected_write(COSE_ALG_A256GCM, header),
						    bytes_of(external, (size_t)(to.at - external)),
						    out, STRUCTURE_MAX);
}

/* The content key that our private and the other's public key agree on. That theirs is a point of
 * the curve was seen when it was read, and P-256 has no others to be afraid of: its cofactor is 1.
 * To check that once more would cost a multiplication. */
static bool key_agree(EVP_PKEY *ours, EVP_PKEY *theirs, uint8_t key[static KEY_SIZE])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ours, NULL);
	uint8_t secret[HALF_SIZE], header[PROTECTED_MAX];
	size_t len = sizeof(secret);
	bool ok = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		  EVP_PKEY_derive_set_peer_ex(ctx, theirs, 0) == 1 &&
		  EVP_PKEY_derive(ctx, secret, &len) == 1 && len == sizeof(secret) &&
		  service_cose_derive(bytes_of(secret, len), COSE_ALG_A256GCM,
				      protected_write(COSE_ALG_ECDH_ES_HKDF_256, header), key,
				      KEY_SIZE);

	bytes_wipe(secret, sizeof(secret));
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/* Encrypts or decrypts message->cipher. False: the tag does not fit, or the library failed. */
static bool content(struct message *message, const uint8_t key[static KEY_SIZE],
		    struct bytes structure, uint8_t plain[static PLAIN_SIZE], bool seal)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *tag = message->cipher + PLAIN_SIZE;
	uint8_t *from = seal ? plain : message->cipher, *to = seal ? message->cipher : plain;
	int len;
	bool ok = ctx &&
		  EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, message->iv, seal) == 1 &&
		  (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1) &&
		  EVP_CipherUpdate(ctx, NULL, &len, structure.ptr, (int)structure.len) == 1 &&
		  EVP_CipherUpdate(ctx, to, &len, from, PLAIN_SIZE) == 1 &&
		  EVP_CipherFinal_ex(ctx, to + len, &len) == 1 &&
		  (!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1);

	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

static bool message_seal(const struct simtie_service_key *operator_key, struct bytes structure,
			 uint8_t plain[static PLAIN_SIZE], struct message *message)
{
	EVP_PKEY *ephemeral = EVP_EC_gen("P-256");
	uint8_t key[KEY_SIZE];
	size_t len;
	bool ok =
		ephemeral &&
		EVP_PKEY_get_octet_string_param(ephemeral, OSSL_PKEY_PARAM_PUB_KEY,
						message->ephemeral, SIMTIE_POINT_SIZE, &len) == 1 &&
		len == SIMTIE_POINT_SIZE && RAND_bytes(message->iv, IV_SIZE) == 1 &&
		key_agree(ephemeral, X509_get0_pubkey(operator_key->certificate), key) &&
		content(message, key, structure, plain, true);

	memcpy(message->kid, operator_key->kid, SERVICE_KID_SIZE);
	bytes_wipe(key, sizeof(key));
	EVP_PKEY_free(ephemeral);
	return ok;
}

int simtie_number_seal(const struct simtie_service_key *operator_key, const char *audience,
		       const uint8_t *nonce, size_t nonce_len, const char *number,
		       uint8_t sealed[SIMTIE_SEALED_NUMBER_MAX], size_t *len)
{
	uint8_t structure[STRUCTURE_MAX], plain[PLAIN_SIZE] = {0};
	size_t structure_len = structure_write(audience, nonce, nonce_len, structure);
	struct message message;
	bool ok;

	if (structure_len == 0 || !simtie_number_valid(number))
		return SIMTIE_SERVICE_ERR_ARGUMENT;
	memcpy(plain, number, strlen(number));
	ERR_set_mark();
	ok = message_seal(operator_key, bytes_of(structure, structure_len), plain, &message);
	ERR_pop_to_mark();
	bytes_wipe(plain, sizeof(plain));
	*len = ok ? message_write(&message, sealed) : 0;
	return *len ? SIMTIE_SERVICE_OK : SIMTIE_SERVICE_ERR_LIBRARY;
}

/* The number within its padding, which is zeros. */
static bool number_read(const uint8_t plain[static PLAIN_SIZE], char number[SIMTIE_NUMBER_SIZE])
{
	size_t len;

	memcpy(number, plain, PLAIN_SIZE);
	number[PLAIN_SIZE] = '\0';
	len = strlen(number);
	while (len < PLAIN_SIZE)
		if (plain[len++] != 0)
			return false;
	return simtie_number_valid(number);
}

static int message_open(const struct simtie_service_key *operator_key, struct bytes structure,
			struct message *message, char number[SIMTIE_NUMBER_SIZE])
{
	EVP_PKEY *ephemeral = service_key_public(message->ephemeral);
	uint8_t key[KEY_SIZE], plain[PLAIN_SIZE];
	int result = SIMTIE_SERVICE_OK;

	if (!ephemeral)
		result = SIMTIE_SERVICE_ERR_FORMAT;
	else if (!key_agree(operator_key->private_key, ephemeral, key))
		result = SIMTIE_SERVICE_ERR_LIBRARY;
	else if (!content(message, key, structure, plain, false))
		result = SIMTIE_SERVICE_ERR_SIGNATURE;
	else if (!number_read(plain, number))
		result = SIMTIE_SERVICE_ERR_FORMAT;
	bytes_wipe(key, sizeof(key));
	bytes_wipe(plain, sizeof(plain));
	EVP_PKEY_free(ephemeral);
	return result;
}

int simtie_number_unseal(const struct simtie_service_key *operator_key, const char *audience,
			 const uint8_t *nonce, size_t nonce_len, const uint8_t *sealed, size_t len,
			 char number[SIMTIE_NUMBER_SIZE])
{
	uint8_t structure[STRUCTURE_MAX];
	size_t structure_len = structure_write(audience, nonce, nonce_len, structure);
	struct message message;
	int result;

	memset(number, 0, SIMTIE_NUMBER_SIZE);
	if (structure_len == 0 || !operator_key->private_key)
		return SIMTIE_SERVICE_ERR_ARGUMENT;
	if (len > SIMTIE_SEALED_NUMBER_MAX || !message_read(bytes_of(sealed, len), &message))
		return SIMTIE_SERVICE_ERR_FORMAT;
	if (memcmp(message.kid, operator_key->kid, SERVICE_KID_SIZE) != 0)
		return SIMTIE_SERVICE_ERR_KEY;
	ERR_set_mark();
	result = message_open(operator_key, bytes_of(structure, structure_len), &message, number);
	ERR_pop_to_mark();
	if (result != SIMTIE_SERVICE_OK)
		bytes_wipe(number, SIMTIE_NUMBER_SIZE);
	return result;
}
