/*
 * simtied operator outbox: notices that are not delivered.
 */
#include "commands.h"
#include "desk.h"
#include "outbox.h"

#include <stdio.h>

static const char help[] =
	"Usage: simtied operator outbox --config FILE\n\n"
	"Lists the notices to messengers that are queued or were given up, oldest first: when it\n"
	"was queued, tries so far, when the next is due, the messenger, what happened, the last\n"
	"error. Whose SIM it is about it does not say.\n";

static void print_entry(void *context, const struct outbox_entry *entry)
{
	char created[CLOCK_TEXT_SIZE], due[CLOCK_TEXT_SIZE];
	const bool opens = entry->audience[0] != '\0';

	++*(int64_t *)context;
	clock_text(entry->created_at, created);
	clock_text(entry->due_at, due);
	printf("%s  %3u  %-20s  %s  %s  %s\n", created, entry->attempts,
	       entry->given_up ? "given up" : due, opens ? entry->audience : "?",
	       opens ? simtie_event_name(entry->event) : "?",
	       entry->last_error[0] ? entry->last_error : "-");
}

static int list(struct work *work, void *context)
{
	return outbox_list(work->db, work->service->vault, print_entry, context);
}

int desk_outbox_main(int argc, char **argv)
{
	const char *config;
	int64_t count = 0;
	struct desk desk;
	int code = desk_arguments(argc, argv, "operator outbox", help, &config, NULL, 0, NULL, 0);
	int error;

	if (!config)
		return code;
	code = desk_open(&desk, &role_operator, "operator outbox", config);
	if (code == COMMAND_DONE) {
		error = desk_run(&desk, list, &count);
		if (error != DB_OK)
			code = desk_failed(&desk, error);
		else if (count == 0)
			puts("nothing: every notice was delivered");
	}
	desk_close(&desk);
	return command_end(code);
}
