/*
 * Sealing, and what is derived from the index key.
 *
 * Every row is sealed under a key of its own: HKDF-Expand(key, table and row). A GCM key with
 * random nonces is good for 2^32 seals (SP 800-38D §8.3), which thousands of requests a second,
 * with several seals each, would use up in days; a row is sealed a few times in its life. So the
 * nonce's 96 random bits need never be counted, by however many daemons that share a key.
 *
 * The keys of the file lie in one mapping that is neither swapped nor dumped. OpenSSL makes copies
 * of them for the length of a call and wipes those when their context is freed.
 */
#include "vault_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base64url.h"

#define NONCE_SIZE 12
#define TAG_SIZE   16
#define MAC_SIZE   32
#define ROW_MAX    32
#define TABLE_MAX  64
/* table || 00 || row || key id */
#define AAD_MAX (TABLE_MAX + 1 + ROW_MAX + 4)

_Static_assert(VAULT_OVERHEAD == NONCE_SIZE + TAG_SIZE, "vault.h says what a seal adds");
_Static_assert(VAULT_ID_TEXT_SIZE == BASE64URL_LEN(VAULT_ID_SIZE) + 1, "vault.h says an id's text");

/* What is locked in memory. */
struct secrets {
	struct vault_keys file;
	/* Derived from the index key, so that no two uses share one. */
	uint8_t index[VAULT_KEY_SIZE];
	uint8_t mac[VAULT_KEY_SIZE];
	uint8_t id[VAULT_KEY_SIZE];
};

struct vault {
	struct secrets *secrets;
	const uint8_t *newest_key; /* in *secrets */
	uint32_t newest;
	EVP_CIPHER *gcm, *block;
	EVP_MAC *hmac;
	EVP_MAC_CTX *blank; /* HMAC-SHA-256 without a key, to be copied: a third cheaper */
};

const char *vault_strerror(int error)
{
	switch ((enum vault_error)error) {
	case VAULT_OK:
		return "done";
	case VAULT_ERR_FILE:
		return "the key file cannot be read or written; see that it is there, and whose it "
		       "is";
	case VAULT_ERR_MODE:
		return "others than its owner may read the key file; change that with `chmod 600`, "
		       "and think of whether its keys are still secret";
	case VAULT_ERR_FORMAT:
		return "this is no key file: one line `index` and at least one `key NUMBER`, each "
		       "with 64 hexadecimal digits, no number twice";
	case VAULT_ERR_KEY:
		return "it was sealed under a key that the key file does not have; put that key's "
		       "line back";
	case VAULT_ERR_DAMAGED:
		return "it does not open: it was changed, moved from another row, or sealed under "
		       "another key of this number";
	case VAULT_ERR_SIZE:
		return "it is too large, or there is no room for more keys";
	case VAULT_ERR_LIBRARY:
		return "out of memory, no memory may be locked (see `ulimit -l`, LimitMEMLOCK=), "
		       "or "
		       "OpenSSL failed";
	}
	return "unknown error";
}

/* ---- HMAC and what is derived with it ---- */

/* HMAC-SHA-256 (RFC 2104) over parts, one after the other. */
static bool hmac(const struct vault *vault, const uint8_t key[static VAULT_KEY_SIZE],
		 const struct bytes *parts, size_t count, uint8_t mac[static MAC_SIZE])
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(vault->blank);
	size_t len;
	bool ok = ctx && EVP_MAC_init(ctx, key, VAULT_KEY_SIZE, NULL) == 1;

	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_MAC_update(ctx, parts[i].ptr, parts[i].len) == 1;
	ok = ok && EVP_MAC_final(ctx, mac, &len, MAC_SIZE) == 1 && len == MAC_SIZE;
	EVP_MAC_CTX_free(ctx);
	return ok;
}

/* With its terminator: the 00 that parts it from what follows. */
static struct bytes label_bytes(const char *label)
{
	return bytes_of((const uint8_t *)label, strlen(label) + 1);
}

