#include "modem.h"

#include <signal.h>
#include <string.h>

#define PREFIX "at:"

/* The session with a modem that is open: what a signal handler can find. */
static struct simtie_session *volatile guarded;

bool modem_is(const char *reader)
{
	return reader && strncmp(reader, PREFIX, strlen(PREFIX)) == 0;
}

/* Ends as the signal would have, once the channel is closed. It is raised again when this returns.
 */
static void on_signal(int number)
{
	simtie_abandon(guarded);
	signal(number, SIG_DFL);
	raise(number);
}

struct simtie_session *volatile *modem_guard(const char *reader)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal}, before;

	if (!modem_is(reader))
		return NULL;
	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (sigaction(ends[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
			sigaction(ends[i], &action, NULL);
	return &guarded;
}
