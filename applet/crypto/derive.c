#include "derive.h"

#include "contract.h"
#include "scalar.h"

#define INFO_PARTS 6

_Static_assert(DERIVE_TWEAK_SIZE == SCALAR_WIDE_SIZE, "the tweak is what scalar_reduce() takes");
_Static_assert(LIMIT_CHAIN_CODE_SIZE == CHAIN_CODE_SIZE, "crypto and contract agree");

/* HKDF-Expand (RFC 5869 §2.3) over the parts of info; out_len at most 255 * SHA256_SIZE. */
static bool expand(struct bytes prk, const struct bytes *info, size_t count, uint8_t *out,
		   size_t out_len)
{
	struct bytes parts[INFO_PARTS + 2];
	uint8_t block[SHA256_SIZE];
	uint8_t number = 1;
	bool done = true;

	memcpy(parts + 1, info, count * sizeof *info);
	parts[0] = (struct bytes){block, 0};
	parts[count + 1] = bytes_of(&number, 1);
	for (size_t at = 0; at < out_len && done; at += SHA256_SIZE, number++) {
		size_t part = out_len - at < SHA256_SIZE ? out_len - at : SHA256_SIZE;

		done = crypto_hmac(prk, parts, count + 2, block);
		memcpy(out + at, block, part);
		parts[0].len = SHA256_SIZE;
	}
	bytes_wipe(block, sizeof block);
	return done;
}

/* A label with the zero byte that ends it. */
#define LABEL(text) bytes_of((const uint8_t *)(text), sizeof(text))

bool derive_service_key(const uint8_t d[static P256_SCALAR_SIZE],
			const uint8_t chain_code[static CHAIN_CODE_SIZE], struct bytes audience,
			uint8_t service_key[static P256_SCALAR_SIZE])
{
	const struct bytes info[] = {LABEL(DERIVE_SERVICE_KEY_LABEL), audience};
	uint8_t wide[SCALAR_WIDE_SIZE];
	uint8_t tweak[P256_SCALAR_SIZE] = {0};
	bool done;

	done = expand(bytes_of(chain_code, CHAIN_CODE_SIZE), info, 2, wide, sizeof wide);
	if (done) {
		scalar_reduce(wide, tweak);
		scalar_add(d, tweak, service_key);
		done = !scalar_zero(tweak) && !scalar_zero(service_key);
	}
	if (!done)
		bytes_wipe(service_key, P256_SCALAR_SIZE);
	bytes_wipe(wide, sizeof wide);
	bytes_wipe(tweak, sizeof tweak);
	return done;
}

bool derive_counter_mask(const uint8_t chain_code[static CHAIN_CODE_SIZE], struct bytes audience,
			 struct bytes nonce, struct bytes salt,
			 uint8_t mask[static COUNTER_MASK_SIZE])
{
	const uint8_t audience_len = (uint8_t)audience.len;
	const struct bytes info[] = {LABEL(DERIVE_COUNTER_SEAL_LABEL), bytes_of(&audience_len, 1),
				     audience, nonce, salt};

	return expand(bytes_of(chain_code, CHAIN_CODE_SIZE), info, sizeof info / sizeof *info, mask,
		      COUNTER_MASK_SIZE);
}
