/*
 * simtie-modem: the simulated modem of the tests as a program, with a virtual SIM in memory.
 *
 * Prints the path of its port, and one line more for each fresh SIM that SIGUSR1 puts in. SIGTERM
 * ends it; it then prints how many commands trespassed, how many were malformed, and how many
 * channels its guests left open.
 */
#include "modem_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port/posix/posix.h"

static struct posix_port posix;
static struct applet applet;
static volatile sig_atomic_t ending;

static void on_signal(int number)
{
	ending |= number == SIGTERM;
}

static bool new_sim(void)
{
	if (posix_port_memory(&posix, bytes_of(NULL, 0)) != POSIX_OK ||
	    applet_open(&applet, &posix.port) != JOURNAL_OK)
		return false;
	applet_reset(&applet, APPLET_T0);
	return true;
}

static void fresh(struct modem *modem)
{
	if (ending) {
		if (write(modem->wake[1], "", 1) != 1)
			abort();
		return;
	}
	posix_port_close(&posix);
	if (!new_sim())
		abort();
	memset(modem->sessions, 0, sizeof modem->sessions);
	puts("fresh");
}

/* The words of the command line: what kind of modem, what goes wrong. */
static bool read_word(struct modem_options *options, const char *word)
{
	static const struct {
		const char *name;
		enum modem_fault fault;
	} faults[] = {
		{"mute", MODEM_MUTE},
		{"gone", MODEM_GONE},
		{"half", MODEM_HALF},
	};
	const struct {
		const char *name;
		bool *option;
	} flags[] = {
		{"csim", &options->csim},       {"cgla", &options->cgla},
		{"echo", &options->stuck_echo}, {"chatty", &options->chatty},
		{"fetches", &options->fetches},
	};

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (strcmp(word, flags[i].name) == 0)
			return *flags[i].option = true;
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		if (strcmp(word, faults[i].name) == 0) {
			options->fault = faults[i].fault;
			return true;
		}
	if (sscanf(word, "after=%u", &options->after) == 1 ||
	    sscanf(word, "slow=%u", &options->slow_ms) == 1)
		return true;
	if (sscanf(word, "cme=%d", &options->cme) != 1)
		return false;
	options->fault = MODEM_REFUSES;
	return true;
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = on_signal};
	struct modem_options options = {0};
	static struct modem modem;
	sigset_t held, none;

	for (int i = 1; i < argc; i++)
		if (!read_word(&options, argv[i])) {
			fprintf(stderr, "simtie-modem: no such word: %s\n", argv[i]);
			return 2;
		}
	sigemptyset(&none);
	sigemptyset(&held);
	sigaddset(&held, SIGUSR1);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, NULL); /* but while it waits */
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	setlinebuf(stdout);
	if (!new_sim() || !modem_open(&modem, &options, &applet)) {
		perror("simtie-modem");
		return 1;
	}
	puts(modem.path);
	modem_serve(&modem, &none, fresh);
	printf("trespasses %u, malformed %u, left open %u\n", modem.trespasses, modem.refused,
	       modem_guests(&modem));
	modem_close(&modem);
	posix_port_close(&posix);
	return 0;
}
