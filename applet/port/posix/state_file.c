#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "posix_error.h"
#include "state_header.h"

#define NEW_SUFFIX  ".new"
#define RETRIES_MAX 100 /* against a name that others keep replacing */

static enum posix_result fail(const struct state_file *file, struct posix_error *error,
			      enum posix_result result, int error_number, const char *what)
{
	return posix_error_set(error, result, error_number, file->path, what);
}

/* ---- Names ---- */

/* Splits an absolute path without links into its folder, which is opened, and the name in it. */
static bool open_folder(struct state_file *file, char *resolved)
{
	char *slash = strrchr(resolved, '/');

	if (slash[1] == '\0') {
		errno = EISDIR;
		return false;
	}
	file->name = strdup(slash + 1);
	slash[slash == resolved] = '\0'; /* of "/name" the slash is the folder */
	file->folder = open(resolved, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return file->name && file->folder >= 0 &&
	       asprintf(&file->new_name, "%s" NEW_SUFFIX, file->name) >= 0;
}

/* The absolute path of a file that does not exist yet, in a folder that does. NULL: errno says why.
 * A symbolic link that leads nowhere is refused when it is opened. */
static char *resolve_missing(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	char *real = folder ? realpath(folder, NULL) : NULL;
	char *joined = NULL;

	if (*name == '\0')
		errno = EISDIR;
	else if (real && asprintf(&joined, "%s/%s", real, name) < 0)
		joined = NULL;
	free(folder);
	free(real);
	return joined;
}

static bool resolve(struct state_file *file)
{
	char *resolved = realpath(file->path, NULL);
	bool done;

	if (!resolved && errno == ENOENT)
		resolved = resolve_missing(file->path);
	done = resolved && open_folder(file, resolved);
	free(resolved);
	return done;
}

/* Whether `name` in the folder still is the open file fd. */
static bool names(const struct state_file *file, const char *name, int fd)
{
	struct stat by_name, by_fd;

	return fstatat(file->folder, name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &by_fd) == 0 && by_name.st_dev == by_fd.st_dev &&
	       by_name.st_ino == by_fd.st_ino;
}

/* ---- Locks ---- */

/* Opens and locks `name`. A lock belongs to the inode, and names move between inodes: what counts
 * is a lock on the inode that has the name afterwards. Negative: errno says why, EWOULDBLOCK: in
 * use. */
static int open_locked(const struct state_file *file, const char *name, int flags)
{
	for (int i = 0; i < RETRIES_MAX; i++) {
		int fd = openat(file->folder, name,
				O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags,
				0600);
		int why;

		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			why = errno;
			close(fd);
			errno = why;
			return -1;
		}
		if (names(file, name, fd))
			return fd;
		close(fd);
	}
	errno = EWOULDBLOCK;
	return -1;
}

/* Whether a locked file is one that only its owner, us, can have opened. */
static bool ours_alone(const struct stat *status)
{
	return S_ISREG(status->st_mode) && (status->st_mode & 077) == 0 && status->st_nlink == 1 &&
	       status->st_uid == geteuid();
}

/* Opens the file that the next state is written to, empty and locked. The lock keeps two cards from
 * making the same file at once; a file left over by a killed card is used again. */
static int open_new(const struct state_file *file)
{
	int fd = open_locked(file, file->new_name, O_CREAT);
	struct stat status;

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) == 0 && ours_alone(&status) && ftruncate(fd, 0) == 0)
		return fd;
	close(fd);
	errno = EEXIST; /* not ours to write into */
	return -1;
}

/* ---- Reading ---- */

static bool read_at(int fd, uint8_t *out, size_t len, off_t at, size_t *got)
{
	for (*got = 0; *got < len;) {
		ssize_t n = pread(fd, out + *got, len - *got, at + (off_t)*got);

		if (n < 0 && errno != EINTR)
			return false;
		if (n == 0)
			return true;
		if (n > 0)
			*got += (size_t)n;
	}
	return true;
}

