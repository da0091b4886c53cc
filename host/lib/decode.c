#include "decode.h"

#include "ber.h"

#define HEADER_SIZE 4

struct command_row {
	enum command_id id;
	const char *name;
	uint8_t cla, ins;
	const char *p2; /* values that tell it from others of its instruction; any when none */
	uint8_t p2_count;
	unsigned flags; /* enum command_flag */
	enum secret secret, secret_response;
};

static const struct command_row command_rows[] = {
#define ROW(id, name, handler, cla, ins, p1, p1_count, p2, p2_count, least, most, step, flags,     \
	    secret, secret_response)                                                               \
	{COMMAND_##id, name, cla, ins, p2, p2_count, flags, secret, secret_response},
	COMMANDS(ROW)
#undef ROW
};

struct parameter_row {
	enum command_id command;
	int which;
	uint8_t value;
	const char *text;
};

static const struct parameter_row parameter_rows[] = {
#define ROW(command, which, value, text) {command, which, value, text},
	PARAMETER_TEXTS(ROW)
#undef ROW
};

struct object_row {
	enum command_id command;
	bool response;
	uint16_t tag;
};

static const struct object_row object_rows[] = {
#define ROW(command, response, tag) {command, response, tag},
	COMMAND_OBJECTS(ROW)
#undef ROW
};

struct tag_row {
	const char *name;
	uint16_t tag;
	uint16_t template;
	enum command_id command;
	enum tag_format format;
	bool secret;
	const char *text;
};

