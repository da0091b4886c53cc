/*
 * simtie-card: a virtual SIM in a virtual reader of vsmartcard's vpcd. Reads the options, starts
 * the card, turns its end into an exit code.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "slots.h"

#define SIGN_MS_MAX 10000

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
	"  --nfc DEVICE  be a contactless card by this PN532 of libnfc's (\"\": any)\n"
	"  --atr HEX     answer to reset; its first protocol makes a card of T=0 or T=1\n"
	"  --seed TEXT   repeatable keys and random numbers, for tests only: the card is\n"
	"                marked for life (up to 64 bytes)\n"
	"  --issuer FILE the maker's keys, as a key file; without this the test keys that\n"
	"                everybody knows (40..4F, version 30)\n"
	"  --iccid DIGITS  the card's ICCID, or that of the first card of a tray\n"
	"  --tray N      N cards, one after the other: the next one goes in when one is\n"
	"                locked; --state names the folder of their memories then\n"
	"  --slots K     K readers at once, at PORT and the ports after it (with --tray)\n"
	"  --sign-ms MS  a signature seems to take so long\n"
	"  --verbose     a line for each command: header, lengths, status word; no data\n"
	"  --help        this text\n"
	"  --version     the version of the applet on the card\n"
	"SIGUSR1 takes the card out and puts a factory-fresh one in, with the same FILE\n"
	"and seed: a new card for each test.\n"
	"Says \"simtie-card: card in reader at HOST:PORT\" on stderr once the reader asks.\n"
	"Exit codes: 0 ended by a signal, 2 wrong usage, 4 no state, host or NFC device.\n";

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

/* What the command line says beside the card's own options. */
struct arguments {
	struct card_options card;
	const char *issuer;
	unsigned cards; /* of the tray; 0: no tray */
	unsigned slots;
	bool wired; /* something was said that only a reader with contacts has */
};

/* A whole number from 1 to `most`; 0 for anything else. */
static unsigned number(const char *text, unsigned most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value <= most ? (unsigned)value
										 : 0;
}

static int check_tray(const struct arguments *arguments)
{
	if (arguments->slots > 1 && arguments->cards == 0)
		return usage("--slots: ", "only with --tray");
	if (arguments->cards > 0 && !*arguments->card.iccid)
		return usage("--tray: ", "needs --iccid, the first card's");
	if (arguments->cards > 0 && arguments->card.reset)
		return usage("--reset: ", "not with --tray; empty its folder instead");
	return EXIT_DONE;
}

static int check_nfc(const struct arguments *arguments)
{
	if (!arguments->card.nfc)
		return EXIT_DONE;
	if (arguments->wired)
		return usage("--nfc: ", "with neither --host, --port nor --atr: there is no reader "
					"to plug into");
	if (arguments->cards > 0)
		return usage("--nfc: ", "with one card, not a tray");
	return EXIT_DONE;
}

static int check(const struct arguments *arguments)
{
	const struct card_options *options = &arguments->card;

	if (!is_port(options->port))
		return usage("--port: ", "not a number from 1 to 65535");
	if (options->reset && !options->state)
		return usage("--reset: ",
			     "only with --state; without one the card is fresh anyway");
	if (options->seed.len > POSIX_SEED_MAX)
		return usage("--seed: ", "longer than 64 bytes");
	return check_nfc(arguments) == EXIT_DONE ? check_tray(arguments) : EXIT_USAGE;
}

static int version(void)
{
	printf("simtie-card, applet %d.%d.%d\n", APPLET_VERSION_MAJOR, APPLET_VERSION_MINOR,
	       APPLET_VERSION_PATCH);
	return EXIT_DONE;
}