static enum posix_result judge(const struct state_file *file, struct posix_error *error,
			       enum state_fault fault)
{
	switch (fault) {
	case STATE_WHOLE:
		return POSIX_OK;
	case STATE_FOREIGN:
		return fail(file, error, POSIX_FOREIGN, 0,
			    "not a simtie state file; give the name of one, or of a new file");
	case STATE_FORMAT:
		return fail(
			file, error, POSIX_VERSION, 0,
			"a state file of another format; use the simtie that wrote it, or another "
			"file");
	case STATE_GEOMETRY:
		return fail(
			file, error, POSIX_VERSION, 0,
			"the state of a card with another memory size; use the simtie that wrote "
			"it, or another file");
	case STATE_CUT:
		return fail(
			file, error, POSIX_DAMAGED, 0,
			"cut short, its end is missing; bring back a copy of it, or use another "
			"file");
	case STATE_LONGER:
		return fail(
			file, error, POSIX_DAMAGED, 0,
			"something was added at its end; bring back a copy of it, or use another "
			"file");
	case STATE_HEADER_ALTERED:
		return fail(file, error, POSIX_DAMAGED, 0,
			    "its header was altered; bring back a copy of it, or use another file");
	case STATE_IMAGE_ALTERED:
		return fail(file, error, POSIX_DAMAGED, 0,
			    "the card's memory in it was altered; bring back a copy of it, or use "
			    "another file");
	case STATE_CRYPTO:
		break;
	}
	return fail(file, error, POSIX_CRYPTO, 0, "its checksum could not be computed");
}

static enum posix_result load(const struct state_file *file, struct posix_error *error,
			      uint8_t image[static POSIX_IMAGE_SIZE], enum posix_start start)
{
	uint8_t header[STATE_HEADER_SIZE];
	size_t header_len, image_len;
	struct stat status;

	if (fstat(file->lock, &status) != 0)
		return fail(file, error, POSIX_IO, errno, "cannot be read");
	if (!S_ISREG(status.st_mode))
		return fail(file, error, POSIX_FOREIGN, 0,
			    "not a file; give the name of a state file, or of a new one");
	if (status.st_mode & 077)
		return fail(
			file, error, POSIX_EXPOSED, 0,
			"holds private keys, and other users may open it; chmod 600 it, if they "
			"have not");
	if (!read_at(file->lock, header, sizeof(header), 0, &header_len))
		return fail(file, error, POSIX_IO, errno, "cannot be read");
	if (start == POSIX_FACTORY && state_header_known(bytes_of(header, header_len)))
		return POSIX_OK;
	if (!read_at(file->lock, image, POSIX_IMAGE_SIZE, STATE_HEADER_SIZE, &image_len))
		return fail(file, error, POSIX_IO, errno, "cannot be read");
	return judge(
		file, error,
		state_header_check(bytes_of(header, header_len), (uint64_t)status.st_size, image));
}

/* ---- Writing ---- */

static bool write_all(int fd, struct iovec *parts, int count)
{
	while (count > 0) {
		ssize_t n = writev(fd, parts, count);

		if (n < 0 && errno != EINTR)
			return false;
		for (; count > 0 && n >= (ssize_t)parts->iov_len; parts++, count--)
			n -= (ssize_t)parts->iov_len;
		if (count > 0 && n > 0) {
			parts->iov_base = (uint8_t *)parts->iov_base + n;
			parts->iov_len -= (size_t)n;
		}
	}
	return true;
}

/* Keeps the owner that the file had: root may use another user's card. */
static bool keep_owner(const struct state_file *file, int fd)
{
	struct stat status;

	if (file->lock < 0)
		return true;
	return fstat(file->lock, &status) == 0 &&
	       (status.st_uid == geteuid() || fchown(fd, status.st_uid, status.st_gid) == 0);
}

/* Writes header and image to the open new file and puts it in the place of the old one, which must
 * still be the one that we hold (or, for a first file, absent). */
