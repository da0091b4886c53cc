/*
 * Byte strings and big-endian integers: the one way in which bytes travel through the core.
 *
 * Owns nothing. A `struct bytes` borrows: whoever made it says how long it lives. Refuses nothing
 * either; the bounds of a read are its caller's to check.
 */
#ifndef SIMTIE_CORE_BYTES_H
#define SIMTIE_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of `len` bytes. An empty one may have any `ptr`, NULL too. */
struct bytes {
	const uint8_t *ptr;
	size_t len;
};

static inline struct bytes bytes_of(const uint8_t *ptr, size_t len)
{
	return (struct bytes){ptr, len};
}

/* Whether both hold the same bytes. For secrets use bytes_equal_secret(). */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/*
 * The same, in a time that depends on the length alone. The lengths themselves are no secret.
 */
bool bytes_equal_secret(const uint8_t *a, const uint8_t *b, size_t len);

/* Overwrites a secret; the compiler may not leave it out. */
void bytes_wipe(void *secret, size_t len);

static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put_be16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline void put_be32(uint8_t *p, uint32_t value)
{
	put_be16(p, (uint16_t)(value >> 16));
	put_be16(p + 2, (uint16_t)value);
}

#endif
