#include "passphrase.h"

#include "line.h"
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVIRONMENT "SIMTIE_CA_PASSPHRASE"

#define LONGEST (PASSPHRASE_SIZE - 2)

void passphrase_wipe(char passphrase[PASSPHRASE_SIZE])
{
	explicit_bzero(passphrase, PASSPHRASE_SIZE);
}

/* Asks, and asks again. */
static enum line_result ask(bool twice, char passphrase[PASSPHRASE_SIZE], bool *differ)
{
	enum line_result result = line_ask("passphrase", passphrase, PASSPHRASE_SIZE);
	char again[PASSPHRASE_SIZE];

	*differ = false;
	if (result != LINE_READ || !twice)
		return result;
	result = line_ask("passphrase again", again, PASSPHRASE_SIZE);
	*differ = result == LINE_READ && strcmp(passphrase, again) != 0;
	passphrase_wipe(again);
	return result;
}

/* Takes the variable's value and wipes it from the environment, which /proc shows. */
static enum line_result take_environment(char *value, char passphrase[PASSPHRASE_SIZE])
{
	size_t len = strlen(value);
	bool fits = len <= LONGEST;

	if (fits)
		memcpy(passphrase, value, len + 1);
	explicit_bzero(value, len);
	unsetenv(ENVIRONMENT);
	return fits ? LINE_READ : LINE_MALFORMED;
}

static enum line_result read_option(const struct passphrase_source *source,
				    char passphrase[PASSPHRASE_SIZE])
{
	if (!source->file)
		return line_read((int)source->fd.value, passphrase, PASSPHRASE_SIZE);
	if (strcmp(source->file, "-") == 0)
		return line_read(STDIN_FILENO, passphrase, PASSPHRASE_SIZE);
	return line_read_file(source->file, passphrase, PASSPHRASE_SIZE);
}

/* Says what a source that gave nothing lacks. */
static int failed(const struct passphrase_source *source)
{
	if (!source->file && !source->fd.given) {
		output_error("no passphrase was given and there is no terminal to ask at; use "
			     "--passphrase-file, --passphrase-fd or " ENVIRONMENT);
		return TOOL_USAGE;
	}
	/* The value itself is not printed: it could be the passphrase in the wrong place. */
	output_error("cannot read what --passphrase-%s names: %s; see that it exists and is yours",
		     source->file ? "file" : "fd", strerror(errno));
	return TOOL_IO;
}

int passphrase_read(const struct command *command, const struct passphrase_source *source,
		    size_t min, bool twice, char passphrase[PASSPHRASE_SIZE])
{
	char *value = getenv(ENVIRONMENT);
	enum line_result result;
	bool differ = false;
	size_t len;

	if (source->file && source->fd.given)
		return options_wrong(command, "--passphrase-file and --passphrase-fd exclude each "
					      "other");
	memset(passphrase, 0, PASSPHRASE_SIZE);
	if (source->file || source->fd.given)
		result = read_option(source, passphrase);
	else if (value)
		result = take_environment(value, passphrase);
	else
		result = ask(twice, passphrase, &differ);
	len = strlen(passphrase);
	if (result == LINE_READ && !differ && len >= min && len >= 1 && len <= LONGEST)
		return TOOL_DONE;
	passphrase_wipe(passphrase);
	if (result == LINE_FAILED)
		return failed(source);
	if (differ)
		output_error("the two entries of the passphrase differ; start again");
	else
		output_error("the passphrase is not one line of %zu to %d bytes; nothing was done",
			     min, LONGEST);
	return TOOL_USAGE;
}
