#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* Signals that must not leave the terminal without echo. */
static const int held[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define HELD (sizeof(held) / sizeof(held[0]))

static volatile sig_atomic_t caught;

enum line_result line_read(int fd, char *line, size_t size)
{
	size_t len = 0;
	char byte;

	line[0] = '\0';
	for (;;) {
		ssize_t count = read(fd, &byte, 1);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return LINE_FAILED;
		if (count == 0 || byte == '\n')
			break;
		if (len == size - 1 || byte == '\0')
			return LINE_MALFORMED;
		line[len++] = byte;
	}
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	return LINE_READ;
}

enum line_result line_read_file(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum line_result result;
	char more;
	int error;

	if (fd < 0)
		return LINE_FAILED;
	result = line_read(fd, line, size);
	if (result == LINE_READ && read(fd, &more, 1) > 0)
		result = LINE_MALFORMED;
	error = errno;
	close(fd);
	errno = error;
	return result;
}

static void catch (int number)
{
	caught = number;
}

/* Waits for a line with the signals let through, and only then. False: a signal came. */
static bool wait_for_line(int tty, const sigset_t *open_mask)
{
	struct pollfd ready = {.fd = tty, .events = POLLIN};

	while (ppoll(&ready, 1, NULL, open_mask) < 0) {
		if (errno != EINTR || caught)
			return false;
	}
	return true;
}

/* With echo off and the signals held. */
static enum line_result ask_unseen(int tty, const char *question, const sigset_t *open_mask,
				   char *line, size_t size)
{
	enum line_result result = LINE_FAILED;
	struct termios shown, hidden;

	if (tcgetattr(tty, &shown))
		return LINE_FAILED;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	tcsetattr(tty, TCSAFLUSH, &hidden);
	if (dprintf(tty, "%s: ", question) > 0 && wait_for_line(tty, open_mask))
		result = line_read(tty, line, size);
	tcsetattr(tty, TCSAFLUSH, &shown);
	dprintf(tty, "\n");
	return result;
}

/* One question. A signal is kept in `caught` until the terminal is as it was. */
static enum line_result ask_once(int tty, const char *question, char *line, size_t size)
{
	const struct sigaction action = {.sa_handler = catch};
	struct sigaction before[HELD];
	sigset_t closed, mask;
	enum line_result result;

	sigemptyset(&closed);
	for (size_t i = 0; i < HELD; i++)
		sigaddset(&closed, held[i]);
	sigprocmask(SIG_BLOCK, &closed, &mask);
	for (size_t i = 0; i < HELD; i++) {
		sigaction(held[i], &action, &before[i]);
		if (before[i].sa_handler == SIG_IGN)
			sigaction(held[i], &before[i], NULL);
	}
	caught = 0;
	result = ask_unseen(tty, question, &mask, line, size);
	for (size_t i = 0; i < HELD; i++)
		sigaction(held[i], &before[i], NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return result;
}

enum line_result line_ask(const char *question, char *line, size_t size)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	enum line_result result;

	if (tty < 0)
		return LINE_FAILED;
	do {
		result = ask_once(tty, question, line, size);
		/* Most signals end the program here; after a stop the question is asked anew. */
		if (caught)
			kill(getpid(), caught);
	} while (caught);
	close(tty);
	return result;
}
