/*
 * The reading of one line into a command and an expected answer.
 */
#include "example.h"

#include <ctype.h>
#include <stdio.h>

#define DEPTH_MAX 8

/* A bracket that is open, and where its bytes begin. */
struct bracket {
	char kind;
	size_t at;
};

struct reader {
	struct example *run;
	struct example_side *side;
	bool answer; /* this side is what is expected */
	const char *start, *p, *end;
	size_t word; /* bytes that stood before the present word */
	size_t star; /* bytes before **, when open_ended */
	unsigned depth;
	struct bracket open[DEPTH_MAX];
};

/* Keeps why the line is refused. False, for the caller to return. */
static bool refuse(struct reader *reader, const char *why)
{
	snprintf(reader->run->text, sizeof reader->run->text, "column %zu: %s",
		 (size_t)(reader->p - reader->start) + 1, why);
	return false;
}

static bool put(struct reader *reader, uint8_t byte, uint8_t mask)
{
	struct example_side *side = reader->side;

	if (side->len == sizeof side->bytes)
		return refuse(reader, "longer than any APDU");
	side->bytes[side->len] = byte;
	side->mask[side->len] = mask;
	side->len++;
	return true;
}

static bool put_bytes(struct reader *reader, struct bytes bytes, uint8_t mask)
{
	for (size_t i = 0; i < bytes.len; i++)
		if (!put(reader, bytes.ptr[i], mask))
			return false;
	return true;
}

/* ---- Bytes ---- */

static char peek(const struct reader *reader, size_t ahead)
{
	return ahead < (size_t)(reader->end - reader->p) ? reader->p[ahead] : '\0';
}

static bool is_digit(const struct reader *reader, char c)
{
	return isxdigit((unsigned char)c) || (reader->answer && c == '?');
}

static uint8_t digit_value(char c)
{
	if (c == '?')
		return 0;
	if (isdigit((unsigned char)c))
		return (uint8_t)(c - '0');
	return (uint8_t)(tolower((unsigned char)c) - 'a' + 10);
}

static uint8_t digit_mask(char c)
{
	return c == '?' ? 0 : 0x0F;
}

static bool read_byte(struct reader *reader)
{
	char high = peek(reader, 0), low = peek(reader, 1);

	if (high == '?' && !is_digit(reader, low)) {
		reader->p++;
		return put(reader, 0, 0);
	}
	if (!is_digit(reader, low))
		return refuse(reader, "half a byte");
	if (!put(reader, (uint8_t)(digit_value(high) << 4 | digit_value(low)),
		 (uint8_t)(digit_mask(high) << 4 | digit_mask(low))))
		return false;
	reader->p += 2;
	return true;
}

/* A decimal number of at most EXAMPLE_COMMAND_MAX. */
static bool read_number(struct reader *reader, size_t *number)
{
	*number = 0;
	if (!isdigit((unsigned char)peek(reader, 0)))
		return refuse(reader, "a number is missing");
	for (; isdigit((unsigned char)peek(reader, 0)); reader->p++) {
		*number = 10 * *number + (size_t)(*reader->p - '0');
		if (*number > EXAMPLE_COMMAND_MAX)
			return refuse(reader, "the number is too large");
	}
	return true;
}

static bool read_star(struct reader *reader)
{
	struct example_side *side = reader->side;
	size_t count;

	if (peek(reader, 1) == '*') {
		if (!reader->answer || reader->depth > 0 || reader->run->open_ended)
			return refuse(reader, "** can stand once, before the status word");
		reader->run->open_ended = true;
		reader->star = side->len;
		reader->p += 2;
		return true;
	}
	if (side->len != reader->word + 1)
		return refuse(reader, "* repeats one byte, which must stand right before it");
	reader->p++;
	if (!read_number(reader, &count))
		return false;
	uint8_t byte = side->bytes[--side->len], mask = side->mask[side->len];
	while (count-- > 0)
		if (!put(reader, byte, mask))
			return false;
	return true;
}

/* ---- Brackets ---- */

static bool open_bracket(struct reader *reader)
{
	if (reader->depth == DEPTH_MAX)
		return refuse(reader, "too many brackets within each other");
	reader->open[reader->depth++] = (struct bracket){*reader->p, reader->side->len};
	reader->p++;
	return true;
}

