#include "options.h"

#include "output.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 32

/* getopt_long() reports a long option as this plus its place in the table: above any letter. */
#define LONG_BASE 256

/* Columns of the option's name in help. */
#define NAME_COLUMNS 24

struct parser {
	const struct command *command;
	size_t count;
	struct option_entry entries[ENTRIES_MAX];
	bool given[ENTRIES_MAX];
};

static void add(struct parser *parser, struct option_entry entry)
{
	if (parser->count < ENTRIES_MAX)
		parser->entries[parser->count++] = entry;
}

/* The subcommand's own options, then the shared ones. */
static void gather(struct parser *parser, const struct command *command,
		   struct common_options *common, bool *help, bool *complete)
{
	const struct option_entry shared[] = {
		{.name = "reader",
		 .letter = 'r',
		 .kind = OPTION_TEXT,
		 .target = &common->reader,
		 .value = "NAME",
		 .help = "index, part of the reader's name, or loop:[FILE] for a\n"
			 "virtual card; SIMTIE_READER is the default",
		 .min = 1},
		{.name = "trace",
		 .kind = OPTION_TEXT,
		 .target = &common->trace,
		 .value = "FILE",
		 .help = "append the APDUs to FILE; *.pcapng opens in Wireshark",
		 .min = 1},
		{.name = "trace-secrets",
		 .target = &common->trace_secrets,
		 .help = "leave PINs and keys readable in the trace"},
		{.name = "json", .target = &common->json, .help = "print one JSON object"},
		{.name = "help", .letter = 'h', .target = help, .help = "print this"},
		{.name = "complete", .target = complete},
	};
	const unsigned group[] = {
		OPTIONS_READER, OPTIONS_READER, OPTIONS_READER, OPTIONS_JSON, 0, 0};

	memset(parser, 0, sizeof(*parser));
	parser->command = command;
	for (size_t i = 0; i < command->count; i++)
		add(parser, command->options[i]);
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		if (!group[i] || command->groups & group[i])
			add(parser, shared[i]);
	}
}

static void print_usage(FILE *stream, const struct command *command, const char *head)
{
	fprintf(stream, "%s: simtie %s", head, command->name);
	for (size_t i = 0; i < command->count; i++) {
		const struct option_entry *entry = &command->options[i];

		if (entry->required)
			fprintf(stream, " --%s %s", entry->name, entry->value);
	}
	fprintf(stream, " [OPTION...]%s%s\n", command->arguments ? " " : "",
		command->arguments ? command->arguments : "");
}

static void print_entry(const struct option_entry *entry)
{
	char name[64];
	const char *line = entry->help;
	int used = snprintf(name, sizeof(name), "--%s%s%s", entry->name, entry->value ? " " : "",
			    entry->value ? entry->value : "");

	printf("  %c%c%c %-*s ", entry->letter ? '-' : ' ', entry->letter ? entry->letter : ' ',
	       entry->letter ? ',' : ' ', NAME_COLUMNS, name);
	if (used > NAME_COLUMNS)
		printf("\n%*s", NAME_COLUMNS + 7, "");
	for (;;) {
		size_t len = strcspn(line, "\n");

		printf("%.*s\n", (int)len, line);
		if (line[len] == '\0')
			break;
		line += len + 1;
		printf("%*s", NAME_COLUMNS + 7, "");
	}
}

static int print_help(const struct parser *parser)
{
	print_usage(stdout, parser->command, "Usage");
	printf("\n%s\n\nOptions:\n", parser->command->text);
	for (size_t i = 0; i < parser->count; i++) {
		if (parser->entries[i].help)
			print_entry(&parser->entries[i]);
	}
	return output_end(TOOL_DONE);
}

/* For the shell: "arguments WORDS", then an option a line, "--name" or "--name=VALUES". */
static int print_completion(const struct parser *parser)
{
	if (parser->command->arguments)
		printf("arguments %s\n", parser->command->arguments);
	for (size_t i = 0; i < parser->count; i++) {
		const struct option_entry *entry = &parser->entries[i];

		if (entry->help)
			printf("--%s%s%s\n", entry->name, entry->value ? "=" : "",
			       entry->value ? entry->value : "");
	}
	return output_end(TOOL_DONE);
}

