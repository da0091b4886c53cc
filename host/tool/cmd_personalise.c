/*
 * simtie personalise: makes a card's keys, sets PIN and PUK, writes the card's record, locks it.
 *
 * All of it goes through the secure channel, at the level that hides answers too, since the chain
 * code leaves the card there, once. So the record is on the disk, flushed, before SET STATUS
 * locks the card: whatever happens in between, the card is in factory and all of it can be done
 * again, or the record fits it.
 */
#include "card.h"
#include "channel.h"
#include "modem.h"
#include "output.h"
#include "secret.h"
#include "words.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Digits of a PIN that --generate makes. */
#define PIN_DIGITS 6

#define STILL_FACTORY                                                                              \
	"not personalised; the card is still in factory and running this again is safe"

struct personalise {
	struct common_options common;
	const struct command *command;
	struct secret_source pin_source;
	struct secret_source puk_source;
	struct keys_source keys_source;
	struct keys keys; /* when --keys is given */
	bool generate;
	const char *record_path;
	const char *iccid_digits;     /* or NULL */
	const char *certificate_path; /* or NULL */
	char pin[SECRET_SIZE];
	char puk[SECRET_SIZE];
	uint8_t iccid[SIMTIE_ICCID_SIZE];
	uint8_t certificate[SIMTIE_CERTIFICATE_MAX];
	size_t certificate_len;
	bool guard_pin;
	uint8_t channel_point[SIMTIE_POINT_SIZE];
	struct simtie_session *session;
	struct simtie_record record;
};

/* The record must be new and its directory writable: found out while the card is untouched. */
static int check_record_path(const struct personalise *p)
{
	struct stat there;
	char *draft;
	int fd;

	if (lstat(p->record_path, &there) == 0)
		return card_refused(&p->common, TOOL_IO, "RECORD_EXISTS",
				    "%s is there already; name a new file, or, when an interrupted "
				    "run left it and `simtie info` says factory, remove it first",
				    p->record_path);
	if (asprintf(&draft, "%s.XXXXXX", p->record_path) < 0)
		return card_failed(&p->common, NULL, NULL, SIMTIE_ERR_MEMORY);
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		unlink(draft);
	}
	free(draft);
	if (fd < 0)
		return card_failed(&p->common, NULL,
				   "the record cannot be created; the card is "
				   "untouched",
				   SIMTIE_ERR_FILE);
	return TOOL_DONE;
}

static int read_certificate(struct personalise *p)
{
	/* DER begins with the tag of a SEQUENCE. */
	const uint8_t der = 0x30;

	if (!p->certificate_path)
		return TOOL_DONE;
	if (input_file(p->certificate_path, p->certificate, sizeof(p->certificate),
		       &p->certificate_len))
		return card_failed(&p->common, NULL, "cannot read the certificate",
				   SIMTIE_ERR_FILE);
	if (p->certificate_len == 0 || p->certificate_len > sizeof(p->certificate) ||
	    p->certificate[0] != der)
		return card_refused(&p->common, TOOL_IO, "CERTIFICATE",
				    "the certificate is not DER of at most %d bytes; convert it "
				    "with openssl x509 -outform DER",
				    SIMTIE_CERTIFICATE_MAX);
	return TOOL_DONE;
}

static int read_secrets(struct personalise *p)
{
	int result;

	if (p->generate) {
		result = secret_generate(p->command, &p->pin_source, PIN_DIGITS, p->pin);
		if (result != TOOL_DONE)
			return result;
		result = secret_generate(p->command, &p->puk_source, SIMTIE_PIN_SIZE, p->puk);
		if (result != TOOL_DONE)
			unlink(p->pin_source.file);
		return result;
	}
	result = secret_read(p->command, &p->pin_source, true, p->pin);
	if (result == TOOL_DONE)
		result = secret_read(p->command, &p->puk_source, true, p->puk);
	return result;
}

/* Writes the record. One that has its name but may not outlast a power cut is taken back. */
static int write_record(const struct personalise *p)
{
	int error = simtie_record_write(p->record_path, &p->record);
	int cause = errno;

	if (error && cause != EEXIST)
		unlink(p->record_path);
	errno = cause;
	return error;
}

/* Opens the secure channel. Without --keys, a card that says itself that it is virtual or can be
 * debugged is tried with the keys that all such cards begin with. */
