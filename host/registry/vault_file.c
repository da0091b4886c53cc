/*
 * The key file. A file is read whole into one buffer and taken apart there, so that there is one
 * copy to wipe. A new version of it gets its name only once it is on the disk: a key that has
 * sealed a row and is lost takes the row with it.
 */
#include "vault_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#define FILE_MAX   8192 /* bytes; sixteen keys and their comments */
#define KEY_DIGITS (2 * VAULT_KEY_SIZE)
#define LINE_SIZE  (sizeof("key 4294967295 ") + KEY_DIGITS + 1)
#define KEY_ID_MAX INT32_MAX

/* A run of characters. */
struct text {
	const char *ptr;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Takes a word off the front, with the blanks around it. */
static struct text take_word(struct text *line)
{
	struct text word;

	while (line->len > 0 && is_blank(*line->ptr))
		line->ptr++, line->len--;
	word = (struct text){line->ptr, 0};
	while (line->len > 0 && !is_blank(*line->ptr))
		line->ptr++, line->len--, word.len++;
	while (line->len > 0 && is_blank(*line->ptr))
		line->ptr++, line->len--;
	return word;
}

static struct text take_line(struct text *rest)
{
	const char *end = memchr(rest->ptr, '\n', rest->len);
	struct text line = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
	size_t taken = line.len + (end ? 1 : 0);

	rest->ptr += taken;
	rest->len -= taken;
	return line;
}

static bool is(struct text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_key(struct text hex, uint8_t key[static VAULT_KEY_SIZE])
{
	if (hex.len != KEY_DIGITS)
		return false;
	for (size_t i = 0; i < VAULT_KEY_SIZE; i++) {
		int high = digit(hex.ptr[2 * i]), low = digit(hex.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_number(struct text text, uint32_t *number)
{
	uint64_t value = 0;

	if (text.len == 0 || text.len > 10 || text.ptr[0] == '0')
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value = 10 * value + (uint64_t)(text.ptr[i] - '0');
	}
	*number = (uint32_t)value;
	return value <= KEY_ID_MAX;
}

static bool read_seal(struct text *line, struct vault_keys *keys)
{
	uint32_t id;

	if (keys->count == VAULT_KEYS_MAX || !read_number(take_word(line), &id))
		return false;
	for (size_t i = 0; i < keys->count; i++)
		if (keys->seal[i].id == id)
			return false;
	keys->seal[keys->count].id = id;
	return read_key(take_word(line), keys->seal[keys->count++].key);
}

static bool read_line(struct text line, struct vault_keys *keys, bool *has_index)
{
	struct text word = take_word(&line);

	if (word.len == 0 || word.ptr[0] == '#')
		return true;
	if (is(word, "index") && !*has_index) {
		*has_index = true;
		if (!read_key(take_word(&line), keys->index))
			return false;
	} else if (!is(word, "key") || !read_seal(&line, keys)) {
		return false;
	}
	return line.len == 0 || line.ptr[0] == '#';
}

static int keys_parse(struct text text, struct vault_keys *keys, unsigned *line)
{
	bool has_index = false;

	*line = 0;
	while (text.len) {
		++*line;
		if (!read_line(take_line(&text), keys, &has_index))
			return VAULT_ERR_FORMAT;
	}
	return has_index && keys->count ? VAULT_OK : VAULT_ERR_FORMAT;
}

/* Reads up to the end; what would not fit is no key file. */
static int text_read(int fd, char text[static FILE_MAX], size_t *len)
{
	struct stat info;
	ssize_t got;

	*len = 0;
	if (fstat(fd, &info) != 0)
		return VAULT_ERR_FILE;
	if (S_ISDIR(info.st_mode)) {
		errno = EISDIR;
		return VAULT_ERR_FILE;
	}
	/* A pipe is its two ends' own, whatever its mode says. */
	if (S_ISREG(info.st_mode) && info.st_mode & (S_IRWXG | S_IRWXO))
		return VAULT_ERR_MODE;
	do {
		got = read(fd, text + *len, FILE_MAX - *len);
		if (got > 0)
			*len += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		return VAULT_ERR_FILE;
	return *len < FILE_MAX ? VAULT_OK : VAULT_ERR_FORMAT;
}

/* The descriptor of "fd:N", or of the file opened. -1: errno. */
static int file_open(const char *where, int flags)
{
	static const char prefix[] = "fd:";
	struct text digits;
	uint32_t number = 0;

	if (strncmp(where, prefix, sizeof(prefix) - 1) != 0)
		return open(where, flags | O_CLOEXEC | O_NOCTTY);
	digits = (struct text){where + sizeof(prefix) - 1, strlen(where) - (sizeof(prefix) - 1)};
	if (!is(digits, "0") && !read_number(digits, &number)) {
		errno = EBADF;
		return -1;
	}
	return (int)number;
}

int vault_file_read(const char *where, struct vault_keys *keys, unsigned *line)
{
	char text[FILE_MAX];
	size_t len;
	unsigned at = 0;
	int fd = file_open(where, O_RDONLY);
	int result = VAULT_ERR_FILE, error;

	memset(keys, 0, sizeof(*keys));
	if (fd >= 0) {
		result = text_read(fd, text, &len);
		error = errno;
		close(fd); /* one that was handed over has been read to its end */
		errno = error;
	}
	if (result == VAULT_OK)
		result = keys_parse((struct text){text, len}, keys, &at);
	if (line)
		*line = at;
	if (result != VAULT_OK)
		bytes_wipe(keys, sizeof(*keys));
	bytes_wipe(text, sizeof(text));
	return result;
}

uint32_t vault_file_newest(const struct vault_keys *keys)
{
	uint32_t newest = 0;

	for (size_t i = 0; i < keys->count; i++)
		if (keys->seal[i].id > newest)
			newest = keys->seal[i].id;
	return newest;
}

/* ---- Writing ---- */

/* Appends a line with a fresh key; `text` has room for it. */
static bool line_append(char *text, size_t *len, const char *name)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t key[VAULT_KEY_SIZE];
	bool ok = RAND_priv_bytes(key, sizeof(key)) == 1;

	*len += (size_t)sprintf(text + *len, "%s ", name);
	for (size_t i = 0; i < sizeof(key); i++) {
		text[(*len)++] = digits[key[i] >> 4];
		text[(*len)++] = digits[key[i] & 0x0F];
	}
	text[(*len)++] = '\n';
	bytes_wipe(key, sizeof(key));
	return ok;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t written = write(fd, text, len);

		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			text += written;
			len -= (size_t)written;
		}
	}
	return true;
}

static bool directory_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
	int error = errno;

	if (fd >= 0)
		close(fd);
	free(directory);
	errno = error;
	return ok;
}

/* Puts a file of this content in its place: of none (`flags` RENAME_NOREPLACE), or of the old one.
 */
static bool file_put(const char *path, const char *text, size_t len, unsigned flags)
{
	char *temp;
	int fd, error;
	bool ok;

	if (asprintf(&temp, "%s.XXXXXX", path) < 0)
		return false;
	fd = mkostemp(temp, O_CLOEXEC);
	ok = fd >= 0 && fchmod(fd, S_IRUSR | S_IWUSR) == 0 && write_all(fd, text, len) &&
	     fsync(fd) == 0 && renameat2(AT_FDCWD, temp, AT_FDCWD, path, flags) == 0;
	error = errno;
	if (fd >= 0) {
		close(fd);
		if (!ok)
			unlink(temp);
	}
	free(temp);
	errno = error;
	return ok && directory_sync(path);
}

int vault_create(const char *path)
{
	char text[2 * LINE_SIZE];
	size_t len = 0;
	int result = VAULT_ERR_LIBRARY;

	if (line_append(text, &len, "index") && line_append(text, &len, "key 1"))
		result = file_put(path, text, len, RENAME_NOREPLACE) ? VAULT_OK : VAULT_ERR_FILE;
	bytes_wipe(text, sizeof(text));
	return result;
}

/* Opens the file for itself alone, so that of two that add a key at once neither takes the other's
 * away: who had to wait may hold a file that is no longer there, and looks again. */
static int file_lock(const char *path)
{
	struct stat held, named;

	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX) == 0 && fstat(fd, &held) == 0 && stat(path, &named) == 0 &&
		    held.st_ino == named.st_ino && held.st_dev == named.st_dev)
			return fd;
		close(fd);
	}
}

