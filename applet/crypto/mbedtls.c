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

bool crypto_hmac(struct bytes key, const struct bytes *parts, size_t count,
		 uint8_t mac[static SHA256_SIZE])
{
	const psa_algorithm_t algorithm = PSA_ALG_HMAC(PSA_ALG_SHA_256);
	psa_mac_operation_t operation = PSA_MAC_OPERATION_INIT;
	psa_key_id_t id = PSA_KEY_ID_NULL;
	psa_status_t status;
	size_t len;

	status = import_key(PSA_KEY_TYPE_HMAC, PSA_KEY_USAGE_SIGN_MESSAGE, algorithm, key, &id);
	if (status == PSA_SUCCESS)
		status = psa_mac_sign_setup(&operation, id, algorithm);
	for (size_t i = 0; i < count && status == PSA_SUCCESS; i++)
		status = psa_mac_update(&operation, parts[i].ptr, parts[i].len);
	if (status == PSA_SUCCESS)
		status = psa_mac_sign_finish(&operation, mac, SHA256_SIZE, &len);
	psa_mac_abort(&operation);
	psa_destroy_key(id);
	if (status != PSA_SUCCESS)
		bytes_wipe(mac, SHA256_SIZE);
	return status == PSA_SUCCESS;
}

static psa_status_t import_p256(const uint8_t d[static P256_SCALAR_SIZE], psa_key_id_t *key)
{
	return import_key(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1),
			  PSA_KEY_USAGE_SIGN_HASH, PSA_ALG_DETERMINISTIC_ECDSA(PSA_ALG_SHA_256),
			  bytes_of(d, P256_SCALAR_SIZE), key);
}

bool crypto_p256_public(const uint8_t d[static P256_SCALAR_SIZE],
			uint8_t point[static P256_POINT_SIZE])
{
	psa_key_id_t id = PSA_KEY_ID_NULL;
	psa_status_t status = import_p256(d, &id);
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
	psa_status_t status = import_p256(d, &id);
	size_t len;

	if (status == PSA_SUCCESS)
		status = psa_sign_hash(id, PSA_ALG_DETERMINISTIC_ECDSA(PSA_ALG_SHA_256), digest,
				       SHA256_SIZE, signature, ECDSA_SIZE, &len);
	psa_destroy_key(id);
	if (status != PSA_SUCCESS)
		bytes_wipe(signature, ECDSA_SIZE);
	return status == PSA_SUCCESS;
}
