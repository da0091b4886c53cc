#include "diagnostic.h"

#include "contract.h"
#include "leaf.h"
#include "words.h"

#include <ctype.h>
#include <inttypes.h>

/* Levels of nesting; a token has five. */
#define LEVEL_MAX 16

/* Where in a token an item stands: it decides about names and lines. */
enum place {
	PLACE_TOP,
	PLACE_SIGN1,
	PLACE_HEADER,
	PLACE_CLAIMS,
	PLACE_INNER,
};

static bool print_item(struct reading *r, enum place place);

static void print_line(struct reading *r)
{
	fputc('\n', r->out);
	for (unsigned i = 0; i < r->indent; i++)
		fputs("  ", r->out);
}

/* One item that should be all there is. */
static void print_all(struct reading *r, enum place place)
{
	if (!print_item(r, place) || r->at == r->end)
		return;
	fputc(' ', r->out);
	leaf_stop(r, "bytes follow");
}

/* A string that holds CBOR of its own. What is malformed in it does not end what is outside. */
static void print_embedded(struct reading *r, const uint8_t *bytes, size_t len, enum place place)
{
	struct reading inner = {r->out, bytes, bytes + len, r->level, r->indent};

	fputs("<< ", r->out);
	print_all(&inner, place);
	fputs(" >>", r->out);
}

static bool print_chunks(struct reading *r, enum major major)
{
	const char *separator = "";

	fputs("(_ ", r->out);
	while (r->at < r->end && *r->at != BREAK) {
		fputs(separator, r->out);
		separator = ", ";
		if (*r->at >> 5 != (int)major || (*r->at & 31) == ADDITIONAL_INDEFINITE)
			return leaf_stop(r, "not CBOR");
		if (!print_item(r, PLACE_INNER))
			return false;
	}
	if (r->at == r->end) {
		fputs(separator, r->out);
		return leaf_stop(r, "cut short");
	}
	r->at++;
	fputc(')', r->out);
	return true;
}

static bool print_string(struct reading *r, const struct head *head, enum place place)
{
	bool embeds = head->major == MAJOR_BYTES && head->argument &&
		      (place == PLACE_HEADER || place == PLACE_CLAIMS);
	const uint8_t *bytes = r->at;
	size_t left = (size_t)(r->end - r->at);

	if (head->additional == ADDITIONAL_INDEFINITE)
		return print_chunks(r, head->major);
	if (head->argument > left) {
		if (!embeds)
			return leaf_stop(r, "cut short");
		print_embedded(r, bytes, left, place);
		r->at = r->end;
		return false;
	}
	r->at += head->argument;
	if (head->major == MAJOR_TEXT)
		leaf_text(r, bytes, (size_t)head->argument);
	else if (embeds)
		print_embedded(r, bytes, (size_t)head->argument, place);
	else
		leaf_hex(r, bytes, (size_t)head->argument);
	leaf_indicator(r, head);
	return true;
}

/* Whether a member follows; the break of an indefinite length is taken. */
static bool next_member(struct reading *r, const struct head *head, uint64_t done)
{
	if (head->additional != ADDITIONAL_INDEFINITE)
		return done < head->argument;
	if (r->at == r->end || *r->at != BREAK)
		return true;
	r->at++;
	return false;
}

static void print_open(struct reading *r, const struct head *head, char bracket)
{
	fputc(bracket, r->out);
	if (head->additional == ADDITIONAL_INDEFINITE)
		fputs("_ ", r->out);
	else if (!head->shortest)
		fprintf(r->out, "_%u ", head->additional - ADDITIONAL_ONE_BYTE);
}

static bool print_array(struct reading *r, const struct head *head, enum place place)
{
	static const struct {
		const char *name;
		enum place place;
	} parts[] = {
		{"protected", PLACE_HEADER},
		{"unprotected", PLACE_INNER},
		{"payload", PLACE_CLAIMS},
		{"signature", PLACE_INNER},
	};
	uint64_t i;

	print_open(r, head, '[');
	r->indent++;
	for (i = 0; next_member(r, head, i); i++) {
		bool part = place == PLACE_SIGN1 && i < sizeof(parts) / sizeof(parts[0]);

		fputs(i ? "," : "", r->out);
		if (part) {
			print_line(r);
			fprintf(r->out, "/ %s / ", parts[i].name);
		} else if (i) {
			fputc(' ', r->out);
		}
		if (!print_item(r, part ? parts[i].place : PLACE_INNER))
			return false;
	}
	r->indent--;
	if (place == PLACE_SIGN1 && i)
		print_line(r);
	fputc(']', r->out);
	return true;
}

