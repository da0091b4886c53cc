#include "provision_ready.h"

#include "card.h"
#include "output.h"
#include "readers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Tray and folder ---- */

int provision_ready_tray(struct provision_run *run)
{
	const struct provision_options *options = run->options;
	char wrong[PROVISION_TEXT_MAX];

	if (provision_tray_read(options->tray, &run->tray, wrong) != TOOL_DONE)
		return card_refused(&options->common, TOOL_IO, "TRAY",
				    "%s, %s; no card was touched", options->tray, wrong);
	if (provision_journal_open(options->out, options->dry_run, &run->tray, &run->journal,
				   wrong) != TOOL_DONE)
		return card_refused(&options->common, TOOL_IO, "FOLDER",
				    "%s: %s; no card was touched", options->out, wrong);
	run->plan.rows = run->tray.count;
	for (size_t i = 0; i < run->tray.count; i++)
		run->plan.done_before += run->tray.rows[i].state == PROVISION_STATE_RECORDED;
	return TOOL_DONE;
}

/* ---- Readers ---- */

static int add_reader(struct provision_run *run, const struct simtie_reader *reader)
{
	for (size_t i = 0; i < run->plan.reader_count; i++)
		if (strcmp(run->plan.readers[i], reader->name) == 0)
			return card_refused(&run->options->common, TOOL_USAGE, "READERS",
					    "--readers names %s twice", reader->name);
	if (run->plan.reader_count == PROVISION_READERS_MAX)
		return card_refused(&run->options->common, TOOL_USAGE, "READERS",
				    "over %d readers; name some with --readers",
				    PROVISION_READERS_MAX);
	strcpy(run->readers[run->plan.reader_count], reader->name);
	run->plan.readers[run->plan.reader_count] = run->readers[run->plan.reader_count];
	run->plan.reader_count++;
	return TOOL_DONE;
}

static int add_named(struct provision_run *run, const struct simtie_reader *readers, size_t count)
{
	char *names = strdup(run->options->readers), *rest = NULL;
	char detail[SIMTIE_DETAIL_MAX];
	int result = names ? TOOL_DONE : TOOL_IO;

	for (char *name = names ? strtok_r(names, ",", &rest) : NULL; name && result == TOOL_DONE;
	     name = strtok_r(NULL, ",", &rest)) {
		int index = readers_choose(readers, count, name, detail);

		result = index < 0 ? card_refused(&run->options->common, card_exit_code(index),
						  card_error_code(index), "--readers: %s", detail)
				   : add_reader(run, &readers[index]);
	}
	free(names);
	return result;
}

int provision_ready_readers(struct provision_run *run)
{
	const struct common_options *common = &run->options->common;
	const char *wanted = run->options->readers;
	struct simtie_reader *readers = NULL;
	size_t count = 0;
	int error = simtie_readers(&readers, &count);
	int result = TOOL_DONE;

	if (!error && count == 0)
		error = SIMTIE_ERR_NO_READER;
	if (error)
		return card_failed(common, NULL, "no card was touched", error);
	run->readers = calloc(PROVISION_READERS_MAX, sizeof(*run->readers));
	if (!run->readers)
		result = card_failed(common, NULL, NULL, SIMTIE_ERR_MEMORY);
	else if (wanted && strcmp(wanted, "all") != 0)
		result = add_named(run, readers, count);
	else
		for (size_t i = 0; i < count && result == TOOL_DONE; i++)
			result = add_reader(run, &readers[i]);
	free(readers);
	return result;
}

/* ---- Authority and PINs ---- */

static int ca_failed(const struct provision_run *run, int error)
{
	const int cause = errno;

	return card_refused(&run->options->common,
			    error == CA_ERR_PASSPHRASE ? TOOL_REFUSED : TOOL_IO, "AUTHORITY",
			    "%s: %s%s%s; no card was touched", run->options->ca, ca_strerror(error),
			    error == CA_ERR_FILE ? ": " : "",
			    error == CA_ERR_FILE ? strerror(cause) : "");
}

/* Opening renews a revocation list that is behind, which a dry run must not. */
static int look_at_authority(struct provision_run *run, bool *behind)
{
	struct ca_contents contents;
	int error = ca_contents_read(run->options->ca, &contents);

	*behind = !error && contents.crl_behind;
	ca_contents_free(&contents);
	return error ? ca_failed(run, error) : TOOL_DONE;
}

