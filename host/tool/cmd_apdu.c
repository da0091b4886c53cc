/*
 * simtie apdu: sends APDUs, one by one or as a script with expected answers, and shows them
 * decoded.
 *
 * Every line is read before the first command goes out, so that a slip in a script leaves the card
 * alone. Arguments can be read by other users: a PIN in one is refused, whatever command it is for.
 */
#include "card.h"
#include "channel.h"
#include "exchange.h"
#include "output.h"
#include "protocol.h"
#include "script.h"

#include <stdio.h>
#include <stdlib.h>

#define ARGUMENTS_MAX 256
#define HEADER_SIZE   4

struct apdu_tool {
	struct common_options common;
	const struct command *command;
	struct script script;
	bool raw, select, keep_going, show_secrets;
	unsigned application; /* index into applications[] */
	struct keys_source keys_source;
	bool test_keys;
	unsigned level; /* index into levels[] */
	struct keys keys;
	struct channel channel; /* once it is open */

	struct example *run;
	json_t *steps;
	unsigned sent, expecting, differed;
};

/* What --application and --level take, the default level first. */
static const char *const applications[] = {"attestation", "domain", NULL};
static const char *const levels[] = {"33", "13", "11", "03", "01", NULL};
static const uint8_t level_values[] = {
	SIMTIE_SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC,
	SIMTIE_SECURITY_LEVEL_C_MAC_ENC_R_MAC,
	SIMTIE_SECURITY_LEVEL_C_MAC_R_MAC,
	SIMTIE_SECURITY_LEVEL_C_MAC_ENC,
	SIMTIE_SECURITY_LEVEL_C_MAC,
};

enum { SELECT_ATTESTATION, SELECT_DOMAIN, SELECT_NONE };

/* ---- Before the card ---- */

static const char *place(const struct apdu_tool *tool)
{
	return tool->script.path ? "line" : "argument";
}

static int refuse_line(struct apdu_tool *tool, const struct script_line *line, const char *why)
{
	return options_wrong(tool->command, "%s %u: %s", place(tool), line->number, why);
}

static int rehearse_line(struct apdu_tool *tool, const struct script_line *line)
{
	struct example *run = tool->run;

	switch (example_read(run, line->text, line->len)) {
	case EXAMPLE_EMPTY:
		return TOOL_DONE;
	case EXAMPLE_HELD:
		break;
	case EXAMPLE_DIFFERED:
	case EXAMPLE_MALFORMED:
	case EXAMPLE_FAILED:
		return refuse_line(tool, line, run->text);
	}
	if (!tool->script.path && example_literal_secret(run))
		return refuse_line(tool, line,
				   "a PIN or key on the command line can be read by other users; "
				   "write {pin}, {new_pin} or {puk} in its place, or use --script");
	example_rehearse(run);
	if (!tool->raw && run->command.len < HEADER_SIZE)
		return refuse_line(tool, line,
				   "a command has at least 4 bytes; one argument is one command, "
				   "quoted when it has blanks. --raw sends less");
	if (!tool->raw && run->decoded.malformed)
		return refuse_line(tool, line,
				   "Lc and what follows it do not agree; --raw sends it as it is");
	return TOOL_DONE;
}

/* Where no key set is asked for, the examples' PUT KEY data have no names. */
static bool has_keys(const struct apdu_tool *tool)
{
	return tool->keys_source.file || tool->test_keys;
}

static int check_keys(struct apdu_tool *tool)
{
	if (tool->keys_source.file && tool->test_keys)
		return options_wrong(tool->command, "--keys and --test-keys exclude each other");
	if (has_keys(tool) && tool->raw)
		return options_wrong(tool->command, "--raw goes past a secure channel; begin a "
						    "line with ! for that");
	if (!has_keys(tool) && (tool->keys_source.version.len || tool->level))
		return options_wrong(tool->command, "--key-version and --level need --keys or "
						    "--test-keys");
	if (tool->test_keys)
		channel_test_keys(&tool->keys_source, &tool->keys);
	if (tool->keys_source.file)
		return channel_read(&tool->common, tool->command, &tool->keys_source, &tool->keys);
	return TOOL_DONE;
}

/* Reads every line as if the card had answered as expected. */
static int rehearse(struct apdu_tool *tool)
{
	struct script_line line = {0};
	int result;

	example_start(tool->run, NULL, NULL);
	result = script_define(&tool->script, tool->command, tool->run, SCRIPT_REHEARSAL);
	if (result == TOOL_DONE && has_keys(tool))
		example_define_keys(tool->run, &tool->keys.set);
	while (result == TOOL_DONE && script_next(&tool->script, &line))
		result = rehearse_line(tool, &line);
	if (result == TOOL_DONE && tool->run->step == 0)
		result = options_wrong(tool->command, "no command is given");
	return result;
}

/* ---- At the card ---- */

