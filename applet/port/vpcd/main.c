/*
 * simtie-card: a virtual SIM in a virtual reader of vsmartcard's vpcd. Reads the options, starts
 * the card, turns its end into an exit code.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "card.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_USAGE = 2,
	EXIT_FAILED = 4,
};

static const char help[] =
	"Usage: simtie-card [OPTION]...\n"
	"Puts a virtual SIM into a virtual reader (vsmartcard's vpcd, through pcscd) and\n"
	"keeps it there, also when pcscd goes and comes, until SIGTERM or SIGINT.\n"
	"  --state FILE  keep the card's memory in FILE, made if it is not there; without\n"
	"                this the card is gone when the program ends\n"
	"  --reset       make the card in FILE factory-fresh first; what it held is lost\n"
	"  --host HOST   where vpcd listens (127.0.0.1)\n"
	"  --port PORT   its port, one for each reader (35963; the next reader has 35964)\n"
	"  --atr HEX     answer to reset; its first protocol makes a card of T=0 or T=1\n"
	"  --seed TEXT   repeatable keys and random numbers, for tests only: the card is\n"
	"                marked for life (up to 64 bytes)\n"
	"  --verbose     a line for each command: header, lengths, status word; no data\n"
	"  --help        this text\n"
	"  --version     the version of the applet on the card\n"
	"SIGUSR1 takes the card out and puts a factory-fresh one in, with the same FILE\n"
	"and seed: a new card for each test.\n"
	"Says \"simtie-card: card in reader at HOST:PORT\" on stderr once the reader asks.\n"
	"Exit codes: 0 ended by a signal, 2 wrong usage, 4 state file refused or no such\n"
	"host.\n";

static int usage(const char *option, const char *what)
{
	fprintf(stderr, "simtie-card: %s%s; see simtie-card --help\n", option, what);
	return EXIT_USAGE;
}

/* No core files, and no other process of this user may look inside: keys and PINs are in memory. */
static void lock_up(void)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
}

static bool is_port(const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port >= 1 && port <= 65535;
}

static int check(const struct card_options *options)
{
	if (!is_port(options->port))
		return usage("--port: ", "not a number from 1 to 65535");
	if (options->reset && !options->state)
		return usage("--reset: ",
			     "only with --state; without one the card is fresh anyway");
	if (options->seed.len > POSIX_SEED_MAX)
		return usage("--seed: ", "longer than 64 bytes");
	return EXIT_DONE;
}

static int version(void)
{
	printf("simtie-card, applet %d.%d.%d\n", APPLET_VERSION_MAJOR, APPLET_VERSION_MINOR,
	       APPLET_VERSION_PATCH);
	return EXIT_DONE;
}

/* Reads the options into *options. Negative: go on; else the exit code to end with. */
static int read_options(int argc, char **argv, struct card_options *options)
{
	static const struct option names[] = {
		{"state", required_argument, NULL, 's'}, {"reset", no_argument, NULL, 'r'},
		{"host", required_argument, NULL, 'h'},  {"port", required_argument, NULL, 'p'},
		{"atr", required_argument, NULL, 'a'},   {"seed", required_argument, NULL, 'S'},
		{"verbose", no_argument, NULL, 'v'},     {"help", no_argument, NULL, 'H'},
		{"version", no_argument, NULL, 'V'},     {NULL, 0, NULL, 0},
	};
	const char *wrong;
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 's':
			options->state = optarg;
			break;
		case 'r':
			options->reset = true;
			break;
		case 'h':
			options->host = optarg;
			break;
		case 'p':
			options->port = optarg;
			break;
		case 'a':
			wrong = atr_parse(&options->atr, optarg);
			if (wrong)
				return usage("--atr: ", wrong);
			break;
		case 'S':
			if (*optarg == '\0')
				return usage("--seed: ", "empty");
			options->seed = bytes_of((const uint8_t *)optarg, strlen(optarg));
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'H':
			fputs(help, stdout);
			return EXIT_DONE;
		case 'V':
			return version();
		default:
			return usage("", "wrong option"); /* getopt has said which */
		}
	}
	if (optind < argc)
		return usage(argv[optind], ": takes options only");
	return check(options) == EXIT_DONE ? -1 : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct card_options options = {.host = "127.0.0.1", .port = "35963", .atr = atr_default()};
	int code = read_options(argc, argv, &options);

	if (code >= 0)
		return code;
	lock_up();
	if (options.seed.len > 0)
		fputs("simtie-card: --seed: whoever knows the seed has this card's keys; for tests "
		      "only\n",
		      stderr);
	return card_serve(&options) ? EXIT_DONE : EXIT_FAILED;
}
