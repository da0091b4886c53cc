/*
 * simtie doctor: why no reader or card is seen, and what to do.
 */
#include "doctor.h"

#include "modem.h"
#include "output.h"
#include "radio.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	void (*run)(struct doctor *doctor);
} checks[] = {
	{"service", doctor_check_service},   {"drivers", doctor_check_drivers},
	{"usb", doctor_check_usb},           {"vpcd", doctor_check_vpcd},
	{"exposure", doctor_check_exposure}, {"modems", doctor_check_modems},
	{"nfc", doctor_check_nfc},           {"readers", doctor_check_readers},
};

static const char *const verdict_words[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_NOTE] = "note",
	[DOCTOR_WARNING] = "warning",
	[DOCTOR_PROBLEM] = "problem",
};

void doctor_find(struct doctor *doctor, enum doctor_verdict verdict, const char *format, ...)
{
	struct doctor_finding *finding = &doctor->findings[doctor->count];
	va_list list;

	if (doctor->count == DOCTOR_FINDINGS_MAX)
		return;
	doctor->count++;
	finding->check = doctor->check;
	finding->verdict = verdict;
	va_start(list, format);
	vsnprintf(finding->text, sizeof finding->text, format, list);
	va_end(list);
}

void doctor_advise(struct doctor *doctor, const char *format, ...)
{
	struct doctor_finding *finding = &doctor->findings[doctor->count - 1];
	size_t used = strlen(finding->advice);
	va_list list;

	if (used > 0)
		used += (size_t)snprintf(finding->advice + used, sizeof finding->advice - used,
					 "; ");
	if (used >= sizeof finding->advice)
		return;
	va_start(list, format);
	vsnprintf(finding->advice + used, sizeof finding->advice - used, format, list);
	va_end(list);
}

char *doctor_path(const struct doctor *doctor, const char *path, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s%s", doctor->root, path);
	return out;
}

size_t doctor_real_readers(const struct doctor *doctor)
{
	size_t real = 0;

	for (size_t i = 0; i < doctor->reader_count; i++)
		real += strncmp(doctor->readers[i].name, "Virtual PCD", 11) != 0;
	return real;
}

static void print_finding(const struct doctor_finding *finding)
{
	printf("%-7s  %s\n", verdict_words[finding->verdict], finding->text);
	if (finding->advice[0])
		printf("         > %s\n", finding->advice);
}

static json_t *json_of(const struct doctor *doctor)
{
	json_t *list = json_array();

	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_finding *finding = &doctor->findings[i];
		json_t *entry = json_pack("{s:s,s:s,s:s}", "check", finding->check, "verdict",
					  verdict_words[finding->verdict], "text", finding->text);

		if (finding->advice[0])
			json_object_set_new(entry, "advice", json_string(finding->advice));
		json_array_append_new(list, entry);
	}
	return json_pack("{s:i,s:i,s:o}", "ready", (int)doctor->ready, "ill", (int)doctor->ill,
			 "findings", list);
}

static int finish(const struct doctor *doctor)
{
	int result = doctor->ready > 0 ? TOOL_DONE : doctor->ill > 0 ? TOOL_REFUSED : TOOL_NO_CARD;

	if (doctor->common.json)
		return output_json(json_of(doctor)) == TOOL_DONE ? result : TOOL_IO;
	for (size_t i = 0; i < doctor->count; i++)
		print_finding(&doctor->findings[i]);
	return output_end(result);
}

static void run_checks(struct doctor *doctor)
{
	const char *reader = doctor->common.reader;
	const bool loop = reader && strncmp(reader, "loop:", 5) == 0;

	if (modem_is(reader)) {
		doctor->check = "modems";
		doctor_check_modems(doctor);
	}
	if (radio_is(reader)) {
		doctor->check = "nfc";
		doctor_check_nfc(doctor);
	}
	if (loop || modem_is(reader) || radio_is(reader)) {
		doctor->check = "card";
		doctor_check_card(doctor, doctor->common.reader);
		return;
	}
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		doctor->check = checks[i].name;
		checks[i].run(doctor);
	}
}

int doctor_main(int argc, char **argv)
{
	struct doctor *doctor = calloc(1, sizeof *doctor);
	struct common_options common;
	const char *root = "";
	const struct option_entry options[] = {
		/* For tests: where /sys, /run and the rest of a made-up machine are. */
		{.name = "root", .kind = OPTION_TEXT, .target = &root, .value = "DIR", .min = 1},
	};
	const struct command command = {
		.name = "doctor",
		.text = "Finds out why no reader or card is seen, from the PC/SC service to the "
			"applet on the\ncard, and says what to do. Changes nothing and needs no "
			"PIN.\n\nExit code 0: a card with the applet is ready; 1: a card is there "
			"and has a problem;\n3: there is none.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
	};
	int result = options_parse(&command, &common, argc, argv, NULL);

	if (!doctor)
		output_error("out of memory; nothing was looked at");
	if (result == OPTIONS_GO && doctor) {
		doctor->common = common;
		doctor->root = root;
		run_checks(doctor);
		result = finish(doctor);
		free(doctor->readers);
	}
	free(doctor);
	return result == OPTIONS_GO ? TOOL_IO : result;
}
