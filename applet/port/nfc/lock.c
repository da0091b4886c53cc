#include "lock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 20

/* Files that libnfc opens for one device, and some more. It puts them into an fd_set without a look
 * at their numbers. */
#define LOCK_FILES_MAX 32

/* Where locks of devices without a node are, the first folder that is there. Both are sticky. */
static const char *const folders[] = {"/run/lock", "/tmp"};

static int64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static bool is_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return len > 0;
}

/* DRIVER:/dev/ttyUSB0[:SPEED] and DRIVER:BUS:DEVICE. */
void lock_node(const char *name, char *node, size_t size)
{
	const char *where = strchr(name, ':');
	size_t len, rest;

	node[0] = '\0';
	if (!where)
		return;
	where++;
	len = strcspn(where, ":");
	rest = strlen(where + len);
	if (where[0] == '/' && len < size)
		snprintf(node, size, "%.*s", (int)len, where);
	else if (is_digits(where, len) && rest > 1 && is_digits(where + len + 1, rest - 1))
		snprintf(node, size, "/dev/bus/usb/%.*s/%s", (int)len, where, where + len + 1);
}

/* Whoever may not use a device mostly has to join the group that owns it. */
static enum claim_result denied(const char *node, char text[static CLAIM_TEXT_MAX])
{
	const struct group *group = NULL;
	struct stat status;

	if (stat(node, &status) == 0 && status.st_gid != 0 && status.st_mode & (S_IRGRP | S_IWGRP))
		group = getgrgid(status.st_gid);
	if (group)
		snprintf(text, CLAIM_TEXT_MAX,
			 "this user may not use %s: sudo usermod -aG %s $USER, then log in anew",
			 node, group->gr_name);
	else
		snprintf(text, CLAIM_TEXT_MAX,
			 "this user may not use %s: its owner or root has to allow it", node);
	return CLAIM_DENIED;
}

static enum claim_result cannot_open(const char *path, char text[static CLAIM_TEXT_MAX])
{
	int error = errno;

	if (error == EACCES || error == EPERM)
		return denied(path, text);
	if (error == EBUSY) {
		snprintf(text, CLAIM_TEXT_MAX,
			 "another program is using %s; end it, or try again later", path);
		return CLAIM_BUSY;
	}
	snprintf(text, CLAIM_TEXT_MAX, "%s: %s", path, strerror(error));
	if (error == ENOENT || error == ENODEV || error == ENXIO)
		snprintf(text, CLAIM_TEXT_MAX, "there is no %s: is the device plugged in?", path);
	return error == EMFILE || error == ENFILE || error == ENOMEM ? CLAIM_MEMORY : CLAIM_ABSENT;
}

/* The device's own node. A regular file is none, and is not written to. */
static enum claim_result open_node(const char *node, int *lock, char text[static CLAIM_TEXT_MAX])
{
	struct stat status;

	*lock = open(node, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (*lock < 0)
		return cannot_open(node, text);
	if (fstat(*lock, &status) == 0 && S_ISCHR(status.st_mode))
		return CLAIM_OK;
	snprintf(text, CLAIM_TEXT_MAX, "%s is no device", node);
	return CLAIM_ABSENT;
}

/* A file of ours. In a folder that all may write to, somebody else can have put another thing in
 * its place: no link is followed, and nothing is ever written. */
static enum claim_result open_file(const char *name, int *lock, char text[static CLAIM_TEXT_MAX])
{
	const char *folder = access(folders[0], W_OK | X_OK) == 0 ? folders[0] : folders[1];
	char path[CLAIM_NAME_MAX + 32];
	struct stat status;

	snprintf(path, sizeof path, "%s/simtie-nfc-%s", folder, name);
	for (char *c = path + strlen(folder) + 1; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
			*c = '-';
	*lock = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*lock < 0 && errno == ENOENT)
		*lock = open(path, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (*lock < 0 && errno == EEXIST) /* another program was faster */
		*lock = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*lock >= 0 && fstat(*lock, &status) == 0 && S_ISREG(status.st_mode))
		return CLAIM_OK;
	snprintf(text, CLAIM_TEXT_MAX,
		 "%s is in the way, and is no lock of simtie's: its owner or root has to remove it",
		 path);
	return CLAIM_DENIED;
}

static enum claim_result wait_for(int lock, const char *name, unsigned wait_ms,
				  char text[static CLAIM_TEXT_MAX])
{
	const struct timespec pause = {0, LOOK_AGAIN_MS * 1000000};
	const int64_t end = now_ms() + wait_ms;

	while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
		if (now_ms() >= end) {
			snprintf(text, CLAIM_TEXT_MAX,
				 "another program is using %s; end it, or try again later", name);
			return CLAIM_BUSY;
		}
		nanosleep(&pause, NULL); /* flock() knows no deadline */
	}
	return CLAIM_OK;
}

enum claim_result lock_take(const char *name, unsigned wait_ms, int *lock,
			    char text[static CLAIM_TEXT_MAX])
{
	char node[CLAIM_NAME_MAX + 16];
	enum claim_result result;

	*lock = -1;
	lock_node(name, node, sizeof node);
	result = node[0] ? open_node(node, lock, text) : open_file(name, lock, text);
	if (result == CLAIM_OK && *lock >= FD_SETSIZE - LOCK_FILES_MAX) {
		snprintf(text, CLAIM_TEXT_MAX, "too many files are open for libnfc's select()");
		result = CLAIM_MEMORY;
	}
	if (result == CLAIM_OK)
		result = wait_for(*lock, name, wait_ms, text);
	if (result != CLAIM_OK && *lock >= 0) {
		close(*lock);
		*lock = -1;
	}
	return result;
}