static int secure(struct personalise *p, const struct simtie_info *info)
{
	const uint8_t *iccid = info->has_iccid ? info->iccid : p->iccid_digits ? p->iccid : NULL;
	const char *why = "";
	int error;

	if (!p->keys_source.file) {
		if (info->debug_status != SIMTIE_DEBUG_STATUS_ENABLED)
			return card_refused(&p->common, TOOL_USAGE, "KEYS_NEEDED",
					    "this is no virtual card: give its keys with --keys");
		output_error("no --keys: using the well-known test keys, good for a virtual card "
			     "alone");
		channel_test_keys(&p->keys_source, &p->keys);
	}
	error = channel_open(p->session, &p->keys, iccid, SIMTIE_SECURITY_LEVEL_C_MAC_ENC_R_MAC_ENC,
			     NULL, &why);
	if (!error)
		return TOOL_DONE;
	return card_refused(&p->common, card_exit_code(error), card_error_code(error),
			    "%s: cannot open the secure channel: %s",
			    error == SIMTIE_ERR_SECURE ? "the card is untouched" : STILL_FACTORY,
			    why);
}

/* Makes and stores all that the card needs, then writes the record. */
static int load(struct personalise *p, const struct simtie_info *info)
{
	const struct simtie_objects objects = {
		.pin = p->pin,
		.puk = p->puk,
		.iccid = p->iccid_digits ? p->iccid : NULL,
		.certificate = p->certificate_path ? p->certificate : NULL,
		.certificate_len = p->certificate_len,
		.guard_pin = p->guard_pin,
	};
	time_t now = time(NULL);
	struct tm utc;
	int error;

	error = simtie_generate(p->session, &p->record.key);
	if (error == 0)
		error = simtie_generate_channel_key(p->session, p->channel_point);
	if (error == 0)
		error = simtie_store(p->session, &objects);
	if (error)
		return error;
	words_version(info->version, p->record.applet_version);
	gmtime_r(&now, &utc);
	strftime(p->record.created_at, sizeof(p->record.created_at), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return write_record(p);
}

/* Takes back what this run wrote for a card that is still in factory. */
static void take_back(const struct personalise *p, bool record)
{
	if (record)
		unlink(p->record_path);
	if (p->generate) {
		unlink(p->pin_source.file);
		unlink(p->puk_source.file);
	}
}

/* The card did not say that it is locked. Asks it: perhaps the answer alone was lost. */
static int settle(struct personalise *p, int error)
{
	const char *reason = error == SIMTIE_ERR_CARD
				     ? simtie_sw_text(simtie_status_word(p->session))
				     : simtie_strerror(error);
	const struct simtie_options options = {.reader = p->common.reader,
					       .guard = modem_guard(p->common.reader)};
	struct simtie_info info = {.lifecycle = 0};

	simtie_close(&p->session);
	if (simtie_open(&options, &p->session) == 0 && simtie_select(p->session, &info) == 0 &&
	    info.lifecycle == SIMTIE_LIFECYCLE_PERSONALISED)
		return TOOL_DONE;
	if (info.lifecycle == SIMTIE_LIFECYCLE_FACTORY) {
		take_back(p, true);
		return card_refused(&p->common, card_exit_code(error), card_error_code(error),
				    STILL_FACTORY ": %s", reason);
	}
	return card_refused(&p->common, card_exit_code(error), card_error_code(error),
			    "the card did not say whether it is locked, so keep %s until `simtie "
			    "info` says: in factory, remove it and run this again; else it fits "
			    "the card: %s",
			    p->record_path, reason);
}

static int print_result(const struct personalise *p)
{
	char point[OUTPUT_HEX_SIZE(SIMTIE_POINT_SIZE)], channel[OUTPUT_HEX_SIZE(SIMTIE_POINT_SIZE)];

	output_hex_lower(p->record.key.device_public, SIMTIE_POINT_SIZE, point);
	output_hex_lower(p->channel_point, SIMTIE_POINT_SIZE, channel);
	if (p->common.json)
		return output_json(json_pack("{s:s,s:s,s:s,s:s,s:s?,s:b}", "record", p->record_path,
					     "lifecycle", "personalised", "devicePublicKey", point,
					     "channelPublicKey", channel, "iccid", p->iccid_digits,
					     "certificate", p->certificate_path != NULL));
	output_line("lifecycle", "personalised");
	if (p->iccid_digits)
		output_line("ICCID", "%s", p->iccid_digits);
	output_line("device key", "%s", point);
	output_line("channel key", "%s", channel);
	output_line("record", "%s: keep it secret, it links the card across messengers",
		    p->record_path);
	return output_end(TOOL_DONE);
}

static int personalise(struct personalise *p)
{
	struct simtie_info info;
	int result = card_open_applet(&p->common, &p->session, &info);
	int error;

	if (result != TOOL_DONE) {
		take_back(p, false);
		return result;
	}
	if (info.lifecycle != SIMTIE_LIFECYCLE_FACTORY) {
		take_back(p, false);
		return card_refused(&p->common, TOOL_REFUSED, "NOT_FACTORY",
				    "the card is %s, which cannot be undone; put in a new one",
				    words_lifecycle(info.lifecycle));
	}
	result = secure(p, &info);
	if (result != TOOL_DONE) {
		take_back(p, false);
		return result;
	}
	error = load(p, &info);
	if (error) {
		take_back(p, false);
		return card_failed(&p->common, p->session, STILL_FACTORY, error);
	}
	error = simtie_set_lifecycle(p->session, SIMTIE_LIFECYCLE_PERSONALISED);
	result = error ? settle(p, error) : TOOL_DONE;
	return result == TOOL_DONE ? print_result(p) : result;
}

/* Ctrl-C waits until the card is in one state or the other: each command ends within its bound. */
static int run(struct personalise *p)
{
	sigset_t held, before;
	int result;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	result = check_record_path(p);
	if (result == TOOL_DONE)
		result = read_certificate(p);
	if (result == TOOL_DONE && p->keys_source.file)
		result = channel_read(&p->common, p->command, &p->keys_source, &p->keys);
	if (result == TOOL_DONE)
		result = read_secrets(p);
	if (result == TOOL_DONE) {
		sigprocmask(SIG_BLOCK, &held, &before);
		result = personalise(p);
		simtie_close(&p->session);
		sigprocmask(SIG_SETMASK, &before, NULL);
	}
	secret_wipe(p->pin);
	secret_wipe(p->puk);
	keys_wipe(&p->keys);
	explicit_bzero(&p->record, sizeof(p->record));
	return result;
}

int personalise_main(int argc, char **argv)
{
	struct personalise p = {.pin_source = SECRET_PIN, .puk_source = SECRET_PUK};
	const struct option_entry options[] = {
		{.name = "record",
		 .kind = OPTION_TEXT,
		 .target = &p.record_path,
		 .value = "OUT.json",
		 .required = true,
		 .min = 1,
		 .help = "new file for the card's record, mode 0600; keep it secret"},
		SECRET_OPTIONS("pin", "the PIN", p.pin_source),
		SECRET_OPTIONS("puk", "the PUK", p.puk_source),
		KEYS_OPTIONS(p.keys_source),
		{.name = "generate",
		 .target = &p.generate,
		 .help = "make up PIN and PUK and write them to --pin-file and --puk-file,\n"
			 "which must be new"},
		{.name = "iccid",
		 .kind = OPTION_TEXT,
		 .target = &p.iccid_digits,
		 .value = "DIGITS",
		 .help = "store this ICCID, 18 to 20 digits"},
		{.name = "guard-pin",
		 .target = &p.guard_pin,
		 .help = "from then on the card takes the PIN within a secure channel only"},
		{.name = "certificate",
		 .kind = OPTION_TEXT,
		 .target = &p.certificate_path,
		 .value = "FILE",
		 .min = 1,
		 .help = "store this X.509 certificate, DER"},
	};
	const struct command command = {
		.name = "personalise",
		.text = "Makes the keys of a card in factory, sets PIN and PUK, writes the card's "
			"record and\nlocks the card, for good. The record is on disk before the "
			"card is locked; until then all\nof it can be run again. PIN and PUK come "
			"from files, descriptors, SIMTIE_PIN and\nSIMTIE_PUK, or a prompt. --keys "
			"opens the card's secure channel; without it a virtual\ncard is tried with "
			"the well-known test keys.",
		.groups = OPTIONS_READER | OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
	};
	int result = options_parse(&command, &p.common, argc, argv, NULL);

	if (result != OPTIONS_GO)
		return result;
	if (p.iccid_digits && !input_iccid(p.iccid_digits, p.iccid))
		return options_wrong(&command, "--iccid takes 18 to 20 digits");
	p.command = &command;
	return run(&p);
}
