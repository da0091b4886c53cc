/*
 * What a run came to: for people, programs and build servers.
 */
#include "conformance.h"

#include "junit.h"
#include "output.h"
#include "protocol.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const outcome_words[] = {
	[CONFORMANCE_PASSED] = "passed",
	[CONFORMANCE_FAILED] = "failed",
	[CONFORMANCE_SKIPPED] = "skipped",
};

struct tally {
	unsigned count[3]; /* by outcome */
	double seconds;
};

static struct tally tally_of(const struct conformance *conf)
{
	struct tally tally = {{0, 0, 0}, 0};

	for (size_t i = 0; i < conf->count; i++) {
		tally.count[conf->results[i].outcome]++;
		tally.seconds += conf->results[i].seconds;
	}
	return tally;
}

bool conformance_wanted(const struct conformance *conf, const char *group, const char *name)
{
	char whole[128];

	if (!conf->only)
		return true;
	snprintf(whole, sizeof whole, "%s/%s", group, name);
	return fnmatch(conf->only, name, 0) == 0 || fnmatch(conf->only, group, 0) == 0 ||
	       fnmatch(conf->only, whole, 0) == 0;
}

void conformance_print(const struct conformance *conf, const struct conformance_result *result)
{
	if (conf->common.json)
		return;
	printf("%-7s  %s/%s\n", outcome_words[result->outcome], result->group, result->name);
	if (result->text[0])
		printf("         %s\n", result->text);
	fflush(stdout);
}

/* ---- JUnit ---- */

static void write_junit(const struct conformance *conf, FILE *out, const char *reader)
{
	static const enum junit_outcome outcomes[] = {
		[CONFORMANCE_PASSED] = JUNIT_PASSED,
		[CONFORMANCE_FAILED] = JUNIT_FAILED,
		[CONFORMANCE_SKIPPED] = JUNIT_SKIPPED,
	};
	const struct tally tally = tally_of(conf);
	const struct junit_suite suite = {
		.name = "simtie conformance",
		.tests = (unsigned)conf->count,
		.failures = tally.count[CONFORMANCE_FAILED],
		.skipped = tally.count[CONFORMANCE_SKIPPED],
		.seconds = tally.seconds,
	};

	junit_begin(out, &suite);
	junit_property(out, "reader", reader);
	junit_property(out, "atr", conf->atr);
	junit_property(out, "protocol", protocol_word(conf->protocol));
	junit_property(out, "version", simtie_version());
	junit_cases(out);
	for (size_t i = 0; i < conf->count; i++)
		junit_case(out, conf->results[i].group, conf->results[i].name,
			   outcomes[conf->results[i].outcome], conf->results[i].seconds,
			   conf->results[i].text);
	junit_end(out);
}

static int save_junit(const struct conformance *conf, const char *reader)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int failed = -1;

	if (out) {
		write_junit(conf, out, reader);
		if (fclose(out) == 0)
			failed = output_file(conf->junit, text, len);
	}
	if (failed)
		output_error("%s cannot be written: %s; the results above stand", conf->junit,
			     strerror(errno));
	free(text);
	return failed ? TOOL_IO : TOOL_DONE;
}

/* ---- The end ---- */

static json_t *json_of(const struct conformance *conf, const struct tally *tally,
		       const char *reader)
{
	json_t *results = json_array();

	for (size_t i = 0; i < conf->count; i++) {
		const struct conformance_result *result = &conf->results[i];

		json_array_append_new(
			results, json_pack("{s:s,s:s,s:s,s:f,s:s}", "group", result->group, "name",
					   result->name, "outcome", outcome_words[result->outcome],
					   "seconds", result->seconds, "text", result->text));
	}
	return json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:o}", "reader", reader, "atr", conf->atr,
			 "protocol", protocol_word(conf->protocol), "passed",
			 (int)tally->count[CONFORMANCE_PASSED], "failed",
			 (int)tally->count[CONFORMANCE_FAILED], "skipped",
			 (int)tally->count[CONFORMANCE_SKIPPED], "results", results);
}

/* The exit code: what broke the run off, else whether something failed. A run in which nothing
 * passed shows nothing, and is no success. */
static int code_of(const struct tally *tally, int error)
{
	if (error)
		return card_exit_code(error);
	return tally->count[CONFORMANCE_FAILED] == 0 && tally->count[CONFORMANCE_PASSED] > 0
		       ? TOOL_DONE
		       : TOOL_REFUSED;
}

int conformance_finish(const struct conformance *conf, int error, const char *text)
{
	const struct tally tally = tally_of(conf);
	const char *message = text[0] ? text : simtie_strerror(error);
	int result = code_of(&tally, error);
	char reader[SIMTIE_READER_NAME_MAX];

	output_safe(conf->supply == SUPPLY_LOOP ? conf->common.reader : conf->reader, reader,
		    sizeof reader);
	if (error)
		output_error("the run was broken off: %s", message);
	if (conf->junit && save_junit(conf, reader) != TOOL_DONE)
		result = TOOL_IO;
	if (conf->common.json) {
		json_t *object = json_of(conf, &tally, reader);

		if (error) {
			json_object_set_new(object, "error", json_string(card_error_code(error)));
			json_object_set_new(object, "message", json_string(message));
		}
		return output_json(object) == TOOL_DONE ? result : TOOL_IO;
	}
	printf("%u passed, %u failed, %u skipped\n", tally.count[CONFORMANCE_PASSED],
	       tally.count[CONFORMANCE_FAILED], tally.count[CONFORMANCE_SKIPPED]);
	return output_end(result);
}

/* ---- The list ---- */

static const char *state_word(enum example_state state)
{
	return state == EXAMPLE_FACTORY ? "factory" : "personalised";
}

static const char *effect_word(enum example_effect effect)
{
	switch (effect) {
	case EXAMPLE_EFFECT_NONE:
		return "none";
	case EXAMPLE_EFFECT_TRIES:
		return "tries";
	case EXAMPLE_EFFECT_COUNTS:
		return "counts";
	case EXAMPLE_EFFECT_LASTING:
		return "lasting";
	}
	return "";
}

int conformance_list(const struct conformance *conf)
{
	size_t count;
	const struct example_case *cases = example_cases(&count);
	json_t *list = json_array();
	char level[3];

	for (size_t i = 0; i < count; i++) {
		const struct example_case *example = &cases[i];

		if (!conformance_wanted(conf, example->command, example->name))
			continue;
		if (!conf->common.json)
			printf("%s/%s  %s, effect %s%s%s%s%s%s%s\n", example->command,
			       example->name, state_word(example->state),
			       effect_word(example->effect), example->raw ? ", raw" : "",
			       example->protocol[0] ? ", " : "", example->protocol,
			       example->application == APPLICATION_DOMAIN ? ", domain" : "",
			       example->secure ? ", secure" : "",
			       example->fault[0] ? ", needs a fault" : "");
		snprintf(level, sizeof level, "%02X", example->secure);
		json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:s,s:s,s:b,s:s,s:s,s:s,s:s}", "group",
				  example->command, "name", example->name, "state",
				  state_word(example->state), "effect",
				  effect_word(example->effect), "raw", example->raw, "protocol",
				  example->protocol, "fault", example->fault, "application",
				  example->application == APPLICATION_DOMAIN ? "domain"
									     : "attestation",
				  "securityLevel", level));
	}
	if (conf->common.json)
		return output_json(json_pack("{s:o}", "examples", list));
	json_decref(list);
	return output_end(TOOL_DONE);
}
