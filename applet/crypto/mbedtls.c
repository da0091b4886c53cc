/* The crypto seam over mbedTLS 2.28 and 3.6, through its PSA API. */
#include "crypto.h"

#include <psa/crypto.h>

bool crypto_init(void)
{
	return psa_crypto_init() == PSA_SUCCESS;
}

bool crypto_sha256(const struct bytes *parts, size_t count, uint8_t digest[static SHA256_SIZE])
{
	psa_hash_operation_t hash = PSA_HASH_OPERATION_INIT;
	psa_status_t status = psa_hash_setup(&hash, PSA_ALG_SHA_256);
	size_t len;

	for (size_t i = 0; i < count && status == PSA_SUCCESS; i++)
		status = psa_hash_update(&hash, parts[i].ptr, parts[i].len);
	if (status == PSA_SUCCESS)
		status = psa_hash_finish(&hash, digest, SHA256_SIZE, &len);
	if (status == PSA_SUCCESS)
		return true;
	psa_hash_abort(&hash);
	bytes_wipe(digest, SHA256_SIZE);
	return false;
}

/* A key that lives in the library until psa_destroy_key(), which wipes it. */
static psa_status_t import_key(psa_key_type_t type, psa_key_usage_t usage,
			       psa_algorithm_t algorithm, struct bytes value, psa_key_id_t *key)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;

	psa_set_key_type(&attributes, type);
	psa_set_key_usage_flags(&attributes, usage);
	psa_set_key_algorithm(&attributes, algorithm);
	return psa_import_key(&attributes, value.ptr, value.len, key);
}

/* A MAC over the parts; *mac_len is the algorithm's. */
static bool compute_mac(psa_key_type_t type, psa_algorithm_t algorithm, struct bytes key,
			const struct bytes *parts, size_t count, uint8_t *mac, size_t mac_len)
{
	psa_mac_operation_t operation = PSA_MAC_OPERATION_INIT;
	psa_key_id_t id = PSA_KEY_ID_NULL;
	psa_status_t status;
	size_t len;

	status = import_key(type, PSA_KEY_USAGE_SIGN_MESSAGE, algorithm, key, &id);
	if (status == PSA_SUCCESS)
		status = psa_mac_sign_setup(&operation, id, algorithm);
	for (size_t i = 0; i < count && status == PSA_SUCCESS; i++)
		status = psa_mac_update(&operation, parts[i].ptr, parts[i].len);
	if (status == PSA_SUCCESS)
		status = psa_mac_sign_finish(&operation, mac, mac_len, &len);
	psa_mac_abort(&operation);
	psa_destroy_key(id);
	if (status != PSA_SUCCESS)
		bytes_wipe(mac, mac_len);
	return status == PSA_SUCCESS;
}

bool crypto_hmac(struct bytes key, const struct bytes *parts, size_t count,
		 uint8_t mac[static SHA256_SIZE])
{
	return compute_mac(PSA_KEY_TYPE_HMAC, PSA_ALG_HMAC(PSA_ALG_SHA_256), key, parts, count, mac,
			   SHA256_SIZE);
}

bool crypto_cmac(struct bytes key, const struct bytes *parts, size_t count,
		 uint8_t mac[static AES_BLOCK])
{
	return compute_mac(PSA_KEY_TYPE_AES, PSA_ALG_CMAC, key, parts, count, mac, AES_BLOCK);
}

/* Block by block, since the library may not work in place. */
static psa_status_t update_blocks(psa_cipher_operation_t *cipher, uint8_t *data, size_t len)
{
	uint8_t block[AES_BLOCK];
	psa_status_t status = PSA_SUCCESS;
	size_t done;

	for (size_t at = 0; at < len && status == PSA_SUCCESS; at += AES_BLOCK) {
		status =
			psa_cipher_update(cipher, data + at, AES_BLOCK, block, sizeof block, &done);
		if (status == PSA_SUCCESS && done != AES_BLOCK)
			status = PSA_ERROR_GENERIC_ERROR;
		memcpy(data + at, block, AES_BLOCK);
	}
	bytes_wipe(block, sizeof block);
	return status;
}

