#include "exchange.h"

#include "claims.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>

/* Room for the longest APDU in hexadecimal, its status word beside it. */
#define LINE_SIZE (2 * EXAMPLE_ANSWER_MAX + 32)

/* Of an object's value; the whole of it stands in the line above anyway. */
#define VALUE_SIZE 132

#define INDENT 4

int exchange_transmit(void *context, enum example_way way, struct bytes command, uint8_t *answer,
		      size_t size, size_t *len, uint16_t *sw)
{
	struct simtie_session *session = context;
	int error = 0;

	switch (way) {
	case EXAMPLE_WAY_SESSION:
		error = simtie_transmit(session, command.ptr, command.len, answer, size, len);
		break;
	case EXAMPLE_WAY_RAW:
		error = simtie_transmit_raw(session, command.ptr, command.len, answer, size, len);
		break;
	case EXAMPLE_WAY_BARE:
		error = simtie_transmit_clear(session, command.ptr, command.len, answer, size, len);
		break;
	}
	*sw = simtie_status_word(session);
	return error;
}

/* Whether the data shows as objects; not where blanking had to take all of it for a secret. */
static bool shows_objects(const struct example *run, bool response, bool show_secrets)
{
	const struct decode_command *command = response ? &run->answered : &run->decoded;
	enum secret secret = response ? command->secret_response : command->secret;
	bool part = response ? run->answer_part
			     : run->command_part || command->class.chained || command->malformed;
	struct bytes data = response ? bytes_of(run->answer, run->answer_len) : command->apdu.data;

	if (data.len == 0 || part || command->class.secure ||
	    !decode_has_objects(command->command, response))
		return false;
	return show_secrets || secret == SECRET_NONE ||
	       !decode_is_broken(command->command, response, data);
}

/* ---- For people ---- */

static void print_objects(const struct example *run, bool response, struct bytes data,
			  bool show_secrets)
{
	enum command_id command = response ? run->answered.command : run->decoded.command;
	struct decode_object object;
	struct decode_walk walk;
	enum decode_step step;
	char value[VALUE_SIZE];

	decode_walk(&walk, command, response, data);
	while ((step = decode_next(&walk, &object)) != DECODE_END) {
		int indent = INDENT + 2 * (int)object.depth;

		if (object.template)
			printf("%*s%X %s\n", indent, "", object.tag, object.name);
		else if (step == DECODE_BROKEN)
			printf("%*snot BER-TLV: %zu bytes\n", indent, "", object.value.len);
		else
			printf("%*s%X %s: %s\n", indent, "", object.tag,
			       object.name ? object.name : "unknown",
			       example_show_value(run, &object, show_secrets, value, sizeof value));
	}
}

static void print_command(const struct example *run, bool show_secrets)
{
	const struct decode_command *command = &run->decoded;

	printf("%*s%s", INDENT, "", command->name);
	for (int which = 1; which <= 2; which++)
		if (decode_parameter(command, which))
			printf(", %s", decode_parameter(command, which));
	if (command->class.channel > 0)
		printf(", channel %u", command->class.channel);
	if (command->class.chained)
		printf(", more follows");
	if (command->class.secure)
		printf(", secure messaging");
	if (command->malformed)
		printf(", no APDU of any case");
	if (command->apdu.ne > 0)
		printf(", answer of up to %u bytes", command->apdu.ne);
	putchar('\n');
	if (shows_objects(run, false, show_secrets))
		print_objects(run, false, command->apdu.data, show_secrets);
}

/* The answers of INTERNAL AUTHENTICATE are no BER-TLV. */
static void print_attestation(const struct example *run)
{
	struct simtie_claims claims;
	const uint8_t *p = run->answer;

	if (run->answer_len == SIMTIE_COMPACT_SIZE) {
		char counter[OUTPUT_HEX_SIZE(SIMTIE_SEALED_COUNTER_SIZE)];

		output_hex(p, SIMTIE_SEALED_COUNTER_SIZE, counter);
		p += SIMTIE_SEALED_COUNTER_SIZE;
		printf("%*ssealed counter %s, debug status %u, consent %u, signature\n", INDENT, "",
		       counter, *p >> 4, *p & 0x0F);
	} else if (simtie_token_parse(p, run->answer_len, &claims) == SIMTIE_ACCEPTED) {
		claims_print(&claims);
	}
}