static void show(struct apdu_tool *tool, enum example_result result)
{
	if (tool->common.json)
		json_array_append_new(tool->steps,
				      exchange_json(tool->run, result, tool->show_secrets));
	else
		exchange_print(tool->run, result, tool->show_secrets);
}

/* Sends one line. False: the script stops here. */
static bool send_line(struct apdu_tool *tool, const struct script_line *line, int *error)
{
	enum example_result result = example_read(tool->run, line->text, line->len);

	if (result != EXAMPLE_HELD)
		return result == EXAMPLE_EMPTY;
	result = example_send(tool->run, tool->raw);
	show(tool, result);
	*error = tool->run->error;
	if (result == EXAMPLE_FAILED)
		return false;
	tool->sent++;
	tool->expecting += tool->run->expects;
	tool->differed += result == EXAMPLE_DIFFERED;
	if (result == EXAMPLE_DIFFERED && !tool->common.json)
		printf("! %s %u\n", place(tool), line->number);
	return result == EXAMPLE_HELD || tool->keep_going;
}

/* Whether a status word says that the command was carried out (ISO/IEC 7816-4 §5.6). 63xx is a
 * warning too, but the card's refusals of a PIN are among them. */
static bool is_success(uint16_t sw)
{
	return sw == SIMTIE_SW_OK || (sw & 0xFF00) == SIMTIE_SW_BYTES_AVAILABLE ||
	       (sw & 0xFF00) == (SIMTIE_SW_TERMINATED & 0xFF00);
}

static json_t *channel_json(const struct apdu_tool *tool)
{
	char version[3], options[3];

	snprintf(version, sizeof version, "%02X", tool->channel.card.version);
	snprintf(options, sizeof options, "%02X", tool->channel.card.options);
	return json_pack("{s:s,s:s,s:s}", "level", levels[tool->level], "keyVersion", version,
			 "options", options);
}

static int finish(struct apdu_tool *tool, struct simtie_session *session, int error)
{
	struct simtie_line line = simtie_session_line(session);
	const struct common_options in_text = {.reader = tool->common.reader};
	bool held = tool->expecting ? tool->differed == 0 : is_success(tool->run->sw);
	int result = held ? TOOL_DONE : TOOL_REFUSED;
	json_t *object;

	if (error)
		result = card_failed(&in_text, session, "the command was not carried out", error);
	if (!tool->common.json) {
		if (tool->script.path && !error)
			printf("%u commands, %u with an expected answer, %u differed\n", tool->sent,
			       tool->expecting, tool->differed);
		return output_end(result);
	}
	object = json_pack("{s:O,s:s,s:i,s:I,s:b}", "steps", tool->steps, "protocol",
			   protocol_word(simtie_session_protocol(session)), "exchanges",
			   (int)line.exchanges, "lineBytes", (json_int_t)line.bytes, "held",
			   held && !error);
	if (has_keys(tool))
		json_object_set_new(object, "secureChannel", channel_json(tool));
	if (error) {
		json_object_set_new(object, "error", json_string(card_error_code(error)));
		json_object_set_new(object, "message", json_string(simtie_strerror(error)));
	}
	return output_json(object) == TOOL_DONE ? result : TOOL_IO;
}

static int select_application(struct apdu_tool *tool, struct simtie_session *session,
			      struct simtie_info *info)
{
	int error = 0;

	if (tool->application == SELECT_DOMAIN)
		error = simtie_select_domain(session);
	else if (tool->application == SELECT_ATTESTATION)
		error = simtie_select(session, info);
	else
		return TOOL_DONE;
	tool->run->application =
		tool->application == SELECT_DOMAIN ? APPLICATION_DOMAIN : APPLICATION_ATTESTATION;
	if (error)
		return card_failed(&tool->common, session, "cannot select the application", error);
	return TOOL_DONE;
}

/* What stands between the reset and the first line. */
static int prepare(struct apdu_tool *tool, struct simtie_session *session)
{
	struct simtie_info info = {.has_iccid = false};
	struct scp03_keys set;
	int result = select_application(tool, session, &info);

	if (result != TOOL_DONE || !has_keys(tool))
		return result;
	result = channel_open_or_say(&tool->common, session, &tool->keys,
				     info.has_iccid ? info.iccid : NULL, level_values[tool->level],
				     &tool->channel);
	if (result != TOOL_DONE)
		return result;
	set = channel_set(&tool->channel.keys);
	example_define_keys(tool->run, &set);
	bytes_wipe(&set, sizeof set);
	if (!tool->common.json)
		printf("= secure channel, level %02X, key version %02X, i %02X\n",
		       level_values[tool->level], tool->channel.card.version,
		       tool->channel.card.options);
	return TOOL_DONE;
}

