#include "attest.h"

#include "../crypto/derive.h"
#include "cbor.h"

#define PAYLOAD_SIZE_MAX 256 /* checked by the writer; the longest claims take 242 */
#define HEADER_SIZE_MAX  16

bool attest_seal(struct attestation *attestation, const uint8_t *chain_code, uint32_t counter,
		 struct bytes salt)
{
	uint8_t mask[COUNTER_MASK_SIZE];

	if (!derive_counter_mask(chain_code, attestation->audience, attestation->nonce, salt, mask))
		return false;
	memcpy(attestation->sealed_counter, salt.ptr, LIMIT_SALT_SIZE);
	put_be32(attestation->sealed_counter + LIMIT_SALT_SIZE, counter ^ get_be32(mask));
	bytes_wipe(mask, sizeof mask);
	return true;
}

static void put_protected_header(struct writer *out)
{
	cbor_put_head(out, CBOR_MAP, 2);
	cbor_put_int(out, COSE_HEADER_ALG);
	cbor_put_int(out, COSE_ALG_ES256);
	cbor_put_int(out, COSE_HEADER_TYP);
	cbor_put_int(out, COSE_TYP_EAT_CWT);
}

static void put_confirmation(struct writer *out, struct bytes thumbprint)
{
	cbor_put_int(out, CLAIM_CONFIRMATION);
	cbor_put_head(out, CBOR_MAP, 1);
	cbor_put_int(out, COSE_KEY_THUMBPRINT);
	cbor_put_string(out, CBOR_BYTES, thumbprint);
}

/* The claims, in the order of their encoded keys (RFC 8949 §4.2.1). */
static void put_payload(struct writer *out, const struct attestation *attestation)
{
	static const char profile[] = ATTESTATION_PROFILE;
	bool confirms = attestation->thumbprint.len > 0;

	cbor_put_head(out, CBOR_MAP, CLAIMS_REQUIRED + confirms);
	cbor_put_int(out, CLAIM_AUDIENCE);
	cbor_put_string(out, CBOR_TEXT, attestation->audience);
	if (confirms)
		put_confirmation(out, attestation->thumbprint);
	cbor_put_int(out, CLAIM_NONCE);
	cbor_put_string(out, CBOR_BYTES, attestation->nonce);
	cbor_put_int(out, CLAIM_DEBUG_STATUS);
	cbor_put_int(out, attestation->debug_status);
	cbor_put_int(out, CLAIM_PROFILE);
	cbor_put_string(out, CBOR_TEXT, bytes_of((const uint8_t *)profile, sizeof profile - 1));
	cbor_put_int(out, CLAIM_PURPOSE);
	cbor_put_int(out, attestation->purpose);
	cbor_put_int(out, CLAIM_SEALED_COUNTER);
	cbor_put_string(out, CBOR_BYTES,
			bytes_of(attestation->sealed_counter, sizeof attestation->sealed_counter));
	cbor_put_int(out, CLAIM_CONSENT);
	cbor_put_int(out, attestation->consent);
}

/* SHA-256 of the Sig_structure (RFC 9052 §4.4) around the payload. */
static bool hash_to_be_signed(struct bytes payload, uint8_t digest[static SHA256_SIZE])
{
	static const char context[] = COSE_SIGN1_CONTEXT;
	uint8_t header[HEADER_SIZE_MAX];
	uint8_t front[64];
	struct writer protected = {.out = header, .size = sizeof header};
	struct writer out = {.out = front, .size = sizeof front};

	put_protected_header(&protected);
	cbor_put_head(&out, CBOR_ARRAY, 4);
	cbor_put_string(&out, CBOR_TEXT, bytes_of((const uint8_t *)context, sizeof context - 1));
	cbor_put_string(&out, CBOR_BYTES, bytes_of(header, protected.used));
	cbor_put_head(&out, CBOR_BYTES, 0);
	cbor_put_head(&out, CBOR_BYTES, (uint32_t)payload.len);

	const struct bytes parts[] = {{front, out.used}, payload};

	return !protected.overflowed && !out.overflowed && crypto_sha256(parts, 2, digest);
}

bool attest_sign(struct attestation *attestation, const uint8_t *device_key,
		 const uint8_t *chain_code, struct writer *scratch)
{
	uint8_t key[P256_SCALAR_SIZE];
	uint8_t digest[SHA256_SIZE];
	bool done;

	put_payload(scratch, attestation);
	done = !scratch->overflowed &&
	       hash_to_be_signed(bytes_of(scratch->out, scratch->used), digest) &&
	       derive_service_key(device_key, chain_code, attestation->audience, key) &&
	       crypto_p256_sign(key, digest, attestation->signature);
	bytes_wipe(key, sizeof key);
	return done;
}

void attest_put_compact(struct writer *out, const struct attestation *attestation)
{
	const uint8_t status = (uint8_t)(attestation->debug_status << 4 | attestation->consent);

	writer_put(out, bytes_of(attestation->sealed_counter, sizeof attestation->sealed_counter));
	writer_put(out, bytes_of(&status, 1));
	writer_put(out, bytes_of(attestation->signature, sizeof attestation->signature));
}

void attest_put_full(struct writer *out, const struct attestation *attestation)
{
	uint8_t header[HEADER_SIZE_MAX];
	uint8_t payload[PAYLOAD_SIZE_MAX];
	struct writer protected = {.out = header, .size = sizeof header};
	struct writer claims = {.out = payload, .size = sizeof payload};

	put_protected_header(&protected);
	put_payload(&claims, attestation);
	cbor_put_head(out, CBOR_TAG, COSE_TAG);
	cbor_put_head(out, CBOR_ARRAY, 4);
	cbor_put_string(out, CBOR_BYTES, bytes_of(header, protected.used));
	cbor_put_head(out, CBOR_MAP, 0);
	cbor_put_string(out, CBOR_BYTES, bytes_of(payload, claims.used));
	cbor_put_string(out, CBOR_BYTES,
			bytes_of(attestation->signature, sizeof attestation->signature));
	out->overflowed |= protected.overflowed || claims.overflowed;
}
