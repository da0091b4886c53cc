/*
 * simtie readers: what readers there are and what is in them, once or as it changes.
 */
#include "card.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long one wait of --watch lasts. It ends earlier when something changes. */
#define WATCH_MS 2000

/* The readers at one moment. */
struct list {
	struct simtie_reader *readers;
	size_t count;
};

static const char *state_name(const struct simtie_reader *reader)
{
	if (reader->mute)
		return "mute";
	if (reader->busy)
		return "busy";
	return reader->card ? "card" : "empty";
}

static void print_reader(size_t index, const struct simtie_reader *reader)
{
	char atr[OUTPUT_HEX_SIZE(SIMTIE_ATR_MAX)], name[SIMTIE_READER_NAME_MAX];

	printf("%2zu  %-40s  %s%s%s\n", index, output_safe(reader->name, name, sizeof(name)),
	       state_name(reader), reader->atr_len ? "   " : "",
	       output_hex(reader->atr, reader->atr_len, atr));
}

static int print_json(const struct list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++) {
		const struct simtie_reader *reader = &list->readers[i];
		char atr[OUTPUT_HEX_SIZE(SIMTIE_ATR_MAX)], name[SIMTIE_READER_NAME_MAX];

		output_safe(reader->name, name, sizeof(name));
		output_hex(reader->atr, reader->atr_len, atr);
		json_array_append_new(array,
				      json_pack("{s:i,s:s,s:s,s:s}", "index", (int)i, "name", name,
						"state", state_name(reader), "atr", atr));
	}
	return output_json(json_pack("{s:o}", "readers", array));
}

static const struct simtie_reader *find(const struct list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->readers[i].name, name) == 0)
			return &list->readers[i];
	}
	return NULL;
}

/* Prints what of `now` is not as `before` had it; everything when `before` is NULL. */
static int print_changes(const struct common_options *common, const struct list *before,
			 const struct list *now)
{
	if (common->json)
		return print_json(now);
	for (size_t i = 0; before && i < before->count; i++) {
		if (!find(now, before->readers[i].name))
			printf(" -  %-40s  gone\n", before->readers[i].name);
	}
	for (size_t i = 0; i < now->count; i++) {
		const struct simtie_reader *reader = &now->readers[i];
		const struct simtie_reader *old = before ? find(before, reader->name) : NULL;

		if (!old || old->events != reader->events ||
		    strcmp(state_name(old), state_name(reader)) != 0)
			print_reader(i, reader);
	}
	return output_end(TOOL_DONE);
}

static int watch(const struct common_options *common, struct list *list)
{
	for (;;) {
		struct list before = *list;
		int error = simtie_readers_wait(list->readers, list->count, WATCH_MS);
		int result;

		if (error == SIMTIE_ERR_TIMEOUT)
			continue;
		*list = (struct list){NULL, 0};
		if (error == 0)
			error = simtie_readers(&list->readers, &list->count);
		result = error ? card_failed(common, NULL, "cannot watch the readers", error)
			       : print_changes(common, &before, list);
		free(before.readers);
		if (result != TOOL_DONE)
			return result;
	}
}

int readers_main(int argc, char **argv)
{
	bool watching = false;
	const struct option_entry options[] = {
		{.name = "watch",
		 .letter = 'w',
		 .target = &watching,
		 .help = "go on and print what changes, until interrupted; with --json\n"
			 "the whole list again, on a line of its own"},
	};
	const struct command command = {
		.name = "readers",
		.text = "Lists the PC/SC readers and what is in them: card, empty, mute (does not "
			"answer),\nbusy (another program holds it). The number in front is good "
			"for --reader.",
		.groups = OPTIONS_JSON,
		.options = options,
		.count = 1,
	};
	struct common_options common;
	struct list list = {NULL, 0};
	int result = options_parse(&command, &common, argc, argv, NULL);
	int error;

	if (result != OPTIONS_GO)
		return result;
	error = simtie_readers(&list.readers, &list.count);
	if (error)
		return card_failed(&common, NULL, "cannot list the readers", error);
	result = print_changes(&common, NULL, &list);
	if (result == TOOL_DONE && watching) {
		result = watch(&common, &list);
	} else if (result == TOOL_DONE && list.count == 0) {
		output_error("no reader is connected; `simtie doctor` finds out why");
		result = TOOL_NO_CARD;
	}
	free(list.readers);
	return result;
}
