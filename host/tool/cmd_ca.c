/*
 * simtie ca: the operator's certificate authority. Needs no card.
 */
#include "authority.h"

#include <stdio.h>
#include <string.h>

enum action { INIT = 1, ISSUE = 2, SHOW = 4, REVOKE = 8, CRL = 16 };

static const struct {
	const char *name;
	enum action action;
	int (*run)(const struct authority_options *options);
} actions[] = {
	{"init", INIT, authority_init}, {"issue", ISSUE, authority_issue},
	{"show", SHOW, authority_show}, {"revoke", REVOKE, authority_revoke},
	{"crl", CRL, authority_crl},
};

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

/* Refuses an option that the action has no use for: it may be meant for another. */
static int check(const struct authority_options *o, const char *name, enum action action)
{
	const struct {
		const char *option;
		bool given;
		unsigned actions;
	} rows[] = {
		{"name", o->name, INIT},
		{"organisation", o->organisation, INIT},
		{"days", o->days.given, INIT | ISSUE | CRL},
		{"passphrase-file", o->passphrase.file, INIT | ISSUE | REVOKE | CRL},
		{"passphrase-fd", o->passphrase.fd.given, INIT | ISSUE | REVOKE | CRL},
		{"public-key", o->public_key, ISSUE},
		{"record", o->record, ISSUE},
		{"iccid", o->iccid, ISSUE | SHOW | REVOKE},
		{"serial", o->serial.len, SHOW | REVOKE},
		{"reason", o->reason != AUTHORITY_NO_REASON, REVOKE},
		{"crl-url", o->crl_url, ISSUE},
		{"output", o->output, ISSUE},
		{"pem", o->pem, ISSUE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].given && !(rows[i].actions & action))
			return options_wrong(o->command, "`ca %s` takes no --%s", name,
					     rows[i].option);
	}
	if (action != SHOW && o->file)
		return options_wrong(o->command, "`ca %s` takes no FILE", name);
	if (action != SHOW && !o->directory)
		return options_wrong(o->command, "--dir is missing");
	if (o->iccid && !ca_iccid_valid(o->iccid))
		return options_wrong(o->command, "--iccid takes 18 to 20 digits");
	return OPTIONS_GO;
}

static int dispatch(struct authority_options *o, char **arguments)
{
	for (size_t i = 0; i < ACTIONS; i++) {
		int result;

		if (strcmp(actions[i].name, arguments[0]) != 0)
			continue;
		o->file = arguments[1];
		result = check(o, actions[i].name, actions[i].action);
		return result == OPTIONS_GO ? actions[i].run(o) : result;
	}
	return options_wrong(o->command, "the first argument is one of %s", o->command->arguments);
}

int ca_main(int argc, char **argv)
{
	static const char *const reasons[] = {"keyCompromise", "superseded", "cessationOfOperation",
					      NULL};
	struct authority_options o = {.reason = AUTHORITY_NO_REASON};
	const struct option_entry options[] = {
		{.name = "dir",
		 .letter = 'd',
		 .kind = OPTION_TEXT,
		 .target = &o.directory,
		 .value = "DIR",
		 .min = 1,
		 .help = "the authority's directory"},
		PASSPHRASE_OPTIONS(o.passphrase),
		{.name = "name",
		 .kind = OPTION_TEXT,
		 .target = &o.name,
		 .value = "CN",
		 .min = 1,
		 .help = "init: the authority's name"},
		{.name = "organisation",
		 .kind = OPTION_TEXT,
		 .target = &o.organisation,
		 .value = "O",
		 .min = 1,
		 .help = "init: the operator's name"},
		{.name = "days",
		 .kind = OPTION_NUMBER,
		 .target = &o.days,
		 .value = "N",
		 .min = 1,
		 .max = CA_DAYS_MAX,
		 .help = "valid so long: init 7305, issue 3652, crl 30"},
		{.name = "public-key",
		 .kind = OPTION_TEXT,
		 .target = &o.public_key,
		 .value = "HEX",
		 .help = "issue: the card's device key, an uncompressed point"},
		{.name = "record",
		 .kind = OPTION_TEXT,
		 .target = &o.record,
		 .value = "RECORD.json",
		 .min = 1,
		 .help = "issue: the card's record, which has that key"},
		{.name = "iccid",
		 .kind = OPTION_TEXT,
		 .target = &o.iccid,
		 .value = "DIGITS",
		 .help = "the card's ICCID, 18 to 20 digits"},
		{.name = "crl-url",
		 .kind = OPTION_TEXT,
		 .target = &o.crl_url,
		 .value = "URL",
		 .min = 1,
		 .help = "issue: say in the certificate where the CRL is"},
		{.name = "output",
		 .letter = 'o',
		 .kind = OPTION_TEXT,
		 .target = &o.output,
		 .value = "FILE",
		 .min = 1,
		 .help = "issue: write the certificate, DER, to FILE"},
		{.name = "pem", .target = &o.pem, .help = "issue: write it as PEM"},
		{.name = "serial",
		 .kind = OPTION_HEX,
		 .target = &o.serial,
		 .value = "HEX",
		 .min = 1,
		 .max = CA_SERIAL_MAX,
		 .help = "the certificate of this serial number"},
		{.name = "reason",
		 .kind = OPTION_CHOICE,
		 .target = &o.reason,
		 .value = "keyCompromise|superseded|cessationOfOperation",
		 .choices = reasons,
		 .help = "revoke: why"},
	};
	const struct command command = {
		.name = "ca",
		.arguments = "init|issue|show|revoke|crl",
		.text = "init    makes a P-256 root with an index and an empty CRL in DIR\n"
			"issue   certifies a card's device key for an ICCID; that the card has "
			"the key is yours to prove\n"
			"show    prints DIR, or with --serial or --iccid some of it; or a "
			"certificate FILE\n"
			"revoke  revokes by --serial or --iccid, in the index and crl.pem\n"
			"crl     signs crl.pem anew, before it runs out\n\n"
			"The passphrase comes from a file, a descriptor, SIMTIE_CA_PASSPHRASE, or "
			"a prompt.",
		.groups = OPTIONS_JSON,
		.options = options,
		.count = sizeof(options) / sizeof(options[0]),
		.min_arguments = 1,
		.max_arguments = 2,
	};
	char **arguments;
	int result = options_parse(&command, &o.common, argc, argv, &arguments);

	if (result != OPTIONS_GO)
		return result;
	o.command = &command;
	return dispatch(&o, arguments);
}
