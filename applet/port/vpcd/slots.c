#include "slots.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct slots {
	pid_t children[SLOTS_MAX];
	unsigned running;
	bool all_well;
};

/* A child's whole life. It ends with its parent. */
static _Noreturn void serve(const struct card_options *options, unsigned slot, const sigset_t *mask)
{
	struct card_options own = *options;
	char port[8];

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigprocmask(SIG_SETMASK, mask, NULL);
	snprintf(port, sizeof port, "%ld", strtol(options->port, NULL, 10) + slot);
	own.port = port;
	_exit(card_serve(&own) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void end_all(const struct slots *slots)
{
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		if (slots->children[i] > 0)
			kill(slots->children[i], SIGTERM);
}

static void collect(struct slots *slots)
{
	int status;
	pid_t ended;

	while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
		slots->running--;
		slots->all_well &= WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
		for (unsigned i = 0; i < SLOTS_MAX; i++)
			if (slots->children[i] == ended)
				slots->children[i] = 0;
	}
	if (!slots->all_well)
		end_all(slots);
}

bool slots_serve(const struct card_options *options, unsigned count)
{
	struct slots slots = {.all_well = true};
	sigset_t wanted, before;
	int signal;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	sigprocmask(SIG_BLOCK, &wanted, &before);
	for (unsigned i = 0; i < count; i++) {
		slots.children[i] = fork();
		if (slots.children[i] == 0)
			serve(options, i, &before);
		if (slots.children[i] < 0) {
			perror("simtie-card: fork");
			slots.all_well = false;
			end_all(&slots);
			break;
		}
		slots.running++;
	}
	while (slots.running > 0) {
		if (sigwait(&wanted, &signal) != 0)
			continue;
		if (signal == SIGCHLD)
			collect(&slots);
		else
			end_all(&slots);
	}
	return slots.all_well;
}