static int read_option(int option, struct arguments *arguments)
{
	struct card_options *options = &arguments->card;
	const char *wrong;

	switch (option) {
	case 's':
		options->state = optarg;
		break;
	case 'r':
		options->reset = true;
		break;
	case 'h':
		options->host = optarg;
		arguments->wired = true;
		break;
	case 'p':
		options->port = optarg;
		arguments->wired = true;
		break;
	case 'N':
		options->nfc = optarg;
		break;
	case 'a':
		arguments->wired = true;
		wrong = atr_parse(&options->atr, optarg);
		if (wrong)
			return usage("--atr: ", wrong);
		break;
	case 'S':
		if (*optarg == '\0')
			return usage("--seed: ", "empty");
		options->seed = bytes_of((const uint8_t *)optarg, strlen(optarg));
		break;
	case 'k':
		arguments->issuer = optarg;
		break;
	case 'i':
		options->iccid = optarg;
		if (!issuer_iccid_valid(optarg))
			return usage("--iccid: ", "not 18 to 20 digits");
		break;
	case 't':
		arguments->cards = number(optarg, TRAY_CARDS_MAX);
		if (arguments->cards == 0)
			return usage("--tray: ", "not a number from 1 to 100000");
		break;
	case 'n':
		arguments->slots = number(optarg, SLOTS_MAX);
		if (arguments->slots == 0)
			return usage("--slots: ", "not a number from 1 to 16");
		break;
	case 'm':
		options->sign_ms = number(optarg, SIGN_MS_MAX);
		if (options->sign_ms == 0)
			return usage("--sign-ms: ", "not a number from 1 to 10000");
		break;
	case 'v':
		options->verbose = true;
		break;
	default:
		return usage("", "wrong option"); /* getopt has said which */
	}
	return EXIT_DONE;
}

/* Reads the options. Negative: go on; else the exit code to end with. */
static int read_options(int argc, char **argv, struct arguments *arguments)
{
	static const struct option names[] = {
		{"state", required_argument, NULL, 's'}, {"reset", no_argument, NULL, 'r'},
		{"host", required_argument, NULL, 'h'},  {"port", required_argument, NULL, 'p'},
		{"nfc", required_argument, NULL, 'N'},   {"atr", required_argument, NULL, 'a'},
		{"seed", required_argument, NULL, 'S'},  {"issuer", required_argument, NULL, 'k'},
		{"iccid", required_argument, NULL, 'i'}, {"tray", required_argument, NULL, 't'},
		{"slots", required_argument, NULL, 'n'}, {"sign-ms", required_argument, NULL, 'm'},
		{"verbose", no_argument, NULL, 'v'},     {"help", no_argument, NULL, 'H'},
		{"version", no_argument, NULL, 'V'},     {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'H') {
			fputs(help, stdout);
			return EXIT_DONE;
		}
		if (option == 'V')
			return version();
		if (read_option(option, arguments) != EXIT_DONE)
			return EXIT_USAGE;
	}
	if (optind < argc)
		return usage(argv[optind], ": takes options only");
	return check(arguments) == EXIT_DONE ? -1 : EXIT_USAGE;
}

/* Loads keys and tray. False: said why. */
static bool prepare(const struct arguments *arguments, struct issuer *issuer, struct tray *tray)
{
	const char *wrong = NULL;

	issuer_start(issuer);
	if (arguments->issuer && (wrong = issuer_read(issuer, arguments->issuer)) != NULL) {
		fprintf(stderr, "simtie-card: --issuer: %s: %s\n", arguments->issuer, wrong);
		return false;
	}
	if (arguments->cards > 0)
		wrong = tray_open(tray, arguments->cards, arguments->card.iccid,
				  arguments->card.state);
	if (wrong)
		fprintf(stderr, "simtie-card: --tray: %s\n", wrong);
	return !wrong;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.card = {.host = "127.0.0.1", .port = "35963", .iccid = "", .atr = atr_default()},
		.slots = 1,
	};
	struct issuer issuer;
	struct tray tray;
	int code = read_options(argc, argv, &arguments);
	bool served = false;

	if (code >= 0)
		return code;
	lock_up();
	if (arguments.card.seed.len > 0)
		fputs("simtie-card: --seed: whoever knows the seed has this card's keys; for tests "
		      "only\n",
		      stderr);
	if (prepare(&arguments, &issuer, &tray)) {
		arguments.card.issuer = &issuer;
		arguments.card.tray = arguments.cards > 0 ? &tray : NULL;
		served = arguments.slots > 1 ? slots_serve(&arguments.card, arguments.slots)
					     : card_serve(&arguments.card);
	}
	issuer_wipe(&issuer);
	return served ? EXIT_DONE : EXIT_FAILED;
}