static bool run_cbc(bool encrypt, struct bytes key, const uint8_t iv[static AES_BLOCK],
		    uint8_t *data, size_t len)
{
	psa_cipher_operation_t cipher = PSA_CIPHER_OPERATION_INIT;
	psa_key_id_t id = PSA_KEY_ID_NULL;
	psa_status_t status;

	status = import_key(PSA_KEY_TYPE_AES, PSA_KEY_USAGE_ENCRYPT | PSA_KEY_USAGE_DECRYPT,
			    PSA_ALG_CBC_NO_PADDING, key, &id);
	if (status == PSA_SUCCESS)
		status = encrypt ? psa_cipher_encrypt_setup(&cipher, id, PSA_ALG_CBC_NO_PADDING)
				 : psa_cipher_decrypt_setup(&cipher, id, PSA_ALG_CBC_NO_PADDING);
	if (status == PSA_SUCCESS)
		status = psa_cipher_set_iv(&cipher, iv, AES_BLOCK);
	if (status == PSA_SUCCESS)
		status = update_blocks(&cipher, data, len);
	psa_cipher_abort(&cipher);
	psa_destroy_key(id);
	if (status != PSA_SUCCESS)
		bytes_wipe(data, len);
	return status == PSA_SUCCESS;
}

bool crypto_cbc_encrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data,
			size_t len)
{
	return run_cbc(true, key, iv, data, len);
}

bool crypto_cbc_decrypt(struct bytes key, const uint8_t iv[static AES_BLOCK], uint8_t *data,
			size_t len)
{
	return run_cbc(false, key, iv, data, len);
}

static psa_status_t import_p256(const uint8_t d[static P256_SCALAR_SIZE], psa_key_usage_t usage,
				psa_algorithm_t algorithm, psa_key_id_t *key)
{
	return import_key(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), usage, algorithm,
			  bytes_of(d, P256_SCALAR_SIZE), key);
}

#define ECDSA PSA_ALG_DETERMINISTIC_ECDSA(PSA_ALG_SHA_256)

bool crypto_p256_public(const uint8_t d[static P256_SCALAR_SIZE],
			uint8_t point[static P256_POINT_SIZE])
{
	psa_key_id_t id = PSA_KEY_ID_NULL;
	psa_status_t status = import_p256(d, PSA_KEY_USAGE_SIGN_HASH, ECDSA, &id);
	size_t len;

	if (status == PSA_SUCCESS)
		status = psa_export_public_key(id, point, P256_POINT_SIZE, &len);
	psa_destroy_key(id);
	if (status != PSA_SUCCESS)
		bytes_wipe(point, P256_POINT_SIZE);
	return status == PSA_SUCCESS;
}

bool crypto_p256_sign(const uint8_t d[static P256_SCALAR_SIZE],
		      const uint8_t digest[static SHA256_SIZE],
		      uint8_t signature[static ECDSA_SIZE])
{
	psa_key_id_t id = PSA_KEY_ID_NULL;
	psa_status_t status = import_p256(d, PSA_KEY_USAGE_SIGN_HASH, ECDSA, &id);
	size_t len;

	if (status == PSA_SUCCESS)
		status = psa_sign_hash(id, ECDSA, digest, SHA256_SIZE, signature, ECDSA_SIZE, &len);
	psa_destroy_key(id);
	if (status != PSA_SUCCESS)
		bytes_wipe(signature, ECDSA_SIZE);
	return status == PSA_SUCCESS;
}

bool crypto_p256_agree(const uint8_t d[static P256_SCALAR_SIZE],
		       const uint8_t point[static P256_POINT_SIZE],
		       uint8_t shared[static P256_SCALAR_SIZE])
{
	psa_key_id_t id = PSA_KEY_ID_NULL;
	psa_status_t status = import_p256(d, PSA_KEY_USAGE_DERIVE, PSA_ALG_ECDH, &id);
	size_t len;

	if (status == PSA_SUCCESS)
		status = psa_raw_key_agreement(PSA_ALG_ECDH, id, point, P256_POINT_SIZE, shared,
					       P256_SCALAR_SIZE, &len);
	psa_destroy_key(id);
	if (status != PSA_SUCCESS)
		bytes_wipe(shared, P256_SCALAR_SIZE);
	return status == PSA_SUCCESS;
}
