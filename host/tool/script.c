#include "script.h"

#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SCRIPT_MAX (1u << 20) /* bytes */

static int check(const struct script *script, const struct command *command)
{
	const struct secret_source *sources[] = {&script->pin, &script->puk, &script->new_pin};
	bool arguments = script->arguments[0] != NULL;

	if (!script->path && !arguments)
		return options_wrong(command, "a command or --script is missing");
	if (script->path && arguments)
		return options_wrong(command,
				     "commands come as arguments or from --script, not both");
	for (size_t i = 0; script->path && strcmp(script->path, "-") == 0 && i < 3; i++)
		if (sources[i]->file && strcmp(sources[i]->file, "-") == 0)
			return options_wrong(command,
					     "--script and --%s-file cannot both be standard input",
					     sources[i]->option);
	return TOOL_DONE;
}

int script_load(struct script *script, const struct command *command)
{
	int result = check(script, command);

	if (result != TOOL_DONE || !script->path)
		return result;
	script->text = malloc(SCRIPT_MAX);
	if (!script->text) {
		output_error("out of memory; nothing was sent");
		return TOOL_IO;
	}
	if (input_file(script->path, (uint8_t *)script->text, SCRIPT_MAX, &script->len)) {
		script->len = SCRIPT_MAX;
		output_error("cannot read the script: %s; nothing was sent", strerror(errno));
		return TOOL_IO;
	}
	if (script->len > SCRIPT_MAX) {
		script->len = SCRIPT_MAX;
		return options_wrong(command, "the script is longer than a megabyte");
	}
	return TOOL_DONE;
}

void script_release(struct script *script)
{
	if (script->text)
		explicit_bzero(script->text, script->len);
	free(script->text);
	script->text = NULL;
}

bool script_next(const struct script *script, struct script_line *line)
{
	const char *end = script->text + script->len;

	line->number++;
	if (!script->path) {
		line->text = script->arguments[line->number - 1];
		line->len = line->text ? strlen(line->text) : 0;
		return line->text != NULL;
	}
	line->text = line->number == 1 ? script->text : line->text + line->len + 1;
	if (line->text >= end)
		return false;
	const char *newline = memchr(line->text, '\n', (size_t)(end - line->text));
	line->len = (size_t)((newline ? newline : end) - line->text);
	return true;
}

/* ---- Named values ---- */

/* One NAME=HEX of `len` bytes. False: it is none. */
static bool define_one(struct example *run, const char *entry, size_t len)
{
	const char *equals = memchr(entry, '=', len);
	char name[EXAMPLE_NAME_MAX], hex[2 * EXAMPLE_VALUE_MAX + 1];
	uint8_t value[EXAMPLE_VALUE_MAX];
	size_t name_len = equals ? (size_t)(equals - entry) : len;
	long size;

	if (name_len >= sizeof name || name_len == len || len - name_len > sizeof hex)
		return false;
	memcpy(name, entry, name_len);
	name[name_len] = '\0';
	memcpy(hex, equals + 1, len - name_len - 1);
	hex[len - name_len - 1] = '\0';
	size = input_hex(hex, value, sizeof value);
	return size >= 0 && example_define(run, name, false, bytes_of(value, (size_t)size));
}

static int define_set(const struct script *script, const struct command *command,
		      struct example *run)
{
	unsigned number = 1;

	for (const char *p = script->set; p && *p; number++) {
		size_t len = strcspn(p, ",");

		if (!define_one(run, p, len))
			return options_wrong(command,
					     "--set: entry %u is not NAME=HEX of up to %d bytes, "
					     "or its name is taken",
					     number, EXAMPLE_VALUE_MAX);
		p += len;
		p += *p == ',';
	}
	return TOOL_DONE;
}

static bool needs(const struct script *script, const char *name)
{
	struct script_line line = {0};
	char placeholder[EXAMPLE_NAME_MAX + 2];
	int len = snprintf(placeholder, sizeof placeholder, "{%s}", name);

	while (script_next(script, &line))
		if (memmem(line.text, line.len, placeholder, (size_t)len))
			return true;
	return false;
}

static int read_secret(const struct command *command, const struct secret_source *source,
		       uint8_t padded[static SIMTIE_PIN_SIZE])
{
	char digits[SECRET_SIZE];
	int result = secret_read(command, source, false, digits);

	if (result == TOOL_DONE)
		example_pad(digits, source->min_digits, padded);
	secret_wipe(digits);
	return result;
}

/* Asks for what the lines name. Nothing else becomes a secret: zeros that stood for one would be
 * blanked wherever they turn up. */
static int define_secrets(const struct script *script, const struct command *command,
			  struct example *run, enum script_use use)
{
	struct example_values values = {{0}, {0}, {0}, {0}, {0}};
	const struct {
		const char *name;
		const struct secret_source *source; /* NULL: made from the one before */
		uint8_t *padded;
	} secrets[] = {
		{"new_pin", &script->new_pin, values.new_pin}, {"pin", &script->pin, values.pin},
		{"wrong_pin", NULL, values.wrong_pin},         {"puk", &script->puk, values.puk},
		{"wrong_puk", NULL, values.wrong_puk},
	};
	int result = TOOL_DONE;

	for (size_t i = 0; i < 5 && result == TOOL_DONE; i++) {
		const char *also = i < 4 && !secrets[i + 1].source ? secrets[i + 1].name : NULL;

		if (!needs(script, secrets[i].name) && !(also && needs(script, also)))
			continue;
		if (!secrets[i].source)
			example_other(secrets[i - 1].padded, values.new_pin, secrets[i].padded);
		else if (use == SCRIPT_REAL)
			result = read_secret(command, secrets[i].source, secrets[i].padded);
		example_define(run, secrets[i].name, true,
			       bytes_of(secrets[i].padded, LIMIT_PIN_SIZE));
	}
	explicit_bzero(&values, sizeof values);
	return result;
}

int script_define(const struct script *script, const struct command *command, struct example *run,
		  enum script_use use)
{
	int result = define_secrets(script, command, run, use);

	example_define_fixtures(run);
	return result == TOOL_DONE ? define_set(script, command, run) : result;
}
