#include "secret.h"

#include "line.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* The digits, a carriage return that some editors leave, the terminator. */
#define LINE_SIZE (SECRET_SIZE + 1)

void secret_wipe(char secret[SECRET_SIZE])
{
	explicit_bzero(secret, SECRET_SIZE);
}

static int ask(const struct secret_source *source, bool twice, char line[LINE_SIZE])
{
	char question[32], again[LINE_SIZE];
	int result = TOOL_DONE;
	enum line_result read;

	read = line_ask(source->name, line, LINE_SIZE);
	if (read == LINE_READ && twice) {
		snprintf(question, sizeof(question), "%s again", source->name);
		read = line_ask(question, again, LINE_SIZE);
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
	enum line_result read;

	if (!source->file)
		read = line_read((int)source->fd.value, line, LINE_SIZE);
	else if (strcmp(source->file, "-") == 0)
		read = line_read(STDIN_FILENO, line, LINE_SIZE);
	else
		read = line_read_file(source->file, line, LINE_SIZE);
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
