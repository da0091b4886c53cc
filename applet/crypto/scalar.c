#include "scalar.h"

#define LIMBS 8

/* n, least significant limb first. */
static const uint32_t order[LIMBS] = {0xFC632551, 0xF3B9CAC2, 0xA7179E84, 0xBCE6FAAD,
				      0xFFFFFFFF, 0xFFFFFFFF, 0x00000000, 0xFFFFFFFF};

static void load(uint32_t limbs[static LIMBS], const uint8_t in[static P256_SCALAR_SIZE])
{
	for (size_t i = 0; i < LIMBS; i++)
		limbs[i] = get_be32(in + P256_SCALAR_SIZE - 4 * (i + 1));
}

static void store(uint8_t out[static P256_SCALAR_SIZE], const uint32_t limbs[static LIMBS])
{
	for (size_t i = 0; i < LIMBS; i++)
		put_be32(out + P256_SCALAR_SIZE - 4 * (i + 1), limbs[i]);
}

/* out = a - n; gives the borrow: 1 when a < n. */
static uint32_t subtract_order(uint32_t out[static LIMBS], const uint32_t a[static LIMBS])
{
	uint64_t borrow = 0;

	for (size_t i = 0; i < LIMBS; i++) {
		uint64_t difference = (uint64_t)a[i] - order[i] - borrow;

		out[i] = (uint32_t)difference;
		borrow = difference >> 63;
	}
	return (uint32_t)borrow;
}

/* Takes n off a, of which `carry` is the 257th bit, if that leaves it from 0 on. */
static void reduce_once(uint32_t a[static LIMBS], uint32_t carry)
{
	uint32_t less[LIMBS];
	uint32_t keep = subtract_order(less, a) & ~carry & 1;
	uint32_t mask = 0 - keep;

	for (size_t i = 0; i < LIMBS; i++)
		a[i] = (a[i] & mask) | (less[i] & ~mask);
	bytes_wipe(less, sizeof less);
}

void scalar_reduce(const uint8_t wide[static SCALAR_WIDE_SIZE],
		   uint8_t out[static P256_SCALAR_SIZE])
{
	uint32_t sum[LIMBS];

	load(sum, wide); /* below 2n */
	reduce_once(sum, 0);
	for (size_t bit = 8 * P256_SCALAR_SIZE; bit < 8 * SCALAR_WIDE_SIZE; bit++) {
		uint32_t carry = wide[bit / 8] >> (7 - bit % 8) & 1;

		for (size_t i = 0; i < LIMBS; i++) {
			uint32_t top = sum[i] >> 31;

			sum[i] = sum[i] << 1 | carry;
			carry = top;
		}
		reduce_once(sum, carry);
	}
	store(out, sum);
	bytes_wipe(sum, sizeof sum);
}

void scalar_add(const uint8_t a[static P256_SCALAR_SIZE], const uint8_t b[static P256_SCALAR_SIZE],
		uint8_t out[static P256_SCALAR_SIZE])
{
	uint32_t x[LIMBS], y[LIMBS];
	uint64_t carry = 0;

	load(x, a);
	load(y, b);
	for (size_t i = 0; i < LIMBS; i++) {
		carry += (uint64_t)x[i] + y[i];
		x[i] = (uint32_t)carry;
		carry >>= 32;
	}
	reduce_once(x, (uint32_t)carry);
	store(out, x);
	bytes_wipe(x, sizeof x);
	bytes_wipe(y, sizeof y);
}

bool scalar_zero(const uint8_t a[static P256_SCALAR_SIZE])
{
	static const uint8_t zero[P256_SCALAR_SIZE];

	return bytes_equal_secret(a, zero, P256_SCALAR_SIZE);
}

bool scalar_valid(const uint8_t a[static P256_SCALAR_SIZE])
{
	uint32_t limbs[LIMBS], less[LIMBS];
	uint32_t below;

	load(limbs, a);
	below = subtract_order(less, limbs);
	bytes_wipe(limbs, sizeof limbs);
	bytes_wipe(less, sizeof less);
	return below && !scalar_zero(a);
}