/* HKDF-Expand with SHA-256 (RFC 5869 §2.3), one block. */
static bool derive(const struct vault *vault, const uint8_t key[static VAULT_KEY_SIZE],
		   const char *label, struct bytes info, uint8_t derived[static VAULT_KEY_SIZE])
{
	static const uint8_t first = 1;
	const struct bytes parts[] = {label_bytes(label), info, bytes_of(&first, 1)};

	return hmac(vault, key, parts, 3, derived);
}

bool vault_index(const struct vault *vault, const char *label, struct bytes value,
		 struct vault_index *index)
{
	const struct bytes parts[] = {label_bytes(label), value};
	uint8_t mac[MAC_SIZE];

	if (!hmac(vault, vault->secrets->index, parts, 2, mac))
		return false;
	index->hi = (int64_t)((uint64_t)get_be32(mac) << 32 | get_be32(mac + 4));
	index->lo = (int64_t)((uint64_t)get_be32(mac + 8) << 32 | get_be32(mac + 12));
	return true;
}

bool vault_mac(const struct vault *vault, const char *label, struct bytes data,
	       uint8_t mac[static 32])
{
	uint8_t key[VAULT_KEY_SIZE];
	bool ok = derive(vault, vault->secrets->mac, label, bytes_of(NULL, 0), key) &&
		  hmac(vault, key, &data, 1, mac);

	bytes_wipe(key, sizeof(key));
	return ok;
}

/* ---- Opening ---- */

static bool library_fetch(struct vault *vault)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_END};

	vault->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	vault->block = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
	vault->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	vault->blank = vault->hmac ? EVP_MAC_CTX_new(vault->hmac) : NULL;
	return vault->gcm && vault->block && vault->blank &&
	       EVP_MAC_CTX_set_params(vault->blank, params) == 1;
}

static struct secrets *secrets_map(void)
{
	struct secrets *secrets = mmap(NULL, sizeof(*secrets), PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (secrets == MAP_FAILED)
		return NULL;
	if (mlock(secrets, sizeof(*secrets)) != 0 ||
	    madvise(secrets, sizeof(*secrets), MADV_DONTDUMP) != 0) {
		munmap(secrets, sizeof(*secrets));
		return NULL;
	}
	return secrets;
}

static bool keys_derive(struct vault *vault)
{
	struct secrets *secrets = vault->secrets;
	const struct bytes none = {0};

	vault->newest = vault_file_newest(&secrets->file);
	for (size_t i = 0; i < secrets->file.count; i++)
		if (secrets->file.seal[i].id == vault->newest)
			vault->newest_key = secrets->file.seal[i].key;
	return derive(vault, secrets->file.index, "simtie vault/1 index", none, secrets->index) &&
	       derive(vault, secrets->file.index, "simtie vault/1 mac", none, secrets->mac) &&
	       derive(vault, secrets->file.index, "simtie vault/1 id", none, secrets->id);
}

int vault_open(const char *where, struct vault **out, unsigned *line)
{
	struct vault *vault = calloc(1, sizeof(*vault));
	int result = VAULT_ERR_LIBRARY, error;

	*out = NULL;
	if (line)
		*line = 0;
	if (vault)
		vault->secrets = secrets_map();
	ERR_set_mark();
	if (vault && vault->secrets && library_fetch(vault)) {
		result = vault_file_read(where, &vault->secrets->file, line);
		if (result == VAULT_OK && !keys_derive(vault))
			result = VAULT_ERR_LIBRARY;
	}
	ERR_pop_to_mark();
	error = errno;
	if (result != VAULT_OK)
		vault_close(&vault);
	*out = vault;
	errno = error;
	return result;
}

void vault_close(struct vault **vault)
{
	struct vault *old = *vault;

	*vault = NULL;
	if (!old)
		return;
	EVP_MAC_CTX_free(old->blank);
	EVP_MAC_free(old->hmac);
	EVP_CIPHER_free(old->block);
	EVP_CIPHER_free(old->gcm);
	if (old->secrets) {
		bytes_wipe(old->secrets, sizeof(*old->secrets));
		munmap(old->secrets, sizeof(*old->secrets));
	}
	free(old);
}

uint32_t vault_newest(const struct vault *vault)
{
	return vault->newest;
}

/* ---- Sealing ---- */

static const uint8_t *key_find(const struct vault *vault, uint32_t key_id)
{
	const struct vault_keys *keys = &vault->secrets->file;

	for (size_t i = 0; i < keys->count; i++)
		if (keys->seal[i].id == key_id)
			return keys->seal[i].key;
	return NULL;
}

/* table || 00 || row || key id. 0: the place is out of its bounds. */
static size_t place_write(const struct vault_place *place, uint32_t key_id,
			  uint8_t aad[static AAD_MAX])
{
	size_t table_len = strlen(place->table);

	if (table_len == 0 || table_len > TABLE_MAX || place->row.len > ROW_MAX)
		return 0;
	memcpy(aad, place->table, table_len + 1);
	if (place->row.len)
		memcpy(aad + table_len + 1, place->row.ptr, place->row.len);
	put_be32(aad + table_len + 1 + place->row.len, key_id);
	return table_len + 1 + place->row.len + 4;
}

/* A context for one seal: the row's key and the nonce set, the place authenticated. NULL: the
 * library failed. */
static EVP_CIPHER_CTX *gcm_open(const struct vault *vault, const uint8_t *key, struct bytes aad,
				const uint8_t nonce[static NONCE_SIZE], int encrypt)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t row_key[VAULT_KEY_SIZE];
	int len;
	bool ok = ctx && derive(vault, key, "simtie vault/1 row", aad, row_key) &&
		  EVP_CipherInit_ex2(ctx, vault->gcm, row_key, nonce, encrypt, NULL) == 1 &&
		  EVP_CipherUpdate(ctx, NULL, &len, aad.ptr, (int)aad.len) == 1;