static int send_all(struct apdu_tool *tool)
{
	struct simtie_session *session;
	struct script_line line = {0};
	int result = card_open(&tool->common, &session);
	int error = 0;

	if (result != TOOL_DONE)
		return result;
	tool->run->context = session;
	result = prepare(tool, session);
	if (result == TOOL_DONE) {
		while (script_next(&tool->script, &line) && send_line(tool, &line, &error))
			;
		result = finish(tool, session, error);
	}
	simtie_close(&session);
	return result;
}

static int run(struct apdu_tool *tool)
{
	int result = script_load(&tool->script, tool->command);

	if (result == TOOL_DONE)
		result = check_keys(tool);
	if (result == TOOL_DONE)
		result = rehearse(tool);
	if (result != TOOL_DONE)
		return result;
	example_start(tool->run, exchange_transmit, NULL);
	result = script_define(&tool->script, tool->command, tool->run, SCRIPT_REAL);
	return result == TOOL_DONE ? send_all(tool) : result;
}

int apdu_main(int argc, char **argv)
{
	struct apdu_tool tool = {
		.application = SELECT_NONE,
		.script = {.pin = SECRET_PIN, .puk = SECRET_PUK, .new_pin = SECRET_NEW_PIN},
	};
	const struct option_entry options[] = {
		{.name = "script",
		 .letter = 's',
		 .kind = OPTION_TEXT,
		 .target = &tool.script.path,
		 .value = "FILE|-",
		 .min = 1,
		 .help = "take the commands from a file, one a line"},
		{.name = "keep-going",
		 .letter = 'k',
		 .target = &tool.keep_going,
		 .help = "go on after an answer that was not as expected"},
		{.name = "select",
		 .target = &tool.select,
		 .help = "select the applet first; without it the card's own choice"},
		{.name = "application",
		 .kind = OPTION_CHOICE,
		 .target = &tool.application,
		 .value = "attestation|domain",
		 .choices = applications,
		 .help = "select that one first; --select is the first of them"},
		KEYS_OPTIONS(tool.keys_source),
		{.name = "test-keys",
		 .target = &tool.test_keys,
		 .help = "the well-known keys of a virtual card, in place of --keys"},
		{.name = "level",
		 .kind = OPTION_CHOICE,
		 .target = &tool.level,
		 .value = "01|03|11|13|33",
		 .choices = levels,
		 .help = "security level of the channel that keys open; 33 unless given"},
		{.name = "raw",
		 .target = &tool.raw,
		 .help = "leave 61xx, 6Cxx and chaining to you"},
		{.name = "set",
		 .kind = OPTION_TEXT,
		 .target = &tool.script.set,
		 .value = "NAME=HEX,...",
		 .min = 1,
		 .help = "name values, for {NAME} in a command; no secrets"},
		PROTOCOL_OPTION(tool.common),
		SECRET_OPTIONS("pin", "the PIN, {pin}", tool.script.pin),
		SECRET_OPTIONS("new-pin", "the new PIN, {new_pin}", tool.script.new_pin),
		SECRET_OPTIONS("puk", "the PUK, {puk}", tool.script.puk),
		{.name = "show-secrets",
		 .target = &tool.show_secrets,
		 .help = "print PINs and keys too"},
	};
	const struct command command = {
		.name = "apdu",
		.arguments = "COMMAND...",
		.text = "Resets the card, sends commands, shows them and the answers decoded. A "
			"command is bytes in\nhexadecimal; ( ) puts Lc before what it holds, [ ] a "
			"BER length, AB*N repeats a byte, {pin}\n{new_pin} {puk} {wrong_pin} "
			"{wrong_puk} {aid} {audience} {nonce} stand for values. Behind > may\n"
			"stand the expected answer: ? any digit, ** any bytes, {name:N} N bytes "
			"to be used as {name}:\n\n"
			"  00 20 00 01 08 {pin} > 9000    # a comment\n"
			"  80 88 00 00 ( 80 [ {audience} ] 81 [ {nonce} ] ) 00 > ** 9000\n\n"
			"With keys, lines go through a secure channel; one that begins with ! goes "
			"past it. Exit code\n0: all answers were as expected or, where nothing "
			"was expected, the last was 9000, 61xx, 62xx.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
		.max_arguments = ARGUMENTS_MAX,
	};
	int result = options_parse(&command, &tool.common, argc, argv, &tool.script.arguments);

	if (result != OPTIONS_GO)
		return result;
	tool.command = &command;
	if (tool.select && tool.application == SELECT_NONE)
		tool.application = SELECT_ATTESTATION;
	tool.run = calloc(1, sizeof *tool.run);
	tool.steps = json_array();
	result = tool.run && tool.steps ? run(&tool)
					: card_failed(&tool.common, NULL, NULL, SIMTIE_ERR_MEMORY);
	script_release(&tool.script);
	keys_wipe(&tool.keys);
	bytes_wipe(&tool.channel, sizeof tool.channel);
	if (tool.run)
		example_wipe(tool.run);
	free(tool.run);
	json_decref(tool.steps);
	return result;
}
