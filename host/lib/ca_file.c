#include "ca_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP 65536 /* bytes that the room for a file grows by, at first */

static bool read_all(int fd, char **bytes, size_t *len)
{
	size_t room = 0;

	for (;;) {
		ssize_t got;

		if (*len == room) {
			char *more = realloc(*bytes, room ? 2 * room : STEP);

			if (!more)
				return false;
			*bytes = more;
			room = room ? 2 * room : STEP;
		}
		got = read(fd, *bytes + *len, room - *len);
		if (got == 0)
			return true;
		if (got < 0 && errno != EINTR)
			return false;
		if (got > 0)
			*len += (size_t)got;
	}
}

bool ca_file_read(int directory, const char *name, char **bytes, size_t *len)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	bool ok;
	int error;

	*bytes = NULL;
	*len = 0;
	if (fd < 0)
		return false;
	ok = read_all(fd, bytes, len);
	error = errno;
	close(fd);
	if (!ok) {
		free(*bytes);
		*bytes = NULL;
	}
	errno = error;
	return ok;
}

bool ca_file_append(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t count = write(fd, bytes, len);

		if (count < 0 && errno != EINTR)
			return false;
		if (count > 0) {
			bytes += count;
			len -= (size_t)count;
		}
	}
	return true;
}

bool ca_file_write(int directory, const char *name, mode_t mode, const void *bytes, size_t len)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			mode);
	bool ok;
	int error;

	if (fd < 0)
		return false;
	ok = fchmod(fd, mode) == 0 && ca_file_append(fd, bytes, len) && fsync(fd) == 0;
	error = errno;
	if (close(fd) != 0 && ok) {
		error = errno;
		ok = false;
	}
	if (!ok)
		unlinkat(directory, name, 0);
	errno = error;
	return ok;
}

bool ca_file_rename(int directory, const char *from, const char *to)
{
	return renameat(directory, from, directory, to) == 0 && fsync(directory) == 0;
}
