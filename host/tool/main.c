/*
 * simtie: the one table of subcommands, and what holds for all of them before any starts.
 */
#include "output.h"
#include "tool.h"

#include "simtie.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
};

static const struct subcommand subcommands[] = {
	{"readers", readers_main, "list the readers and what is in them"},
	{"info", info_main, "what the card says of itself"},
	{"personalise", personalise_main, "make a card's keys, set PIN and PUK, write its record"},
	{"pin", pin_main, "verify, change or unblock the PIN; tries left"},
	{"attest", attest_main, "have the card sign an attestation"},
	{"verify", verify_main, "verify an attestation with the card's record"},
	{"register", register_main, "register at a messenger: challenge, SIM, answer"},
	{"records", records_main, "what the operator recorded of the SIM's holder"},
	{"inspect", inspect_main, "decode an attestation without believing it"},
	{"log", log_main, "what the card signed"},
	{"apdu", apdu_main, "send APDUs and see them decoded"},
	{"ca", ca_main, "the operator's certificate authority: issue and revoke"},
	{"provision", provision_main, "carry a tray of SIMs from vendor to operator"},
	{"conformance", conformance_main, "run the contract's examples against a card"},
	{"doctor", doctor_main, "find out why no reader or card is seen"},
};

#define SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static void print_usage(FILE *stream)
{
	fprintf(stream, "Usage: simtie SUBCOMMAND [OPTION...] [ARGUMENT...]\n\n"
			"Ties a messenger registration to the SIM that made it.\n\n");
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		fprintf(stream, "  %-12s %s\n", subcommands[i].name, subcommands[i].text);
	fprintf(stream,
		"\n`simtie SUBCOMMAND --help` says more; `simtie --version` which one this is.\n"
		"Exit codes: 0 done, 1 refused by card or verifier, 2 wrong usage, 3 no reader or\n"
		"card, 4 input or output failed.\n");
}

static const struct subcommand *find(const char *name)
{
	for (size_t i = 0; i < SUBCOMMANDS; i++) {
		if (strcmp(subcommands[i].name, name) == 0)
			return &subcommands[i];
	}
	return NULL;
}

/* PINs and keys pass through this process: it leaves no core file and lets nobody look in. A reader
 * of a pipe that goes away is an error of the write, not the end of a card command half way. */
static void harden(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
}

/* Subcommands for the shell's completion, one a line. */
static int complete_main(void)
{
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		puts(subcommands[i].name);
	return output_end(TOOL_DONE);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct subcommand *subcommand;
	char safe[32];

	harden();
	if (argc > 2 && strcmp(name, "help") == 0) {
		static char help[] = "--help";

		name = argv[1] = argv[2];
		argv[2] = help;
		argc = 3;
	}
	subcommand = find(name);
	if (subcommand)
		return subcommand->run(argc - 1, argv + 1);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_usage(stdout);
		return output_end(TOOL_DONE);
	}
	if (strcmp(name, "--version") == 0) {
		printf("simtie %s\n", simtie_version());
		return output_end(TOOL_DONE);
	}
	if (strcmp(name, "--complete") == 0)
		return complete_main();
	if (argc < 2)
		print_usage(stderr);
	else
		output_error("no subcommand is called %s; `simtie --help` lists them",
			     output_safe(name, safe, sizeof(safe)));
	return TOOL_USAGE;
}
