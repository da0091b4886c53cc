/* Wycheproof's cases for the primitives that verification needs, on both adapters. */
#include "check_vectors.h"

#include <stdio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define MESSAGE_MAX 65536

void vector_name(const json_t *test, char *name, size_t size)
{
	snprintf(name, size, "%lld", (long long)json_integer_value(json_object_get(test, "tcId")));
}

bool vector_expected(const json_t *test, bool accepted)
{
	const char *result = json_text(test, "result");

	if (strcmp(result, "valid") == 0)
		return accepted;
	if (strcmp(result, "invalid") == 0)
		return !accepted;
	return strcmp(result, "acceptable") == 0;
}

/* A signature that is not 64 bytes never reaches the seam, nor does one in a token
 * (SIMTIE_MALFORMED_SIGNATURE): refused. */
static bool ecdsa_case(const struct simtie_crypto *crypto, const json_t *key, const json_t *test)
{
	static uint8_t message[MESSAGE_MAX];
	uint8_t point[SIMTIE_POINT_SIZE], digest[SIMTIE_DIGEST_SIZE], signature[256];
	size_t len, signature_len;
	enum simtie_verdict verdict;

	if (!json_hex_fixed(key, "uncompressed", point, sizeof(point)) ||
	    !json_hex(test, "msg", message, sizeof(message), &len) ||
	    !json_hex(test, "sig", signature, sizeof(signature), &signature_len) ||
	    !crypto->sha256(bytes_of(message, len), digest))
		return false;
	if (signature_len != SIMTIE_SIGNATURE_SIZE)
		return vector_expected(test, false);
	verdict = crypto->p256_verify(point, digest, signature);
	return verdict != VERDICT_FAILED && vector_expected(test, verdict == VERDICT_GOOD);
}

/* The seam has HKDF-Expand alone; the extraction before it (RFC 5869 §2.2) is done here. */
static bool hkdf_case(const struct simtie_crypto *crypto, const json_t *test)
{
	static uint8_t wanted[MESSAGE_MAX], got[MESSAGE_MAX];
	uint8_t ikm[1024], salt[1024], info[1024], prk[SIMTIE_DIGEST_SIZE];
	size_t ikm_len, salt_len, info_len, wanted_len;
	json_int_t size = json_integer_value(json_object_get(test, "size"));
	bool made;

	if (!json_hex(test, "ikm", ikm, sizeof(ikm), &ikm_len) ||
	    !json_hex(test, "salt", salt, sizeof(salt), &salt_len) ||
	    !json_hex(test, "info", info, sizeof(info), &info_len) ||
	    !json_hex(test, "okm", wanted, sizeof(wanted), &wanted_len) || size < 0 ||
	    (size_t)size > sizeof(got) ||
	    !HMAC(EVP_sha256(), salt, (int)salt_len, ikm, ikm_len, prk, NULL))
		return false;
	made = crypto->hkdf_expand(bytes_of(prk, sizeof(prk)), bytes_of(info, info_len), got,
				   (size_t)size);
	if (made && (wanted_len != (size_t)size || memcmp(got, wanted, wanted_len) != 0))
		return vector_expected(test, false);
	return vector_expected(test, made);
}

void check_ecdsa(const char *file, const json_t *root)
{
	for (int i = 0; i < ADAPTER_COUNT; i++) {
		struct tally tally = {.file = file, .what = adapter(i)->name};
		const json_t *group, *test;
		size_t g, t;
		char name[32];

		json_array_foreach(json_object_get(root, "testGroups"), g, group)
		{
			const json_t *key = json_object_get(group, "publicKey");

			json_array_foreach(json_object_get(group, "tests"), t, test)
			{
				vector_name(test, name, sizeof(name));
				tally_case(&tally, ecdsa_case(adapter(i), key, test), name);
			}
		}
		tally_print(&tally);
	}
}

void check_hkdf(const char *file, const json_t *root)
{
	for (int i = 0; i < ADAPTER_COUNT; i++) {
		struct tally tally = {.file = file, .what = adapter(i)->name};
		const json_t *group, *test;
		size_t g, t;
		char name[32];

		json_array_foreach(json_object_get(root, "testGroups"), g, group)
			json_array_foreach(json_object_get(group, "tests"), t, test)
		{
			vector_name(test, name, sizeof(name));
			tally_case(&tally, hkdf_case(adapter(i), test), name);
		}
		tally_print(&tally);
	}
}
