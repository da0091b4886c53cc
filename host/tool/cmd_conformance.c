/*
 * simtie conformance: the contract's own examples against the card in a reader.
 */
#include "conformance.h"

#include "output.h"
#include "protocol.h"

#include <stdio.h>
#include <stdlib.h>

/* PIN and PUK of cards that the run personalises itself, unless others are given. They are no
 * secret: such a card holds nothing. */
#define TEST_PIN "1234"
#define TEST_PUK "12345678"

/* A secret that was given, or the test value; nobody is asked. */
static int read_secret(const struct conformance *conf, const struct secret_source *source,
		       const char *test_value, char secret[SECRET_SIZE], bool *given)
{
	*given = !secret_asks(source);
	if (*given)
		return secret_read(conf->command, source, false, secret);
	snprintf(secret, SECRET_SIZE, "%s", test_value);
	return TOOL_DONE;
}

static int read_secrets(struct conformance *conf)
{
	int result = read_secret(conf, &conf->pin_source, TEST_PIN, conf->pin, &conf->pin_given);

	if (result == TOOL_DONE)
		result =
			read_secret(conf, &conf->puk_source, TEST_PUK, conf->puk, &conf->puk_given);
	if (result != TOOL_DONE)
		return result;
	example_values(conf->pin, conf->puk, &conf->values);
	snprintf(conf->new_pin, sizeof conf->new_pin, "%s", conf->pin);
	conf->new_pin[0] = (char)conf->values.new_pin[0];
	return TOOL_DONE;
}

static int read_record(struct conformance *conf)
{
	struct simtie_record record;
	int error = simtie_record_read(conf->record_path, &record);

	if (error)
		return card_failed(&conf->common, NULL, conf->record_path, error);
	conf->key = record.key;
	explicit_bzero(&record, sizeof record);
	return TOOL_DONE;
}

static int run(struct conformance *conf)
{
	char text[CONFORMANCE_TEXT_MAX] = "";
	size_t count;
	int error;
	int result = read_secrets(conf);

	example_cases(&count);
	if (result == TOOL_DONE && conf->keys_source.file)
		result =
			channel_read(&conf->common, conf->command, &conf->keys_source, &conf->keys);
	if (result == TOOL_DONE && conf->record_path)
		result = read_record(conf);
	if (result != TOOL_DONE)
		return result;
	conf->run = calloc(1, sizeof *conf->run);
	conf->results = calloc(count + 1, sizeof *conf->results);
	if (!conf->run || !conf->results)
		return card_failed(&conf->common, NULL, NULL, SIMTIE_ERR_MEMORY);
	error = conformance_card_open(conf, text);
	if (error == 0) {
		conf->has_key = conf->record_path != NULL;
		error = conformance_run(conf, text);
	}
	return conformance_finish(conf, error, text);
}

/* Whether --only asks for anything at all. */
static bool wants_some(const struct conformance *conf)
{
	size_t count;
	const struct example_case *cases = example_cases(&count);
	bool some = conformance_wanted(conf, conformance_check.command, conformance_check.name);

	for (size_t i = 0; i < count && !some; i++)
		some = conformance_wanted(conf, cases[i].command, cases[i].name);
	return some;
}

static int check(struct conformance *conf)
{
	const bool loop = conf->common.reader && strncmp(conf->common.reader, "loop:", 5) == 0;
	const bool throwaway = loop && conf->common.reader[5] == '\0';

	conf->supply = throwaway ? SUPPLY_LOOP : conf->fresh ? SUPPLY_COMMAND : SUPPLY_NONE;
	if (loop && conf->fresh)
		return options_wrong(conf->command, "--fresh is for a card in a reader; every "
						    "session on loop: has a fresh one anyway");
	if (conf->fresh && conf->record_path)
		return options_wrong(conf->command,
				     "--record is for the card that is in the reader, --fresh "
				     "brings others");
	if (!wants_some(conf))
		return options_wrong(conf->command, "--only matches no example; --list shows them");
	return TOOL_DONE;
}

static void release(struct conformance *conf)
{
	simtie_close(&conf->session);
	if (conf->run)
		example_wipe(conf->run);
	free(conf->run);
	free(conf->results);
	explicit_bzero(conf, sizeof *conf);
}

int conformance_main(int argc, char **argv)
{
	struct conformance conf = {.pin_source = SECRET_PIN, .puk_source = SECRET_PUK};
	const struct option_entry options[] = {
		{.name = "all",
		 .target = &conf.all,
		 .help = "also what blocks, wipes or changes the card for good, as far\n"
			 "as one card can go through it; a card in factory gets\n"
			 "personalised, with PIN 1234 and PUK 12345678 unless others\n"
			 "are given"},
		{.name = "fresh",
		 .kind = OPTION_TEXT,
		 .target = &conf.fresh,
		 .value = "COMMAND",
		 .min = 1,
		 .help = "shell command that puts a factory-fresh card into the reader;\n"
			 "then every example runs"},
		{.name = "wait",
		 .kind = OPTION_NUMBER,
		 .target = &conf.patience,
		 .value = "SECONDS",
		 .min = 1,
		 .max = 3600,
		 .help = "how long a new card may take to come (30)"},
		{.name = "only",
		 .kind = OPTION_TEXT,
		 .target = &conf.only,
		 .value = "PATTERN",
		 .min = 1,
		 .help = "only examples whose name, command or COMMAND/name fits,\n"
			 "with * and ? as a shell has them"},
		{.name = "list", .target = &conf.list, .help = "list the examples; needs no card"},
		{.name = "junit",
		 .kind = OPTION_TEXT,
		 .target = &conf.junit,
		 .value = "FILE",
		 .min = 1,
		 .help = "write the results as JUnit XML too"},
		{.name = "record",
		 .kind = OPTION_TEXT,
		 .target = &conf.record_path,
		 .value = "FILE",
		 .min = 1,
		 .help = "the card's record, to verify its attestations with"},
		PROTOCOL_OPTION(conf.common),
		KEYS_OPTIONS(conf.keys_source),
		SECRET_OPTIONS("pin", "the card's PIN", conf.pin_source),
		SECRET_OPTIONS("puk", "the card's PUK", conf.puk_source),
	};
	const struct command command = {
		.name = "conformance",
		.text = "Runs the contract's examples against the card: on loop: each on a new "
			"virtual card;\non a card in a reader those that its state allows and that "
			"neither block nor wipe nor\nchange it for good. Examples that need the "
			"PIN run when it is given; tries that they\ntake are given back, and none "
			"is taken with fewer than two left. Those that need a secure\nchannel "
			"run with --keys, or on a virtual card with the well-known test keys. "
			"Last comes\nCHECK/attestation_verifies, on a card of the run's own or "
			"with --record.\n\nExit code 0: some passed and none failed.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
	};
	int result = options_parse(&command, &conf.common, argc, argv, NULL);

	if (result != OPTIONS_GO)
		return result;
	conf.command = &command;
	result = check(&conf);
	if (result == TOOL_DONE)
		result = conf.list ? conformance_list(&conf) : run(&conf);
	release(&conf);
	return result;
}
