#include "example.h"

#include <ctype.h>
#include <stdio.h>

void example_start(struct example *run, example_transmit *transmit, void *context)
{
	run->transmit = transmit;
	run->context = context;
	run->application = APPLICATION_ATTESTATION;
	run->name_count = 0;
	run->step = 0;
	run->command.len = 0;
	run->expected.len = 0;
	run->expects = false;
	run->piece_count = 0;
	run->error = 0;
	run->sw = 0;
	run->answer_len = 0;
	run->command_part = false;
	run->answer_part = false;
	run->chained = false;
	run->text[0] = '\0';
	decode_command(bytes_of(NULL, 0), &run->decoded);
	run->answered = run->decoded;
}

void example_wipe(struct example *run)
{
	bytes_wipe(run, sizeof *run);
}

static bool name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= EXAMPLE_NAME_MAX || isdigit((unsigned char)name[0]))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static struct example_name *find_name(struct example *run, const char *name)
{
	for (size_t i = 0; i < run->name_count; i++)
		if (strcmp(run->names[i].name, name) == 0)
			return &run->names[i];
	return NULL;
}

/* The value of that name, made if it is not there yet; NULL when there are too many. */
static struct example_name *take_name(struct example *run, const char *name)
{
	struct example_name *found = find_name(run, name);

	if (found || run->name_count == EXAMPLE_NAMES_MAX)
		return found;
	found = &run->names[run->name_count++];
	snprintf(found->name, sizeof found->name, "%s", name);
	return found;
}

static void set_value(struct example_name *name, bool fixed, bool secret, struct bytes value)
{
	name->fixed = fixed;
	name->secret = secret;
	name->len = value.len;
	if (value.len > 0)
		memcpy(name->value, value.ptr, value.len);
}

bool example_define(struct example *run, const char *name, bool secret, struct bytes value)
{
	if (!name_valid(name) || value.len > EXAMPLE_VALUE_MAX || find_name(run, name))
		return false;
	struct example_name *made = take_name(run, name);
	if (!made)
		return false;
	set_value(made, true, secret, value);
	return true;
}

/* ---- Sending and comparing ---- */

/* Keeps in mind, over several commands, whose chain this one goes on with and whose response it
 * fetches. */
static void follow_command(struct example *run)
{
	run->command_part = run->chained;
	decode_command_of(run->application, bytes_of(run->command.bytes, run->command.len),
			  &run->decoded);
	run->chained = run->decoded.class.chained;
	if (run->decoded.command == COMMAND_GET_RESPONSE)
		run->answer_part = true;
	else
		run->answered = run->decoded;
}

static void follow_answer(struct example *run)
{
	if (run->decoded.command != COMMAND_GET_RESPONSE)
		run->answer_part = (run->sw & 0xFF00) == SW_BYTES_AVAILABLE;
}

static enum example_result differed(struct example *run, const char *what)
{
	snprintf(run->text, sizeof run->text, "%s", what);
	return EXAMPLE_DIFFERED;
}

/* "63C?" */
static void show_status(uint16_t sw, uint16_t mask, char out[5])
{
	snprintf(out, 5, "%04X", sw);
	for (int i = 0; i < 4; i++)
		if ((mask >> (12 - 4 * i) & 0x0F) == 0)
			out[i] = '?';
}

static enum example_result compare_status(struct example *run)
{
	const struct example_side *expected = &run->expected;
	uint16_t sw = get_be16(expected->bytes + expected->len - 2);
	uint16_t mask = get_be16(expected->mask + expected->len - 2);
	char want[5], text[EXAMPLE_TEXT_MAX];

	if ((run->sw & mask) == sw)
		return EXAMPLE_HELD;
	show_status(sw, mask, want);
	snprintf(text, sizeof text, "expected status %s, got %04X", want, run->sw);
	return differed(run, text);
}

static enum example_result compare_length(struct example *run)
{
	size_t want = run->expected.len - 2;
	char text[EXAMPLE_TEXT_MAX];

	if (run->open_ended ? run->answer_len >= want : run->answer_len == want)
		return EXAMPLE_HELD;
	snprintf(text, sizeof text, "expected %s%zu bytes of data, got %zu",
		 run->open_ended ? "at least " : "", want, run->answer_len);
	return differed(run, text);
}

static enum example_result compare_data(struct example *run)
{
	const struct example_side *expected = &run->expected;
	char text[EXAMPLE_TEXT_MAX];

	for (size_t i = 0; i < expected->len - 2; i++) {
		if ((run->answer[i] & expected->mask[i]) == expected->bytes[i])
			continue;
		snprintf(text, sizeof text, "byte %zu of the data differs", i + 1);
		return differed(run, text);
	}
	for (size_t i = 0; i < run->piece_count; i++) {
		const struct example_piece *piece = &run->pieces[i];

		if (piece->capture ||
		    memcmp(run->answer + piece->at, run->answer + piece->same_as, piece->len) == 0)
			continue;
		snprintf(text, sizeof text, "the data from byte %zu on is not {%s} again",
			 piece->at + 1, piece->name);
		return differed(run, text);
	}
	return EXAMPLE_HELD;
}

static enum example_result compare(struct example *run)
{
	enum example_result result = compare_status(run);

	if (result == EXAMPLE_HELD)
		result = compare_length(run);
	if (result == EXAMPLE_HELD)
		result = compare_data(run);
	return result;
}

/* Whatever is captured from an answer that carries secrets counts as one. There is room for each:
 * example_read() saw to that. */
static void capture(struct example *run)
{
	bool secret = run->answered.secret_response != SECRET_NONE;

	for (size_t i = 0; i < run->piece_count; i++) {
		const struct example_piece *piece = &run->pieces[i];
		struct example_name *name = piece->capture ? take_name(run, piece->name) : NULL;

		if (name)
			set_value(name, false, secret,
				  bytes_of(run->answer + piece->at, piece->len));
	}
}

enum example_result example_send(struct example *run, bool raw)
{
	enum example_way way = raw ? EXAMPLE_WAY_RAW : EXAMPLE_WAY_SESSION;

	if (run->bare && !raw)
		way = EXAMPLE_WAY_BARE;
	follow_command(run);
	run->answer_len = 0;
	run->sw = 0;
	run->error =
		run->transmit(run->context, way, bytes_of(run->command.bytes, run->command.len),
			      run->answer, sizeof run->answer, &run->answer_len, &run->sw);
	if (run->error) {
		run->answer_len = 0;
		snprintf(run->text, sizeof run->text, "%s", simtie_strerror(run->error));
		return EXAMPLE_FAILED;
	}
	follow_answer(run);
	if (!run->expects)
		return EXAMPLE_HELD;
	enum example_result result = compare(run);
	if (result == EXAMPLE_HELD)
		capture(run);
	return result;
}

void example_rehearse(struct example *run)
{
	follow_command(run);
	memset(run->answer, 0, run->expected.len);
	run->answer_len = 0;
	if (run->expects)
		capture(run);
}

enum example_result example_run(struct example *run, const char *steps, bool raw)
{
	for (const char *line = steps; *line;) {
		size_t len = strcspn(line, "\n");
		enum example_result result = example_read(run, line, len);

		if (result == EXAMPLE_HELD)
			result = example_send(run, raw);
		if (result != EXAMPLE_HELD && result != EXAMPLE_EMPTY)
			return result;
		line += len;
		line += *line == '\n';
	}
	return EXAMPLE_HELD;
}