	bytes_wipe(row_key, sizeof(row_key));
	if (ok)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

static bool gcm_seal(EVP_CIPHER_CTX *ctx, struct bytes plain, uint8_t *out)
{
	int len, rest;

	return EVP_EncryptUpdate(ctx, out, &len, plain.ptr, (int)plain.len) == 1 &&
	       EVP_EncryptFinal_ex(ctx, out + len, &rest) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, out + plain.len) == 1;
}

int vault_seal(const struct vault *vault, const struct vault_place *place, struct bytes plain,
	       uint8_t *out, size_t size, size_t *len, uint32_t *key_id)
{
	uint8_t aad[AAD_MAX];
	size_t aad_len = place_write(place, vault->newest, aad);
	EVP_CIPHER_CTX *ctx = NULL;
	int result = VAULT_ERR_LIBRARY;

	if (aad_len == 0 || plain.len > VAULT_PLAIN_MAX || plain.len + VAULT_OVERHEAD > size)
		return VAULT_ERR_SIZE;
	ERR_set_mark();
	if (RAND_bytes(out, NONCE_SIZE) == 1)
		ctx = gcm_open(vault, vault->newest_key, bytes_of(aad, aad_len), out, 1);
	if (ctx && gcm_seal(ctx, plain, out + NONCE_SIZE)) {
		*len = plain.len + VAULT_OVERHEAD;
		*key_id = vault->newest;
		result = VAULT_OK;
	}
	EVP_CIPHER_CTX_free(ctx);
	ERR_pop_to_mark();
	return result;
}

/* The tag is compared, in constant time, by the last call. */
static bool gcm_unseal(EVP_CIPHER_CTX *ctx, struct bytes sealed, const uint8_t *tag, uint8_t *out)
{
	uint8_t expected[TAG_SIZE];
	int len, rest;

	memcpy(expected, tag, sizeof(expected));
	return EVP_DecryptUpdate(ctx, out, &len, sealed.ptr, (int)sealed.len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, expected) == 1 &&
	       EVP_DecryptFinal_ex(ctx, out + len, &rest) == 1;
}