int options_wrong(const struct command *command, const char *format, ...)
{
	va_list list;

	fflush(stdout);
	fputs("simtie: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	print_usage(stderr, command, "usage");
	fprintf(stderr, "`simtie %s --help` says more\n", command->name);
	return TOOL_USAGE;
}

static int store_number(const struct parser *parser, const struct option_entry *entry,
			const char *text)
{
	struct option_number *number = entry->target;
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || value < entry->min ||
	    value > entry->max)
		return options_wrong(parser->command, "--%s takes a number, %u to %u", entry->name,
				     entry->min, entry->max);
	number->given = true;
	number->value = (uint32_t)value;
	return OPTIONS_GO;
}

static int store_hex(const struct parser *parser, const struct option_entry *entry,
		     const char *text)
{
	struct option_bytes *bytes = entry->target;
	long len = input_hex(text, bytes->bytes, sizeof(bytes->bytes));

	if (len < (long)entry->min || len > (long)entry->max) {
		if (entry->min == entry->max)
			return options_wrong(parser->command, "--%s takes %u bytes in hexadecimal",
					     entry->name, entry->min);
		return options_wrong(parser->command, "--%s takes %u to %u bytes in hexadecimal",
				     entry->name, entry->min, entry->max);
	}
	bytes->len = (size_t)len;
	return OPTIONS_GO;
}

static int store_choice(const struct parser *parser, const struct option_entry *entry,
			const char *text)
{
	for (unsigned i = 0; entry->choices[i]; i++) {
		if (strcmp(entry->choices[i], text) == 0) {
			*(unsigned *)entry->target = i;
			return OPTIONS_GO;
		}
	}
	return options_wrong(parser->command, "--%s takes %s", entry->name, entry->value);
}

static int store_text(const struct parser *parser, const struct option_entry *entry,
		      const char *text)
{
	size_t len = strlen(text);

	if (len < entry->min || (entry->max && len > entry->max)) {
		if (entry->max)
			return options_wrong(parser->command, "--%s takes %u to %u bytes of text",
					     entry->name, entry->min, entry->max);
		return options_wrong(parser->command, "--%s takes a value that is not empty",
				     entry->name);
	}
	*(const char **)entry->target = text;
	return OPTIONS_GO;
}

static int store(struct parser *parser, size_t index, const char *text)
{
	const struct option_entry *entry = &parser->entries[index];

	if (parser->given[index])
		return options_wrong(parser->command, "--%s is given twice", entry->name);
	parser->given[index] = true;
	switch (entry->kind) {
	case OPTION_FLAG:
		*(bool *)entry->target = true;
		return OPTIONS_GO;
	case OPTION_TEXT:
		return store_text(parser, entry, text);
	case OPTION_NUMBER:
		return store_number(parser, entry, text);
	case OPTION_HEX:
		return store_hex(parser, entry, text);
	case OPTION_CHOICE:
		return store_choice(parser, entry, text);
	}
	return TOOL_USAGE;
}

/* Says that an option is unknown, as it was written but for a value behind '='. */
static int unknown(const struct parser *parser, const char *word)
{
	static const char *const secrets[] = {"--pin", "--puk", "--new-pin"};
	char name[48], safe[48];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (strcmp(secrets[i], name) == 0)
			return options_wrong(parser->command,
					     "there is no %s: other users could read it on the "
					     "command line; use %s-file or %s-fd",
					     name, name, name);
	}
	return options_wrong(parser->command, "unknown option %s",
			     output_safe(name, safe, sizeof(safe)));
}

/* The entry behind what getopt_long() returned or left in optopt; count if there is none. */
static size_t find(const struct parser *parser, int code)
{
	size_t i;

	if (code >= LONG_BASE)
		return (size_t)(code - LONG_BASE);
	for (i = 0; i < parser->count; i++) {
		if (code && parser->entries[i].letter == code)
			break;
	}
	return i;
}

