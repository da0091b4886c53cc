/*
 * What the tool prints and writes: sentences, JSON, encodings of bytes, files.
 *
 * Owns the form of output. Standard output carries results alone; what went wrong goes to standard
 * error as one sentence: "simtie: what happened; what to do".
 */
#ifndef SIMTIE_TOOL_OUTPUT_H
#define SIMTIE_TOOL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

/* One sentence on standard error, with "simtie: " before it and a newline after. */
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An aligned line of a result: "name", padded, then the value. */
void output_line(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints `object` on one line of standard output and releases it. NULL (out of memory) is an
 * output failure. Returns TOOL_DONE or TOOL_IO, which is already printed. */
int output_json(json_t *object);

/* Flushes standard output. Returns `code`, or TOOL_IO (already printed, but for a reader of a pipe
 * that went away) when something could not be written. A subcommand's last call. */
int output_end(int code);

/* ---- Bytes as text ---- */

/* Room for `len` bytes in hexadecimal, with terminator. */
#define OUTPUT_HEX_SIZE(len) (2 * (len) + 1)

/* Hexadecimal, upper-case as APDUs are written, or lower-case as keys, records and CBOR are;
 * returns `text`, room for OUTPUT_HEX_SIZE(len). */
char *output_hex(const uint8_t *bytes, size_t len, char *text);
char *output_hex_lower(const uint8_t *bytes, size_t len, char *text);

/* Hexadecimal of either case, white space between bytes allowed. Returns how many bytes it was, at
 * most `size` of which are stored, or -1 when it is not hexadecimal. */
long input_hex(const char *text, uint8_t *bytes, size_t size);

/* Base64url without padding (RFC 4648 §5). output_base64url() wants room for (len + 2) / 3 * 4 + 1
 * and returns `text`. input_base64url() takes padding and surrounding white space too; it returns
 * how many bytes it was, at most `size` of which are stored, or -1. */
char *output_base64url(const uint8_t *bytes, size_t len, char *text);
long input_base64url(const char *text, size_t len, uint8_t *bytes, size_t size);

/* ICCID as on the card (10 bytes, digits swapped, padded with F) and as 18 to 20 digits. False from
 * input_iccid() for anything else. */
#define OUTPUT_ICCID_SIZE 21
char *output_iccid(const uint8_t iccid[static 10], char text[static OUTPUT_ICCID_SIZE]);
bool input_iccid(const char *text, uint8_t iccid[static 10]);

/* Copies text that came from outside, made safe for a terminal: control characters and bytes that
 * are not UTF-8 become '?'; a character cut off at the end is dropped. `size` counts the
 * terminator. */
char *output_safe(const char *text, char *out, size_t size);

/* ---- Files ---- */

/* Reads a file, or standard input for "-", of at most `size` bytes; *len is size + 1 when it is
 * longer. 0, or -1 with errno. */
int input_file(const char *path, uint8_t *bytes, size_t size, size_t *len);

/* Writes a file of mode 0600 that appears whole or not at all, replacing one of that name; "-" and
 * anything that is no regular file is written to as it is. 0, or -1 with errno. */
int output_file(const char *path, const void *bytes, size_t len);

#endif
