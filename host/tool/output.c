#include "output.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Columns of a name in aligned output. */
#define LINE_COLUMNS 16

void output_error(const char *format, ...)
{
	va_list list;

	fflush(stdout);
	fputs("simtie: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}

void output_line(const char *name, const char *format, ...)
{
	va_list list;

	printf("%-*s ", LINE_COLUMNS, name);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
}

int output_json(json_t *object)
{
	int failed;

	if (!object) {
		output_error("out of memory; nothing was printed");
		return TOOL_IO;
	}
	failed = json_dumpf(object, stdout, JSON_COMPACT);
	json_decref(object);
	if (failed)
		return output_end(TOOL_IO);
	putchar('\n');
	return output_end(TOOL_DONE);
}

int output_end(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno != EPIPE)
		output_error("cannot write the output: %s; see where it is redirected to",
			     strerror(errno));
	return TOOL_IO;
}

static char *write_hex(const char *digits, const uint8_t *bytes, size_t len, char *text)
{
	char *p = text;

	for (size_t i = 0; i < len; i++) {
		*p++ = digits[bytes[i] >> 4];
		*p++ = digits[bytes[i] & 15];
	}
	*p = '\0';
	return text;
}

char *output_hex(const uint8_t *bytes, size_t len, char *text)
{
	return write_hex("0123456789ABCDEF", bytes, len, text);
}

char *output_hex_lower(const uint8_t *bytes, size_t len, char *text)
{
	return write_hex("0123456789abcdef", bytes, len, text);
}

/* The value of a hexadecimal digit, or -1. */
static int nibble(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

long input_hex(const char *text, uint8_t *bytes, size_t size)
{
	long len = 0;

	for (;;) {
		int high, low;

		while (isspace((unsigned char)*text))
			text++;
		if (*text == '\0')
			return len;
		high = nibble(text[0]);
		low = high < 0 ? -1 : nibble(text[1]);
		if (low < 0)
			return -1;
		if ((size_t)len < size)
			bytes[len] = (uint8_t)(high << 4 | low);
		len++;
		text += 2;
	}
}

static const char base64url_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *output_base64url(const uint8_t *bytes, size_t len, char *text)
{
	char *p = text;
	uint32_t bits = 0;
	unsigned held = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		held += 8;
		for (; held >= 6; held -= 6)
			*p++ = base64url_digits[bits >> (held - 6) & 63];
	}
	if (held)
		*p++ = base64url_digits[bits << (6 - held) & 63];
	*p = '\0';
	return text;
}

long input_base64url(const char *text, size_t len, uint8_t *bytes, size_t size)
{
	uint32_t bits = 0;
	unsigned held = 0;
	long count = 0;
	size_t digits = 0;

	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	for (; len && text[len - 1] == '='; len--)
		;
	for (size_t i = 0; i < len; i++) {
		const char *digit = memchr(base64url_digits, text[i], 64);

		if (isspace((unsigned char)text[i]))
			continue;
		if (!digit)
			return -1;
		digits++;
		bits = bits << 6 | (uint32_t)(digit - base64url_digits);
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		if ((size_t)count < size)
			bytes[count] = (uint8_t)(bits >> held);
		count++;
	}
	/* A lone digit makes no byte, and the bits left over are zero (RFC 4648 §3.5). */
	return digits % 4 == 1 || bits & ((1u << held) - 1) ? -1 : count;
}

char *output_iccid(const uint8_t iccid[static 10], char text[static OUTPUT_ICCID_SIZE])
{
	char *p = text;

	for (size_t i = 0; i < 20; i++) {
		unsigned digit = i & 1 ? iccid[i / 2] >> 4 : iccid[i / 2] & 15;

		if (digit > 9)
			break;
		*p++ = (char)('0' + digit);
	}
	*p = '\0';
	return text;
}

bool input_iccid(const char *text, uint8_t iccid[static 10])
{
	size_t len = strlen(text);

	if (len < 18 || len > 20 || strspn(text, "0123456789") != len)
		return false;
	for (size_t i = 0; i < 20; i += 2) {
		unsigned low = i < len ? (unsigned)(text[i] - '0') : 15;
		unsigned high = i + 1 < len ? (unsigned)(text[i + 1] - '0') : 15;

		iccid[i / 2] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Length of the UTF-8 character at `p`; 0 when it is none, -1 when it is cut off by the end. */
static int utf8_len(const unsigned char *p)
{
	int len = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

	if (p[0] > 0xF4)
		return 0;
	for (int i = 1; i < len; i++) {
		if (p[i] == '\0')
			return -1;
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates and what is beyond U+10FFFF (RFC 3629 §3). */
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
	    (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return len;
}

char *output_safe(const char *text, char *out, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;

	while (*p) {
		int len = utf8_len(p);
		/* C0, DEL, and C1 as UTF-8 writes it. */
		bool control = len == 1 ? *p < 0x20 || *p == 0x7F : *p == 0xC2 && p[1] < 0xA0;

		if (len < 0 || used + (size_t)(len > 0 ? len : 1) >= size)
			break;
		if (len == 0 || control)
			out[used++] = '?';
		else
			for (int i = 0; i < len; i++)
				out[used++] = (char)p[i];
		p += len > 0 ? len : 1;
	}
	out[used] = '\0';
	return out;
}

int input_file(const char *path, uint8_t *bytes, size_t size, size_t *len)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	uint8_t more;
	ssize_t count;

	if (fd < 0)
		return -1;
	*len = 0;
	do {
		bool full = *len == size;

		count = read(fd, full ? &more : bytes + *len, full ? 1 : size - *len);
		if (count > 0)
			*len += (size_t)count;
	} while ((count > 0 && *len <= size) || (count < 0 && errno == EINTR));
	if (fd != STDIN_FILENO) {
		int error = errno;

		close(fd);
		errno = error;
	}
	return count < 0 ? -1 : 0;
}

static int write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t count = write(fd, bytes, len);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -1;
		bytes += count;
		len -= (size_t)count;
	}
	return 0;
}

/* Writes and closes; what is written has reached the disk on return. */
static int write_and_close(int fd, const void *bytes, size_t len, bool regular)
{
	int failed = write_all(fd, bytes, len) || (regular && fsync(fd));
	int error = errno;

	if (close(fd) && !failed)
		return -1;
	errno = error;
	return failed ? -1 : 0;
}

/* Makes the new name in a directory last, where the file system can. */
static void sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = name ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	free(name);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/* Writes `draft`, a name to be completed by mkostemp(), and gives it the name `path`. */
static int write_draft(char *draft, const char *path, const void *bytes, size_t len)
{
	int fd = mkostemp(draft, O_CLOEXEC);
	int error;

	if (fd < 0)
		return -1;
	if (write_and_close(fd, bytes, len, true) == 0 && rename(draft, path) == 0) {
		sync_directory(path);
		return 0;
	}
	error = errno;
	unlink(draft);
	errno = error;
	return -1;
}

int output_file(const char *path, const void *bytes, size_t len)
{
	struct stat state;
	char *draft;
	int failed;

	if (strcmp(path, "-") == 0)
		return write_all(STDOUT_FILENO, bytes, len);
	if (stat(path, &state) == 0 && !S_ISREG(state.st_mode)) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		return fd < 0 ? -1 : write_and_close(fd, bytes, len, false);
	}
	if (asprintf(&draft, "%s.XXXXXX", path) < 0)
		return -1;
	failed = write_draft(draft, path, bytes, len);
	free(draft);
	return failed;
}
