/*
 * What is kept encrypted, and what stands in its place in an index.
 *
 * Owns the keys of a store: AES-256-GCM keys by number, of which the newest seals, and the index
 * key from which blind indexes, row identifiers and the audit log's MACs are made, which never
 * changes. Keys come from a file (mode 0600) or a descriptor, are locked in memory, and leave by no
 * call. Refuses a key file that others can read, and to open what was sealed for another row.
 *
 * The key file, a line each, hexadecimal, "#" begins a comment:
 *
 *   index 64 digits
 *   key 1 64 digits
 *   key 2 64 digits     the highest number seals; the others still open
 *
 * Any number of threads may use one vault.
 */
#ifndef SIMTIE_REGISTRY_VAULT_H
#define SIMTIE_REGISTRY_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define VAULT_KEY_SIZE  32
#define VAULT_OVERHEAD  28 /* bytes: 12 of nonce before, 16 of tag after */
#define VAULT_PLAIN_MAX 65536
#define VAULT_KEYS_MAX  16

enum vault_error {
	VAULT_OK = 0,
	VAULT_ERR_FILE = -1,    /* cannot be read; errno says why */
	VAULT_ERR_MODE = -2,    /* others than its owner may read it */
	VAULT_ERR_FORMAT = -3,  /* not such a file, a number twice, no index key, no key */
	VAULT_ERR_KEY = -4,     /* sealed under a key that is not in the file */
	VAULT_ERR_DAMAGED = -5, /* does not open: changed, or moved here from another row */
	/* Over VAULT_PLAIN_MAX, or it does not fit the room given; no room for one more key. */
	VAULT_ERR_SIZE = -6,
	VAULT_ERR_LIBRARY = -7,
};
const char *vault_strerror(int error);

struct vault;

/* `where` is a path, or "fd:N". `line` (may be NULL) gets the line that a VAULT_ERR_FORMAT is at.
 */
int vault_open(const char *where, struct vault **vault, unsigned *line);
void vault_close(struct vault **vault);

/* Makes a new key file, which must not be there, or adds a key with the next number to one
 * (atomically). Mode 0600. */
int vault_create(const char *path);
int vault_add_key(const char *path, uint32_t *key_id);

/* The number of the key that seals. */
uint32_t vault_newest(const struct vault *vault);

/* Where a sealed value belongs; it opens nowhere else. `row` is the row's key, at most 32 bytes. */
struct vault_place {
	const char *table;
	struct bytes row;
};

/* out gets plain.len + VAULT_OVERHEAD bytes. */
int vault_seal(const struct vault *vault, const struct vault_place *place, struct bytes plain,
	       uint8_t *out, size_t size, size_t *len, uint32_t *key_id);

/* out gets sealed.len - VAULT_OVERHEAD bytes, the caller's to wipe. */
int vault_unseal(const struct vault *vault, const struct vault_place *place, uint32_t key_id,
		 struct bytes sealed, uint8_t *out, size_t size, size_t *len);

/* 128 bits of HMAC-SHA-256, under a key derived from the index key, over label || 00 || value. */
struct vault_index {
	int64_t hi;
	int64_t lo;
};
bool vault_index(const struct vault *vault, const char *label, struct bytes value,
		 struct vault_index *index);

/* HMAC-SHA-256 under a key derived from the index key for this label. */
bool vault_mac(const struct vault *vault, const char *label, struct bytes data,
	       uint8_t mac[static 32]);

/* Eight bytes, big-endian: how whole numbers stand in what a seal is bound to. */
void vault_put_int(uint8_t out[static 8], int64_t value);

/* A row identifier: AES of hi and 8 random bytes. To everybody else 16 random bytes, two of one
 * subscriber no likelier alike than any; to us it says in which part of the tables to look. */
#define VAULT_ID_SIZE      16
#define VAULT_ID_TEXT_SIZE 23 /* base64url and the terminator */
bool vault_id_make(const struct vault *vault, int64_t hi, uint8_t id[static VAULT_ID_SIZE]);
bool vault_id_hi(const struct vault *vault, const uint8_t id[static VAULT_ID_SIZE], int64_t *hi);
void vault_id_text(const uint8_t id[static VAULT_ID_SIZE], char text[static VAULT_ID_TEXT_SIZE]);
bool vault_id_read(const char *text, uint8_t id[static VAULT_ID_SIZE]);

#endif