/* The length as it is coded; how many bytes that takes, 0 when it cannot be. */
static size_t code_length(char kind, size_t len, uint8_t coded[3])
{
	put_be16(coded + 1, (uint16_t)len);
	if (len > 0xFFFF)
		return 0;
	if (len < 0x80 || (kind == '(' && len < 0x100)) {
		coded[0] = (uint8_t)len;
		return 1;
	}
	if (kind == '(') {
		coded[0] = 0;
		return 3;
	}
	coded[0] = len < 0x100 ? 0x81 : 0x82;
	if (len < 0x100)
		coded[1] = (uint8_t)len;
	return len < 0x100 ? 2 : 3;
}

/* Puts the length of what the bracket holds before it. */
static bool close_bracket(struct reader *reader)
{
	struct example_side *side = reader->side;
	struct example *run = reader->run;
	char kind = *reader->p == ')' ? '(' : '[';
	uint8_t coded[3];

	if (reader->depth == 0 || reader->open[reader->depth - 1].kind != kind)
		return refuse(reader, "this bracket closes none");
	size_t at = reader->open[--reader->depth].at;
	size_t inside = side->len - at;
	size_t head = code_length(kind, inside, coded);
	if (head == 0 || head > sizeof side->bytes - side->len)
		return refuse(reader, "longer than any APDU");
	memmove(side->bytes + at + head, side->bytes + at, inside);
	memmove(side->mask + at + head, side->mask + at, inside);
	memcpy(side->bytes + at, coded, head);
	memset(side->mask + at, 0xFF, head);
	side->len += head;
	for (size_t i = 0; reader->answer && i < run->piece_count; i++) {
		if (run->pieces[i].at >= at)
			run->pieces[i].at += head;
		if (run->pieces[i].same_as >= at)
			run->pieces[i].same_as += head;
	}
	reader->p++;
	return true;
}

/* ---- Names ---- */

static bool read_name(struct reader *reader, char name[EXAMPLE_NAME_MAX])
{
	size_t len = 0;

	for (reader->p++; len < EXAMPLE_NAME_MAX; reader->p++) {
		char c = peek(reader, 0);

		if (!(islower((unsigned char)c) || c == '_' ||
		      (len > 0 && isdigit((unsigned char)c))))
			break;
		name[len++] = c;
	}
	if (len == 0 || len == EXAMPLE_NAME_MAX)
		return refuse(reader,
			      "a name is a-z, 0-9 and _, begins with none of the digits and "
			      "has up to 31 characters");
	name[len] = '\0';
	return true;
}

/* The capture of that name in this answer, or NULL. */
static const struct example_piece *find_capture(const struct example *run, const char *name)
{
	for (size_t i = run->piece_count; i > 0; i--)
		if (run->pieces[i - 1].capture && strcmp(run->pieces[i - 1].name, name) == 0)
			return &run->pieces[i - 1];
	return NULL;
}

static const struct example_name *find_name(const struct example *run, const char *name)
{
	for (size_t i = 0; i < run->name_count; i++)
		if (strcmp(run->names[i].name, name) == 0)
			return &run->names[i];
	return NULL;
}

static bool put_piece(struct reader *reader, struct example_piece *piece)
{
	struct example *run = reader->run;

	if (run->piece_count == EXAMPLE_PIECES_MAX)
		return refuse(reader, "too many captures in one answer");
	piece->at = reader->side->len;
	for (size_t i = 0; i < piece->len; i++)
		if (!put(reader, 0, 0))
			return false;
	run->pieces[run->piece_count++] = *piece;
	return true;
}

/* {name:N}, from the colon on. */
static bool read_capture(struct reader *reader, struct example_piece *piece)
{
	const struct example_name *known = find_name(reader->run, piece->name);

	if (!reader->answer)
		return refuse(reader, "only an answer can be captured");
	if (known && known->fixed)
		return refuse(reader, "that name stands for something else");
	if (!known && reader->run->name_count + reader->run->piece_count >= EXAMPLE_NAMES_MAX)
		return refuse(reader, "too many captures in this run");
	reader->p++;
	if (!read_number(reader, &piece->len))
		return false;
	if (piece->len == 0 || piece->len > EXAMPLE_VALUE_MAX)
		return refuse(reader, "a capture has 1 to 1280 bytes");
	piece->capture = true;
	return put_piece(reader, piece);
}