int provision_ready_authority(struct provision_run *run)
{
	const struct provision_options *options = run->options;
	char passphrase[PASSPHRASE_SIZE];
	bool behind;
	int result = look_at_authority(run, &behind);
	int error;

	if (result != TOOL_DONE || (behind && options->dry_run))
		return result;
	result = passphrase_read(options->command, &options->passphrase, 1, false, passphrase);
	if (result != TOOL_DONE)
		return result;
	error = ca_open(options->ca, bytes_of((const uint8_t *)passphrase, strlen(passphrase)),
			&run->ca);
	passphrase_wipe(passphrase);
	return error ? ca_failed(run, error) : TOOL_DONE;
}

int provision_ready_pins(struct provision_run *run, const char *folder, bool *finished)
{
	const struct provision_options *options = run->options;
	uint8_t secret[PINMAIL_SECRET_SIZE];
	struct pinmail_settings settings = {.certificate = options->recipient,
					    .secret = options->plain_pins ? NULL : secret,
					    .plain = options->plain_pins};
	char *path = NULL;
	int cause, error = PINMAIL_ERR_LIBRARY;

	*finished = false;
	if ((options->plain_pins || ca_derive(run->ca, PINMAIL_LABEL, secret)) &&
	    asprintf(&path, "%s/pins.csv%s", folder, options->plain_pins ? "" : ".cms") >= 0) {
		settings.path = path;
		error = pinmail_open(&settings, &run->pins);
	}
	cause = errno;
	free(path);
	explicit_bzero(secret, sizeof(secret));
	*finished = error == PINMAIL_ERR_FINISHED && provision_worker_left(run) == 0;
	if (!error || *finished)
		return TOOL_DONE;
	return card_refused(&options->common, TOOL_IO, "PINS", "%s: %s%s%s; no card was touched",
			    options->recipient ? options->recipient : "pins.csv",
			    pinmail_strerror(error), error == PINMAIL_ERR_FILE ? ": " : "",
			    error == PINMAIL_ERR_FILE ? strerror(cause) : "");
}

/* ---- The dry run ---- */

/* Whether a list of PINs could be begun for this recipient: in a folder that goes away again. */
static int try_pins(struct provision_run *run)
{
	char folder[] = "/tmp/simtie-dry-XXXXXX";
	char path[sizeof(folder) + 32];
	bool finished;
	int result;

	if (!mkdtemp(folder))
		return card_failed(&run->options->common, NULL, "cannot look at the recipient",
				   SIMTIE_ERR_FILE);
	result = provision_ready_pins(run, folder, &finished);
	pinmail_close(&run->pins);
	snprintf(path, sizeof(path), "%s/pins.csv%s.journal", folder,
		 run->options->plain_pins ? "" : ".cms");
	unlink(path);
	rmdir(folder);
	return result;
}

static const char *what_would_be_done(const struct provision_row *row)
{
	switch (atomic_load(&row->state)) {
	case PROVISION_STATE_FRESH:
		return "would be provisioned, from the start";
	case PROVISION_STATE_ASSIGNED:
	case PROVISION_STATE_ROTATING:
	case PROVISION_STATE_GENERATED:
		return "would be taken up again where it was, with new keys of its own";
	case PROVISION_STATE_PERSONALISED:
		return "is personalised; would be proved, locked and recorded";
	case PROVISION_STATE_PROVED:
		return "is proved; would be locked and recorded";
	case PROVISION_STATE_LOCKING:
		return "is perhaps locked; would be locked and recorded";
	case PROVISION_STATE_RECORDED:
		return "is recorded; nothing would be done";
	}
	return "";
}

static int say_rows(const struct provision_run *run)
{
	for (size_t i = 0; i < run->tray.count; i++) {
		const struct provision_row *row = &run->tray.rows[i];

		if (!run->options->common.json)
			printf("%s  %s\n", row->iccid, what_would_be_done(row));
		else if (output_json(json_pack("{s:s,s:s,s:s}", "event", "dry-run", "iccid",
					       row->iccid, "would", what_would_be_done(row))) !=
			 TOOL_DONE)
			return TOOL_IO;
	}
	return TOOL_DONE;
}

int provision_ready_dry(struct provision_run *run)
{
	int result = say_rows(run), part;
	bool missing = false;

	if (result != TOOL_DONE)
		return result;
	/* Each says itself what is wrong; all are asked, so that one look tells it all. */
	for (unsigned i = 0; i < 4; i++) {
		part = i == 0                                ? provision_keys_read(run)
		       : i == 1                              ? provision_ready_authority(run)
		       : i == 2                              ? provision_ready_readers(run)
		       : run->ca || run->options->plain_pins ? try_pins(run)
							     : TOOL_DONE;
		missing |= part != TOOL_DONE;
		if (result == TOOL_DONE)
			result = part;
	}
	if (!run->options->common.json)
		printf("dry run: nothing was touched; %s\n",
		       missing ? "what is missing is said above" : "nothing is missing");
	return output_end(result);
}
