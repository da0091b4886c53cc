/*
 * simtied operator record: what is recorded of one subscriber, for staff, with a reason.
 */
#include "audit.h"
#include "commands.h"
#include "desk.h"
#include "operator.h"
#include "operator_registration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_MAX 200 /* bytes, as of an event */

static const char help[] =
	"Usage: simtied operator record --config FILE --reason TEXT NUMBER\n\n"
	"Shows the registrations of one subscriber, those that ended too, as long as they are "
	"kept.\n"
	"The reason, and the user who asks (who logged in, and whom that is with sudo), go into "
	"the\n"
	"audit log first; the subscriber sees both. There is no listing of several.\n";

struct reading {
	const char *number, *reason;
	bool found, complete;
	json_t *shown;
};

static json_t *registrations(const struct registration *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, operator_registration_json(&list[i]));
	return array;
}

static int note(struct work *work, const struct reading *reading, const struct vault_index *index)
{
	char actor[DESK_STAFF_SIZE];
	const struct audit_line line = {.actor = actor,
					.action = "read registrations",
					.reason = reading->reason,
					.subscriber = index};

	desk_staff(actor);
	return audit_write(work->db, work->service->vault, work->chain, &line);
}

static int read_one(struct work *work, void *context)
{
	struct reading *reading = context;
	struct subscriber subscriber;
	struct registration *list = NULL;
	size_t count = 0;
	int result = subscriber_find(work->db, work->service->vault, reading->number,
				     SUBSCRIBER_READ, &subscriber, &reading->found);

	bytes_wipe(&subscriber.key, sizeof(subscriber.key));
	if (result != DB_OK || !reading->found)
		return result;
	result = note(work, reading, &subscriber.index);
	if (result == DB_OK)
		result = operator_registration_recorded(work, &subscriber.index, &list, &count,
							&reading->complete);
	json_decref(reading->shown);
	reading->shown = result == DB_OK ? registrations(list, count) : NULL;
	if (list)
		bytes_wipe(list, count * sizeof(*list));
	free(list);
	return result;
}

/* Nothing is shown before its line in the log is durable. */
static int show(struct desk *desk, struct reading *reading)
{
	int error = desk_run(desk, read_one, reading);
	int code = COMMAND_DONE;

	if (error != DB_OK) {
		code = desk_failed(desk, error);
	} else if (!reading->found) {
		fputs("simtied operator record: the number is none of this operator's\n", stderr);
		code = COMMAND_REFUSED;
	} else if (json_dumpf(reading->shown, stdout, JSON_INDENT(2))) {
		code = COMMAND_IO;
	} else {
		putchar('\n');
		if (!reading->complete)
			fprintf(stderr,
				"simtied operator record: these are the newest %d; older ones "
				"have ended\n",
				REGISTRATIONS_SHOWN_MAX);
	}
	json_decref(reading->shown);
	return code;
}

/* Whether it fits a line of the log, where the subscriber reads it. */
static bool reason_valid(const char *reason)
{
	json_t *text = reason && strlen(reason) <= REASON_MAX ? json_string(reason) : NULL;
	const bool valid = text != NULL; /* it is UTF-8, too */

	json_decref(text);
	return valid;
}

int desk_record_main(int argc, char **argv)
{
	struct desk_option reason = {"reason", NULL};
	struct reading reading = {.number = NULL};
	const char *config;
	struct desk desk;
	int code = desk_arguments(argc, argv, "operator record", help, &config, &reason, 1,
				  &reading.number, 1);

	if (!config)
		return code;
	reading.reason = reason.value;
	if (!reading.number || !simtie_number_valid(reading.number))
		return command_wrong("operator record", "a NUMBER is + and 5 to 15 digits");
	if (!reason_valid(reading.reason))
		return command_wrong("operator record",
				     "--reason TEXT, at most 200 bytes of UTF-8, is missing");
	code = desk_open(&desk, &role_operator, "operator record", config);
	if (code == COMMAND_DONE)
		code = show(&desk, &reading);
	desk_close(&desk);
	return command_end(code);
}
