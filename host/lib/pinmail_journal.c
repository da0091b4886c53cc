#include "pinmail_journal.h"

#include "ca_file.h"
#include "pinmail_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD        "simtie-pins/1 "
#define HEAD_SIZE   128
#define BLOCK_BEGIN "-----BEGIN CMS-----\n"
#define BLOCK_END   "-----END CMS-----\n"

/* Bytes of a row, at most: that of an RSA key of 16384 bits has some 5,000. */
#define ROW_MAX 8192

/* The first line. 0: the library failed. */
static size_t write_head(const struct pinmail_journal *journal, char head[static HEAD_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	int used = snprintf(head, HEAD_SIZE, HEAD);

	if (!journal->recipient)
		return (size_t)snprintf(head, HEAD_SIZE, HEAD "plain\n");
	if (X509_digest(journal->recipient, EVP_sha256(), digest, &len) != 1)
		return 0;
	for (unsigned i = 0; i < len; i++)
		used += snprintf(head + used, HEAD_SIZE - (size_t)used, "%02x", digest[i]);
	used += snprintf(head + used, HEAD_SIZE - (size_t)used, "\n");
	return (size_t)used;
}

/* The whole file. NULL: errno says why. Plain rows may be in it: to be freed with forget(). */
static char *read_file(int fd, size_t *len)
{
	struct stat state;
	char *bytes;

	*len = 0;
	if (fstat(fd, &state))
		return NULL;
	bytes = malloc((size_t)state.st_size + 1);
	while (bytes && *len < (size_t)state.st_size) {
		ssize_t got = pread(fd, bytes + *len, (size_t)state.st_size - *len, (off_t)*len);

		if (got > 0)
			*len += (size_t)got;
		if (got == 0)
			break;
		if (got < 0 && errno != EINTR) {
			int error = errno;

			bytes_wipe(bytes, *len);
			free(bytes);
			errno = error;
			return NULL;
		}
	}
	return bytes;
}

static void forget(char *bytes, size_t len)
{
	bytes_wipe(bytes, len);
	free(bytes);
}

/* The length of the row at the front; 0: it has no end. */
static size_t row_len(const struct pinmail_journal *journal, const char *text, size_t len)
{
	const char *mark = journal->recipient ? BLOCK_END : "\n";
	const char *end = memmem(text, len, mark, strlen(mark));

	return end ? (size_t)(end - text) + strlen(mark) : 0;
}

/* Whether it is one block and nothing else. A reader of PEM passes over what it does not know, and
 * so over a whole row whose end is damaged. */
static bool one_block(const char *text, size_t len)
{
	const size_t begin = strlen(BLOCK_BEGIN), end = strlen(BLOCK_END);

	return len > begin + end && memcmp(text, BLOCK_BEGIN, begin) == 0 &&
	       !memchr(text + begin, '-', len - begin - end);
}

static int read_row(const struct pinmail_journal *journal, const char *text, size_t len,
		    struct pinmail_row *row)
{
	char line[PINMAIL_LINE_SIZE];
	size_t line_len;
	int error;

	if (!journal->recipient)
		return pinmail_line_read(text, len, row) ? PINMAIL_OK : PINMAIL_ERR_DAMAGED;
	if (!one_block(text, len))
		return PINMAIL_ERR_DAMAGED;
	error = pinmail_seal_open(bytes_of((const uint8_t *)text, len), journal->secret, line,
				  sizeof(line), &line_len);
	if (error == PINMAIL_OK && !pinmail_line_read(line, line_len, row))
		error = PINMAIL_ERR_DAMAGED;
	bytes_wipe(line, sizeof(line));
	return error;
}

/* What a writer or the power may leave at the end: the beginning of a row, or zeros where bytes
 * never came. */
static bool torn(const char *text, size_t len, size_t whole)
{
	return len < ROW_MAX && (whole == 0 || (whole == len && memchr(text, 0, len)));
}

/* Goes through the rows in `text`; *used gets how far whole ones reach. */
static int walk(const struct pinmail_journal *journal, const char *text, size_t len, size_t *used,
		int (*visit)(void *context, const struct pinmail_row *row), void *context)
{
	struct pinmail_row row;
	int error = PINMAIL_OK;

	for (*used = 0; error == PINMAIL_OK && *used < len;) {
		const char *at = text + *used;
		size_t whole = row_len(journal, at, len - *used);

		error = whole ? read_row(journal, at, whole, &row) : PINMAIL_ERR_DAMAGED;
		if (error && torn(at, len - *used, whole)) {
			error = PINMAIL_OK;
			break;
		}
		if (error == PINMAIL_OK)
			error = visit(context, &row);
		if (error == PINMAIL_OK)
			*used += whole;
	}
	bytes_wipe(&row, sizeof(row));
	return error;
}

static int nothing(void *context, const struct pinmail_row *row)
{
	(void)context;
	(void)row;
	return PINMAIL_OK;
}

/* Makes the first line of a new journal, or of one whose maker died over it. */
static int begin(struct pinmail_journal *journal, const char *head, size_t len)
{
	if (ftruncate(journal->fd, 0) || !ca_file_append(journal->fd, head, len) ||
	    fsync(journal->fd))
		return PINMAIL_ERR_FILE;
	journal->end = (off_t)len;
	return PINMAIL_OK;
}

static int check(struct pinmail_journal *journal, const char *text, size_t len)
{
	char head[HEAD_SIZE];
	size_t head_len = write_head(journal, head), used;
	int error;

	if (head_len == 0)
		return PINMAIL_ERR_LIBRARY;
	if (len < head_len && (memcmp(text, head, len) == 0 || memchr(text, 0, len)))
		return begin(journal, head, head_len);
	if (len < head_len || memcmp(text, head, head_len) != 0)
		return len >= strlen(HEAD) && memcmp(text, HEAD, strlen(HEAD)) == 0
			       ? PINMAIL_ERR_OTHER
			       : PINMAIL_ERR_DAMAGED;
	error = walk(journal, text + head_len, len - head_len, &used, nothing, NULL);
	if (error)
		return error;
	journal->end = (off_t)(head_len + used);
	return ftruncate(journal->fd, journal->end) ? PINMAIL_ERR_FILE : PINMAIL_OK;
}

/* 0, and the lock is ours; what was finished and removed while we opened it is not to be written.
 */
static int lock(int fd)
{
	struct stat state;

	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? PINMAIL_ERR_BUSY : PINMAIL_ERR_FILE;
	if (fstat(fd, &state) || fchmod(fd, 0600))
		return PINMAIL_ERR_FILE;
	return state.st_nlink ? PINMAIL_OK : PINMAIL_ERR_BUSY;
}

int pinmail_journal_open(struct pinmail_journal *journal, const char *path)
{
	char *text;
	size_t len;
	int error;

	journal->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (journal->fd < 0)
		return PINMAIL_ERR_FILE;
	error = lock(journal->fd);
	if (error)
		return error;
	text = read_file(journal->fd, &len);
	if (!text)
		return PINMAIL_ERR_FILE;
	error = check(journal, text, len);
	forget(text, len);
	return error;
}

void pinmail_journal_close(struct pinmail_journal *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = -1;
}

/* Writes a row and flushes it. */
static int write_row(struct pinmail_journal *journal, const char *text, size_t len)
{
	int error;

	if (!ca_file_append(journal->fd, text, len)) {
		error = errno;
		journal->broken = ftruncate(journal->fd, journal->end) != 0;
		errno = error;
		return PINMAIL_ERR_FILE;
	}
	/* After a flush that failed the system may say nothing at the next (fsync(2)). */
	if (fsync(journal->fd)) {
		journal->broken = true;
		return PINMAIL_ERR_FILE;
	}
	journal->end += (off_t)len;
	return PINMAIL_OK;
}

int pinmail_journal_append(struct pinmail_journal *journal, const struct pinmail_row *row)
{
	BIO *pem = BIO_new(BIO_s_mem());
	char line[PINMAIL_LINE_SIZE];
	size_t len = pinmail_line_write(row, line);
	int error = PINMAIL_ERR_LIBRARY;
	char *text;

	if (journal->broken) {
		errno = EIO;
		error = PINMAIL_ERR_FILE;
	} else if (!journal->recipient) {
		error = write_row(journal, line, len);
	} else if (pem && pinmail_seal(journal->recipient, journal->secret,
				       bytes_of((const uint8_t *)line, len), pem)) {
		len = (size_t)BIO_get_mem_data(pem, &text);
		error = len < ROW_MAX ? write_row(journal, text, len) : PINMAIL_ERR_LIBRARY;
	}
	BIO_free(pem);
	bytes_wipe(line, sizeof(line));
	return error;
}

int pinmail_journal_visit(const struct pinmail_journal *journal,
			  int (*visit)(void *context, const struct pinmail_row *row), void *context)
{
	size_t len, used, whole;
	char *text = read_file(journal->fd, &len), *rows;
	int error;

	if (!text)
		return PINMAIL_ERR_FILE;
	rows = memchr(text, '\n', len);
	whole = (size_t)journal->end;
	if (!rows || len < whole)
		error = PINMAIL_ERR_DAMAGED; /* somebody cut it off under us */
	else
		error = walk(journal, rows + 1, whole - (size_t)(rows + 1 - text), &used, visit,
			     context);
	forget(text, len);
	return error;
}