int vault_unseal(const struct vault *vault, const struct vault_place *place, uint32_t key_id,
		 struct bytes sealed, uint8_t *out, size_t size, size_t *len)
{
	const uint8_t *key = key_find(vault, key_id);
	uint8_t aad[AAD_MAX];
	size_t aad_len = place_write(place, key_id, aad), plain_len;
	EVP_CIPHER_CTX *ctx;
	int result = VAULT_ERR_LIBRARY;

	if (!key)
		return VAULT_ERR_KEY;
	if (aad_len == 0 || sealed.len < VAULT_OVERHEAD)
		return VAULT_ERR_DAMAGED;
	plain_len = sealed.len - VAULT_OVERHEAD;
	if (plain_len > VAULT_PLAIN_MAX || plain_len > size)
		return VAULT_ERR_SIZE;
	ERR_set_mark();
	ctx = gcm_open(vault, key, bytes_of(aad, aad_len), sealed.ptr, 0);
	if (ctx) {
		result = gcm_unseal(ctx, bytes_of(sealed.ptr + NONCE_SIZE, plain_len),
				    sealed.ptr + NONCE_SIZE + plain_len, out)
				 ? VAULT_OK
				 : VAULT_ERR_DAMAGED;
	}
	EVP_CIPHER_CTX_free(ctx);
	ERR_pop_to_mark();
	if (result == VAULT_OK)
		*len = plain_len;
	else
		bytes_wipe(out, plain_len);
	return result;
}

/* ---- Row identifiers ---- */

/*
 * One block of AES under a key of its own. Elsewhere a bare block cipher gives away which blocks
 * are equal; here no two blocks are, 64 of their bits being random, and that is all that it could
 * give away: it is a random permutation to whoever lacks the key. What we need besides is that it
 * can be turned back and takes no more room than the block. It authenticates nothing: of an
 * identifier that somebody made up comes some `hi`, under which there is no such row.
 */
static bool id_block(const struct vault *vault, const uint8_t in[static VAULT_ID_SIZE],
		     uint8_t out[static VAULT_ID_SIZE], int encrypt)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len = 0;
	bool ok = ctx &&
		  EVP_CipherInit_ex2(ctx, vault->block, vault->secrets->id, NULL, encrypt, NULL) ==
			  1 &&
		  EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
		  EVP_CipherUpdate(ctx, out, &len, in, VAULT_ID_SIZE) == 1 && len == VAULT_ID_SIZE;

	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

void vault_put_int(uint8_t out[static 8], int64_t value)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
}

bool vault_id_make(const struct vault *vault, int64_t hi, uint8_t id[static VAULT_ID_SIZE])
{
	uint8_t block[VAULT_ID_SIZE];

	put_be32(block, (uint32_t)((uint64_t)hi >> 32));
	put_be32(block + 4, (uint32_t)hi);
	return RAND_bytes(block + 8, sizeof(block) - 8) == 1 && id_block(vault, block, id, 1);
}

bool vault_id_hi(const struct vault *vault, const uint8_t id[static VAULT_ID_SIZE], int64_t *hi)
{
	uint8_t block[VAULT_ID_SIZE];

	if (!id_block(vault, id, block, 0))
		return false;
	*hi = (int64_t)((uint64_t)get_be32(block) << 32 | get_be32(block + 4));
	return true;
}

void vault_id_text(const uint8_t id[static VAULT_ID_SIZE], char text[static VAULT_ID_TEXT_SIZE])
{
	text[base64url_write(bytes_of(id, VAULT_ID_SIZE), text)] = '\0';
}

bool vault_id_read(const char *text, uint8_t id[static VAULT_ID_SIZE])
{
	size_t len;

	return base64url_read(text, strlen(text), id, VAULT_ID_SIZE, &len) && len == VAULT_ID_SIZE;
}
