/*
 * simtie provision: carries a tray of SIMs from their vendor's keys to the operator's, with
 * certificate, PIN and record. Stopped anywhere, it goes on where it was.
 */
#include "card.h"
#include "output.h"
#include "provision_ready.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a signal sets; it cannot be given anything. */
static struct provision_run *signalled;

static void on_signal(int number)
{
	static const char text[] =
		"\nsimtie: finishing the cards under way; once more ends at once\n";

	(void)number;
	atomic_store(&signalled->stop, true);
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return;
}

/* The first signal lets the cards under way come to their end, the second does not. */
static void take_signals(struct provision_run *run)
{
	const struct sigaction action = {.sa_handler = on_signal,
					 .sa_flags = (int)SA_RESETHAND | SA_RESTART};

	signalled = run;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* A SIM that an earlier run was about to lock when it ended, and that has not been seen since: its
 * record holds, and only whether it is locked is not known. */
static void record_unseen(struct provision_run *run)
{
	for (size_t i = 0; i < run->tray.count && !run->broken; i++) {
		struct provision_row *row = &run->tray.rows[i];

		if (row->state != PROVISION_STATE_LOCKING || !row->earlier || row->failed)
			continue;
		if (!provision_journal_record(run->journal, row)) {
			output_error("%s: its record cannot be written: %s", row->iccid,
				     strerror(errno));
			run->broken = true;
			return;
		}
		output_error("%s was being locked when the last run ended, and was not seen since: "
			     "recorded; `simtie provision verify` says whether it is locked",
			     row->iccid);
	}
}

static size_t count_done(const struct provision_run *run)
{
	size_t done = 0;

	for (size_t i = 0; i < run->tray.count; i++)
		done += run->tray.rows[i].state == PROVISION_STATE_RECORDED;
	return done;
}

static int finish_pins(struct provision_run *run, bool complete)
{
	const int error = run->pins ? pinmail_finish(run->pins, complete, NULL) : PINMAIL_OK;

	if (!error)
		return TOOL_DONE;
	return card_refused(&run->options->common, TOOL_IO, "PINS",
			    "the list of PINs is not written: %s; run this again",
			    pinmail_strerror(error));
}

/* What a run leaves behind, whatever ended it. */
static int finish(struct provision_run *run, time_t began)
{
	const bool all_gone = run->gone > 0 && run->gone == run->plan.reader_count;
	bool complete;
	int result;

	record_unseen(run);
	complete = count_done(run) == run->tray.count;
	result = finish_pins(run, complete);
	if (report_write(&run->plan, run->cards, run->card_count, began, time(NULL)) != 0) {
		output_error("the report is not written: %s", strerror(errno));
		result = TOOL_IO;
	}
	progress_end(&run->progress);
	if (run->broken || result != TOOL_DONE)
		return TOOL_IO;
	if (complete)
		return output_end(TOOL_DONE);
	if (all_gone)
		output_error("no reader is left; see `simtie doctor`, then run this again");
	return output_end(all_gone ? TOOL_NO_CARD : TOOL_REFUSED);
}

static int work(struct provision_run *run)
{
	const time_t began = time(NULL);
	int result;

	run->progress = progress_start(&run->plan, run->options->common.json);
	if (!run->progress)
		return card_failed(&run->options->common, NULL, NULL, SIMTIE_ERR_MEMORY);
	take_signals(run);
	result = provision_worker_run(run);
	if (result != TOOL_DONE)
		output_error("no more workers can be started: %s", strerror(errno));
	return finish(run, began);
}

static int prepare(struct provision_run *run)
{
	bool finished = false;
	int result = run->options->dry_run ? TOOL_DONE : provision_keys_read(run);

	if (result == TOOL_DONE)
		result = provision_ready_tray(run);
	if (result != TOOL_DONE)
		return result;
	if (run->options->dry_run)
		return provision_ready_dry(run);
	result = provision_ready_readers(run);
	if (result == TOOL_DONE)
		result = provision_ready_authority(run);
	if (result == TOOL_DONE)
		result = provision_ready_pins(run, run->options->out, &finished);
	run->plan.test_keys = run->test_keys;
	return result == TOOL_DONE ? work(run) : result;
}

static int run_all(const struct provision_options *options)
{
	struct provision_run run = {
		.options = options,
		.plan = {.tray = options->tray, .out = options->out, .dry_run = options->dry_run},
	};
	int result;

	pthread_mutex_init(&run.mutex, NULL);
	result = prepare(&run);
	pinmail_close(&run.pins);
	ca_close(&run.ca);
	provision_journal_close(&run.journal);
	provision_tray_free(&run.tray);
	keys_wipe(&run.vendor);
	keys_wipe(&run.operator);
	free(run.cards);
	free(run.readers);
	pthread_mutex_destroy(&run.mutex);
	return result;
}

#define TEXT_OPTION(option, member, name_of_value, text)                                           \
	{                                                                                          \
		.name = option, .kind = OPTION_TEXT, .target = &o.member, .value = name_of_value,  \
		.min = 1, .help = text                                                             \
	}

#define NEEDED_OPTION(option, member, name_of_value, text)                                         \
	{                                                                                          \
		.name = option, .kind = OPTION_TEXT, .target = &o.member, .value = name_of_value,  \
		.min = 1, .required = true, .help = text                                           \
	}

int provision_main(int argc, char **argv)
{
	struct provision_options o = {0};
	const struct option_entry options[] = {
		NEEDED_OPTION("keys", keys, "FILE", "the vendor's keys, mode 0600"),
		NEEDED_OPTION("new-keys", new_keys, "FILE",
			      "the operator's keys or masters, mode 0600, of another version"),
		NEEDED_OPTION("ca", ca, "DIR", "the operator's authority (simtie ca init)"),
		NEEDED_OPTION("out", out, "DIR", "folder for journal, records, PINs and report"),
		PASSPHRASE_OPTIONS(o.passphrase),
		TEXT_OPTION("readers", readers, "all|NAME,...", "which readers (all)"),
		TEXT_OPTION("recipient", recipient, "FILE",
			    "PEM certificate that the PINs are encrypted to"),
		{.name = "plain-pins",
		 .target = &o.plain_pins,
		 .help = "write the PINs as they are, in place of --recipient"},
		{.name = "guard-pin",
		 .target = &o.guard_pin,
		 .help = "the cards take the PIN within a secure channel only"},
		{.name = "assign",
		 .target = &o.assign,
		 .help = "give the next free row to a card that has no ICCID"},
		{.name = "dry-run",
		 .target = &o.dry_run,
		 .help = "say what would be done and what is missing; touch nothing"},
		{.name = "allow-test-keys",
		 .target = &o.allow_test_keys,
		 .help = "take keys that everybody knows, and mark the records"},
	};
	const struct command command = {
		.name = "provision",
		.arguments = "TRAY.csv|verify",
		.text = "Provisions the SIMs of a tray, a worker a reader: replaces the vendor's "
			"keys by the\noperator's, makes the card's keys, stores certificate, PIN "
			"and PUK, has the card attest,\nlocks it and writes its record. Stopped "
			"anywhere it goes on where it was. `provision\nverify` says whether a card "
			"is what its record claims.",
		.groups = OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
		.min_arguments = 1,
		.max_arguments = 1,
	};
	char **words;
	int result;

	if (argc > 1 && strcmp(argv[1], "verify") == 0)
		return provision_verify_main(argc - 1, argv + 1);
	result = options_parse(&command, &o.common, argc, argv, &words);
	if (result != OPTIONS_GO)
		return result;
	if (!o.recipient == !o.plain_pins)
		return options_wrong(&command, "either --recipient or --plain-pins says where the "
					       "PINs go");
	o.command = &command;
	o.tray = words[0];
	return run_all(&o);
}
