#include "kdf.h"

#define LABEL_SIZE  12
#define CONTEXT_MAX 3

bool kdf_derive(struct bytes key, enum kdf_constant constant, const struct bytes *context,
		size_t count, uint8_t *out, size_t out_len)
{
	/* Label (11 zeros, constant), separation 00, length in bits, number of the block. */
	uint8_t head[LABEL_SIZE + 1 + 2 + 1] = {0};
	uint8_t block[AES_BLOCK];
	struct bytes parts[1 + CONTEXT_MAX];
	bool done = count <= CONTEXT_MAX;

	head[LABEL_SIZE - 1] = (uint8_t)constant;
	put_be16(head + LABEL_SIZE + 1, (uint16_t)(8 * out_len));
	parts[0] = bytes_of(head, sizeof head);
	if (done)
		memcpy(parts + 1, context, count * sizeof *context);
	for (size_t at = 0; at < out_len && done; at += AES_BLOCK) {
		size_t part = out_len - at < AES_BLOCK ? out_len - at : AES_BLOCK;

		head[sizeof head - 1]++;
		done = crypto_cmac(key, parts, count + 1, block);
		memcpy(out + at, block, part);
	}
	bytes_wipe(block, sizeof block);
	if (!done)
		bytes_wipe(out, out_len);
	return done;
}
