/*
 * simtie pin: verify, change and unblock the PIN, and how many tries are left.
 */
#include "holder.h"
#include "output.h"
#include "secret.h"

#include <stdio.h>
#include <string.h>

struct pin {
	struct common_options common;
	const struct command *command;
	struct secret_source pin;
	struct secret_source new_pin;
	struct secret_source puk;
	struct holder_way way;
	struct simtie_session *session;
};

/* Whether a source was named that this action has no use for: it may be meant for another. */
static int refuse_source(const struct pin *pin, const struct secret_source *source,
			 const char *action)
{
	if (!source->file && !source->fd.given)
		return TOOL_DONE;
	return options_wrong(pin->command, "`pin %s` takes no --%s-%s", action, source->option,
			     source->file ? "file" : "fd");
}

static int done(const struct pin *pin, const char *action, const char *sentence)
{
	if (pin->common.json)
		return output_json(json_pack("{s:s}", "done", action));
	puts(sentence);
	return output_end(TOOL_DONE);
}

static int verify(struct pin *pin)
{
	char secret[SECRET_SIZE];
	int result = refuse_source(pin, &pin->new_pin, "verify");
	int error;

	if (result == TOOL_DONE)
		result = refuse_source(pin, &pin->puk, "verify");
	if (result == TOOL_DONE)
		result = secret_read(pin->command, &pin->pin, false, secret);
	if (result != TOOL_DONE)
		return result;
	result = holder_open(&pin->common, &pin->way, &pin->session);
	if (result != TOOL_DONE)
		goto out;
	error = simtie_pin_verify(pin->session, secret, NULL);
	result =
		error ? card_failed_secret(&pin->common, pin->session, "not verified", error, "PIN")
		      : done(pin, "verify", "the PIN is right; all tries are back");
out:
	secret_wipe(secret);
	return result;
}

/* A new PIN, set with the old one or, when that is forgotten or blocked, with the PUK. */
static int replace(struct pin *pin, bool unblock)
{
	const struct secret_source *source = unblock ? &pin->puk : &pin->pin;
	const char *action = unblock ? "unblock" : "change";
	char proof[SECRET_SIZE], secret[SECRET_SIZE];
	int result = refuse_source(pin, unblock ? &pin->pin : &pin->puk, action);
	int error;

	if (result == TOOL_DONE)
		result = secret_read(pin->command, source, false, proof);
	if (result != TOOL_DONE)
		return result;
	result = secret_read(pin->command, &pin->new_pin, true, secret);
	if (result == TOOL_DONE)
		result = holder_open(&pin->common, &pin->way, &pin->session);
	if (result != TOOL_DONE)
		goto out;
	if (unblock)
		error = simtie_pin_unblock(pin->session, proof, secret, NULL);
	else
		error = simtie_pin_change(pin->session, proof, secret, NULL);
	result = error ? card_failed_secret(&pin->common, pin->session, "the PIN is unchanged",
					    error, source->name)
		       : done(pin, action, "the new PIN holds; all tries are back");
out:
	secret_wipe(secret);
	secret_wipe(proof);
	return result;
}

static int change(struct pin *pin)
{
	return replace(pin, false);
}

static int unblock(struct pin *pin)
{
	return replace(pin, true);
}

static int status(struct pin *pin)
{
	struct simtie_pin_state state;
	int result = refuse_source(pin, &pin->pin, "status");
	int error;

	if (result == TOOL_DONE)
		result = refuse_source(pin, &pin->new_pin, "status");
	if (result == TOOL_DONE)
		result = refuse_source(pin, &pin->puk, "status");
	if (result == TOOL_DONE)
		result = card_open_applet(&pin->common, &pin->session, NULL);
	if (result != TOOL_DONE)
		return result;
	error = simtie_pin_status(pin->session, &state);
	if (error)
		return card_failed(&pin->common, pin->session, "cannot read the PIN's state",
				   error);
	if (pin->common.json)
		return output_json(json_pack("{s:i,s:i,s:i,s:i}", "pinTries", state.pin_tries,
					     "pinTriesMax", state.pin_tries_max, "pukTries",
					     state.puk_tries, "pukTriesMax", state.puk_tries_max));
	output_line("PIN tries left", "%u of %u", state.pin_tries, state.pin_tries_max);
	output_line("PUK tries left", "%u of %u", state.puk_tries, state.puk_tries_max);
	return output_end(TOOL_DONE);
}

static const struct {
	const char *name;
	int (*run)(struct pin *pin);
} actions[] = {
	{"verify", verify},
	{"change", change},
	{"unblock", unblock},
	{"status", status},
};

int pin_main(int argc, char **argv)
{
	struct pin pin = {
		.pin = SECRET_PIN,
		.new_pin = SECRET_NEW_PIN,
		.puk = SECRET_PUK,
	};
	const struct option_entry options[] = {
		SECRET_OPTIONS("pin", "the PIN", pin.pin),
		SECRET_OPTIONS("new-pin", "the new PIN", pin.new_pin),
		SECRET_OPTIONS("puk", "the PUK", pin.puk),
		HOLDER_OPTIONS(pin.way),
	};
	const struct command command = {
		.name = "pin",
		.arguments = "verify|change|unblock|status",
		.text = "verify   tries the PIN: a right one gives all tries back, a wrong one "
			"costs one\n"
			"change   sets a new PIN with the old one\n"
			"unblock  sets a new PIN with the PUK, when the PIN is blocked or "
			"forgotten\n"
			"status   says how many tries are left; needs no PIN\n\n"
			"What no option names comes from SIMTIE_PIN, SIMTIE_NEW_PIN and "
			"SIMTIE_PUK, or a prompt.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
		.min_arguments = 1,
		.max_arguments = 1,
	};
	char **arguments;
	int result = options_parse(&command, &pin.common, argc, argv, &arguments);

	if (result != OPTIONS_GO)
		return result;
	pin.command = &command;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, arguments[0]) != 0)
			continue;
		result = actions[i].run(&pin);
		simtie_close(&pin.session);
		return result;
	}
	return options_wrong(&command, "the first argument is one of %s", command.arguments);
}
