/*
 * CBOR as people read it: diagnostic notation (RFC 8949 §8), a COSE_Sign1's embedded parts opened
 * (<< >>, RFC 8610 §G.3), claims named after the contract in comments.
 *
 * Owns its own reading of CBOR, which takes anything and stops where it must. Refuses to judge:
 * that is the verifier's.
 */
#ifndef SIMTIE_TOOL_DIAGNOSTIC_H
#define SIMTIE_TOOL_DIAGNOSTIC_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Writes the notation of `len` bytes to `out`. What is cut short, malformed or trailing ends it,
 * with a comment that holds the rest in hexadecimal.
 */
void diagnostic_print(FILE *out, const uint8_t *bytes, size_t len);

#endif