/* What getopt_long() could not take: `code` is its '?' or ':'. */
static int fault(const struct parser *parser, int code, char **argv)
{
	size_t index = find(parser, optopt);
	char letter[3] = {'-', (char)optopt, '\0'};

	if (index == parser->count)
		return unknown(parser, optopt ? letter : argv[optind - 1]);
	if (code == ':')
		return options_wrong(parser->command, "--%s lacks its value, %s",
				     parser->entries[index].name, parser->entries[index].value);
	return options_wrong(parser->command, "--%s takes no value", parser->entries[index].name);
}

/* The word that the option just returned was written as. */
static const char *word_taken(char **argv)
{
	return argv[optind - (optarg && optarg == argv[optind - 1] ? 2 : 1)];
}

/* getopt_long() takes a beginning of a name for the name. --puk for --puk-file would have a PUK
 * taken for a file name and printed, so a name counts only when it is written out. */
static bool written_out(const struct option_entry *entry, const char *word)
{
	size_t len = strlen(entry->name);

	return strncmp(word + 2, entry->name, len) == 0 &&
	       (word[2 + len] == '\0' || word[2 + len] == '=');
}

static int take(struct parser *parser, int argc, char **argv, const char *letters,
		const struct option *names)
{
	int code;

	opterr = 0;
	optind = 0;
	while ((code = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		size_t index = find(parser, code);
		int result;

		if (code == '?' || code == ':')
			return fault(parser, code, argv);
		if (code >= LONG_BASE && !written_out(&parser->entries[index], word_taken(argv)))
			return unknown(parser, word_taken(argv));
		result = store(parser, index, optarg);
		if (result != OPTIONS_GO)
			return result;
	}
	return OPTIONS_GO;
}

static int read_table(struct parser *parser, int argc, char **argv)
{
	struct option names[ENTRIES_MAX + 1];
	char letters[2 * ENTRIES_MAX + 2], *letter = letters;

	memset(names, 0, sizeof(names));
	*letter++ = ':';
	for (size_t i = 0; i < parser->count; i++) {
		const struct option_entry *entry = &parser->entries[i];

		names[i].name = entry->name;
		names[i].has_arg = entry->kind == OPTION_FLAG ? no_argument : required_argument;
		names[i].val = LONG_BASE + (int)i;
		if (entry->letter)
			*letter++ = entry->letter;
		if (entry->letter && entry->kind != OPTION_FLAG)
			*letter++ = ':';
	}
	*letter = '\0';
	return take(parser, argc, argv, letters, names);
}

static int check(const struct parser *parser, struct common_options *common, unsigned words)
{
	const struct command *command = parser->command;

	for (size_t i = 0; i < parser->count; i++) {
		if (parser->entries[i].required && !parser->given[i])
			return options_wrong(command, "--%s is missing", parser->entries[i].name);
	}
	if (words < command->min_arguments)
		return options_wrong(command, "%s is missing", command->arguments);
	if (words > command->max_arguments)
		return options_wrong(command, "%u argument%s where %u %s taken", words,
				     words == 1 ? "" : "s", command->max_arguments,
				     command->max_arguments == 1 ? "is" : "are");
	if (common->trace_secrets && !common->trace)
		return options_wrong(command, "--trace-secrets needs --trace");
	if ((command->groups & OPTIONS_READER) && !common->reader) {
		common->reader = getenv("SIMTIE_READER");
		if (common->reader && !common->reader[0])
			common->reader = NULL;
	}
	return OPTIONS_GO;
}

int options_parse(const struct command *command, struct common_options *common, int argc,
		  char **argv, char ***arguments)
{
	struct parser parser;
	bool help = false, complete = false;
	int result;

	memset(common, 0, sizeof(*common));
	gather(&parser, command, common, &help, &complete);
	result = read_table(&parser, argc, argv);
	if (result != OPTIONS_GO)
		return result;
	if (complete)
		return print_completion(&parser);
	if (help)
		return print_help(&parser);
	if (arguments)
		*arguments = argv + optind;
	return check(&parser, common, (unsigned)(argc - optind));
}