static const struct tag_row tag_rows[] = {
#define ROW(name, tag, template, command, format, secret, text)                                    \
	{#name, tag, template, command, format, secret, text},
	TAGS(ROW)
#undef ROW
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static bool fits(const struct command_row *row, uint8_t base, uint8_t ins)
{
	return row->ins == ins && (row->cla == base || row->flags & COMMAND_ANY_CLASS);
}

/* How well a row that fits does so: where two applications know an instruction, it is taken for
 * that one's, and where one has two commands of it, P2 tells them apart. */
static unsigned merit(const struct command_row *row, uint8_t p2, unsigned wanted)
{
	const bool listed = row->p2_count == 0 || memchr(row->p2, p2, row->p2_count);

	return (row->flags & wanted ? 3 : 1) + listed;
}

static const struct command_row *find_command(uint8_t base, uint8_t ins, uint8_t p2,
					      enum application application)
{
	const unsigned wanted =
		application == APPLICATION_DOMAIN ? COMMAND_DOMAIN : COMMAND_ATTESTATION;
	const struct command_row *found = NULL;

	for (size_t i = 0; i < COUNT(command_rows); i++) {
		const struct command_row *row = &command_rows[i];

		if (fits(row, base, ins) &&
		    (!found || merit(row, p2, wanted) > merit(found, p2, wanted)))
			found = row;
	}
	return found;
}

void decode_command(struct bytes apdu, struct decode_command *command)
{
	decode_command_of(APPLICATION_ATTESTATION, apdu, command);
}

void decode_command_of(enum application application, struct bytes apdu,
		       struct decode_command *command)
{
	*command = (struct decode_command){.command = COMMAND_NONE, .name = "unknown command"};
	if (!apdu_parse(apdu, &command->apdu)) {
		size_t header = apdu.len < HEADER_SIZE ? apdu.len : HEADER_SIZE;

		command->malformed = true;
		command->apdu = (struct apdu){0};
		if (header > 0)
			memcpy(command->apdu.header, apdu.ptr, header);
		if (apdu.len > header)
			command->apdu.data = bytes_of(apdu.ptr + header, apdu.len - header);
	}
	if (apdu.len < 2)
		return;
	command->class = apdu_class(command->apdu.header[0]);
	const struct command_row *row = find_command(command->class.base, command->apdu.header[1],
						     command->apdu.header[3], application);
	if (!row || command->class.reserved)
		return;
	command->command = row->id;
	command->name = row->name;
	command->secret = row->secret;
	command->secret_response = row->secret_response;
}

const char *decode_parameter(const struct decode_command *command, int which)
{
	uint8_t value = command->apdu.header[1 + which];

	for (size_t i = 0; i < COUNT(parameter_rows); i++) {
		const struct parameter_row *row = &parameter_rows[i];

		if (row->command == command->command && row->which == which && row->value == value)
			return row->text;
	}
	return NULL;
}

bool decode_has_objects(enum command_id command, bool response)
{
	for (size_t i = 0; i < COUNT(object_rows); i++)
		if (object_rows[i].command == command && object_rows[i].response == response)
			return true;
	return false;
}

/* Whether an object of that tag belongs into the data field itself. */
static bool belongs(const struct decode_walk *walk, uint16_t tag)
{
	for (size_t i = 0; i < COUNT(object_rows); i++) {
		const struct object_row *row = &object_rows[i];

		if (row->command == walk->command && row->response == walk->response &&
		    row->tag == tag)
			return true;
	}
	return false;
}

static const struct tag_row *find_tag(const struct decode_walk *walk, uint16_t tag)
{
	uint16_t template = walk->level[walk->depth].template;

	if (walk->depth == 0 && !belongs(walk, tag))
		return NULL;
	for (size_t i = 0; i < COUNT(tag_rows); i++) {
		const struct tag_row *row = &tag_rows[i];

		if (row->tag != tag || row->template != template)
			continue;
		if (row->command == COMMAND_NONE || row->command == walk->command)
			return row;
	}
	return NULL;
}

static enum secret secret_of(enum command_id command, bool response)
{
	for (size_t i = 0; i < COUNT(command_rows); i++)
		if (command_rows[i].id == command)
			return response ? command_rows[i].secret_response : command_rows[i].secret;
	return SECRET_NONE;
}

void decode_walk(struct decode_walk *walk, enum command_id command, bool response,
		 struct bytes data)
{
	*walk = (struct decode_walk){
		.command = command,
		.response = response,
		.secret = secret_of(command, response),
	};
	walk->level[0].rest = data;
}

enum decode_step decode_next(struct decode_walk *walk, struct decode_object *object)
{
	struct ber ber;

	while (walk->depth > 0 && walk->level[walk->depth].rest.len == 0)
		walk->depth--;
	struct bytes *rest = &walk->level[walk->depth].rest;
	*object = (struct decode_object){
		.depth = walk->depth,
		.format = FORMAT_HEX,
		.secret = walk->secret != SECRET_NONE,
		.value = *rest,
	};
	if (rest->len == 0)
		return DECODE_END;
	if (!ber_next(rest, &ber)) {
		*rest = bytes_of(NULL, 0);
		return DECODE_BROKEN;
	}
	object->tag = ber.tag;
	object->value = ber.value;
	const struct tag_row *row = find_tag(walk, ber.tag);
	if (!row)
		return DECODE_OBJECT;
	object->name = row->name;
	object->text = row->text;
	object->format = row->format;
	object->secret = row->secret || walk->secret == SECRET_DATA;
	object->template = row->format == FORMAT_TEMPLATE && walk->depth < DECODE_DEPTH_MAX;
	if (object->template) {
		walk->depth++;
		walk->level[walk->depth].template = ber.tag;
		walk->level[walk->depth].rest = ber.value;
	}
	return DECODE_OBJECT;
}

/* Nothing tells where a secret begins in such data. */
bool decode_is_broken(enum command_id command, bool response, struct bytes data)
{
	struct decode_object object;
	struct decode_walk walk;
	enum decode_step step;

	decode_walk(&walk, command, response, data);
	do
		step = decode_next(&walk, &object);
	while (step == DECODE_OBJECT);
	return step == DECODE_BROKEN;
}

static void object_secrets(enum command_id command, bool response, struct bytes data,
			   decode_visit *visit, void *context)
{
	const uint8_t *seen = data.ptr;
	struct decode_object object;
	struct decode_walk walk;

	decode_walk(&walk, command, response, data);
	while (decode_next(&walk, &object) == DECODE_OBJECT) {
		/* What stands in a secret template was visited with it. */
		if (!object.secret || object.value.len == 0 || object.value.ptr < seen)
			continue;
		visit(context, object.value);
		seen = object.value.ptr + object.value.len;
	}
}

/* ISO/IEC 7816-4 §11.6 keeps the instructions on PINs and passwords in one block, with the odd ones
 * in it for BER-TLV data. */
static bool is_verification(uint8_t ins)
{
	return ins >= INS_VERIFY_PIN && ins <= (INS_RESET_RETRY_COUNTER | 1);
}

void decode_secrets(struct bytes apdu, bool part, decode_visit *visit, void *context)
{
	struct decode_command command;

	decode_command(apdu, &command);
	struct bytes data = command.apdu.data;
	if (data.len == 0)
		return;
	if (is_verification(command.apdu.header[1]))
		visit(context, data);
	else if (command.secret == SECRET_NONE)
		return;
	else if (part || command.malformed || command.class.chained || command.class.secure ||
		 decode_is_broken(command.command, false, data))
		visit(context, data);
	else
		object_secrets(command.command, false, data, visit, context);
}

void decode_response_secrets(const struct decode_command *command, struct bytes data, bool part,
			     decode_visit *visit, void *context)
{
	if (data.len == 0 || command->secret_response == SECRET_NONE)
		return;
	if (part || command->class.secure || command->secret_response == SECRET_DATA ||
	    decode_is_broken(command->command, true, data))
		visit(context, data);
	else
		object_secrets(command->command, true, data, visit, context);
}