/* What the contract calls a key of the claims or of the protected header; NULL: nothing. */
static const char *key_name(enum place place, bool negative, uint64_t argument)
{
#define CLAIM_ROW(name, key, text) {#name, key},
	static const struct {
		const char *name;
		int64_t key;
	} claims[] = {CLAIMS(CLAIM_ROW)};
	int64_t key;

	if (argument > INT32_MAX)
		return NULL;
	key = negative ? -1 - (int64_t)argument : (int64_t)argument;
	if (place == PLACE_HEADER)
		return key == COSE_HEADER_ALG ? "ALG" : key == COSE_HEADER_TYP ? "TYP" : NULL;
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		if (claims[i].key == key)
			return claims[i].name;
	}
	return NULL;
}

/* The key of a member, its name in a comment before it. *key is 0 when it has no name. */
static bool print_key(struct reading *r, enum place place, int64_t *key)
{
	struct reading ahead = *r;
	struct head head = {.major = MAJOR_SIMPLE};
	const char *name = NULL;

	*key = 0;
	if (r->at < r->end && *r->at >> 5 <= MAJOR_NEGINT && place != PLACE_INNER) {
		if (!leaf_head(&ahead, &head))
			return false;
		name = key_name(place, head.major == MAJOR_NEGINT, head.argument);
	}
	if (name) {
		*key = head.major == MAJOR_NEGINT ? -1 - (int64_t)head.argument
						  : (int64_t)head.argument;
		fputs("/ ", r->out);
		for (; *name; name++)
			fputc(*name == '_' ? ' ' : tolower((unsigned char)*name), r->out);
		fputs(" / ", r->out);
	}
	return print_item(r, PLACE_INNER);
}

/* What a claim's number means. */
static void print_meaning(struct reading *r, int64_t key, const uint8_t *value)
{
	const char *word = NULL;

	/* The small numbers that have a meaning are their own encoding. */
	if (r->at != value + 1 || *value >= ADDITIONAL_ONE_BYTE)
		return;
	if (key == CLAIM_PURPOSE)
		word = words_purpose(*value);
	else if (key == CLAIM_CONSENT)
		word = words_consent(*value);
	else if (key == CLAIM_DEBUG_STATUS)
		word = words_debug_status(*value);
	if (word)
		fprintf(r->out, " / %s /", word);
}

static bool print_map(struct reading *r, const struct head *head, enum place place)
{
	bool lines = place == PLACE_CLAIMS;
	uint64_t i;

	print_open(r, head, '{');
	r->indent++;
	for (i = 0; next_member(r, head, i); i++) {
		const uint8_t *value;
		int64_t key;

		fputs(i ? (lines ? "," : ", ") : "", r->out);
		if (lines)
			print_line(r);
		if (!print_key(r, place, &key))
			return false;
		fputs(": ", r->out);
		value = r->at;
		if (!print_item(r, PLACE_INNER))
			return false;
		if (place == PLACE_CLAIMS)
			print_meaning(r, key, value);
	}
	r->indent--;
	if (lines && i)
		print_line(r);
	fputc('}', r->out);
	return true;
}

static bool print_tag(struct reading *r, const struct head *head, enum place place)
{
	bool sign1 = place == PLACE_TOP && head->argument == COSE_TAG;

	fprintf(r->out, "%" PRIu64, head->argument);
	leaf_indicator(r, head);
	fputc('(', r->out);
	if (!print_item(r, sign1 ? PLACE_SIGN1 : PLACE_INNER))
		return false;
	fputc(')', r->out);
	return true;
}

static bool print_content(struct reading *r, const struct head *head, enum place place)
{
	switch (head->major) {
	case MAJOR_UINT:
	case MAJOR_NEGINT:
		return leaf_integer(r, head);
	case MAJOR_BYTES:
	case MAJOR_TEXT:
		return print_string(r, head, place);
	case MAJOR_ARRAY:
		return print_array(r, head, place);
	case MAJOR_MAP:
		return print_map(r, head, place);
	case MAJOR_TAG:
		return print_tag(r, head, place);
	case MAJOR_SIMPLE:
		return leaf_simple(r, head);
	}
	return false;
}

/* Prints one item and all in it. False: the reading has ended, and a comment says why. */
static bool print_item(struct reading *r, enum place place)
{
	struct head head;
	bool whole;

	if (r->level == LEVEL_MAX)
		return leaf_stop(r, "nested too deeply");
	if (!leaf_head(r, &head))
		return false;
	r->level++;
	whole = print_content(r, &head, place);
	r->level--;
	return whole;
}

void diagnostic_print(FILE *out, const uint8_t *bytes, size_t len)
{
	struct reading r = {out, bytes, bytes + len, 0, 0};

	print_all(&r, PLACE_TOP);
}
