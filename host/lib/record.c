/*
 * The card's record as a file. The chain code in it links a card across audiences, so that the file
 * is its owner's alone from its first instant, and every copy that can be reached is wiped.
 *
 * Reading tolerates members that it does not know: a later version may add some, and an operator
 * may note things beside a card. What they say is not kept.
 */
#include "crypto.h"
#include "simtie.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD_FORMAT "simtie-card-record/1"
#define RECORD_MAX    4096 /* bytes of a file; ours have about 370 */

#define HEX_SIZE(bytes) (2 * (bytes) + 1)

static void hex_write(const uint8_t *bytes, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 0x0F];
	}
	*text = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Exactly `size` bytes. */
static bool hex_read(const char *text, uint8_t *out, size_t size)
{
	if (strlen(text) != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Takes what `pattern` asks for off the front of *text: 0 stands for any digit. */
static bool take(const char **text, const char *pattern)
{
	const char *at = *text;

	for (; *pattern; pattern++, at++)
		if (*pattern == '0' ? *at < '0' || *at > '9' : *at != *pattern)
			return false;
	*text = at;
	return true;
}

static bool take_digits(const char **text)
{
	if (!take(text, "0"))
		return false;
	while (take(text, "0"))
		;
	return true;
}

static bool version_valid(const char *version)
{
	return take_digits(&version) && take(&version, ".") && take_digits(&version) &&
	       take(&version, ".") && take_digits(&version) && *version == '\0';
}

/* RFC 3339 §5.6, date-time. */
static bool time_valid(const char *text)
{
	const char *at = text;
	struct tm tm = {0}, day;

	if (!take(&at, "0000-00-00T00:00:00"))
		return false;
	if (take(&at, ".") && !take_digits(&at))
		return false;
	if (!take(&at, "Z") && !take(&at, "+00:00") && !take(&at, "-00:00"))
		return false;
	if (*at != '\0' || !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return false;
	day = (struct tm){.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday};
	timegm(&day); /* a day that its month does not have becomes another */
	return day.tm_mday == tm.tm_mday;
}

/* 0, SIMTIE_ERR_FORMAT, or SIMTIE_ERR_MEMORY when the point could not be checked. */
static int record_check(const struct simtie_record *record)
{
	if (!memchr(record->applet_version, 0, sizeof(record->applet_version)) ||
	    !memchr(record->created_at, 0, sizeof(record->created_at)) ||
	    !version_valid(record->applet_version) || !time_valid(record->created_at))
		return SIMTIE_ERR_FORMAT;
	switch (simtie_crypto_mbedtls()->p256_point(record->key.device_public)) {
	case VERDICT_GOOD:
		return SIMTIE_OK;
	case VERDICT_BAD:
		return SIMTIE_ERR_FORMAT;
	case VERDICT_FAILED:
		break;
	}
	return SIMTIE_ERR_MEMORY;
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

/* Gives the file its name unless something has it. Not every file system can do either: FAT has no
 * links, NFS no RENAME_NOREPLACE. */
static bool publish(const char *temp, const char *path)
{
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	return link(temp, path) == 0 && unlink(temp) == 0;
}

/* Makes the new name durable. A directory that may not be read cannot be synced: let that pass. */
static bool directory_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool ok = fd >= 0 ? fsync(fd) == 0 || errno == EINVAL : directory && errno == EACCES;
	int error = errno;

	if (fd >= 0)
		close(fd);
	free(directory);
	errno = error;
	return ok;
}

/* Creates the file, whole or not at all. False: errno says why. */
static bool file_create(const char *path, const char *text, size_t len)
{
	char *temp;
	int fd, error;
	bool ok;

	if (asprintf(&temp, "%s.XXXXXX", path) < 0)
		return false;
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0) {
		error = errno;
		free(temp);
		errno = error;
		return false;
	}
	ok = fchmod(fd, 0600) == 0 && write_all(fd, text, len) && fsync(fd) == 0;
	error = errno;
	if (close(fd) != 0 && ok) {
		error = errno;
		ok = false;
	}
	if (ok && !publish(temp, path)) {
		error = errno;
		ok = false;
	}
	if (!ok)
		unlink(temp);
	free(temp);
	errno = error;
	return ok && directory_sync(path);
}

int simtie_record_write(const char *path, const struct simtie_record *record)
{
	char device_public[HEX_SIZE(SIMTIE_POINT_SIZE)];
	char chain_code[HEX_SIZE(SIMTIE_CHAIN_CODE_SIZE)];
	char text[RECORD_MAX];
	int len;
	bool ok;

	if (record_check(record) != SIMTIE_OK)
		return SIMTIE_ERR_ARGUMENT;
	hex_write(record->key.device_public, SIMTIE_POINT_SIZE, device_public);
	hex_write(record->key.chain_code, SIMTIE_CHAIN_CODE_SIZE, chain_code);
	/* Not by jansson: nothing in these values needs escaping, they were checked, and it would
	 * leave the chain code in freed memory. */
	len = snprintf(text, sizeof(text),
		       "{\"format\":\"" RECORD_FORMAT "\",\"devicePublicKey\":\"%s\","
		       "\"chainCode\":\"%s\",\"appletVersion\":\"%s\",\"createdAt\":\"%s\"}\n",
		       device_public, chain_code, record->applet_version, record->created_at);
	ok = file_create(path, text, (size_t)len);
	bytes_wipe(text, sizeof(text));
	bytes_wipe(chain_code, sizeof(chain_code));
	return ok ? SIMTIE_OK : SIMTIE_ERR_FILE;
}

/* Reads at most `size` bytes. -1: errno says why. */
static ssize_t file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got;
	int error;

	if (fd < 0)
		return -1;
	do {
		got = read(fd, text + len, size - len);
		if (got > 0)
			len += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	error = errno;
	close(fd);
	errno = error;
	return got < 0 ? -1 : (ssize_t)len;
}

/* A member that is a string; "" is never valid, so that it stands for one that is not there. */
static const char *member(const json_t *root, const char *name)
{
	const char *text = json_string_value(json_object_get(root, name));

	return text ? text : "";
}

static bool member_copy(const json_t *root, const char *name, char *out, size_t size)
{
	const char *text = member(root, name);
	size_t len = strlen(text);

	if (len >= size)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static int record_parse(const json_t *root, struct simtie_record *record)
{
	if (strcmp(member(root, "format"), RECORD_FORMAT) != 0 ||
	    !hex_read(member(root, "devicePublicKey"), record->key.device_public,
		      SIMTIE_POINT_SIZE) ||
	    !hex_read(member(root, "chainCode"), record->key.chain_code, SIMTIE_CHAIN_CODE_SIZE) ||
	    !member_copy(root, "appletVersion", record->applet_version,
			 sizeof(record->applet_version)) ||
	    !member_copy(root, "createdAt", record->created_at, sizeof(record->created_at)))
		return SIMTIE_ERR_FORMAT;
	return record_check(record);
}

int simtie_record_parse(const char *text, size_t len, struct simtie_record *record)
{
	json_error_t error = {0};
	json_t *root = NULL;
	const char *secret;
	int result = SIMTIE_ERR_FORMAT;

	memset(record, 0, sizeof(*record));
	if (len <= RECORD_MAX)
		root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (root)
		result = record_parse(root, record);
	else if (json_error_code(&error) == json_error_out_of_memory)
		result = SIMTIE_ERR_MEMORY;
	/* The copy in jansson's tree is wiped in place; what its lexer had it freed already. */
	secret = member(root, "chainCode");
	if (*secret)
		bytes_wipe((char *)secret, strlen(secret));
	json_decref(root);
	bytes_wipe(&error, sizeof(error)); /* its text quotes what it stumbled on */
	if (result != SIMTIE_OK)
		bytes_wipe(record, sizeof(*record));
	return result;
}

int simtie_record_read(const char *path, struct simtie_record *record)
{
	char text[RECORD_MAX + 1];
	ssize_t len = file_read(path, text, sizeof(text));
	int result = SIMTIE_ERR_FILE;

	memset(record, 0, sizeof(*record));
	if (len >= 0)
		result = simtie_record_parse(text, (size_t)len, record);
	bytes_wipe(text, sizeof(text));
	return result;
}
