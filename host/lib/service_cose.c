#include "service_internal.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define CONTEXT_MAX 64

/* PartyUInfo or PartyVInfo that says nothing. */
static void put_party(struct simtie_cbor_output *out)
{
	simtie_cbor_put_array(out, 3);
	for (int i = 0; i < 3; i++)
		simtie_cbor_put_null(out);
}

static size_t context_write(enum service_cose_alg alg, struct bytes recipient_protected,
			    size_t key_len, uint8_t context[static CONTEXT_MAX])
{
	struct simtie_cbor_output out = {context, CONTEXT_MAX, false};

	simtie_cbor_put_array(&out, 4);
	simtie_cbor_put_int(&out, alg);
	put_party(&out);
	put_party(&out);
	simtie_cbor_put_array(&out, 2); /* SuppPubInfo */
	simtie_cbor_put_int(&out, (int64_t)(8 * key_len));
	simtie_cbor_put_bytes(&out, recipient_protected.ptr, recipient_protected.len);
	return out.full ? 0 : (size_t)(out.at - context);
}

bool service_cose_derive(struct bytes secret, enum service_cose_alg alg,
			 struct bytes recipient_protected, uint8_t *key, size_t len)
{
	uint8_t context[CONTEXT_MAX];
	size_t context_len = context_write(alg, recipient_protected, len, context);
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret.ptr, secret.len),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, context, context_len), OSSL_PARAM_END};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	bool ok = context_len && ctx && EVP_KDF_derive(ctx, key, len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok;
}

size_t service_cose_enc_structure(struct bytes body_protected, struct bytes external_aad,
				  uint8_t *out, size_t size)
{
	struct simtie_cbor_output to = {out, size, false};

	simtie_cbor_put_array(&to, 3);
	simtie_cbor_put_text(&to, "Encrypt");
	simtie_cbor_put_bytes(&to, body_protected.ptr, body_protected.len);
	simtie_cbor_put_bytes(&to, external_aad.ptr, external_aad.len);
	return to.full ? 0 : (size_t)(to.at - out);
}