static int key_append(const char *path, char *text, size_t len, uint32_t *key_id)
{
	struct vault_keys keys = {0};
	char name[sizeof("key 4294967295")];
	unsigned line;
	int result = keys_parse((struct text){text, len}, &keys, &line);

	*key_id = vault_file_newest(&keys) + 1;
	if (result == VAULT_OK && (keys.count == VAULT_KEYS_MAX || *key_id > KEY_ID_MAX))
		result = VAULT_ERR_SIZE;
	bytes_wipe(&keys, sizeof(keys));
	if (result != VAULT_OK)
		return result;
	if (text[len - 1] != '\n')
		text[len++] = '\n';
	sprintf(name, "key %u", *key_id);
	if (!line_append(text, &len, name))
		return VAULT_ERR_LIBRARY;
	return file_put(path, text, len, 0) ? VAULT_OK : VAULT_ERR_FILE;
}

int vault_add_key(const char *path, uint32_t *key_id)
{
	char text[FILE_MAX + LINE_SIZE + 1];
	size_t len;
	int fd = file_lock(path);
	int result = VAULT_ERR_FILE, error;

	*key_id = 0;
	if (fd < 0)
		return result;
	result = text_read(fd, text, &len);
	if (result == VAULT_OK)
		result = key_append(path, text, len, key_id);
	error = errno;
	close(fd);
	errno = error;
	bytes_wipe(text, sizeof(text));
	return result;
}