static void print_answer(const struct example *run, bool show_secrets)
{
	char text[256];

	printf("%*s%s: %s\n", INDENT, "", decode_status_name(run->sw),
	       decode_status_text(run->sw, text, sizeof text));
	if (*decode_status_advice(run->sw, text, sizeof text))
		printf("%*s%s\n", INDENT, "", text);
	if (shows_objects(run, true, show_secrets))
		print_objects(run, true, bytes_of(run->answer, run->answer_len), show_secrets);
	else if (run->answered.command == COMMAND_INTERNAL_AUTHENTICATE && !run->answer_part)
		print_attestation(run);
}

void exchange_print(const struct example *run, enum example_result result, bool show_secrets)
{
	char *line = malloc(LINE_SIZE);

	if (!line) {
		output_error("out of memory; step %u is not shown", run->step);
		return;
	}
	printf("> %s\n", example_show_command(run, show_secrets, line, LINE_SIZE));
	print_command(run, show_secrets);
	if (result != EXAMPLE_FAILED) {
		printf("< %s\n", example_show_answer(run, show_secrets, line, LINE_SIZE));
		print_answer(run, show_secrets);
	}
	if (result == EXAMPLE_DIFFERED) {
		example_show_expected(run, show_secrets, line, LINE_SIZE);
		printf("! %s\n  not as expected: %s\n", line, run->text);
	}
	free(line);
}

/* ---- For programs ---- */

static json_t *objects_json(const struct example *run, bool response, struct bytes data,
			    bool show_secrets)
{
	enum command_id command = response ? run->answered.command : run->decoded.command;
	json_t *lists[DECODE_DEPTH_MAX + 2] = {json_array()};
	struct decode_object object;
	struct decode_walk walk;
	enum decode_step step;
	char *value = malloc(LINE_SIZE);

	decode_walk(&walk, command, response, data);
	while (value && (step = decode_next(&walk, &object)) != DECODE_END) {
		char tag[8];

		snprintf(tag, sizeof tag, "%X", object.tag);
		example_show_value(run, &object, show_secrets, value, LINE_SIZE);
		json_t *entry =
			json_pack("{s:s?,s:s?,s:s?}", "tag", step == DECODE_BROKEN ? NULL : tag,
				  "name", object.name, "text", object.text);
		if (object.template)
			json_object_set_new(entry, "objects",
					    lists[object.depth + 1] = json_array());
		else
			json_object_set_new(entry, "value", json_string(value));
		json_array_append_new(lists[object.depth], entry);
	}
	free(value);
	return lists[0];
}

static json_t *parameters_json(const struct decode_command *command)
{
	json_t *list = json_array();

	for (int which = 1; which <= 2; which++)
		if (decode_parameter(command, which))
			json_array_append_new(list, json_string(decode_parameter(command, which)));
	return list;
}

static void answer_json(json_t *object, const struct example *run, bool show_secrets, char *line)
{
	char sw[5], *space;

	example_show_answer(run, show_secrets, line, LINE_SIZE);
	space = strchr(line, ' ');
	if (space)
		*space = '\0';
	snprintf(sw, sizeof sw, "%04X", run->sw);
	json_object_set_new(object, "response", json_string(space ? line : ""));
	json_object_set_new(object, "statusWord", json_string(sw));
	json_object_set_new(object, "status", json_string(decode_status_name(run->sw)));
	json_object_set_new(object, "text",
			    json_string(decode_status_text(run->sw, line, LINE_SIZE)));
	json_object_set_new(object, "advice",
			    json_string(decode_status_advice(run->sw, line, LINE_SIZE)));
	if (shows_objects(run, true, show_secrets))
		json_object_set_new(object, "responseObjects",
				    objects_json(run, true, bytes_of(run->answer, run->answer_len),
						 show_secrets));
}

json_t *exchange_json(const struct example *run, enum example_result result, bool show_secrets)
{
	const struct decode_command *command = &run->decoded;
	char *line = malloc(LINE_SIZE);
	json_t *object;

	if (!line)
		return NULL;
	object = json_pack("{s:i,s:s,s:s,s:i,s:o}", "step", (int)run->step, "command",
			   example_show_command(run, show_secrets, line, LINE_SIZE), "name",
			   command->name, "channel", command->class.channel, "parameters",
			   parameters_json(command));
	if (shows_objects(run, false, show_secrets))
		json_object_set_new(object, "objects",
				    objects_json(run, false, command->apdu.data, show_secrets));
	if (result != EXAMPLE_FAILED)
		answer_json(object, run, show_secrets, line);
	if (run->expects) {
		example_show_expected(run, show_secrets, line, LINE_SIZE);
		json_object_set_new(object, "expected", json_string(line));
		json_object_set_new(object, "held", json_boolean(result == EXAMPLE_HELD));
	}
	if (result == EXAMPLE_DIFFERED)
		json_object_set_new(object, "difference", json_string(run->text));
	free(line);
	return object;
}