static bool put_known(struct reader *reader, struct example_piece *piece)
{
	const struct example_piece *capture = find_capture(reader->run, piece->name);
	const struct example_name *known = find_name(reader->run, piece->name);

	if (reader->answer && capture) {
		piece->same_as = capture->at;
		piece->len = capture->len;
		return put_piece(reader, piece);
	}
	if (known)
		return put_bytes(reader, bytes_of(known->value, known->len),
				 reader->answer ? 0xFF : 0);
	char why[EXAMPLE_NAME_MAX + 32];
	snprintf(why, sizeof why, "no value is called {%s}", piece->name);
	return refuse(reader, why);
}

static bool read_placeholder(struct reader *reader)
{
	struct example_piece piece = {0};

	if (!read_name(reader, piece.name))
		return false;
	if (peek(reader, 0) == ':') {
		if (!read_capture(reader, &piece))
			return false;
	} else if (!put_known(reader, &piece)) {
		return false;
	}
	if (peek(reader, 0) != '}')
		return refuse(reader, "} is missing");
	reader->p++;
	return true;
}

/* ---- Sides and lines ---- */

static bool read_item(struct reader *reader)
{
	switch (peek(reader, 0)) {
	case '(':
	case '[':
		return open_bracket(reader);
	case ')':
	case ']':
		return close_bracket(reader);
	case '{':
		return read_placeholder(reader);
	case '*':
		return read_star(reader);
	}
	if (is_digit(reader, peek(reader, 0)))
		return read_byte(reader);
	return refuse(reader, "neither a hexadecimal digit nor a sign of the language");
}

/* Whether a word of digits ends here: what * repeats has to be a word of its own. */
static bool ends_word(char c)
{
	return c == '\0' || isspace((unsigned char)c) || strchr("()[]{}#>", c);
}

/* Reads up to the end of the line, a comment or, on the command's side, the ">". */
static bool read_side(struct reader *reader)
{
	reader->side->len = 0;
	reader->depth = 0;
	for (;;) {
		char c = peek(reader, 0);

		if (ends_word(c))
			reader->word = reader->side->len;
		if (reader->p == reader->end || c == '#' || (c == '>' && !reader->answer))
			break;
		if (isspace((unsigned char)c))
			reader->p++;
		else if (!read_item(reader))
			return false;
		if (ends_word(c))
			reader->word = reader->side->len;
	}
	return reader->depth == 0 || refuse(reader, "a bracket is not closed");
}

static bool read_expected(struct reader *reader)
{
	const struct example_side *side = &reader->run->expected;

	reader->p++;
	reader->answer = true;
	reader->side = &reader->run->expected;
	if (!read_side(reader))
		return false;
	if (side->len < 2)
		return refuse(reader, "the status word is missing");
	if (reader->run->open_ended && reader->star != side->len - 2)
		return refuse(reader, "behind ** only the status word can stand");
	return true;
}

enum example_result example_read(struct example *run, const char *line, size_t len)
{
	struct reader reader = {
		.run = run, .side = &run->command, .start = line, .p = line, .end = line + len};

	run->text[0] = '\0';
	run->expects = false;
	run->open_ended = false;
	run->piece_count = 0;
	run->expected.len = 0;
	run->answer_len = 0;
	run->sw = 0;
	run->error = 0;
	while (reader.p < reader.end && *reader.p == ' ')
		reader.p++;
	run->bare = reader.p < reader.end && *reader.p == '!';
	reader.p += run->bare;
	if (!read_side(&reader))
		return EXAMPLE_MALFORMED;
	run->expects = reader.p < reader.end && *reader.p == '>';
	if (run->command.len == 0 && !run->expects)
		return EXAMPLE_EMPTY;
	if (run->command.len == 0) {
		refuse(&reader, "no command stands before the >");
		return EXAMPLE_MALFORMED;
	}
	if (run->expects && !read_expected(&reader))
		return EXAMPLE_MALFORMED;
	run->step++;
	return EXAMPLE_HELD;
}
