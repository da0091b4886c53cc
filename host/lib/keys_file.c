/* Key files: who may read them, and what is in them (keys-file.md). */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scp03_aes.h"

/* Words of the format, as bits of what a file has said. */
enum word {
	WORD_VERSION = 1,
	WORD_ENC = 2,
	WORD_MAC = 4,
	WORD_DEK = 8,
	WORD_KEY = WORD_ENC | WORD_MAC | WORD_DEK,
	WORD_DERIVE = 16,
};

static const struct {
	const char *text;
	enum word word;
} words[] = {
	{"version", WORD_VERSION}, {"enc", WORD_ENC}, {"mac", WORD_MAC},
	{"dek", WORD_DEK},         {"key", WORD_KEY}, {"derive", WORD_DERIVE},
};

/* A file being read. */
struct reading {
	struct keys *keys;
	unsigned said; /* bits of enum word */
};

/* A run of characters. */
struct text {
	const char *ptr;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes a run of characters that are no blanks off the front, with the blanks around it. */
static struct text take(struct text *line)
{
	struct text taken;

	while (line->len > 0 && is_blank(*line->ptr))
		line->ptr++, line->len--;
	taken = (struct text){line->ptr, 0};
	while (line->len > 0 && !is_blank(*line->ptr))
		line->ptr++, line->len--, taken.len++;
	while (line->len > 0 && is_blank(*line->ptr))
		line->ptr++, line->len--;
	return taken;
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

/* Up to `size` bytes; the rest, if there is more, is only looked at. *len counts all. */
static enum keys_result read_hex(struct text hex, uint8_t *out, size_t size, size_t *len)
{
	*len = hex.len / 2;
	if (hex.len % 2 != 0)
		return KEYS_BAD_HEX;
	for (size_t i = 0; i < *len; i++) {
		int high = digit(hex.ptr[2 * i]), low = digit(hex.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return KEYS_BAD_HEX;
		if (i < size)
			out[i] = (uint8_t)(high << 4 | low);
	}
	return KEYS_OK;
}

static enum keys_result read_version(struct text value, struct scp03_keys *set)
{
	size_t len;
	enum keys_result result = read_hex(value, &set->version, 1, &len);

	if (result != KEYS_OK)
		return result;
	if (len != 1 || set->version == SCP03_VERSION_FIRST || !scp03_version_valid(set->version))
		return KEYS_BAD_VERSION;
	return KEYS_OK;
}

static enum keys_result read_key(struct text value, enum word word, struct scp03_keys *set)
{
	uint8_t key[SCP03_KEY_MAX];
	size_t len;
	enum keys_result result = read_hex(value, key, sizeof key, &len);

	if (result == KEYS_OK && (!scp03_aes_takes(len) || (set->len != 0 && set->len != len)))
		result = KEYS_BAD_LENGTH;
	if (result == KEYS_OK) {
		set->len = len;
		if (word & WORD_ENC)
			memcpy(set->enc, key, len);
		if (word & WORD_MAC)
			memcpy(set->mac, key, len);
		if (word & WORD_DEK)
			memcpy(set->dek, key, len);
	}
	bytes_wipe(key, sizeof key);
	return result;
}

static enum keys_result read_kind(struct text value, enum keys_kind *kind)
{
	if (is(value, "kdd"))
		*kind = KEYS_MASTER_FOR_KDD;
	else if (is(value, "iccid"))
		*kind = KEYS_MASTER_FOR_ICCID;
	else
		return KEYS_BAD_KIND;
	return KEYS_OK;
}

static enum keys_result read_line(struct reading *reading, struct text line)
{
	struct text word = take(&line), value = take(&line);
	unsigned found = 0;

	if (word.len == 0 || *word.ptr == '#')
		return KEYS_OK;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (is(word, words[i].text))
			found = words[i].word;
	if (found == 0 || value.len == 0 || line.len > 0)
		return KEYS_BAD_WORD;
	if (reading->said & found)
		return KEYS_TWICE;
	reading->said |= found;
	if (found == WORD_VERSION)
		return read_version(value, &reading->keys->set);
	if (found == WORD_DERIVE)
		return read_kind(value, &reading->keys->kind);
	return read_key(value, found, &reading->keys->set);
}

/* Takes a line off the front, and what ends it. */
static struct text take_line(struct text *text)
{
	const char *end = memchr(text->ptr, '\n', text->len);
	struct text line = {text->ptr, end ? (size_t)(end - text->ptr) : text->len};
	size_t whole = line.len + (end != NULL);

	text->ptr += whole;
	text->len -= whole;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

enum keys_result keys_parse(const char *ptr, size_t len, struct keys *keys, unsigned *line)
{
	struct text text = {ptr, len};
	struct reading reading = {.keys = keys};
	enum keys_result result = KEYS_OK;

	memset(keys, 0, sizeof *keys);
	*line = 0;
	if (len > KEYS_FILE_MAX)
		return KEYS_TOO_LONG;
	while (text.len > 0 && result == KEYS_OK) {
		++*line;
		result = read_line(&reading, take_line(&text));
	}
	if (result == KEYS_OK) {
		*line = 0;
		if ((reading.said & WORD_KEY) != WORD_KEY)
			result = KEYS_MISSING;
	}
	if (result != KEYS_OK)
		keys_wipe(keys);
	return result;
}

/* Whether nobody else has any right on it, as far as its mode says; an ACL shows there too. */
static enum keys_result check_mode(int fd)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return KEYS_NO_FILE;
	if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
		return KEYS_NOT_A_FILE;
	return info.st_mode & (S_IRWXG | S_IRWXO) ? KEYS_EXPOSED : KEYS_OK;
}

/* All there is, up to `size` bytes; -1: it cannot be read. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t count = read(fd, text + len, size - len);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -1;
		if (count == 0)
			break;
		len += (size_t)count;
	}
	return (ssize_t)len;
}

enum keys_result keys_read_fd(int fd, struct keys *keys, unsigned *line)
{
	char text[KEYS_FILE_MAX + 1];
	enum keys_result result = check_mode(fd);
	ssize_t len;

	keys_wipe(keys);
	*line = 0;
	if (result != KEYS_OK)
		return result;
	len = read_all(fd, text, sizeof text);
	result = len < 0 ? KEYS_NO_FILE : keys_parse(text, (size_t)len, keys, line);
	bytes_wipe(text, sizeof text);
	return result;
}

enum keys_result keys_read_file(const char *path, struct keys *keys, unsigned *line)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum keys_result result;
	int error;

	keys_wipe(keys);
	*line = 0;
	if (fd < 0)
		return KEYS_NO_FILE;
	result = keys_read_fd(fd, keys, line);
	error = errno;
	close(fd);
	errno = error;
	return result;
}
