#include "secret.h"

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

/* The digits, a carriage return that some editors leave, the terminator. */
#define LINE_SIZE (SECRET_SIZE + 1)

enum line { LINE_READ, LINE_FAILED, LINE_MALFORMED };

/* Signals that must not leave the terminal without echo. */
static const int prompt_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define PROMPT_SIGNALS (sizeof(prompt_signals) / sizeof(prompt_signals[0]))

static volatile sig_atomic_t prompt_caught;

void secret_wipe(char secret[SECRET_SIZE])
{
	explicit_bzero(secret, SECRET_SIZE);
}

/* Reads up to the end of a line, byte by byte: what follows may be the next secret. */
static enum line read_line(int fd, char line[LINE_SIZE])
{
	size_t len = 0;

	for (;;) {
		char byte;
		ssize_t count = read(fd, &byte, 1);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return LINE_FAILED;
		if (count == 0 || byte == '\n')
			break;
		if (len == LINE_SIZE - 1 || byte == '\0')
			return LINE_MALFORMED;
		line[len++] = byte;
	}
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	return LINE_READ;
}

/* A file holds its secret and nothing else. */
static enum line read_whole(const char *path, char line[LINE_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum line result;
	char more;
	int error;

	if (fd < 0)
		return LINE_FAILED;
	result = read_line(fd, line);
	if (result == LINE_READ && read(fd, &more, 1) > 0)
		result = LINE_MALFORMED;
	error = errno;
	close(fd);
	errno = error;
	return result;
}

static void prompt_signal(int number)
{
	prompt_caught = number;
}

/* Waits for a line with the signals let through, and only then. False: a signal came. */
static bool prompt_wait(int tty, const sigset_t *open_mask)
{
	struct pollfd ready = {.fd = tty, .events = POLLIN};

	while (ppoll(&ready, 1, NULL, open_mask) < 0) {
		if (errno != EINTR || prompt_caught)
			return false;
	}
	return true;
}

/* One question. A signal is kept in prompt_caught until the terminal is as it was. */
static enum line prompt_once(int tty, const char *question, char line[LINE_SIZE])
{
	struct sigaction action = {.sa_handler = prompt_signal}, before[PROMPT_SIGNALS];
	struct termios shown, hidden;
	sigset_t closed, mask;
	enum line result = LINE_FAILED;

	sigemptyset(&closed);
	for (size_t i = 0; i < PROMPT_SIGNALS; i++)
		sigaddset(&closed, prompt_signals[i]);
	sigprocmask(SIG_BLOCK, &closed, &mask);
	for (size_t i = 0; i < PROMPT_SIGNALS; i++) {
		sigaction(prompt_signals[i], &action, &before[i]);
		if (before[i].sa_handler == SIG_IGN)
			sigaction(prompt_signals[i], &before[i], NULL);
	}
	prompt_caught = 0;
	if (tcgetattr(tty, &shown) == 0) {
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
		tcsetattr(tty, TCSAFLUSH, &hidden);
		if (dprintf(tty, "%s: ", question) > 0 && prompt_wait(tty, &mask))
			result = read_line(tty, line);
		tcsetattr(tty, TCSAFLUSH, &shown);
		dprintf(tty, "\n");
	}
	for (size_t i = 0; i < PROMPT_SIGNALS; i++)
		sigaction(prompt_signals[i], &before[i], NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return result;
}

static enum line prompt(const char *question, char line[LINE_SIZE])
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	enum line result;

	if (tty < 0)
		return LINE_FAILED;
	do {
		result = prompt_once(tty, question, line);
		/* Most signals end the program here; after a stop the question is asked anew. */
		if (prompt_caught)
			kill(getpid(), prompt_caught);
	} while (prompt_caught);
	close(tty);
	return result;
}

static int ask(const struct secret_source *source, bool twice, char line[LINE_SIZE])
{
	char question[32], again[LINE_SIZE];
	int result = TOOL_DONE;
	enum line read;

	read = prompt(source->name, line);
	if (read == LINE_READ && twice) {
		snprintf(question, sizeof(question), "%s again", source->name);
		read = prompt(question, again);
		if (read == LINE_READ && strcmp(line, again) != 0) {
			output_error("the two entries of the %s differ; start again", source->name);
			result = TOOL_USAGE;
		}
		explicit_bzero(again, sizeof(again));
	}
	if (read == LINE_FAILED) {
		output_error("no %s was given and there is no terminal to ask at; use --%s-file, "
			     "--%s-fd or %s",
			     source->name, source->option, source->option, source->environment);
		result = TOOL_USAGE;
	}
	if (read == LINE_MALFORMED)
		line[0] = '\0';
	return result;
}

/* Takes the variable's value and wipes it from the environment, which /proc shows. */
static void take_environment(const struct secret_source *source, char line[LINE_SIZE])
{
	char *value = getenv(source->environment);
	size_t len = strlen(value);

	line[0] = '\0';
	if (len < LINE_SIZE)
		memcpy(line, value, len + 1);
	explicit_bzero(value, len);
	unsetenv(source->environment);
}

/* Reads from the file or the descriptor that an option names. */
static int read_option(const struct secret_source *source, char line[LINE_SIZE])
{
	enum line read;

	if (!source->file)
		read = read_line((int)source->fd.value, line);
	else if (strcmp(source->file, "-") == 0)
		read = read_line(STDIN_FILENO, line);
	else
		read = read_whole(source->file, line);
	if (read == LINE_MALFORMED)
		line[0] = '\0';
	if (read != LINE_FAILED)
		return TOOL_DONE;
	/* The value itself is not printed: who takes --pin-file for --pin gives a PIN there. */
	output_error("cannot read what --%s-%s names: %s; see that it exists and is yours",
		     source->option, source->file ? "file" : "fd", strerror(errno));
	return TOOL_IO;
}

bool secret_asks(const struct secret_source *source)
{
	return !source->file && !source->fd.given && !getenv(source->environment);
}

int secret_read(const struct command *command, const struct secret_source *source, bool twice,
		char secret[SECRET_SIZE])
{
	char line[LINE_SIZE] = "";
	int result = TOOL_DONE;
	size_t len;

	if (source->file && source->fd.given)
		return options_wrong(command, "--%s-file and --%s-fd exclude each other",
				     source->option, source->option);
	if (source->file || source->fd.given)
		result = read_option(source, line);
	else if (secret_asks(source))
		result = ask(source, twice, line);
	else
		take_environment(source, line);
	if (result != TOOL_DONE)
		goto out;
	len = strlen(line);
	if (len < source->min_digits || len >= SECRET_SIZE || strspn(line, "0123456789") != len) {
		output_error("the %s is not %s8 decimal digits; nothing was sent to the card",
			     source->name, source->min_digits == 8 ? "" : "4 to ");
		result = TOOL_USAGE;
		goto out;
	}
	memcpy(secret, line, len + 1);
out:
	explicit_bzero(line, sizeof(line));
	return result;
}

/* Uniform digits: of the 256 values of a byte the last six would favour some. */
static bool random_digits(unsigned digits, char secret[SECRET_SIZE])
{
	for (unsigned i = 0; i < digits;) {
		unsigned char byte;

		if (getrandom(&byte, 1, 0) != 1)
			return false;
		if (byte < 250)
			secret[i++] = (char)('0' + byte % 10);
	}
	secret[digits] = '\0';
	return true;
}

int secret_generate(const struct command *command, const struct secret_source *source,
		    unsigned digits, char secret[SECRET_SIZE])
{
	bool written;
	int fd;

	if (!source->file || strcmp(source->file, "-") == 0 || source->fd.given)
		return options_wrong(command, "--generate needs --%s-file, a file to be written",
				     source->option);
	fd = open(source->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		output_error("cannot write the file of --%s-file: %s; --generate makes new files "
			     "only",
			     source->option, strerror(errno));
		return TOOL_IO;
	}
	written =
		random_digits(digits, secret) && dprintf(fd, "%s\n", secret) > 0 && fsync(fd) == 0;
	if (close(fd) == 0 && written)
		return TOOL_DONE;
	output_error("cannot write the file of --%s-file: %s; nothing was sent to the card",
		     source->option, strerror(errno));
	unlink(source->file);
	secret_wipe(secret);
	return TOOL_IO;
}
