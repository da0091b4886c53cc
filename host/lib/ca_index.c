#include "ca_index.h"

#include "ca_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_LEN ((off_t)sizeof(CA_INDEX_HEAD) - 1)

int ca_index_open(int directory, bool writable, struct ca_index *index)
{
	int access = writable ? O_RDWR | O_APPEND : O_RDONLY;

	*index = (struct ca_index){.fd = openat(directory, CA_INDEX_NAME, access | O_CLOEXEC)};
	return index->fd < 0 ? CA_ERR_FILE : CA_OK;
}

void ca_index_close(struct ca_index *index)
{
	if (index->fd >= 0)
		close(index->fd);
	index->fd = -1;
}

/* Lines of a part of the file, one after the other. */
struct reading {
	int fd;
	off_t at;   /* of the buffer's first byte in the file */
	off_t stop; /* end of the part */
	size_t len; /* bytes in the buffer */
	size_t used;
	char buffer[16384];
};

/* What the next line is. */
enum next { NEXT_LINE, NEXT_END, NEXT_CUT, NEXT_FAILED };

/* Moves what is left to the front and fills up. False: errno. */
static bool reading_fill(struct reading *r)
{
	memmove(r->buffer, r->buffer + r->used, r->len - r->used);
	r->at += (off_t)r->used;
	r->len -= r->used;
	r->used = 0;
	while (r->len < sizeof(r->buffer)) {
		off_t from = r->at + (off_t)r->len;
		size_t room = sizeof(r->buffer) - r->len;
		size_t want = from + (off_t)room > r->stop ? (size_t)(r->stop - from) : room;
		ssize_t got = want ? pread(r->fd, r->buffer + r->len, want, from) : 0;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		r->len += (size_t)got;
	}
	return true;
}

/* Takes the next line; CUT is one that does not end, or not soon enough. */
static enum next reading_next(struct reading *r, const char **text, size_t *len)
{
	char *end;

	if (r->len - r->used < CA_INDEX_LINE_MAX && !reading_fill(r))
		return NEXT_FAILED;
	*text = r->buffer + r->used;
	end = memchr(*text, '\n', r->len - r->used);
	*len = end ? (size_t)(end - *text) + 1 : r->len - r->used;
	r->used += *len;
	if (*len == 0)
		return NEXT_END;
	return end ? NEXT_LINE : NEXT_CUT;
}

static off_t reading_place(const struct reading *r)
{
	return r->at + (off_t)r->used;
}

static int check_head(const struct ca_index *index)
{
	char head[HEAD_LEN];
	ssize_t got = pread(index->fd, head, sizeof(head), 0);

	if (got < 0)
		return CA_ERR_FILE;
	return got == HEAD_LEN && memcmp(head, CA_INDEX_HEAD, sizeof(head)) == 0 ? CA_OK
										 : CA_ERR_DAMAGED;
}

/* Whether a line that cannot be read is one that a writer or the power left: the beginning of a
 * line, or zeros where bytes never came. One with its end and no zeros was whole once. */
static bool line_torn(const char *text, size_t len)
{
	return len < CA_INDEX_LINE_MAX && (text[len - 1] != '\n' || memchr(text, 0, len));
}

/* Takes in what counts from `end` on, up to `size`, the file's. */
static int catch_up(struct ca_index *index, off_t size)
{
	struct reading r = {.fd = index->fd, .at = index->end, .stop = size};
	bool torn = false;

	for (;;) {
		struct ca_line line;
		const char *text;
		size_t len;
		enum next next = reading_next(&r, &text, &len);

		if (next == NEXT_FAILED)
			return CA_ERR_FILE;
		if (next == NEXT_END)
			return CA_OK;
		if (torn)
			return CA_ERR_DAMAGED; /* and this stands behind the torn one */
		if (next == NEXT_CUT || !ca_line_read(text, len, &line)) {
			torn = line_torn(text, len);
			if (!torn)
				return CA_ERR_DAMAGED;
			continue;
		}
		if (line.kind == CA_LINE_REVOKED)
			continue;
		index->end = reading_place(&r);
		if (line.kind == CA_LINE_CRL)
			index->crl = line;
	}
}

static int settle(struct ca_index *index, bool exclusive)
{
	struct stat state;
	int error;

	if (fstat(index->fd, &state))
		return CA_ERR_FILE;
	if (index->end == 0) {
		error = check_head(index);
		if (error)
			return error;
		index->end = HEAD_LEN;
	}
	if (state.st_size < index->end)
		return CA_ERR_DAMAGED; /* somebody cut off what counted */
	error = catch_up(index, state.st_size);
	index->tail = 0;
	if (error || !exclusive || state.st_size == index->end)
		return error;
	return ftruncate(index->fd, index->end) ? CA_ERR_FILE : CA_OK;
}

int ca_index_lock(struct ca_index *index, bool exclusive)
{
	int error;

	if (index->broken) {
		errno = EIO;
		return CA_ERR_FILE;
	}
	while (flock(index->fd, exclusive ? LOCK_EX : LOCK_SH)) {
		if (errno != EINTR)
			return CA_ERR_FILE;
	}
	error = settle(index, exclusive);
	if (error)
		ca_index_unlock(index);
	return error;
}

void ca_index_unlock(struct ca_index *index)
{
	int error = errno;

	flock(index->fd, LOCK_UN);
	errno = error;
}

int ca_index_append(struct ca_index *index, const struct ca_line *line)
{
	char text[CA_INDEX_LINE_MAX];
	size_t len = ca_line_write(line, text);
	int error;

	if (len == 0)
		return CA_ERR_LIBRARY;
	if (!ca_file_append(index->fd, text, len)) {
		error = errno;
		index->broken = ftruncate(index->fd, index->end) != 0;
		index->tail = 0;
		errno = error;
		return CA_ERR_FILE;
	}
	/* After a flush that failed the system may forget what it could not write and say nothing
	 * at the next (fsync(2)), so that there is no trying again. */
	if (fsync(index->fd)) {
		index->broken = true;
		return CA_ERR_FILE;
	}
	index->tail += (off_t)len;
	if (line->kind == CA_LINE_REVOKED)
		return CA_OK;
	index->end += index->tail;
	index->tail = 0;
	if (line->kind == CA_LINE_CRL)
		index->crl = *line;
	return CA_OK;
}

int ca_index_visit(const struct ca_index *index,
		   int (*visit)(void *context, const struct ca_line *line), void *context)
{
	struct reading r = {.fd = index->fd, .at = HEAD_LEN, .stop = index->end};

	for (;;) {
		struct ca_line line;
		const char *text;
		size_t len;
		enum next next = reading_next(&r, &text, &len);
		int answer;

		if (next == NEXT_FAILED)
			return CA_ERR_FILE;
		if (next == NEXT_END)
			return CA_OK;
		if (next == NEXT_CUT || !ca_line_read(text, len, &line))
			return CA_ERR_DAMAGED;
		answer = visit(context, &line);
		if (answer)
			return answer;
	}
}