static enum posix_result replace(struct state_file *file, struct posix_error *error, int fd,
				 const uint8_t header[static STATE_HEADER_SIZE],
				 const uint8_t image[static POSIX_IMAGE_SIZE])
{
	struct iovec parts[] = {{(void *)(uintptr_t)header, STATE_HEADER_SIZE},
				{(void *)(uintptr_t)image, POSIX_IMAGE_SIZE}};

	if (!write_all(fd, parts, 2) || !keep_owner(file, fd) || fsync(fd) != 0)
		return fail(file, error, POSIX_IO, errno, "cannot be written");
	if (file->lock >= 0 ? !names(file, file->name, file->lock)
			    : faccessat(file->folder, file->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fail(file, error, POSIX_REPLACED, 0,
			    "removed or replaced while a card was using it; start the card again");
	if (renameat(file->folder, file->new_name, file->folder, file->name) != 0)
		return fail(file, error, POSIX_IO, errno, "cannot be replaced");
	return POSIX_OK;
}

enum posix_result state_file_save(struct state_file *file, struct posix_error *error,
				  const uint8_t image[static POSIX_IMAGE_SIZE])
{
	uint8_t header[STATE_HEADER_SIZE];
	enum posix_result result;
	int fd;

	if (!state_header_write(header, image))
		return judge(file, error, STATE_CRYPTO);
	fd = open_new(file);
	if (fd < 0 && errno == EWOULDBLOCK)
		return fail(file, error, POSIX_BUSY, 0,
			    "in use by another card; end that one first");
	if (fd < 0)
		return fail(file, error, POSIX_IO, errno,
			    "cannot be written beside itself, as FILE" NEW_SUFFIX);
	result = replace(file, error, fd, header, image);
	if (result != POSIX_OK) {
		unlinkat(file->folder, file->new_name, 0);
		close(fd);
		return result;
	}
	if (file->lock >= 0)
		close(file->lock);
	file->lock = fd;
	if (fsync(file->folder) != 0)
		return fail(file, error, POSIX_IO, errno, "may not survive a power cut");
	return POSIX_OK;
}

/* ---- Opening and closing ---- */

enum posix_result state_file_open(struct state_file *file, struct posix_error *error,
				  const char *path, uint8_t image[static POSIX_IMAGE_SIZE],
				  enum posix_start start)
{
	enum posix_result result;

	*file = (struct state_file){.folder = -1, .lock = -1, .path = strdup(path)};
	if (!file->path)
		return posix_error_set(error, POSIX_MEMORY, ENOMEM, path, "cannot be opened");
	if (!resolve(file))
		return fail(file, error, POSIX_IO, errno, "cannot be opened");
	for (int i = 0; i < RETRIES_MAX; i++) {
		file->lock = open_locked(file, file->name, 0);
		if (file->lock >= 0) {
			result = load(file, error, image, start);
			if (result == POSIX_OK && start == POSIX_FACTORY)
				result = state_file_save(file, error, image);
			return result;
		}
		if (errno == EWOULDBLOCK)
			return fail(file, error, POSIX_BUSY, 0,
				    "in use by another card; end that one first");
		if (errno == ELOOP)
			return fail(file, error, POSIX_FOREIGN, 0,
				    "a symbolic link that leads nowhere; give the name of a file");
		if (errno != ENOENT)
			return fail(file, error, POSIX_IO, errno, "cannot be opened");
		result = state_file_save(file, error, image);
		/* Another card may have been a moment faster; then the file is there now. */
		if (result != POSIX_REPLACED)
			return result;
	}
	return result;
}

void state_file_close(struct state_file *file)
{
	if (file->lock >= 0)
		close(file->lock);
	if (file->folder >= 0)
		close(file->folder);
	free(file->name);
	free(file->new_name);
	free(file->path);
	*file = (struct state_file){.folder = -1, .lock = -1};
}
