/*
 * base64url without padding (RFC 4648 §5, RFC 7515 §2).
 *
 * Owns the alphabet. Refuses what is not the one way to write its bytes: padding, blanks, other
 * letters, and bits that stand for nothing. Not in constant time: nothing secret goes through it.
 */
#ifndef SIMTIE_LIB_BASE64URL_H
#define SIMTIE_LIB_BASE64URL_H

#include "bytes.h"

/* Characters of `bytes` bytes, without a terminator; and the most bytes that so many stand for. */
#define BASE64URL_LEN(bytes)     (((bytes)*4 + 2) / 3)
#define BASE64URL_BYTES_MAX(len) ((len)*3 / 4)

/* Writes BASE64URL_LEN(bytes.len) characters and no terminator; returns how many. */
size_t base64url_write(struct bytes bytes, char *text);

/* Reads `len` characters. False: they are no base64url, or stand for more than `size` bytes. */
bool base64url_read(const char *text, size_t len, uint8_t *out, size_t size, size_t *out_len);

#endif
